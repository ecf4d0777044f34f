using System.Runtime.InteropServices;

namespace CuFrames.Native.Internal;

/// <summary>cuframes_plane.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct NativePlane
{
    public nuint Data;
    public long Pitch;
    public long RowBytes;
    public long Rows;
}
