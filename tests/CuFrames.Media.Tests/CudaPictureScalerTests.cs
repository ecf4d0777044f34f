using System.Buffers.Binary;
using System.Globalization;
using System.Runtime.CompilerServices;
using CuFrames.Interop;
using CuFrames.Media.Internal;
using CuFrames.Protocol;
using CuFrames.TestKit;
using Xunit;

namespace CuFrames.Media.Tests;

/// <summary>
/// Every sample that the kernel makes is the rounded one of a calculation in double precision. On the double of the driver, which runs the kernel's own source,
/// and with CUFRAMES_TEST_GPU=1 on a GPU.
/// </summary>
[Trait("needs", "gpu")]
[Collection("cuda")]
public sealed class CudaPictureScalerTests(CudaPictureScalerTests.Device device) : IClassFixture<CudaPictureScalerTests.Device>
{
    // Half a step is rounding; the rest is what single precision loses, in steps of 255 and of 1023.
    private const double Tolerance = 0.5 + 0.002;

    private static readonly TensorOptions ImageNet = new() { Mean = new TensorChannels(0.485, 0.456, 0.406), Std = new TensorChannels(0.229, 0.224, 0.225) };

    private readonly CudaContext _context = device.Context;
    private readonly CudaStream _stream = device.Stream;

    /// <summary>601, 709 and 2020, limited and full, 8 and 10 bits, to RGB.</summary>
    [Theory]
    [InlineData(PixelFormat.Nv12, 1, ColourRange.Limited)]
    [InlineData(PixelFormat.Nv12, 1, ColourRange.Full)]
    [InlineData(PixelFormat.Nv12, 6, ColourRange.Limited)]
    [InlineData(PixelFormat.Nv12, 6, ColourRange.Full)]
    [InlineData(PixelFormat.Nv12, 9, ColourRange.Limited)]
    [InlineData(PixelFormat.Nv12, 9, ColourRange.Full)]
    [InlineData(PixelFormat.P010, 1, ColourRange.Limited)]
    [InlineData(PixelFormat.P010, 1, ColourRange.Full)]
    [InlineData(PixelFormat.P010, 6, ColourRange.Limited)]
    [InlineData(PixelFormat.P010, 6, ColourRange.Full)]
    [InlineData(PixelFormat.P010, 9, ColourRange.Limited)]
    [InlineData(PixelFormat.P010, 9, ColourRange.Full)]
    [InlineData(PixelFormat.I420, 5, ColourRange.Unknown)]
    [InlineData(PixelFormat.I420, 4, ColourRange.Full)]
    [InlineData(PixelFormat.I420, 7, ColourRange.Limited)]
    [InlineData(PixelFormat.P010, 10, ColourRange.Limited)]
    public void Matrix_and_range_hold(PixelFormat format, byte matrix, ColourRange range)
    {
        CudaPicture picture = new() { Format = format, Width = 131, Height = 77, ColourMatrix = matrix, Range = range };
        RequireReference(picture, PixelFormat.Rgb24, 67, 41, PictureFit.Stretch);
        RequireReference(picture, PixelFormat.RgbpF32, 131, 77, PictureFit.Stretch);
        RequireReference(picture, format, 60, 50, PictureFit.Letterbox);
        RequireReference(picture, PixelFormat.Nv12, 40, 50, PictureFit.Crop);
        RequireReference(picture, PixelFormat.P010, 90, 33, PictureFit.Letterbox);
        RequireReference(picture, PixelFormat.Gray8, 90, 33, PictureFit.Letterbox);
    }

    /// <summary>Every format of a picture to every format of a result.</summary>
    [Theory]
    [InlineData(PixelFormat.Nv12)]
    [InlineData(PixelFormat.I420)]
    [InlineData(PixelFormat.P010)]
    [InlineData(PixelFormat.Gray8)]
    [InlineData(PixelFormat.Rgb24)]
    [InlineData(PixelFormat.Bgr24)]
    [InlineData(PixelFormat.Rgba)]
    [InlineData(PixelFormat.Bgra)]
    public void Every_format_becomes_every_other(PixelFormat from)
    {
        foreach (PixelFormat to in PixelFormats.All.ToArray())
        {
            RequireReference(new CudaPicture { Format = from, Width = 99, Height = 65, Range = ColourRange.Limited }, to, 50, 38, PictureFit.Letterbox);
            RequireReference(new CudaPicture { Format = from, Width = 33, Height = 21, Range = ColourRange.Full }, to, 71, 47, PictureFit.Stretch);
        }
    }

