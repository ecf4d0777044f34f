using System.Buffers.Binary;
using System.Text.Json;
using CuFrames.Client;
using CuFrames.Interop;
using CuFrames.Protocol;
using CuFrames.TestKit;

namespace CuFrames.Cli.Tests;

public sealed class SnapshotTests : IDisposable
{
    private const int Width = 160;
    private const int Height = 90;

    /// <summary>Rounding of two conversions that are exact otherwise.</summary>
    private const int Tolerance = 2;

    private readonly TemporaryDirectory _directory = new();
    private readonly MediaClips _files = new();

    public void Dispose()
    {
        _files.Dispose();
        _directory.Dispose();
    }

    public static TheoryData<PixelFormat, string, byte, ColourRange, string> Conversions() => new()
    {
        { PixelFormat.Nv12, "nv12", 1, ColourRange.Limited, "in_color_matrix=bt709:in_range=tv" },
        { PixelFormat.Nv12, "nv12", 6, ColourRange.Limited, "in_color_matrix=bt601:in_range=tv" },
        { PixelFormat.Nv12, "nv12", 1, ColourRange.Full, "in_color_matrix=bt709:in_range=pc" },
        { PixelFormat.I420, "yuv420p", 5, ColourRange.Full, "in_color_matrix=bt601:in_range=pc" },
        // Nothing is said: below 720 rows it is BT.601, limited.
        { PixelFormat.I420, "yuv420p", 2, ColourRange.Unknown, "in_color_matrix=bt601:in_range=tv" },
        { PixelFormat.P010, "p010le", 9, ColourRange.Limited, "in_color_matrix=bt2020:in_range=tv" },
        { PixelFormat.Gray8, "gray", 1, ColourRange.Full, "in_range=pc" },
        { PixelFormat.Rgb24, "rgb24", 0, ColourRange.Full, "in_range=pc" },
        { PixelFormat.Bgr24, "bgr24", 0, ColourRange.Full, "in_range=pc" },
        { PixelFormat.Rgba, "rgba", 0, ColourRange.Full, "in_range=pc" },
        { PixelFormat.Bgra, "bgra", 0, ColourRange.Full, "in_range=pc" },
    };

    [Theory]
    [MemberData(nameof(Conversions))]
    public void The_picture_is_what_ffmpeg_makes_of_the_same_samples(PixelFormat format, string name, byte matrix, ColourRange range, string conversion)
    {
        byte[] samples = Samples(name);
        using FramePublisher publisher = Publish(format, samples, matrix, range, rotation: 0);
        byte[] found = Snapshot(out int width, out int height);
        Assert.Equal((Width, Height), (width, height));
        RequireClose(Expected(samples, name, conversion), found);
    }

    [Theory]
    [InlineData(1, "transpose=clock")]
    [InlineData(2, "transpose=clock,transpose=clock")]
    [InlineData(3, "transpose=cclock")]
    public void The_picture_is_turned_as_its_frame_says(byte quarterTurns, string filter)
    {
        byte[] samples = Samples("rgb24");
        using FramePublisher publisher = Publish(PixelFormat.Rgb24, samples, matrix: 0, ColourRange.Full, quarterTurns);
        byte[] found = Snapshot(out int width, out int height);
        Assert.Equal(quarterTurns == 2 ? (Width, Height) : (Height, Width), (width, height));
        Assert.Equal(Expected(samples, "rgb24", "in_range=pc", filter), found);
    }

    [Theory]
    [InlineData(PixelFormat.Rgbp)]
    [InlineData(PixelFormat.BgrpF16)]
    [InlineData(PixelFormat.RgbpF32)]
    public void A_tensor_is_shown_from_its_smallest_to_its_largest_number(PixelFormat format)
    {
        byte[] rgb = Samples("rgb24");
        (rgb[0], rgb[1]) = (0, 255);
        byte[] tensor = new byte[PixelFormats.PictureBytes(format, Width, Height)];
        int area = Width * Height;
        for (int pixel = 0; pixel < area; pixel++)
        {
            for (int channel = 0; channel < 3; channel++)
            {
                byte sample = rgb[(3 * pixel) + (format == PixelFormat.BgrpF16 ? 2 - channel : channel)];
                int index = (channel * area) + pixel;
                switch (PixelFormats.SampleBytes(format))
                {
                    case 1:
                        tensor[index] = sample;
                        break;
                    case 2:
                        BitConverter.TryWriteBytes(tensor.AsSpan(2 * index), (Half)(sample - 100));
                        break;
                    default:
                        BitConverter.TryWriteBytes(tensor.AsSpan(4 * index), (sample - 100) * 0.25f);
                        break;
                }
            }
        }

        using FramePublisher publisher = Publish(format, tensor, 0, ColourRange.Full, 0);
        Assert.Equal(rgb, Snapshot(out int width, out int height));
        Assert.Equal((Width, Height), (width, height));
        CliResult result = CliProcess.Run(_directory.Path, "snapshot", "front", _files.PathOf("again.png"), "--json");
        result.RequireSuccess();
        Assert.Equal(PixelFormats.Name(format), result.Json.GetProperty("format").GetString());
        if (PixelFormats.IsFloat(format))
        {
            double unit = format == PixelFormat.BgrpF16 ? 1 : 0.25;
            Assert.Equal((-100 * unit, 155 * unit), (result.Json.GetProperty("least").GetDouble(), result.Json.GetProperty("most").GetDouble()));
        }
    }

