using CuFrames.Protocol;
using CuFrames.TestKit;
using Xunit;

namespace CuFrames.Media.Tests;

public sealed class JpegEncoderTests
{
    /// <summary>Flat colours come out as they went in, whatever matrix and range the picture has: a JPEG always has BT.601 and full range.</summary>
    [Theory]
    [InlineData(PixelFormat.I420, 1, ColourRange.Limited)]
    [InlineData(PixelFormat.I420, 1, ColourRange.Full)]
    [InlineData(PixelFormat.I420, 5, ColourRange.Limited)]
    [InlineData(PixelFormat.Nv12, 6, ColourRange.Full)]
    [InlineData(PixelFormat.Nv12, 9, ColourRange.Limited)]
    [InlineData(PixelFormat.P010, 1, ColourRange.Limited)]
    [InlineData(PixelFormat.P010, 9, ColourRange.Full)]
    [InlineData(PixelFormat.Gray8, 2, ColourRange.Limited)]
    [InlineData(PixelFormat.Gray8, 2, ColourRange.Full)]
    [InlineData(PixelFormat.Rgb24, 0, ColourRange.Full)]
    [InlineData(PixelFormat.Bgr24, 0, ColourRange.Full)]
    [InlineData(PixelFormat.Rgba, 0, ColourRange.Full)]
    [InlineData(PixelFormat.Bgra, 0, ColourRange.Full)]
    public void Colours_come_out_as_they_went_in(PixelFormat format, byte matrix, ColourRange range)
    {
        const int Width = 61, Height = 35;
        (double kr, double kb) = matrix switch { 1 => (0.2126, 0.0722), 9 => (0.2627, 0.0593), _ => (0.299, 0.114) };
        using JpegEncoder encoder = new();
        using MediaClips clips = new();
        foreach ((int r, int g, int b) in ((int, int, int)[])[(255, 0, 0), (0, 255, 0), (0, 0, 255), (128, 128, 128), (200, 100, 30), (0, 0, 0), (255, 255, 255)])
        {
            if (format == PixelFormat.Gray8 && (r != g || g != b))
            {
                continue;
            }

            double y = (kr * r) + ((1 - kr - kb) * g) + (kb * b);
            double u = (b - y) / (2 * (1 - kb)), v = (r - y) / (2 * (1 - kr));
            int[] codes = range == ColourRange.Full
                ? [Round(y), Round(u + 128), Round(v + 128)]
                : [Round(16 + (y * 219 / 255)), Round(128 + (u * 224 / 255)), Round(128 + (v * 224 / 255))];
            byte[] picture = new byte[PixelFormats.PictureBytes(format, Width, Height)];
            FillFlat(picture, format, Width, Height, codes, (byte)r, (byte)g, (byte)b);
            ReadOnlySpan<byte> jpeg = encoder.Encode(format, Width, Height, picture, new FrameMetadata { ColourMatrix = matrix, ColourRange = range });
            byte[] rgb = Decode(clips, jpeg, Width, Height);
            for (int i = 0; i < rgb.Length; i += 3)
            {
                Assert.InRange(rgb[i], r - 4, r + 4);
                Assert.InRange(rgb[i + 1], g - 4, g + 4);
                Assert.InRange(rgb[i + 2], b - 4, b + 4);
            }
        }

        static int Round(double value) => (int)Math.Clamp(Math.Round(value), 0, 255);
    }

