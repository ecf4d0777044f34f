namespace CuFrames.Protocol;

/// <summary>Geometry of the pixel formats (docs/protocol.md 10.1).</summary>
public static class PixelFormats
{
    /// <summary>Every format of the protocol.</summary>
    public static ReadOnlySpan<PixelFormat> All =>
    [
        PixelFormat.Nv12, PixelFormat.I420, PixelFormat.P010, PixelFormat.Gray8,
        PixelFormat.Rgb24, PixelFormat.Bgr24, PixelFormat.Rgba, PixelFormat.Bgra,
        PixelFormat.Rgbp, PixelFormat.Bgrp, PixelFormat.RgbpF16, PixelFormat.BgrpF16, PixelFormat.RgbpF32, PixelFormat.BgrpF32,
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
        _ => IsTensor(format) ? 1 : 0,
    };

    /// <summary>Whether a picture is a tensor (3, height, width): one plane, whose rows are those of the three channels behind each other, without padding and
    /// without crop (docs/protocol.md 10.2).</summary>
    /// <param name="format">The format.</param>
    public static bool IsTensor(PixelFormat format) => format is PixelFormat.Rgbp or PixelFormat.Bgrp or
        PixelFormat.RgbpF16 or PixelFormat.BgrpF16 or PixelFormat.RgbpF32 or PixelFormat.BgrpF32;

    /// <summary>Whether samples are floating-point numbers of half or single precision; else they are unsigned integers.</summary>
    /// <param name="format">The format.</param>
    public static bool IsFloat(PixelFormat format) =>
        format is PixelFormat.RgbpF16 or PixelFormat.BgrpF16 or PixelFormat.RgbpF32 or PixelFormat.BgrpF32;

    /// <summary>Bytes of a sample, 1, 2 or 4; 0 for a format that the protocol does not have.</summary>
    /// <param name="format">The format.</param>
    public static int SampleBytes(PixelFormat format) => format switch
    {
        PixelFormat.RgbpF32 or PixelFormat.BgrpF32 => 4,
        PixelFormat.P010 or PixelFormat.RgbpF16 or PixelFormat.BgrpF16 => 2,
        _ => IsKnown(format) ? 1 : 0,
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
        _ => IsTensor(format) ? width * SampleBytes(format) : 0,
    };

    /// <summary>Rows of a plane; of a tensor those of all three channels.</summary>
    /// <param name="format">The format.</param>
    /// <param name="plane">The plane, from 0.</param>
    /// <param name="height">Rows of the picture.</param>
    public static int Rows(PixelFormat format, int plane, int height) =>
        plane > 0 && IsSubsampled(format) ? Half(height) : IsTensor(format) ? 3 * height : height;

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

    /// <summary>The name used in text: <c>nv12</c>, <c>i420</c>, <c>p010</c>, <c>gray8</c>, <c>rgb24</c>, <c>bgr24</c>, <c>rgba</c>, <c>bgra</c>,
    /// <c>rgbp</c>, <c>bgrp</c>, <c>rgbp_f16</c>, <c>bgrp_f16</c>, <c>rgbp_f32</c>, <c>bgrp_f32</c>.</summary>
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
        PixelFormat.Rgbp => "rgbp",
        PixelFormat.Bgrp => "bgrp",
        PixelFormat.RgbpF16 => "rgbp_f16",
        PixelFormat.BgrpF16 => "bgrp_f16",
        PixelFormat.RgbpF32 => "rgbp_f32",
        PixelFormat.BgrpF32 => "bgrp_f32",
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
