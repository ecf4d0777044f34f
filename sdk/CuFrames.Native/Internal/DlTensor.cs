using System.Runtime.InteropServices;

namespace CuFrames.Native.Internal;

/// <summary>DLTensor of dlpack.h. Strides count elements.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct DlTensor
{
    public nuint Data;
    public DlDevice Device;
    public int Dimensions;
    public DlDataType DataType;
    public long* Shape;
    public long* Strides;
    public ulong ByteOffset;
}
