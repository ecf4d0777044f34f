using System.Buffers.Binary;
using System.Globalization;
using CuFrames.Media.Internal;
using CuFrames.Protocol;
using CuFrames.TestKit;
using Xunit;

namespace CuFrames.Media.Tests;

/// <summary>Scaled pictures equal those of ffmpeg's filters byte for byte, and converted ones a calculation in double precision.</summary>
public sealed class PictureScalerTests : IDisposable
{
    private const string Flags = "accurate_rnd+full_chroma_int+full_chroma_inp+bitexact";
    private static readonly string[] Limited709 = ["-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709", "-color_range", "tv"];
    private readonly MediaClips _clips = new();

    public void Dispose() => _clips.Dispose();

    [Theory]
    // YUV stays YUV: matrix and range are nobody's business.
    [InlineData("yuv420p", 640, 480, PixelFormat.I420, 320, 240, PictureFit.Stretch, "")]
    [InlineData("yuv420p", 640, 480, PixelFormat.I420, 213, 161, PictureFit.Stretch, "")]
    [InlineData("yuv420p", 322, 242, PixelFormat.I420, 641, 479, PictureFit.Stretch, "")]
    [InlineData("yuv420p", 640, 480, PixelFormat.Nv12, 320, 180, PictureFit.Crop, "")]
    [InlineData("yuv420p", 640, 480, PixelFormat.I420, 320, 180, PictureFit.Letterbox, "")]
    [InlineData("yuv420p", 642, 362, PixelFormat.Nv12, 202, 206, PictureFit.Letterbox, "")]
    [InlineData("yuv420p", 640, 480, PixelFormat.Gray8, 320, 240, PictureFit.Letterbox, "in_range=tv:out_range=tv")]
    [InlineData("yuv420p10le", 640, 480, PixelFormat.P010, 320, 180, PictureFit.Crop, "")]
    [InlineData("yuv420p10le", 640, 480, PixelFormat.I420, 320, 240, PictureFit.Stretch, "")]
    [InlineData("yuv422p", 640, 480, PixelFormat.I420, 300, 300, PictureFit.Crop, "")]
    // To RGB, by the matrix and the range that the frames carry.
    [InlineData("yuv420p", 640, 480, PixelFormat.Rgb24, 640, 360, PictureFit.Letterbox, "in_color_matrix=bt709:in_range=tv")]
    [InlineData("yuv420p", 640, 480, PixelFormat.Bgr24, 321, 241, PictureFit.Stretch, "in_color_matrix=bt709:in_range=tv")]
    [InlineData("yuv420p", 640, 480, PixelFormat.Rgba, 320, 320, PictureFit.Letterbox, "in_color_matrix=bt709:in_range=tv")]
    [InlineData("yuv420p", 640, 480, PixelFormat.Bgra, 100, 300, PictureFit.Crop, "in_color_matrix=bt709:in_range=tv")]
    [InlineData("yuv420p10le", 640, 480, PixelFormat.Rgb24, 320, 240, PictureFit.Stretch, "in_color_matrix=bt709:in_range=tv")]
    [InlineData("yuv422p10le", 642, 480, PixelFormat.Rgb24, 321, 240, PictureFit.Crop, "in_color_matrix=bt709:in_range=tv")]
    [InlineData("yuv410p", 640, 480, PixelFormat.Rgb24, 320, 300, PictureFit.Crop, "in_color_matrix=bt709:in_range=tv")]
    // From RGB.
    [InlineData("rgb24", 640, 480, PixelFormat.Rgb24, 320, 180, PictureFit.Crop, "")]
    [InlineData("rgb24", 640, 480, PixelFormat.Bgra, 321, 181, PictureFit.Letterbox, "")]
    [InlineData("rgb24", 640, 480, PixelFormat.I420, 320, 240, PictureFit.Stretch, "out_color_matrix=bt601:out_range=tv")]
    [InlineData("rgb24", 640, 480, PixelFormat.Nv12, 960, 720, PictureFit.Stretch, "out_color_matrix=bt709:out_range=tv")]
    public void Every_frame_equals_ffmpegs(string from, int width, int height, PixelFormat format, int outWidth, int outHeight, PictureFit fit, string colours)
    {
        string path = _clips.Make("a.mkv", [.. MediaClips.Moving(width, height, 0.2), "-vf", $"scale=out_color_matrix=bt709:out_range=tv,format={from}", "-c:v", "ffv1", "-pix_fmt", from, .. from == "rgb24" ? [] : Limited709]);
        byte[] expected = Reference(path, from, width, height, format, outWidth, outHeight, fit, colours);
        using MediaSource source = Open(path);
        using PictureScaler scaler = new(format, outWidth, outHeight, fit);
        RequireEqual(source, scaler, expected);
        Assert.Equal(5, scaler.Pictures);
    }