    [Theory]
    [InlineData("front.jpg", null, true)]
    [InlineData("front.JPEG", null, true)]
    [InlineData("front.png", null, false)]
    [InlineData("front", null, false)]
    [InlineData("front.png", "jpeg", true)]
    [InlineData("front.jpg", "png", false)]
    public void The_name_or_the_option_says_what_kind_of_picture_it_is(string name, string? format, bool isJpeg)
    {
        using FramePublisher publisher = Publish(PixelFormat.Rgb24, Samples("rgb24"), 0, ColourRange.Full, 0);
        string path = _files.PathOf(name);
        CliResult result = CliProcess.Run(_directory.Path, ["snapshot", "front", path, "--json", .. format is null ? Array.Empty<string>() : ["--format", format]]);
        result.RequireSuccess();
        Assert.Equal(isJpeg ? "image/jpeg" : "image/png", result.Json.GetProperty("content_type").GetString());
        Assert.Equal(JsonValueKind.Null, result.Json.GetProperty("daemon").ValueKind);
        byte[] expected = Samples("rgb24");
        byte[] found = _files.DecodeReference(path, "rgb24");
        Assert.Equal(expected.Length, found.Length);
        if (isJpeg)
        {
            Assert.Equal([0xFF, 0xD8], File.ReadAllBytes(path)[..2]);

            // Lossy, and of this picture: on the average a sample is hardly changed.
            Assert.InRange(expected.Zip(found, (a, b) => Math.Abs(a - b)).Average(), 0, 4);
        }
        else
        {
            Assert.Equal(expected, found);
        }
    }

    [Fact]
    public void A_wider_picture_is_scaled_down_and_a_smaller_one_stays()
    {
        using FramePublisher publisher = Publish(PixelFormat.Rgb24, Samples("rgb24"), 0, ColourRange.Full, 0);
        string path = _files.PathOf("front.png");
        foreach ((int limit, int width) in ((int, int)[])[(Width / 2, Width / 2), (Width + 1, Width)])
        {
            CliResult result = CliProcess.Run(_directory.Path, "snapshot", "front", path, "--force", "--json", "--max-width", $"{limit}");
            result.RequireSuccess();
            Assert.Equal((width, Height * width / Width), (result.Json.GetProperty("width").GetInt32(), result.Json.GetProperty("height").GetInt32()));
            Assert.Equal(3 * width * (Height * width / Width), _files.DecodeReference(path, "rgb24").Length);
        }
    }

    [Fact]
    public void A_file_that_exists_is_left_alone_unless_it_is_forced()
    {
        string path = _files.PathOf("a.png");
        File.WriteAllText(path, "mine");
        using FramePublisher publisher = Publish(PixelFormat.Rgb24, Samples("rgb24"), 0, ColourRange.Full, 0);
        CliProcess.Run(_directory.Path, "snapshot", "front", path).RequireFailure(2, "CONFIGURATION_INVALID");
        Assert.Equal("mine", File.ReadAllText(path));

        CliResult result = CliProcess.Run(_directory.Path, "snapshot", "front", path, "--force", "--json");
        result.RequireSuccess();
        JsonElement report = result.Json;
        Assert.Equal("front", report.GetProperty("key").GetString());
        Assert.Equal(path, report.GetProperty("file").GetString());
        Assert.Equal((Width, Height), (report.GetProperty("width").GetInt32(), report.GetProperty("height").GetInt32()));
        Assert.Equal(new FileInfo(path).Length, report.GetProperty("bytes").GetInt64());
        Assert.Equal(1, report.GetProperty("sequence").GetInt32());
        Assert.Equal("rgb24", report.GetProperty("format").GetString());
        Assert.Equal(7_000_000_000, report.GetProperty("pts_ns").GetInt64());
        // Nothing else was left beside it.
        Assert.Equal([path], Directory.GetFiles(_files.Folder));
    }

