using CuFrames.Protocol;

namespace CuFrames.Media.Internal;

/// <summary>The shim's numbers for the pixel formats.</summary>
internal static class AvFormats
{
    internal static PixelFormat ToPixelFormat(uint format) => format switch
    {
        1 => PixelFormat.Nv12,
        2 => PixelFormat.I420,
        3 => PixelFormat.P010,
        4 => PixelFormat.Gray8,
        5 => PixelFormat.Rgb24,
        6 => PixelFormat.Bgr24,
        7 => PixelFormat.Rgba,
        8 => PixelFormat.Bgra,
        _ => PixelFormat.Unknown,
    };

    internal static uint FromPixelFormat(PixelFormat format) => format switch
    {
        PixelFormat.Nv12 => 1,
        PixelFormat.I420 => 2,
        PixelFormat.P010 => 3,
        PixelFormat.Gray8 => 4,
        PixelFormat.Rgb24 => 5,
        PixelFormat.Bgr24 => 6,
        PixelFormat.Rgba => 7,
        PixelFormat.Bgra => 8,
        _ => 0,
    };
}
