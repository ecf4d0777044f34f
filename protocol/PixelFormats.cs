namespace CuFrames.Protocol;

/// <summary>Geometry of the pixel formats (docs/protocol.md 10.1).</summary>
public static class PixelFormats
{
    /// <summary>Every format of the protocol.</summary>
    public static ReadOnlySpan<PixelFormat> All =>
    [
        PixelFormat.Nv12, PixelFormat.I420, PixelFormat.P010, PixelFormat.Gray8,
        PixelFormat.Rgb24, PixelFormat.Bgr24, PixelFormat.Rgba, PixelFormat.Bgra,
    ];

    /// <summary>Whether the protocol has this format.</summary>
    /// <param name="format">The format.</param>
    public static bool IsKnown(PixelFormat format) => PlaneCount(format) != 0;

    /// <summary>Planes of a format, 1 to 3; 0 for a format that the protocol does not have.</summary>
    /// <param name="format">The format.</param>
    public static int PlaneCount(PixelFormat format) => format switch
    {
        PixelFormat.Nv12 or PixelFormat.P010 => 2,
        PixelFormat.I420 => 3,
        PixelFormat.Gray8 or PixelFormat.Rgb24 or PixelFormat.Bgr24 or PixelFormat.Rgba or PixelFormat.Bgra => 1,
        _ => 0,
    };

    /// <summary>Whether chroma is halved in both directions.</summary>
    /// <param name="format">The format.</param>
    public static bool IsSubsampled(PixelFormat format) => format is PixelFormat.Nv12 or PixelFormat.I420 or PixelFormat.P010;

    /// <summary>Bytes that a row of a plane holds, without padding.</summary>
    /// <param name="format">The format.</param>
    /// <param name="plane">The plane, from 0.</param>
    /// <param name="width">Columns of the picture.</param>
    public static int RowBytes(PixelFormat format, int plane, int width) => format switch
    {
        PixelFormat.Nv12 => plane == 0 ? width : Half(width) * 2,
        PixelFormat.P010 => plane == 0 ? width * 2 : Half(width) * 4,
        PixelFormat.I420 => plane == 0 ? width : Half(width),
        PixelFormat.Gray8 => width,
        PixelFormat.Rgb24 or PixelFormat.Bgr24 => width * 3,
        PixelFormat.Rgba or PixelFormat.Bgra => width * 4,
        _ => 0,
    };

    /// <summary>Rows of a plane.</summary>
    /// <param name="format">The format.</param>
    /// <param name="plane">The plane, from 0.</param>
    /// <param name="height">Rows of the picture.</param>
    public static int Rows(PixelFormat format, int plane, int height) => plane > 0 && IsSubsampled(format) ? Half(height) : height;

    /// <summary>Bytes of a picture without any padding: what a raw video file holds per frame.</summary>
    /// <param name="format">The format.</param>
    /// <param name="width">Columns.</param>
    /// <param name="height">Rows.</param>
    public static long PictureBytes(PixelFormat format, int width, int height)
    {
        long bytes = 0;
        for (int plane = 0; plane < PlaneCount(format); plane++)
        {
            bytes += (long)RowBytes(format, plane, width) * Rows(format, plane, height);
        }

        return bytes;
    }

    /// <summary>The name used in text: <c>nv12</c>, <c>i420</c>, <c>p010</c>, <c>gray8</c>, <c>rgb24</c>, <c>bgr24</c>, <c>rgba</c>, <c>bgra</c>.</summary>
    /// <param name="format">The format.</param>
    public static string Name(PixelFormat format) => format switch
    {
        PixelFormat.Nv12 => "nv12",
        PixelFormat.I420 => "i420",
        PixelFormat.P010 => "p010",
        PixelFormat.Gray8 => "gray8",
        PixelFormat.Rgb24 => "rgb24",
        PixelFormat.Bgr24 => "bgr24",
        PixelFormat.Rgba => "rgba",
        PixelFormat.Bgra => "bgra",
        PixelFormat.Unknown => "unknown",
        _ => $"0x{(uint)format:x8}",
    };

    /// <summary>The format with a name as <see cref="Name"/> gives it.</summary>
    /// <param name="name">The name, in any case.</param>
    /// <param name="format">The format.</param>
    public static bool TryParse(string name, out PixelFormat format)
    {
        foreach (PixelFormat candidate in All)
        {
            if (string.Equals(Name(candidate), name, StringComparison.OrdinalIgnoreCase))
            {
                format = candidate;
                return true;
            }
        }

        format = PixelFormat.Unknown;
        return false;
    }

    private static int Half(int value) => (value + 1) >> 1;
}