    [Fact]
    public void Where_no_file_can_be_is_said_before_anything_is_read()
    {
        CliProcess.Run(_directory.Path, "snapshot", "front", Path.Combine(_files.Folder, "missing", "a.png")).RequireFailure(2, "CONFIGURATION_INVALID");
        CliProcess.Run(_directory.Path, "snapshot", "front", _files.Folder).RequireFailure(2, "CONFIGURATION_INVALID");
    }

    [Fact]
    public void A_stream_that_is_not_there_and_one_without_frames_are_said()
    {
        string path = _files.PathOf("a.png");
        CliProcess.Run(_directory.Path, "snapshot", "front", path).RequireFailure(3, "STREAM_NOT_FOUND");
        using FramePublisher publisher = FramePublisher.Create("front", new PublisherOptions { Directory = _directory.Path });
        CliProcess.Run(_directory.Path, "snapshot", "front", path, "--timeout", "0.3").RequireFailure(5, "TIMED_OUT");
        Assert.False(File.Exists(path));
    }

    /// <summary>A picture in which colours change slowly, so that no two ways to scale chroma differ by much, in ffmpeg's hands.</summary>
    private byte[] Samples(string pixelFormat)
    {
        string path = _files.Make($"{pixelFormat}.raw",
            "-f", "lavfi", "-i", $"gradients=size={Width}x{Height}:c0=0x204060:c1=0xe0a020:c2=0x30c0b0:nb_colors=3:x0=0:y0=0:x1={Width}:y1={Height}:seed=1",
            "-frames:v", "1", "-f", "rawvideo", "-pix_fmt", pixelFormat);
        byte[] samples = File.ReadAllBytes(path);
        File.Delete(path);
        return samples;
    }

    private FramePublisher Publish(PixelFormat format, byte[] samples, byte matrix, ColourRange range, byte rotation)
    {
        FramePublisher publisher = FramePublisher.Create("front", new StreamFormat(format, Width, Height), new PublisherOptions { Directory = _directory.Path });
        Assert.True(publisher.TryBeginFrame(out FrameWriter frame));
        ReadOnlySpan<byte> rest = samples;
        for (int plane = 0; plane < frame.PlaneCount; plane++)
        {
            for (int row = 0; row < frame.Rows(plane); row++)
            {
                Span<byte> target = frame.Row(plane, row);
                rest[..target.Length].CopyTo(target);
                rest = rest[target.Length..];
            }
        }

        Assert.True(rest.IsEmpty);
        frame.Metadata.Pts = 7_000_000_000;
        frame.Metadata.ArrivalTime = MonotonicClock.NowNanoseconds;
        frame.Metadata.ColourMatrix = matrix;
        frame.Metadata.ColourRange = range;
        frame.Metadata.Rotation = rotation;
        frame.Publish();
        return publisher;
    }

    /// <summary>Runs the command and gives the samples of the picture, as ffmpeg reads them.</summary>
    private byte[] Snapshot(out int width, out int height)
    {
        string path = _files.PathOf("front.png");
        CliProcess.Run(_directory.Path, "snapshot", "front", path).RequireSuccess();
        byte[] png = File.ReadAllBytes(path);
        width = BinaryPrimitives.ReadInt32BigEndian(png.AsSpan(16));
        height = BinaryPrimitives.ReadInt32BigEndian(png.AsSpan(20));
        return _files.DecodeReference(path, "rgb24");
    }

    private byte[] Expected(byte[] samples, string pixelFormat, string conversion, string? filter = null)
    {
        string raw = _files.PathOf("samples.raw");
        File.WriteAllBytes(raw, samples);
        string result = _files.Make("expected.raw",
            "-f", "rawvideo", "-pix_fmt", pixelFormat, "-s", $"{Width}x{Height}", "-i", raw,
            "-vf", $"scale={conversion}:out_range=pc:flags=accurate_rnd+full_chroma_int+bicubic,format=rgb24" + (filter is null ? "" : "," + filter),
            "-f", "rawvideo", "-pix_fmt", "rgb24");
        return File.ReadAllBytes(result);
    }

    private static void RequireClose(byte[] expected, byte[] found)
    {
        Assert.Equal(expected.Length, found.Length);
        for (int i = 0; i < expected.Length; i++)
        {
            Assert.True(
                Math.Abs(expected[i] - found[i]) <= Tolerance,
                $"Column {i / 3 % Width}, row {i / 3 / Width}, channel {i % 3}: ffmpeg has {expected[i]}, the snapshot {found[i]}.");
        }
    }
}
