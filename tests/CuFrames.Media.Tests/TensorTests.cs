using System.Runtime.InteropServices;
using CuFrames.Protocol;
using CuFrames.TestKit;
using Xunit;

namespace CuFrames.Media.Tests;

/// <summary>Tensors of pictures in main memory against a calculation in double precision.</summary>
public sealed unsafe class TensorTests
{
    private static readonly TensorOptions Net = new() { Mean = new(0.485, 0.456, 0.406), Std = new(0.229, 0.224, 0.225) };

    // Every finite half, in order, and the value of each.
    private static readonly Half[] Halves = [.. Enumerable.Range(0, 65536).Select(bits => BitConverter.UInt16BitsToHalf((ushort)bits)).Where(Half.IsFinite).Where(half => half != Half.Zero || !Half.IsNegative(half)).Order()];

    private static readonly double[] HalfValues = [.. Halves.Select(half => (double)half)];

    public static TheoryData<PixelFormat, int, int, PictureFit> Shapes()
    {
        TheoryData<PixelFormat, int, int, PictureFit> shapes = [];
        foreach (PixelFormat format in PixelFormats.All)
        {
            if (PixelFormats.IsTensor(format))
            {
                shapes.Add(format, 1, 1, PictureFit.Stretch);
                shapes.Add(format, 15, 3, PictureFit.Stretch);
                shapes.Add(format, 16, 5, PictureFit.Crop);
                shapes.Add(format, 113, 211, PictureFit.Letterbox);
                shapes.Add(format, 640, 360, PictureFit.Letterbox);
            }
        }

        return shapes;
    }

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Every_number_is_that_of_the_formula_rounded_once(PixelFormat format, int width, int height, PictureFit fit)
    {
        foreach (TensorOptions? options in (TensorOptions?[])[null, .. PixelFormats.IsFloat(format) ? [Net, new TensorOptions { Scale = -1.5, Mean = new(1e-3, -7, 100), Std = new(3, -1, 0.01) }] : Array.Empty<TensorOptions>()])
        {
            using FrameBuffer source = Noise(322, 182);
            using PictureScaler plain = new(PixelFormat.Rgb24, width, height, fit), scaler = new(format, width, height, fit, options);
            using FrameBuffer rgb = new(PixelFormat.Rgb24, width, height), tensor = new(format, width, height);
            FrameMetadata colours = new() { ColourMatrix = 1, ColourRange = ColourRange.Limited };
            plain.Scale(PixelFormat.I420, 322, 182, source.Planes, in colours, rgb.Planes);
            scaler.Scale(PixelFormat.I420, 322, 182, source.Planes, in colours, tensor.Planes);
            Assert.True(tensor.PaddingIsUntouched());
            Assert.Equal(1, scaler.Pictures);
            RequireEqual(format, width, height, options ?? TensorOptions.Default, rgb.Samples(), tensor.Samples());
            FrameMetadata described = colours;
            scaler.Describe(PixelFormat.I420, ref described);
            Assert.Equal((0, ColourRange.Full), (described.ColourMatrix, described.ColourRange));
        }
    }

    [Fact]
    public void Borders_are_black_before_the_formula()
    {
        using FrameBuffer source = Noise(64, 64);
        using PictureScaler scaler = new(PixelFormat.BgrpF32, 128, 64, PictureFit.Letterbox, Net);
        using FrameBuffer tensor = new(PixelFormat.BgrpF32, 128, 64);
        scaler.Scale(PixelFormat.I420, 64, 64, source.Planes, new FrameMetadata { ColourMatrix = 1 }, tensor.Planes);
        float[] numbers = MemoryMarshal.Cast<byte, float>(tensor.Samples()).ToArray();
        for (int channel = 0; channel < 3; channel++)
        {
            for (int i = 0; i < 128 * 64; i++)
            {
                if (i % 128 is < 32 or >= 96)
                {
                    Assert.Equal((float)(-Net.Mean[channel] / Net.Std[channel]), numbers[(channel * 128 * 64) + i]);
                }
            }
        }
    }

