using System.Runtime.InteropServices;

namespace CuFrames.Media;

/// <summary>One plane of a picture in host memory. The memory belongs to whoever made the value.</summary>
/// <remarks>The layout is that of <c>cuframes_av_plane</c> in the shim.</remarks>
/// <param name="Address">First byte of the first row.</param>
/// <param name="Pitch">Bytes from one row to the next; at least the bytes of a row.</param>
[StructLayout(LayoutKind.Sequential)]
public readonly record struct PicturePlane(nint Address, nuint Pitch);