    /// <summary>Sizes that are odd, tiny, larger, much smaller, wider than a piece of shared memory, and one.</summary>
    [Theory]
    [InlineData(1, 1, 1, 1)]
    [InlineData(1, 1, 70, 9)]
    [InlineData(2, 3, 3, 2)]
    [InlineData(7, 5, 65, 17)]
    [InlineData(65, 9, 65, 9)]
    [InlineData(64, 8, 128, 16)]
    [InlineData(129, 63, 63, 129)]
    [InlineData(640, 36, 640, 36)]
    [InlineData(1001, 37, 64, 8)]
    [InlineData(4001, 11, 65, 3)]
    [InlineData(4096, 7, 1, 1)]
    [InlineData(3, 3000, 2, 5)]
    [InlineData(1537, 200, 100, 13)]
    public void Sizes_of_all_kinds(int width, int height, int toWidth, int toHeight)
    {
        foreach (PixelFormat from in (PixelFormat[])[PixelFormat.Nv12, PixelFormat.P010, PixelFormat.Rgb24, PixelFormat.Rgba])
        {
            CudaPicture picture = new() { Format = from, Width = width, Height = height, ColourMatrix = 1 };
            foreach (PixelFormat to in (PixelFormat[])[PixelFormat.Nv12, PixelFormat.Bgr24, PixelFormat.RgbpF16])
            {
                RequireReference(picture, to, toWidth, toHeight, PictureFit.Stretch);
                RequireReference(picture, to, toWidth, toHeight, PictureFit.Letterbox);
                RequireReference(picture, to, toWidth, toHeight, PictureFit.Crop);
            }
        }
    }