    [Theory]
    [InlineData("yuv420p", 640, 360, PixelFormat.Nv12, 320, 180, PictureFit.Letterbox)]
    [InlineData("yuv420p", 642, 482, PixelFormat.I420, 160, 180, PictureFit.Letterbox)]
    [InlineData("yuv420p10le", 640, 480, PixelFormat.P010, 320, 180, PictureFit.Crop)]
    [InlineData("yuv420p", 160, 90, PixelFormat.Nv12, 320, 180, PictureFit.Stretch)]
    public void The_mean_of_areas_equals_ffmpegs(string from, int width, int height, PixelFormat format, int outWidth, int outHeight, PictureFit fit)
    {
        string path = _clips.Make("a.mkv", [.. MediaClips.Moving(width, height, 0.2), "-vf", $"scale=out_color_matrix=bt709:out_range=tv,format={from}", "-c:v", "ffv1", "-pix_fmt", from, .. Limited709]);
        byte[] expected = Reference(path, from, width, height, format, outWidth, outHeight, fit, "", ScalingFilter.Area);
        using MediaSource source = Open(path);
        using PictureScaler scaler = new(format, outWidth, outHeight, fit, filter: ScalingFilter.Area);
        RequireEqual(source, scaler, expected);
    }

    /// <summary>An unspecified matrix is BT.601 below 720 rows, else BT.709; the rows of the source count, not those of the result.</summary>
    [Theory]
    [InlineData(960, 720, "bt709")]
    [InlineData(960, 718, "bt601")]
    public void An_unspecified_matrix_is_that_of_the_rows(int width, int height, string matrix)
    {
        string path = _clips.H264("a.mp4", width, height, 0.2);
        byte[] expected = Reference(path, "yuv420p", width, height, PixelFormat.Rgb24, 320, 240, PictureFit.Stretch, $"in_color_matrix={matrix}:in_range=tv");
        using MediaSource source = Open(path);
        using PictureScaler scaler = new(PixelFormat.Rgb24, 320, 240, PictureFit.Stretch);
        RequireEqual(source, scaler, expected);
    }

    [Theory]
    [InlineData("bt470bg", "bt601", "pc")]
    [InlineData("bt709", "bt709", "pc")]
    [InlineData("bt2020nc", "bt2020", "tv")]
    public void Matrix_and_range_of_the_source_hold(string space, string matrix, string range)
    {
        string path = _clips.Make(
            "a.mkv", [.. MediaClips.Moving(320, 240, 0.2), "-vf", $"scale=out_color_matrix={matrix}:out_range={range},format=yuv420p", "-c:v", "libx264", "-preset", "ultrafast",
                "-colorspace", space, "-color_range", range]);
        byte[] expected = Reference(path, "yuv420p", 320, 240, PixelFormat.Rgb24, 160, 120, PictureFit.Stretch, $"in_color_matrix={matrix}:in_range={range}");
        using MediaSource source = Open(path);
        using PictureScaler scaler = new(PixelFormat.Rgb24, 160, 120, PictureFit.Stretch);
        RequireEqual(source, scaler, expected);
    }

    /// <summary>A rendition that only has fewer frames, for example.</summary>
    [Theory]
    [InlineData(PixelFormat.Nv12)]
    [InlineData(PixelFormat.I420)]
    [InlineData(PixelFormat.P010)]
    [InlineData(PixelFormat.Gray8)]
    [InlineData(PixelFormat.Rgb24)]
    [InlineData(PixelFormat.Bgra)]
    public void What_has_its_size_and_format_already_stays_as_it_is(PixelFormat format)
    {
        using ScratchPicture scratch = new();
        ReadOnlySpan<PicturePlane> source = scratch.Shape(format, 98, 66);
        TestPattern pattern = new(format, 98, 66);
        pattern.Fill(source, 5);
        using PictureScaler scaler = new(format, 98, 66, PictureFit.Letterbox);
        using FrameBuffer result = new(format, 98, 66);
        scaler.Scale(format, 98, 66, source, default, result.Planes);
        Assert.True(pattern.Verify(result.Planes, 5, out string? difference), difference);
        Assert.True(result.PaddingIsUntouched());
    }