    [Fact]
    public void A_picture_costs_no_allocation()
    {
        using FrameBuffer source = Noise(322, 182);
        foreach (PixelFormat format in (PixelFormat[])[PixelFormat.Rgbp, PixelFormat.RgbpF16, PixelFormat.BgrpF32])
        {
            using PictureScaler scaler = new(format, 160, 90, PictureFit.Letterbox);
            using FrameBuffer tensor = new(format, 160, 90);
            FrameMetadata colours = new() { ColourMatrix = 1 };
            scaler.Scale(PixelFormat.I420, 322, 182, source.Planes, in colours, tensor.Planes);
            long bytes = Allocation.OfBestRound(() =>
            {
                for (int i = 0; i < 100; i++)
                {
                    scaler.Scale(PixelFormat.I420, 322, 182, source.Planes, in colours, tensor.Planes);
                }
            });
            Assert.Equal(0, bytes);
        }
    }

    [Fact]
    public void Another_pitch_than_a_rows_bytes_is_refused()
    {
        using FrameBuffer source = Noise(64, 64);
        using PictureScaler scaler = new(PixelFormat.RgbpF16, 33, 20, PictureFit.Stretch);
        using FrameBuffer tensor = new(PixelFormat.RgbpF16, 33, 20);
        foreach (PicturePlane[] planes in (PicturePlane[][])[[tensor.Planes[0] with { Pitch = 128 }], [tensor.Planes[0] with { Pitch = 65 }], [], [tensor.Planes[0], tensor.Planes[0], tensor.Planes[0]]])
        {
            MediaException error = Assert.Throws<MediaException>(() => scaler.Scale(PixelFormat.I420, 64, 64, source.Planes, default, planes));
            Assert.Contains("a pitch of 66 bytes exactly", error.Message, StringComparison.Ordinal);
        }

        Assert.True(tensor.PaddingIsUntouched());
    }