    /// <summary>Where chroma lies in the picture, and in the result.</summary>
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(5)]
    [InlineData(6)]
    public void Chroma_lies_where_the_picture_says(byte location)
    {
        foreach (PixelFormat from in (PixelFormat[])[PixelFormat.Nv12, PixelFormat.P010, PixelFormat.I420])
        {
            CudaPicture picture = new() { Format = from, Width = 57, Height = 43, ColourMatrix = 1, ChromaLocation = location };
            RequireReference(picture, PixelFormat.Rgb24, 57, 43, PictureFit.Stretch);
            RequireReference(picture, PixelFormat.Rgb24, 23, 31, PictureFit.Stretch);
            RequireReference(picture, PixelFormat.I420, 23, 31, PictureFit.Stretch);
            RequireReference(picture, PixelFormat.I420, 99, 71, PictureFit.Crop);
        }
    }

    /// <summary>Of the same size and format nothing changes at all.</summary>
    [Theory]
    [InlineData(PixelFormat.Nv12, ColourRange.Limited)]
    [InlineData(PixelFormat.I420, ColourRange.Full)]
    [InlineData(PixelFormat.P010, ColourRange.Limited)]
    [InlineData(PixelFormat.P010, ColourRange.Full)]
    [InlineData(PixelFormat.Gray8, ColourRange.Limited)]
    [InlineData(PixelFormat.Bgr24, ColourRange.Unknown)]
    public void What_needs_no_change_stays_as_it_is(PixelFormat format, ColourRange range)
    {
        CudaPicture picture = new() { Format = format, Width = 201, Height = 87, Range = range };
        byte[] samples = Noise(picture);
        Assert.Equal(samples, Scale(picture, samples, format, 201, 87, PictureFit.Stretch));
    }

    /// <summary>Ten bits to eight and back: rounded to the nearest, and of full range 1023 is 255.</summary>
    [Theory]
    [InlineData(ColourRange.Limited)]
    [InlineData(ColourRange.Full)]
    public void Ten_bits_become_eight_by_rounding(ColourRange range)
    {
        CudaPicture picture = new() { Format = PixelFormat.P010, Width = 1024, Height = 2, Range = range };
        byte[] samples = new byte[(1024 * 2 * 2) + (512 * 4)];
        for (int i = 0; i < samples.Length / 2; i++)
        {
            BinaryPrimitives.WriteUInt16LittleEndian(samples.AsSpan(2 * i), (ushort)(i % 1024 << 6));
        }

        byte[] result = Scale(picture, samples, PixelFormat.Gray8, 1024, 2, PictureFit.Stretch);
        for (int i = 0; i < 1024; i++)
        {
            double expected = Math.Min(range == ColourRange.Full ? i * 255.0 / 1023 : i / 4.0, 255);
            Assert.True(Math.Abs(result[i] - expected) <= 0.5, $"{i} became {result[i]}");
        }

        Assert.Equal((0, 255), (result[0], result[1023]));
    }

    /// <summary>The border is black to the bit, and nothing else is border.</summary>
    [Theory]
    [InlineData(ColourRange.Limited)]
    [InlineData(ColourRange.Full)]
    public void Borders_are_exactly_black(ColourRange range)
    {
        foreach (PixelFormat to in PixelFormats.All.ToArray())
        {
            foreach ((int width, int height) in ((int, int)[])[(101, 101), (64, 7), (150, 40), (129, 300)])
            {
                // White, so that what is not border is far from black.
                CudaPicture picture = new() { Format = PixelFormat.I420, Width = 64, Height = 16, ColourMatrix = 1, Range = range };
                byte[] white = new byte[(64 * 16) + (2 * 32 * 8)];
                white.AsSpan(0, 64 * 16).Fill(range == ColourRange.Full ? (byte)255 : (byte)235);
                white.AsSpan(64 * 16).Fill(128);
                byte[] result = Scale(picture, white, to, width, height, PictureFit.Letterbox, PixelFormats.IsFloat(to) ? ImageNet : null);
                bool[] shown = new ReferenceScaler(picture, white, to, width, height, PictureFit.Letterbox, ImageNet).Shown();
                int bytes = PixelFormats.SampleBytes(to);
                Assert.Equal(result.Length / bytes, shown.Length);
                for (int i = 0; i < shown.Length; i++)
                {
                    double value = Value(result, to, i);
                    double black = BlackOf(to, i, width, height, range);
                    // Chroma of white is that of black, and alpha is what it is everywhere.
                    bool tellsApart = (to is PixelFormat.Rgba or PixelFormat.Bgra && i % 4 == 3) || (PixelFormats.IsSubsampled(to) && i >= width * height);
                    Assert.True(shown[i] ? tellsApart || value > black + 0.5 : value == black, $"{to} {width}x{height}: sample {i} is {value}, black is {black}, shown: {shown[i]}");
                }
            }
        }
    }

    /// <summary>Planes that begin anywhere and rows of any length, as a crop makes them.</summary>
    [Theory]
    [InlineData(PixelFormat.Nv12)]
    [InlineData(PixelFormat.P010)]
    [InlineData(PixelFormat.I420)]
    [InlineData(PixelFormat.Rgb24)]
    public void Planes_may_begin_anywhere(PixelFormat format)
    {
        foreach (int shift in (int[])[1, 2, 3, 5])
        {
            foreach (int padding in (int[])[0, 1, 3, 4])
            {
                CudaPicture picture = new() { Format = format, Width = 203, Height = 31, ColourMatrix = 6 };
                byte[] samples = Noise(picture);
                int unit = PixelFormats.SampleBytes(format);
                byte[] result = Scale(picture, samples, PixelFormat.Bgra, 77, 40, PictureFit.Stretch, null, shift * unit, padding * unit);
                RequireNear(new ReferenceScaler(picture, samples, PixelFormat.Bgra, 77, 40, PictureFit.Stretch, ImageNet).Scale(), result, PixelFormat.Bgra);
            }
        }
    }

    /// <summary>The double breaks the context when a kernel reads past the end of memory, be it one byte of a load of four.</summary>
    [Theory]
    [InlineData(PixelFormat.Gray8, 203)]
    [InlineData(PixelFormat.Rgb24, 67)]
    [InlineData(PixelFormat.Bgra, 51)]
    public unsafe void Nothing_beyond_the_last_sample_is_read(PixelFormat format, int width)
    {
        const int Height = 9;
        CudaPicture picture = new() { Format = format, Width = width, Height = Height, Range = ColourRange.Full };
        int row = PixelFormats.RowBytes(format, 0, width), pitch = (row + 3) / 4 * 4;
        byte[] samples = Noise(picture);
        using CudaMemory memory = CudaMemory.Allocate(_context, (pitch * (Height - 1)) + row);
        using DeviceBuffer result = new(_context, _stream, PixelFormat.Rgb24, 100, 5);
        fixed (byte* first = samples)
        {
            _stream.Copy(new CudaCopy
            {
                Source = (ulong)first,
                SourcePitch = row,
                Destination = memory.Address,
                DestinationPitch = pitch,
                DestinationIsDevice = true,
                RowBytes = row,
                Rows = Height,
            });
            _stream.Synchronize();
        }

        using CudaPictureScaler scaler = new(_context, PixelFormat.Rgb24, 100, 5, PictureFit.Stretch);
        CudaPicture placed = picture with { Plane0 = new CudaPlane(memory.Address, pitch) };
        scaler.Enqueue(_stream, in placed, result.Planes);
        RequireNear(new ReferenceScaler(picture, samples, PixelFormat.Rgb24, 100, 5, PictureFit.Stretch, TensorOptions.Default).Scale(), result.Samples(_stream), PixelFormat.Rgb24);
    }

    [Fact]
    public void Tensors_have_scale_mean_and_deviation()
    {
        CudaPicture picture = new() { Format = PixelFormat.Nv12, Width = 160, Height = 90, ColourMatrix = 1, Range = ColourRange.Limited };
        foreach (PixelFormat format in (PixelFormat[])[PixelFormat.RgbpF16, PixelFormat.BgrpF16, PixelFormat.RgbpF32, PixelFormat.BgrpF32])
        {
            RequireReference(picture, format, 96, 96, PictureFit.Letterbox, ImageNet);
            RequireReference(picture, format, 96, 96, PictureFit.Crop, new TensorOptions { Scale = 1, Mean = new TensorChannels(103.53, 116.28, 123.675), Std = new TensorChannels(57.375, 57.12, 58.395) });
            RequireReference(picture, format, 96, 96, PictureFit.Stretch, new TensorOptions { Scale = -2.5, Mean = new TensorChannels(1e-4, -7, 0), Std = new TensorChannels(0.02, 8, -100) });
        }
    }

    /// <summary>What was tried of the double's rounding to half precision: every number there is, and the middles between neighbours.</summary>
    [Fact]
    public void Half_precision_is_rounded_to_the_nearest()
    {
        // Samples 0 to 255 and scales that lead to subnormal numbers, ties and the largest numbers.
        CudaPicture picture = new() { Format = PixelFormat.Gray8, Width = 256, Height = 1, Range = ColourRange.Full };
        byte[] samples = [.. Enumerable.Range(0, 256).Select(i => (byte)i)];
        foreach (double scale in (double[])[1, 1.0 / 255, Math.Pow(2, -24), Math.Pow(2, -25), Math.Pow(2, -30), 1025.0 / 1024 / 2, 255, 256.75, 256.87])
        {
            byte[] halves = Scale(picture, samples, PixelFormat.RgbpF16, 256, 1, PictureFit.Stretch, new TensorOptions { Scale = scale });
            byte[] singles = Scale(picture, samples, PixelFormat.RgbpF32, 256, 1, PictureFit.Stretch, new TensorOptions { Scale = scale });
            for (int i = 0; i < 256; i++)
            {
                Half expected = (Half)BinaryPrimitives.ReadSingleLittleEndian(singles.AsSpan(4 * i));
                Assert.Equal(expected, BinaryPrimitives.ReadHalfLittleEndian(halves.AsSpan(2 * i)));
            }
        }
    }

    /// <summary>The host's scaler, which is libswscale's, makes nearly the same of the same picture.</summary>
    [Theory]
    [InlineData(640, 360, 320, 180)]
    [InlineData(640, 360, 214, 160)]
    [InlineData(320, 180, 500, 300)]
    public unsafe void The_result_is_that_of_the_host(int width, int height, int toWidth, int toHeight)
    {
        // libswscale takes chroma as lying in the middle, and stretches that of odd sizes to a whole number of samples: sizes here are even.
        CudaPicture picture = new() { Format = PixelFormat.Nv12, Width = width, Height = height, ColourMatrix = 1, Range = ColourRange.Limited, ChromaLocation = 2 };
        byte[] samples = Waves(width, height);
        foreach (PixelFormat to in (PixelFormat[])[PixelFormat.Nv12, PixelFormat.Rgb24, PixelFormat.Gray8])
        {
            byte[] result = Scale(picture, samples, to, toWidth, toHeight, PictureFit.Letterbox);
            using ScratchPicture scratch = new();
            ReadOnlySpan<PicturePlane> planes = scratch.Shape(PixelFormat.Nv12, width, height);
            int position = 0;
            for (int plane = 0; plane < 2; plane++)
            {
                for (int row = 0; row < PixelFormats.Rows(PixelFormat.Nv12, plane, height); row++, position += width)
                {
                    samples.AsSpan(position, width).CopyTo(new Span<byte>((byte*)planes[plane].Address + (row * (long)planes[plane].Pitch), width));
                }
            }

            using PictureScaler scaler = new(to, toWidth, toHeight, PictureFit.Letterbox);
            using FrameBuffer buffer = new(to, toWidth, toHeight);
            scaler.Scale(PixelFormat.Nv12, width, height, planes, new FrameMetadata { ColourMatrix = 1, ColourRange = ColourRange.Limited }, buffer.Planes);
            byte[] host = buffer.Samples();
            double error = result.Zip(host, (a, b) => (double)(a - b) * (a - b)).Average();
            double signalToNoise = error == 0 ? double.PositiveInfinity : 10 * Math.Log10(255 * 255 / error);
            Assert.True(signalToNoise > 60, $"{to}: {signalToNoise.ToString("0.0", CultureInfo.InvariantCulture)} dB");
        }
    }

    /// <summary>A change of size, colours or place of chroma is followed, and back again.</summary>
    [Fact]
    public void A_change_of_the_picture_is_followed()
    {
        using CudaPictureScaler scaler = new(_context, PixelFormat.Rgb24, 64, 48, PictureFit.Letterbox);
        CudaPicture first = new() { Format = PixelFormat.Nv12, Width = 160, Height = 90, ColourMatrix = 1 };
        foreach (CudaPicture picture in (CudaPicture[])
            [
                first, first with { Width = 158 }, first with { ColourMatrix = 6 }, first with { Range = ColourRange.Full }, first with { ChromaLocation = 3 },
                first with { Format = PixelFormat.P010, Width = 700, Height = 300 }, first with { Height = 720, ColourMatrix = 2 }, first with { Height = 718, ColourMatrix = 2 }, first,
            ])
        {
            byte[] samples = Noise(picture);
            using DeviceBuffer source = Upload(picture, samples, out CudaPicture placed);
            using DeviceBuffer result = new(_context, _stream, PixelFormat.Rgb24, 64, 48);
            scaler.Enqueue(_stream, in placed, result.Planes);
            RequireNear(new ReferenceScaler(picture, samples, PixelFormat.Rgb24, 64, 48, PictureFit.Letterbox, ImageNet).Scale(), result.Samples(_stream), PixelFormat.Rgb24);
        }
    }

    [Fact]
    public void What_does_not_fit_is_refused()
    {
        Assert.Throws<MediaException>(() => new CudaPictureScaler(_context, PixelFormat.Unknown, 64, 64, PictureFit.Stretch));
        Assert.Throws<MediaException>(() => new CudaPictureScaler(_context, PixelFormat.Nv12, 0, 64, PictureFit.Stretch));
        Assert.Throws<MediaException>(() => new CudaPictureScaler(_context, PixelFormat.Nv12, 64, 16385, PictureFit.Stretch));
        Assert.Throws<MediaException>(() => new CudaPictureScaler(_context, PixelFormat.Nv12, 64, 64, (PictureFit)9));
        Assert.Throws<MediaException>(() => new CudaPictureScaler(_context, PixelFormat.Nv12, 64, 64, PictureFit.Stretch, ImageNet));
        using DeviceBuffer source = new(_context, _stream, PixelFormat.P010, 64, 64);
        using DeviceBuffer result = new(_context, _stream, PixelFormat.RgbpF32, 32, 32);
        CudaPicture picture = new() { Format = PixelFormat.P010, Width = 64, Height = 64, Plane0 = source.Planes[0], Plane1 = source.Planes[1] };
        CudaPictureScaler scaler = new(_context, PixelFormat.RgbpF32, 32, 32, PictureFit.Stretch);
        foreach (CudaPicture bad in (CudaPicture[])
            [
                picture with { Width = 0 }, picture with { Height = 16385 }, picture with { Format = PixelFormat.RgbpF16 }, picture with { Format = (PixelFormat)7 },
                picture with { Plane1 = default }, picture with { Plane0 = source.Planes[0] with { Pitch = 126 } },
                picture with { Plane0 = source.Planes[0] with { Address = source.Planes[0].Address + 1 } },
                picture with { Plane0 = source.Planes[0] with { Pitch = source.Planes[0].Pitch + 1 } },
            ])
        {
            MediaException error = Assert.Throws<MediaException>(() => scaler.Enqueue(_stream, in bad, result.Planes));
            Assert.Equal(MediaError.InvalidArgument, error.Error);
        }

        Assert.Throws<MediaException>(() => scaler.Enqueue(_stream, in picture, []));
        Assert.Throws<MediaException>(() => scaler.Enqueue(_stream, in picture, [result.Planes[0] with { Address = result.Planes[0].Address + 2 }]));
        Assert.Throws<MediaException>(() => scaler.Enqueue(_stream, in picture, [result.Planes[0] with { Pitch = 127 }]));
        Assert.Equal(0, scaler.Pictures);
        scaler.Enqueue(_stream, in picture, result.Planes);
        _stream.Synchronize();
        Assert.Equal(1, scaler.Pictures);
        scaler.Dispose();
        scaler.Dispose();
        Assert.Throws<ObjectDisposedException>(() => scaler.Enqueue(_stream, in picture, result.Planes));
    }

    /// <summary>The argument has the size that the compiled kernel takes.</summary>
    [Fact]
    public void The_argument_is_the_kernels()
    {
        string text = RenditionKernel.ReadText();
        Assert.Contains($".param .align 8 .b8 rendition_param_0[{Unsafe.SizeOf<RenditionParameters>()}]", text, StringComparison.Ordinal);
        Assert.Contains($".maxntid {RenditionParameters.Threads}, 1, 1", text, StringComparison.Ordinal);
    }

    [Fact]
    public void The_metadata_of_the_result_are_those_of_the_hosts()
    {
        FrameMetadata source = new() { Pts = 5, ColourMatrix = 9, ColourPrimaries = 9, ColourTransfer = 16, ColourRange = ColourRange.Limited, ChromaLocation = 1 };
        foreach (PixelFormat from in (PixelFormat[])[PixelFormat.Nv12, PixelFormat.P010, PixelFormat.Gray8, PixelFormat.Rgb24])
        {
            foreach (PixelFormat to in (PixelFormat[])[PixelFormat.Nv12, PixelFormat.P010, PixelFormat.Gray8, PixelFormat.Bgra])
            {
                foreach (int height in (int[])[719, 720])
                {
                    using PictureScaler host = new(to, 64, height, PictureFit.Stretch);
                    using CudaPictureScaler device = new(_context, to, 64, height, PictureFit.Stretch);
                    FrameMetadata expected = source, actual = source;
                    host.Describe(from, ref expected);
                    device.Describe(from, ref actual);
                    Assert.Equal(expected, actual);
                }
            }
        }
    }

    private static double BlackOf(PixelFormat format, int sample, int width, int height, ColourRange range)
    {
        switch (format)
        {
            case PixelFormat.Nv12 or PixelFormat.I420 or PixelFormat.Gray8:
                return sample >= width * height ? 128 : range == ColourRange.Full ? 0 : 16;
            case PixelFormat.P010:
                return sample >= width * height ? 512 : range == ColourRange.Full ? 0 : 64;
            case PixelFormat.Rgba or PixelFormat.Bgra:
                return sample % 4 == 3 ? 255 : 0;
        }

        int channel = sample / (width * height);
        double black = PixelFormats.IsFloat(format) ? -ImageNet.Mean[channel] / ImageNet.Std[channel] : 0;
        return PixelFormats.SampleBytes(format) == 2 ? (double)(Half)(float)black : (float)black;
    }

    private static double Value(byte[] samples, PixelFormat format, int index) => format switch
    {
        PixelFormat.P010 => BinaryPrimitives.ReadUInt16LittleEndian(samples.AsSpan(2 * index)) / 64.0,
        PixelFormat.RgbpF16 or PixelFormat.BgrpF16 => (double)BinaryPrimitives.ReadHalfLittleEndian(samples.AsSpan(2 * index)),
        PixelFormat.RgbpF32 or PixelFormat.BgrpF32 => BinaryPrimitives.ReadSingleLittleEndian(samples.AsSpan(4 * index)),
        _ => samples[index],
    };

    /// <summary>Noise over all values: the hardest picture to filter.</summary>
    private static byte[] Noise(CudaPicture picture)
    {
        byte[] samples = new byte[PixelFormats.PictureBytes(picture.Format, picture.Width, picture.Height)];
        new Random((picture.Width * 10007) + picture.Height).NextBytes(samples);
        for (int i = 0; picture.Format == PixelFormat.P010 && i < samples.Length; i += 2)
        {
            samples[i] &= 0xC0;
        }

        return samples;
    }

    private static byte[] Waves(int width, int height)
    {
        byte[] samples = new byte[width * height * 3 / 2];
        for (int i = 0; i < width * height; i++)
        {
            (double x, double y) = (i % width, i / width);
            samples[i] = (byte)Math.Round(125 + (60 * Math.Sin((x * x / 900) + (y / 7))) + (40 * Math.Cos((y * y / 700) - (x / 11))));
        }

        for (int i = 0; i < width * height / 2; i++)
        {
            (double x, double y) = (i % width / 2, i / width);
            samples[(width * height) + i] = (byte)Math.Round(128 + (80 * Math.Sin((i % 2) + (x / 9) + (y / 13))));
        }

        return samples;
    }

    private void RequireReference(CudaPicture picture, PixelFormat format, int width, int height, PictureFit fit, TensorOptions? tensor = null)
    {
        byte[] samples = Noise(picture);
        byte[] result = Scale(picture, samples, format, width, height, fit, tensor);
        try
        {
            RequireNear(new ReferenceScaler(picture, samples, format, width, height, fit, tensor ?? TensorOptions.Default).Scale(), result, format);
        }
        catch (Xunit.Sdk.XunitException error)
        {
            throw new InvalidOperationException($"{picture.Format} {picture.Width}x{picture.Height} to {format} {width}x{height} {fit}: {error.Message}", error);
        }
    }

    private static void RequireNear(double[] expected, byte[] actual, PixelFormat format)
    {
        int bytes = PixelFormats.SampleBytes(format);
        Assert.Equal(expected.Length, actual.Length / bytes);
        double range = PixelFormats.IsFloat(format) ? expected.Max() - expected.Min() : 0;
        for (int i = 0; i < expected.Length; i++)
        {
            double value = Value(actual, format, i);
            Assert.True(format != PixelFormat.P010 || value == Math.Floor(value), "the lower six bits of a word of P010 are not 0");
            // Of numbers what single precision loses, relative to 255, and half a step of half precision.
            double allowed = !PixelFormats.IsFloat(format) ? Tolerance
                : (Math.Max(range, Math.Abs(expected[i])) * 4e-6) + (bytes == 2 ? Math.Max(Math.Abs(expected[i]) / 2048, Math.Pow(2, -25)) : 0);
            if (!(Math.Abs(value - expected[i]) <= allowed))
            {
                Assert.Fail($"sample {i} of {expected.Length} is {value}, expected {expected[i].ToString("0.0000", CultureInfo.InvariantCulture)}");
            }
        }
    }

    private byte[] Scale(
        CudaPicture picture, byte[] samples, PixelFormat format, int width, int height, PictureFit fit, TensorOptions? tensor = null, int shift = 0, int padding = -1)
    {
        using CudaPictureScaler scaler = new(_context, format, width, height, fit, tensor);
        using DeviceBuffer source = Upload(picture, samples, out CudaPicture placed, shift, padding);
        using DeviceBuffer result = new(_context, _stream, format, width, height);
        scaler.Enqueue(_stream, in placed, result.Planes);
        return result.Samples(_stream);
    }

    private DeviceBuffer Upload(CudaPicture picture, byte[] samples, out CudaPicture placed, int shift = 0, int padding = -1)
    {
        DeviceBuffer source = new(_context, _stream, picture.Format, picture.Width, picture.Height, shift, padding);
        source.Write(_stream, samples);
        placed = picture with
        {
            Plane0 = source.Planes[0],
            Plane1 = source.Planes.Length > 1 ? source.Planes[1] : default,
            Plane2 = source.Planes.Length > 2 ? source.Planes[2] : default,
        };
        return source;
    }

    /// <summary>One context for all, and the kernel loaded once: on a GPU both take their time.</summary>
    public sealed class Device : IDisposable
    {
        private readonly IDisposable _kernel;

        public Device()
        {
            Context = TestCuda.IsReal ? TestCuda.Device.OpenContext() : CudaDouble.OpenContext();
            Stream = CudaStream.Create(Context);
            _kernel = CudaPictureScaler.LoadKernel(Context);
        }

        public CudaContext Context { get; }

        public CudaStream Stream { get; }

        public void Dispose()
        {
            _kernel.Dispose();
            Stream.Dispose();
            Context.Dispose();
        }
    }
}