    [Theory]
    [InlineData(PixelFormat.I420, ColourRange.Limited, 16)]
    [InlineData(PixelFormat.I420, ColourRange.Full, 0)]
    [InlineData(PixelFormat.Nv12, ColourRange.Unknown, 16)]
    [InlineData(PixelFormat.P010, ColourRange.Limited, 16)]
    [InlineData(PixelFormat.P010, ColourRange.Full, 0)]
    [InlineData(PixelFormat.Gray8, ColourRange.Full, 0)]
    [InlineData(PixelFormat.Gray8, ColourRange.Limited, 16)]
    [InlineData(PixelFormat.Rgb24, ColourRange.Limited, 0)]
    [InlineData(PixelFormat.Bgra, ColourRange.Limited, 0)]
    public void Borders_are_exactly_black(PixelFormat format, ColourRange range, byte luma)
    {
        // A white picture of 64x16 in 101x101: what is not white is border.
        PixelFormat from = format == PixelFormat.P010 ? PixelFormat.P010 : PixelFormat.I420;
        using ScratchPicture scratch = new();
        ReadOnlySpan<PicturePlane> white = scratch.Shape(from, 64, 16);
        Fill(white, from, 64, 16, range == ColourRange.Full ? 255.0 : 235, 128, 128);
        using PictureScaler scaler = new(format, 101, 101, PictureFit.Letterbox);
        using FrameBuffer result = new(format, 101, 101);
        scaler.Scale(from, 64, 16, white, new FrameMetadata { ColourMatrix = 1, ColourRange = range }, result.Planes);
        Assert.True(result.PaddingIsUntouched());
        int bytes = PixelFormats.RowBytes(format, 0, 101) / 101;
        ScalingGeometry part = ScalingGeometry.Of(PictureFit.Letterbox, 64, 16, 2, 2, 101, 101, PixelFormats.IsSubsampled(format));
        Assert.InRange(part.TargetHeight, 25, 26);
        for (int row = 0; row < 101; row++)
        {
            bool isBorder = row < part.TargetY || row >= part.TargetY + part.TargetHeight;
            for (int column = 0; column < 101 * bytes; column++)
            {
                byte value = result.At(0, row, column);
                byte black = bytes == 4 && column % 4 == 3 ? (byte)255 : bytes == 2 && column % 2 == 0 ? (byte)0 : luma;
                Assert.True(isBorder ? value == black : bytes == 2 || value >= 235, $"{row},{column}: {value}");
            }
        }

        for (int plane = 1; plane < result.Planes.Length; plane++)
        {
            for (int row = 0; row < 51; row++)
            {
                for (int column = 0; column < PixelFormats.RowBytes(format, plane, 101); column++)
                {
                    Assert.Equal(bytes == 2 && column % 2 == 0 ? 0 : 128, result.At(plane, row, column));
                }
            }
        }
    }

