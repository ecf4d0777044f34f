using CuFrames.Protocol;
using CuFrames.TestKit;
using Xunit;

namespace CuFrames.Media.Tests;

public sealed class PictureEncoderTests
{
    [Theory]
    [InlineData(641, 7)]
    [InlineData(1, 1)]
    [InlineData(320, 240)]
    public void A_png_decodes_to_the_same_pixels(int width, int height)
    {
        byte[] rgb = new byte[width * height * 3];
        new Random(5).NextBytes(rgb);
        using MediaClips clips = new();
        string png = clips.PathOf("a.png");
        File.WriteAllBytes(png, PictureEncoder.EncodePng(rgb, width, height));
        string raw = clips.PathOf("a.raw");
        MediaClips.Ffmpeg("-i", png, "-f", "rawvideo", "-pix_fmt", "rgb24", raw);
        Assert.Equal(rgb, File.ReadAllBytes(raw));
    }

    /// <summary>Red, green and blue come out as they went in, when matrix and range of the metadata are those of the frame.</summary>
    [Theory]
    [InlineData(1, ColourRange.Limited)]
    [InlineData(1, ColourRange.Full)]
    [InlineData(5, ColourRange.Limited)]
    [InlineData(6, ColourRange.Full)]
    [InlineData(9, ColourRange.Limited)]
    public void Matrix_and_range_of_the_frame_are_used(byte matrix, ColourRange range)
    {
        (double kr, double kb) = matrix switch { 1 => (0.2126, 0.0722), 9 => (0.2627, 0.0593), _ => (0.299, 0.114) };
        foreach ((int r, int g, int b) in ((int, int, int)[])[(255, 0, 0), (0, 255, 0), (0, 0, 255), (128, 128, 128), (200, 100, 30)])
        {
            double y = (kr * r) + ((1 - kr - kb) * g) + (kb * b);
            double u = (b - y) / (2 * (1 - kb)), v = (r - y) / (2 * (1 - kr));
            (byte codeY, byte codeU, byte codeV) = range == ColourRange.Full
                ? (Round(y), Round(u + 128), Round(v + 128))
                : (Round(16 + (y * 219 / 255)), Round(128 + (u * 224 / 255)), Round(128 + (v * 224 / 255)));
            using FrameBuffer buffer = new(PixelFormat.I420, 16, 16);
            for (int row = 0; row < 16; row++)
            {
                for (int column = 0; column < 16; column++)
                {
                    buffer.At(0, row, column) = codeY;
                    buffer.At(1, row / 2, column / 2) = codeU;
                    buffer.At(2, row / 2, column / 2) = codeV;
                }
            }

            byte[] rgb = new byte[16 * 16 * 3];
            PictureEncoder.ToRgb24(PixelFormat.I420, 16, 16, buffer.Planes, new FrameMetadata { ColourMatrix = matrix, ColourRange = range }, rgb);
            for (int i = 0; i < rgb.Length; i += 3)
            {
                Assert.InRange(rgb[i], r - 3, r + 3);
                Assert.InRange(rgb[i + 1], g - 3, g + 3);
                Assert.InRange(rgb[i + 2], b - 3, b + 3);
            }
        }

        static byte Round(double value) => (byte)Math.Clamp(Math.Round(value), 0, 255);
    }

    [Theory]
    [InlineData(PixelFormat.Rgb24)]
    [InlineData(PixelFormat.Bgr24)]
    [InlineData(PixelFormat.Rgba)]
    [InlineData(PixelFormat.Bgra)]
    public void Rgb_orders_are_only_put_into_order(PixelFormat format)
    {
        const int Width = 101, Height = 33;
        using FrameBuffer buffer = new(format, Width, Height);
        new TestPattern(format, Width, Height).Fill(buffer.Planes, 9);
        byte[] rgb = new byte[Width * Height * 3];
        PictureEncoder.ToRgb24(format, Width, Height, buffer.Planes, default, rgb);
        using FrameBuffer expected = new(PixelFormat.Rgb24, Width, Height);
        new TestPattern(PixelFormat.Rgb24, Width, Height).Fill(expected.Planes, 9);
        Assert.Equal(expected.Samples(), rgb);
    }

    [Fact]
    public void Every_format_of_the_protocol_converts()
    {
        foreach (PixelFormat format in PixelFormats.All.ToArray().Where(format => !PixelFormats.IsTensor(format)))
        {
            using FrameBuffer buffer = new(format, 66, 34);
            new TestPattern(format, 66, 34).Fill(buffer.Planes, 1);
            byte[] rgb = new byte[66 * 34 * 3];
            PictureEncoder.ToRgb24(format, 66, 34, buffer.Planes, new FrameMetadata { ColourMatrix = 2 }, rgb);
            // The code in the corner is black and white in every format.
            TestPattern reader = new(PixelFormat.Rgb24, 66, 34);
            using FrameBuffer picture = new(PixelFormat.Rgb24, 66, 34);
            for (int i = 0; i < rgb.Length; i++)
            {
                picture.At(0, i / (66 * 3), i % (66 * 3)) = rgb[i];
            }

            Assert.True(reader.TryReadNumber(picture.Planes, out long number), format.ToString());
            Assert.Equal(1, number);
        }
    }

    [Fact]
    public void What_does_not_fit_is_refused()
    {
        byte[] rgb = new byte[64 * 64 * 3];
        using FrameBuffer buffer = new(PixelFormat.Nv12, 64, 64);
        Assert.Throws<MediaException>(() => PictureEncoder.EncodePng(rgb, 65, 64));
        Assert.Throws<MediaException>(() => PictureEncoder.EncodePng(rgb, 0, 64));
        Assert.Throws<MediaException>(() => PictureEncoder.ToRgb24(PixelFormat.Nv12, 64, 64, buffer.Planes.AsSpan(0, 1), default, rgb));
        Assert.Throws<MediaException>(() => PictureEncoder.ToRgb24(PixelFormat.Unknown, 64, 64, buffer.Planes, default, rgb));
        Assert.Throws<MediaException>(() => PictureEncoder.ToRgb24(PixelFormat.Nv12, 64, 64, [buffer.Planes[0] with { Pitch = 63 }, buffer.Planes[1]], default, rgb));
        Assert.Throws<MediaException>(() => PictureEncoder.ToRgb24(PixelFormat.Nv12, 64, 64, buffer.Planes, default, rgb.AsSpan(1)));
    }
}
