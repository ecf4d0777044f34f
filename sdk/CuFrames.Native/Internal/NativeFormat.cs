using System.Runtime.InteropServices;

namespace CuFrames.Native.Internal;

/// <summary>cuframes_format.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct NativeFormat
{
    public uint Size;
    public uint PixelFormat;
    public uint Width;
    public uint Height;
    public uint RateNumerator;
    public uint RateDenominator;
    public byte ColourMatrix;
    public byte ColourRange;
    public byte ColourPrimaries;
    public byte ColourTransfer;
}