    /// <summary>Without scaling and with chroma in full there is nothing but the matrix: at most one step of 255 from the calculation.</summary>
    [Theory]
    [InlineData("yuv444p", 1, ColourRange.Limited)]
    [InlineData("yuv444p", 1, ColourRange.Full)]
    [InlineData("yuv444p", 6, ColourRange.Limited)]
    [InlineData("yuv444p", 6, ColourRange.Full)]
    [InlineData("yuv444p", 9, ColourRange.Limited)]
    [InlineData("yuv444p10le", 1, ColourRange.Limited)]
    [InlineData("yuv444p10le", 1, ColourRange.Full)]
    [InlineData("yuv444p10le", 6, ColourRange.Limited)]
    [InlineData("yuv444p10le", 6, ColourRange.Full)]
    [InlineData("yuv444p10le", 9, ColourRange.Limited)]
    [InlineData("yuv444p10le", 9, ColourRange.Full)]
    public void Conversion_to_rgb_is_the_standards(string from, byte matrix, ColourRange range)
    {
        const int Width = 257, Height = 131;
        bool isTen = from.EndsWith("10le", StringComparison.Ordinal);
        (double kr, double kb, string space) = matrix switch { 1 => (0.2126, 0.0722, "bt709"), 9 => (0.2627, 0.0593, "bt2020nc"), _ => (0.299, 0.114, "smpte170m") };
        // Colours that there are: of others, far outside of RGB, libswscale's sums overflow.
        int[] samples = new int[3 * Width * Height];
        Random random = new(matrix);
        double unit = isTen ? 4 : 1, top = isTen ? 1023 / 4.0 : 255; // full range of 10 bits ends at 1023, which is 255.75 here
        for (int i = 0; i < Width * Height; i++)
        {
            (double r, double g, double b) = (random.NextDouble(), random.NextDouble(), random.NextDouble());
            double y = (kr * r) + ((1 - kr - kb) * g) + (kb * b), u = (b - y) / (2 * (1 - kb)), v = (r - y) / (2 * (1 - kr));
            (y, u, v) = range == ColourRange.Full ? (y * top, (u * top) + 128, (v * top) + 128) : ((y * 219) + 16, (u * 224) + 128, (v * 224) + 128);
            foreach ((int plane, double value) in ((int, double)[])[(0, y), (1, u), (2, v)])
            {
                samples[(plane * Width * Height) + i] = Math.Clamp((int)Math.Round(value * unit), 0, (int)(top * unit));
            }
        }

        byte[] content = new byte[samples.Length * (isTen ? 2 : 1)];
        for (int i = 0; i < samples.Length; i++)
        {
            if (isTen)
            {
                BinaryPrimitives.WriteUInt16LittleEndian(content.AsSpan(2 * i), (ushort)samples[i]);
            }
            else
            {
                content[i] = (byte)samples[i];
            }
        }

        string raw = _clips.PathOf("a.raw");
        File.WriteAllBytes(raw, content);
        string path = _clips.Make(
            "a.mkv", "-f", "rawvideo", "-pix_fmt", from, "-s", $"{Width}x{Height}", "-color_range", range == ColourRange.Full ? "pc" : "tv", "-i", raw, "-c:v", "ffv1", "-colorspace", space,
            "-color_range", range == ColourRange.Full ? "pc" : "tv");
        using MediaSource source = Open(path);
        using PictureScaler scaler = new(PixelFormat.Rgb24, Width, Height, PictureFit.Stretch);
        Assert.True(source.TryReadFrame(out MediaFrame frame));
        Assert.Equal((from, range, matrix), (frame.SourceFormat, frame.Metadata.ColourRange, frame.Metadata.ColourMatrix));
        using FrameBuffer buffer = new(PixelFormat.Rgb24, Width, Height);
        source.ScaleFrame(scaler, buffer.Planes);
        byte[] rgb = buffer.Samples();
        double worst = 0;
        for (int i = 0; i < Width * Height; i++)
        {
            (double y, double u, double v) = (samples[i] / unit, samples[(Width * Height) + i] / unit, samples[(2 * Width * Height) + i] / unit);
            (y, u, v) = range == ColourRange.Full ? (y / top, (u - 128) / top, (v - 128) / top) : ((y - 16) / 219, (u - 128) / 224, (v - 128) / 224);
            double red = y + (2 * (1 - kr) * v), blue = y + (2 * (1 - kb) * u), green = (y - (kr * red) - (kb * blue)) / (1 - kr - kb);
            foreach ((int channel, double value) in ((int, double)[])[(0, red), (1, green), (2, blue)])
            {
                worst = Math.Max(worst, Math.Abs(rgb[(3 * i) + channel] - Math.Clamp(value * 255, 0, 255)));
            }
        }

        Assert.True(worst < 1.5, $"a sample differs by {worst.ToString("0.00", CultureInfo.InvariantCulture)}");
    }

    [Fact]
    public void The_metadata_of_the_result_says_what_its_colours_are()
    {
        FrameMetadata source = new() { Pts = 5, ColourMatrix = 9, ColourPrimaries = 9, ColourTransfer = 16, ColourRange = ColourRange.Limited, ChromaLocation = 1 };
        Assert.Equal((9, ColourRange.Limited, 1), Of(PixelFormat.P010, PixelFormat.Nv12, 1080));
        Assert.Equal((9, ColourRange.Limited, 0), Of(PixelFormat.P010, PixelFormat.Gray8, 1080));
        Assert.Equal((0, ColourRange.Full, 0), Of(PixelFormat.P010, PixelFormat.Bgra, 1080));
        source = source with { ColourMatrix = 0, ColourRange = ColourRange.Full, ChromaLocation = 0 };
        Assert.Equal((0, ColourRange.Full, 0), Of(PixelFormat.Rgb24, PixelFormat.Bgra, 1080));
        Assert.Equal((1, ColourRange.Limited, 0), Of(PixelFormat.Rgb24, PixelFormat.I420, 720));
        Assert.Equal((6, ColourRange.Limited, 0), Of(PixelFormat.Rgb24, PixelFormat.I420, 719));
        Assert.Equal((6, ColourRange.Full, 0), Of(PixelFormat.Rgb24, PixelFormat.Gray8, 480));

        (int, ColourRange, int) Of(PixelFormat from, PixelFormat to, int height)
        {
            using PictureScaler scaler = new(to, 64, height, PictureFit.Stretch);
            FrameMetadata metadata = source;
            scaler.Describe(from, ref metadata);
            Assert.Equal((5L, (byte)9, (byte)16), (metadata.Pts, metadata.ColourPrimaries, metadata.ColourTransfer));
            return (metadata.ColourMatrix, metadata.ColourRange, metadata.ChromaLocation);
        }
    }

