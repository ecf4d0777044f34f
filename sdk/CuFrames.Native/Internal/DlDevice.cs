using System.Runtime.InteropServices;

namespace CuFrames.Native.Internal;

/// <summary>DLDevice of dlpack.h.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct DlDevice
{
    /// <summary>kDLCPU and kDLCUDA.</summary>
    public const int Cpu = 1;
    public const int Cuda = 2;

    public int Type;
    public int Id;
}