    [Fact]
    public void Numbers_that_make_no_sense_are_refused()
    {
        Check("not 0", PixelFormat.RgbpF32, new TensorOptions { Scale = 0 });
        Check("not 0", PixelFormat.RgbpF32, new TensorOptions { Scale = double.NaN });
        Check("not 0", PixelFormat.RgbpF32, new TensorOptions { Mean = new(0, double.PositiveInfinity, 0) });
        Check("not 0", PixelFormat.RgbpF32, new TensorOptions { Std = new(1, 1, 0) });
        Check("found rgbp", PixelFormat.Rgbp, new TensorOptions());
        Check("found nv12", PixelFormat.Nv12, new TensorOptions());
        Check("which holds up to 65504", PixelFormat.BgrpF16, new TensorOptions { Scale = 257 });
        Check("which holds up to", PixelFormat.BgrpF32, new TensorOptions { Std = new(1, 1, double.Epsilon) });
        new PictureScaler(PixelFormat.BgrpF16, 1, 1, PictureFit.Crop, new TensorOptions { Scale = 256 }).Dispose();

        static void Check(string expected, PixelFormat format, TensorOptions options) => Assert.Contains(
            expected, Assert.Throws<MediaException>(() => new PictureScaler(format, 8, 8, PictureFit.Crop, options)).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(PixelFormat.Bgrp)]
    [InlineData(PixelFormat.RgbpF16)]
    [InlineData(PixelFormat.BgrpF32)]
    public void A_preview_shows_the_picture(PixelFormat format)
    {
        using FrameBuffer source = Noise(64, 48);
        source.At(0, 0, 0) = 16;
        using PictureScaler plain = new(PixelFormat.Rgb24, 64, 48, PictureFit.Stretch), scaler = new(format, 64, 48, PictureFit.Stretch);
        using FrameBuffer rgb = new(PixelFormat.Rgb24, 64, 48), tensor = new(format, 64, 48);
        FrameMetadata colours = new() { ColourMatrix = 1, ColourRange = ColourRange.Full };
        plain.Scale(PixelFormat.I420, 64, 48, source.Planes, in colours, rgb.Planes);
        scaler.Scale(PixelFormat.I420, 64, 48, source.Planes, in colours, tensor.Planes);
        byte[] expected = rgb.Samples(), shown = new byte[64 * 48 * 3];
        (double least, double most) = TensorPreview.ToRgb24(format, 64, 48, tensor.Samples(), shown);
        if (PixelFormats.IsFloat(format))
        {
            byte dark = expected.Min(), bright = expected.Max();
            Assert.Equal((dark / 255.0, bright / 255.0), (least, most), (a, b) => Math.Abs(a.Item1 - b.Item1) + Math.Abs(a.Item2 - b.Item2) < 1e-3);
            Assert.All(expected.Zip(shown), pair => Assert.InRange(pair.Second - ((pair.First - dark) * 255.0 / (bright - dark)), -0.6, 0.6));
        }
        else
        {
            Assert.Equal(expected, shown);
            Assert.Equal((0, 255), (least, most));
        }
    }

    [Fact]
    public void A_preview_bears_what_is_no_number()
    {
        float[] numbers = [float.NaN, float.NegativeInfinity, 2, float.PositiveInfinity, 4, 3, 2, 2, 2, 2, 2, 2];
        byte[] shown = new byte[12];
        Assert.Equal((2, 4), TensorPreview.ToRgb24(PixelFormat.RgbpF32, 2, 2, MemoryMarshal.AsBytes<float>(numbers), shown));
        Assert.Equal([0, 255, 0, 0, 128, 0, 0, 0, 0, 255, 0, 0], shown);
        Array.Fill(numbers, float.NaN);
        Assert.Equal((0, 0), TensorPreview.ToRgb24(PixelFormat.RgbpF32, 2, 2, MemoryMarshal.AsBytes<float>(numbers), shown));
        Assert.Equal(new byte[12], shown);
        Assert.Throws<MediaException>(() => TensorPreview.ToRgb24(PixelFormat.RgbpF32, 2, 3, MemoryMarshal.AsBytes<float>(numbers), new byte[18]));
        Assert.Throws<MediaException>(() => TensorPreview.ToRgb24(PixelFormat.Rgb24, 2, 2, new byte[12], shown));
    }

    private static FrameBuffer Noise(int width, int height)
    {
        FrameBuffer picture = new(PixelFormat.I420, width, height);
        Random random = new(20261121);
        for (int plane = 0; plane < 3; plane++)
        {
            for (int row = 0; row < PixelFormats.Rows(PixelFormat.I420, plane, height); row++)
            {
                for (int column = 0; column < PixelFormats.RowBytes(PixelFormat.I420, plane, width); column++)
                {
                    picture.At(plane, row, column) = (byte)random.Next(256);
                }
            }
        }

        return picture;
    }

    private static void RequireEqual(PixelFormat format, int width, int height, TensorOptions options, byte[] rgb, byte[] tensor)
    {
        bool isBlueFirst = format is PixelFormat.Bgrp or PixelFormat.BgrpF16 or PixelFormat.BgrpF32;
        int area = width * height;
        for (int channel = 0; channel < 3; channel++)
        {
            for (int pixel = 0; pixel < area; pixel++)
            {
                byte sample = rgb[(3 * pixel) + (isBlueFirst ? 2 - channel : channel)];
                int index = (channel * area) + pixel;
                double expected = ((sample * options.Scale) - options.Mean[channel]) / options.Std[channel];
                switch (PixelFormats.SampleBytes(format))
                {
                    case 1:
                        Assert.Equal(sample, tensor[index]);
                        break;
                    case 2:
                        Assert.Equal(Nearest(expected), MemoryMarshal.Cast<byte, Half>(tensor)[index]);
                        break;
                    default:
                        float found = MemoryMarshal.Cast<byte, float>(tensor)[index];
                        Assert.True(Math.Abs(found - expected) <= 1e-6 * Math.Abs(expected), $"{found} instead of {expected}");
                        Assert.Equal((float)expected, found);
                        break;
                }
            }
        }
    }

    /// <summary>The half next to a number, the even one of two: by search, not by conversion.</summary>
    private static Half Nearest(double number)
    {
        int above = Array.BinarySearch(HalfValues, number);
        if (above >= 0)
        {
            return Halves[above];
        }

        above = Math.Clamp(~above, 1, Halves.Length - 1);
        double down = number - HalfValues[above - 1], up = HalfValues[above] - number;
        bool isUp = up < down || (up == down && (BitConverter.HalfToUInt16Bits(Halves[above]) & 1) == 0);
        return Halves[isUp ? above : above - 1];
    }
}