    [Fact]
    public void A_change_of_size_in_mid_stream_is_followed()
    {
        string first = _clips.H264("first.ts", 640, 480, 0.2), second = _clips.H264("second.ts", 322, 482, 0.2);
        string path = _clips.Join("joined.ts", first, second);
        byte[] expected =
        [
            .. Reference(first, "yuv420p", 640, 480, PixelFormat.Rgb24, 200, 100, PictureFit.Letterbox, "in_color_matrix=bt601:in_range=tv"),
            .. Reference(second, "yuv420p", 322, 482, PixelFormat.Rgb24, 200, 100, PictureFit.Letterbox, "in_color_matrix=bt601:in_range=tv"),
        ];
        using MediaSource source = Open(path);
        using PictureScaler scaler = new(PixelFormat.Rgb24, 200, 100, PictureFit.Letterbox);
        RequireEqual(source, scaler, expected);
    }

    [Fact]
    public unsafe void Scaling_allocates_nothing()
    {
        string path = _clips.H264("n.mp4", 640, 480, 1);
        using MediaSource source = Open(path);
        using PictureScaler scaler = new(PixelFormat.Rgb24, 300, 300, PictureFit.Letterbox);
        using FrameBuffer buffer = new(PixelFormat.Rgb24, 300, 300);
        Assert.True(source.TryReadFrame(out _));
        source.ScaleFrame(scaler, buffer.Planes);
        Assert.Equal(0, Allocation.OfBestRound(() =>
        {
            for (int i = 0; i < 10; i++)
            {
                source.ScaleFrame(scaler, buffer.Planes);
            }
        }));
    }

    [Fact]
    public void What_does_not_fit_is_refused()
    {
        Assert.Throws<MediaException>(() => new PictureScaler(PixelFormat.Unknown, 64, 64, PictureFit.Stretch));
        Assert.Throws<MediaException>(() => new PictureScaler(PixelFormat.Nv12, 0, 64, PictureFit.Stretch));
        Assert.Throws<MediaException>(() => new PictureScaler(PixelFormat.Nv12, 64, 16385, PictureFit.Stretch));
        Assert.Throws<MediaException>(() => new PictureScaler(PixelFormat.Nv12, 64, 64, (PictureFit)9));
        Assert.Throws<MediaException>(() => new PictureScaler(PixelFormat.Nv12, 64, 64, PictureFit.Stretch, filter: (ScalingFilter)9));
        string path = _clips.H264("p.mp4", 320, 240, 0.2);
        using MediaSource source = Open(path);
        using PictureScaler scaler = new(PixelFormat.Nv12, 64, 64, PictureFit.Stretch);
        using FrameBuffer buffer = new(PixelFormat.Nv12, 64, 64);
        Assert.Equal(MediaError.InvalidArgument, Assert.Throws<MediaException>(() => source.ScaleFrame(scaler, buffer.Planes)).Error);
        Assert.True(source.TryReadFrame(out _));
        Assert.Equal(MediaError.InvalidArgument, Assert.Throws<MediaException>(() => source.ScaleFrame(scaler, buffer.Planes.AsSpan(0, 1))).Error);
        Assert.Equal(MediaError.InvalidArgument, Assert.Throws<MediaException>(() => source.ScaleFrame(scaler, [buffer.Planes[0] with { Pitch = 63 }, buffer.Planes[1]])).Error);
        using FrameBuffer picture = new(PixelFormat.I420, 64, 64);
        Assert.Throws<MediaException>(() => scaler.Scale(PixelFormat.I420, 64, 64, picture.Planes.AsSpan(0, 2), default, buffer.Planes));
        Assert.Throws<MediaException>(() => scaler.Scale(PixelFormat.I420, 0, 64, picture.Planes, default, buffer.Planes));
        Assert.Throws<MediaException>(() => scaler.Scale(PixelFormat.I420, 64, 64, [picture.Planes[0] with { Pitch = 63 }, picture.Planes[1], picture.Planes[2]], default, buffer.Planes));
        Assert.Throws<MediaException>(() => scaler.Scale(PixelFormat.Unknown, 64, 64, [], default, buffer.Planes));
        Assert.Equal(0, scaler.Pictures);
        source.ScaleFrame(scaler, buffer.Planes);
        Assert.Equal(1, scaler.Pictures);
    }

