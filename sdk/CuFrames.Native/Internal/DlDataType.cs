using System.Runtime.InteropServices;

namespace CuFrames.Native.Internal;

/// <summary>DLDataType of dlpack.h.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct DlDataType
{
    /// <summary>kDLUInt.</summary>
    public const byte UnsignedInteger = 1;

    /// <summary>kDLFloat.</summary>
    public const byte Float = 2;

    public byte Code;
    public byte Bits;
    public ushort Lanes;
}