    [Fact]
    public void Each_picture_is_the_one_that_was_given_also_when_size_and_format_change()
    {
        using JpegEncoder encoder = new();
        using MediaClips clips = new();
        (PixelFormat Format, int Width, int Height)[] kinds = [(PixelFormat.Nv12, 320, 240), (PixelFormat.I420, 333, 111), (PixelFormat.Rgb24, 160, 120), (PixelFormat.Nv12, 320, 240)];
        foreach ((PixelFormat format, int width, int height) in kinds)
        {
            for (int number = 0; number < 3; number++)
            {
                using FrameBuffer buffer = new(format, width, height);
                new TestPattern(format, width, height).Fill(buffer.Planes, number * 40);
                byte[] rgb = new byte[width * height * 3];
                PictureEncoder.ToRgb24(format, width, height, buffer.Planes, default, rgb);
                byte[] picture = buffer.Samples();
                byte[] result = Decode(clips, encoder.Encode(format, width, height, picture, default), width, height);
                double error = 0;
                for (int i = 0; i < rgb.Length; i++)
                {
                    error += Math.Pow(rgb[i] - result[i], 2);
                }

                double ratio = 10 * Math.Log10(255 * 255 / (error / rgb.Length));
                Assert.True(ratio > 24, $"{format} {width}x{height}, picture {number}: {ratio:0.0} dB");
            }
        }
    }

    [Fact]
    public void What_cannot_be_encoded_is_refused()
    {
        using JpegEncoder encoder = new();
        Assert.False(JpegEncoder.CanEncode(PixelFormat.RgbpF32));
        Assert.False(JpegEncoder.CanEncode(PixelFormat.Bgrp));
        Assert.Contains("no tensor", Assert.Throws<MediaException>(() => Encode(PixelFormat.RgbpF32, 16, 16, 1 << 16)).Message, StringComparison.Ordinal);
        Assert.Throws<MediaException>(() => Encode(PixelFormat.Unknown, 16, 16, 1 << 16));
        Assert.Throws<MediaException>(() => Encode(PixelFormat.Nv12, 0, 16, 1 << 16));
        Assert.Throws<MediaException>(() => Encode(PixelFormat.Nv12, 16, 16, (16 * 16 * 3 / 2) - 1));

        void Encode(PixelFormat format, int width, int height, int bytes) => encoder.Encode(format, width, height, new byte[bytes], default);
    }

    private static byte[] Decode(MediaClips clips, ReadOnlySpan<byte> jpeg, int width, int height)
    {
        string path = clips.PathOf("a.jpeg"), raw = clips.PathOf("a.raw");
        File.WriteAllBytes(path, jpeg);
        MediaClips.Ffmpeg("-i", path, "-f", "rawvideo", "-pix_fmt", "rgb24", raw);
        byte[] rgb = File.ReadAllBytes(raw);
        Assert.Equal(width * height * 3, rgb.Length);
        return rgb;
    }

    private static void FillFlat(Span<byte> picture, PixelFormat format, int width, int height, int[] codes, byte r, byte g, byte b)
    {
        int luma = width * height, chroma = ((width + 1) / 2) * ((height + 1) / 2);
        switch (format)
        {
            case PixelFormat.I420:
                picture[..luma].Fill((byte)codes[0]);
                picture.Slice(luma, chroma).Fill((byte)codes[1]);
                picture.Slice(luma + chroma, chroma).Fill((byte)codes[2]);
                break;
            case PixelFormat.Gray8:
                picture[..luma].Fill((byte)codes[0]);
                break;
            case PixelFormat.Nv12:
                picture[..luma].Fill((byte)codes[0]);
                Repeat(picture.Slice(luma, 2 * chroma), [(byte)codes[1], (byte)codes[2]]);
                break;
            case PixelFormat.P010:
                Repeat(picture[..(2 * luma)], [0, (byte)codes[0]]);
                Repeat(picture.Slice(2 * luma, 4 * chroma), [0, (byte)codes[1], 0, (byte)codes[2]]);
                break;
            default:
                Repeat(picture[..(PixelFormats.RowBytes(format, 0, width) * height)], format switch
                {
                    PixelFormat.Rgb24 => [r, g, b],
                    PixelFormat.Bgr24 => [b, g, r],
                    PixelFormat.Rgba => [r, g, b, 255],
                    _ => [b, g, r, 255],
                });
                break;
        }
    }

    private static void Repeat(Span<byte> target, ReadOnlySpan<byte> sample)
    {
        for (int i = 0; i < target.Length; i++)
        {
            target[i] = sample[i % sample.Length];
        }
    }
}