    private static MediaSource Open(string path)
    {
        MediaSource source = new(new MediaSourceOptions { Url = new RedactedUrl(path) });
        source.Open();
        return source;
    }

    private static void RequireEqual(MediaSource source, PictureScaler scaler, byte[] expected)
    {
        int position = 0, number = 0;
        for (; source.TryReadFrame(out _); number++)
        {
            using FrameBuffer buffer = new(scaler.Format, scaler.Width, scaler.Height);
            source.ScaleFrame(scaler, buffer.Planes);
            byte[] samples = buffer.Samples();
            Assert.True(position + samples.Length <= expected.Length, $"ffmpeg gave no frame {number}");
            Assert.True(
                expected.AsSpan(position, samples.Length).SequenceEqual(samples), $"frame {number} differs at byte {expected.AsSpan(position).CommonPrefixLength(samples)} of {samples.Length}");
            Assert.True(buffer.PaddingIsUntouched(), $"frame {number}: bytes outside of the picture were written");
            position += samples.Length;
        }

        Assert.Equal(expected.Length, position);
        Assert.True(number > 0);
    }

    /// <summary>The same by ffmpeg's own filters. Where the parts lie is taken from the geometry, which has tests of its own.</summary>
    private byte[] Reference(
        string path, string from, int width, int height, PixelFormat format, int outWidth, int outHeight, PictureFit fit, string colours,
        ScalingFilter weights = ScalingFilter.Bicubic)
    {
        (int cropX, int cropY) = from switch { "rgb24" => (1, 1), "yuv410p" => (4, 4), _ when from.StartsWith("yuv422p", StringComparison.Ordinal) => (2, 1), _ => (2, 2) };
        ScalingGeometry part = ScalingGeometry.Of(fit, width, height, cropX, cropY, outWidth, outHeight, PixelFormats.IsSubsampled(format));
        string name = format switch
        {
            PixelFormat.I420 => "yuv420p",
            PixelFormat.P010 => "p010le",
            PixelFormat.Gray8 => "gray",
            _ => PixelFormats.Name(format),
        };
        string filter =
            $"crop={part.SourceWidth}:{part.SourceHeight}:{part.SourceX}:{part.SourceY}:exact=1,scale={part.TargetWidth}:{part.TargetHeight}:flags={(weights == ScalingFilter.Area ? "area" : "bicubic")}+{Flags}{(colours.Length > 0 ? ":" : "")}{colours},format={name}" +
            (fit == PictureFit.Letterbox ? $",pad={outWidth}:{outHeight}:{part.TargetX}:{part.TargetY}:black" : "");
        string raw = _clips.PathOf($"reference-{Guid.NewGuid():N}.raw");
        MediaClips.Ffmpeg("-noautorotate", "-i", path, "-vf", filter, "-fps_mode", "passthrough", "-f", "rawvideo", "-pix_fmt", name, raw);
        byte[] content = File.ReadAllBytes(raw);
        File.Delete(raw);
        return content;
    }

    private static unsafe void Fill(ReadOnlySpan<PicturePlane> planes, PixelFormat format, int width, int height, double y, double u, double v)
    {
        for (int plane = 0; plane < planes.Length; plane++)
        {
            for (int row = 0; row < PixelFormats.Rows(format, plane, height); row++)
            {
                for (int column = 0; column < PixelFormats.RowBytes(format, plane, width); column++)
                {
                    double value = plane == 0 ? y : plane == 1 && (format == PixelFormat.I420 || column % 4 < 2) ? u : v;
                    // Of P010 the upper byte alone: the ten bits of four times the value.
                    ((byte*)planes[plane].Address)[(row * (long)planes[plane].Pitch) + column] = format == PixelFormat.P010 && column % 2 == 0 ? (byte)0 : (byte)value;
                }
            }
        }
    }
}
