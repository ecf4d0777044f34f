using System.Buffers.Binary;
using System.Text.Json;
using CuFrames.Media;
using CuFrames.Protocol;
using CuFrames.TestKit;

namespace CuFrames.Cli.Tests;

/// <summary>Streams in device memory, published and read by cuframes in processes that have tests/fakecuda for a driver.</summary>
public sealed class GpuStreamTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();
    private readonly FakeCuda _cuda = new();
    private readonly MediaClips _files = new();

    public void Dispose()
    {
        _files.Dispose();
        _cuda.Dispose();
        _directory.Dispose();
    }

    [Theory]
    [InlineData("cuda", "rgb24")]
    [InlineData("cuda", "nv12")]
    [InlineData("cuda", "i420")]
    [InlineData("cuda", "p010")]
    [InlineData("cuda-ipc", "rgb24")]
    [InlineData("cuda-ipc", "nv12")]
    public void A_snapshot_has_every_pixel_that_was_published(string memory, string format)
    {
        using CliProcess publisher = Publish($"test:{format}@98x66@50", "--memory", memory);
        JsonElement report = Snapshot(out byte[] found);
        Assert.Equal("cuda", report.GetProperty("memory").GetString());
        Assert.Equal(FakeCuda.Uuids[0], report.GetProperty("device").GetString());
        Assert.True(PixelFormats.TryParse(format, out PixelFormat pixelFormat));
        TestPattern pattern = new(pixelFormat, 98, 66);
        bool isRgb = pixelFormat == PixelFormat.Rgb24;
        FrameMetadata metadata = new() { ColourMatrix = isRgb ? (byte)0 : (byte)1, ColourRange = isRgb ? ColourRange.Full : ColourRange.Limited };
        byte[] picture = new byte[PixelFormats.PictureBytes(pixelFormat, 98, 66)];
        WithPlanes(picture, pixelFormat, 98, 66, planes => pattern.Fill(planes, report.GetProperty("sequence").GetInt64() - 1));
        Assert.Equal(ToRgb(picture, pixelFormat, 98, 66, metadata), found);
    }

    [Fact]
    public void A_file_is_decoded_in_software_where_nvdec_cannot_and_every_pixel_of_it_reaches_the_device()
    {
        const int width = 128;
        const int height = 96;
        string clip = _files.H264("clip.mp4", width, height, 2);
        byte[] decoded = _files.DecodeReference(clip, "yuv420p");
        using CliProcess publisher = Publish(clip, "--memory", "cuda", "--loop");
        JsonElement interval = publisher.WaitForObject(report => report.GetProperty("state").GetString() == "live");
        Assert.Equal("software", interval.GetProperty("decoder").GetString());
        Assert.Contains("libnvcuvid.so.1", interval.GetProperty("decoder_reason").GetString(), StringComparison.Ordinal);
        Assert.Equal(FakeCuda.Uuids[0], interval.GetProperty("device").GetString());

        JsonElement report = Snapshot(out byte[] found);
        int bytes = (int)PixelFormats.PictureBytes(PixelFormat.I420, width, height);
        int number = (int)((report.GetProperty("sequence").GetInt64() - 1) % (decoded.Length / bytes));
        Assert.Equal(ToRgb(decoded.AsSpan(number * bytes, bytes).ToArray(), PixelFormat.I420, width, height, new FrameMetadata { ColourMatrix = 2 }), found);
    }

    [Fact]
    public void Nvdec_that_is_asked_for_and_cannot_be_had_ends_it() =>
        RequireFailure(
            CliProcess.RunWith(_cuda.With(), _directory.Path, "publish", "front", _files.H264("clip.mp4", 64, 64, 1), "--memory", "cuda", "--decode", "nvdec", "--json"),
            1, "SOURCE_FAILED", "libnvcuvid.so.1");

    [Fact]
    public void Lists_and_figures_name_the_domain_and_the_device()
    {
        using CliProcess front = Publish("test:nv12@128x64@50", "--memory", "cuda", "--device", "1");
        using CliProcess back = CliProcess.Start(_directory.Path, "publish", "back", "test:nv12@128x64@50", "--json");
        WaitForFrames(back);

        // Neither command needs a driver.
        CliResult list = CliProcess.Run(_directory.Path, "ls", "--json");
        list.RequireSuccess();
        JsonElement[] streams = [.. list.Json.GetProperty("streams").EnumerateArray()];
        Assert.Equal(["host", "cuda"], streams.Select(stream => stream.GetProperty("memory").GetString()!));
        Assert.Equal([null, FakeCuda.Uuids[1]], streams.Select(stream => stream.GetProperty("device").GetString()));
        string[] lines = CliProcess.Run(_directory.Path, "ls").Lines;
        Assert.Contains("  DOMAIN  ", lines[0], StringComparison.Ordinal);
        Assert.DoesNotContain("GPU-", lines[1], StringComparison.Ordinal);
        Assert.Contains("  cuda GPU-fa4ecada  ", lines[2], StringComparison.Ordinal);

        CliResult stat = CliProcess.Run(_directory.Path, "stat", "--json");
        stat.RequireSuccess();
        JsonElement stream = stat.Json.GetProperty("streams")[1].GetProperty("stream");
        Assert.Equal(FakeCuda.Uuids[1], stream.GetProperty("device").GetString());
        JsonElement sum = stat.Json.GetProperty("sum");
        Assert.Equal(stream.GetProperty("memory_bytes").GetInt64(), sum.GetProperty("device_memory_bytes").GetInt64());
        Assert.True(sum.GetProperty("memory_bytes").GetInt64() > sum.GetProperty("device_memory_bytes").GetInt64());
        Assert.Matches(" on GPUs ", CliProcess.Run(_directory.Path, "stat").Lines[^1]);

        // Without a stream on a GPU there is no such column.
        front.Signal("INT");
        front.WaitForEnd().RequireSuccess();
        Assert.DoesNotContain("DOMAIN", CliProcess.Run(_directory.Path, "ls").Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("", "STREAM")]
    [InlineData("FAKECUDA_ATTRIBUTES=stream_mem_ops=0", "EVENT")]
    [InlineData("FAKECUDA_FAIL=cuMemHostRegister:*:CUDA_ERROR_NOT_PERMITTED", "EVENT")]
    public void Watching_takes_and_releases_by_the_fence_that_the_device_can_do(string variable, string fence)
    {
        using CliProcess publisher = Publish("test:nv12@128x64@50", "--memory", "cuda");
        string[] variables = _cuda.With(variable.Length > 0 ? [variable] : []);
        CliResult result = CliProcess.RunWith(variables, _directory.Path, "watch", "front", "--seconds", "5", "--delivery", "in-order", "--json");
        result.RequireSuccess();
        JsonElement total = result.Objects[^1];
        Assert.Equal(fence, total.GetProperty("fence").GetString());
        Assert.Equal("cuda", total.GetProperty("memory").GetString());
        Assert.Equal(FakeCuda.Uuids[0], total.GetProperty("device").GetString());
        Assert.Equal(variable.Contains("HostRegister", StringComparison.Ordinal), total.GetProperty("fence_reason").GetString()!.Contains("CUDA_ERROR_NOT_PERMITTED", StringComparison.Ordinal));

        // Two leases were granted: without a release there would be no third frame.
        Assert.InRange(total.GetProperty("frames").GetInt32(), 3, 1000);
        Assert.True(total.GetProperty("latency_us").GetProperty("publish").GetProperty("p50").GetDouble() > 0);

        CliResult text = CliProcess.RunWith(variables, _directory.Path, "watch", "front", "--seconds", "1.2");
        Assert.EndsWith($"  cuda GPU-fa4ecada, fence {fence}", text.Lines[0], StringComparison.Ordinal);

        // All that was taken is given back: nobody is there, and nothing is dropped.
        publisher.Signal("INT");
        CliResult published = publisher.WaitForEnd();
        published.RequireSuccess();
        Assert.Equal(0, published.Objects[^1].GetProperty("dropped").GetInt32());
    }

    [Theory]
    [InlineData("snapshot")]
    [InlineData("watch")]
    public void Who_sees_another_device_is_told_both(string command)
    {
        using CliProcess publisher = Publish("test:nv12@128x64@50", "--memory", "cuda", "--device", FakeCuda.Uuids[1]);
        string[] arguments = command == "watch" ? [command, "front"] : [command, "front", _files.PathOf("a.png")];
        CliResult result = CliProcess.RunWith(_cuda.With("FAKECUDA_DEVICES=2", "CUDA_VISIBLE_DEVICES=0"), _directory.Path, arguments);
        RequireFailure(result, 4, "DOMAIN_NOT_MAPPABLE", FakeCuda.Uuids[0], FakeCuda.Uuids[1]);

        // Whoever numbers the same device otherwise reads it.
        JsonElement report = Snapshot(out _, "FAKECUDA_DEVICES=2", "CUDA_VISIBLE_DEVICES=1");
        Assert.Equal(FakeCuda.Uuids[1], report.GetProperty("device").GetString());
    }

    [Fact]
    public void Without_a_driver_it_is_said_what_is_missing()
    {
        using CliProcess publisher = Publish("test:nv12@128x64@50", "--memory", "cuda");
        using TemporaryDirectory empty = new();
        File.WriteAllText(Path.Combine(empty.Path, "libcuda.so.1"), "no library");
        string[] variables = [$"LD_LIBRARY_PATH={empty.Path}"];
        CliResult snapshot = CliProcess.RunWith(variables, _directory.Path, "snapshot", "front", _files.PathOf("a.png"));
        RequireFailure(snapshot, 4, "DOMAIN_NOT_MAPPABLE", FakeCuda.Uuids[0], "libcuda.so.1 cannot be opened");
        Assert.False(File.Exists(_files.PathOf("a.png")));
        foreach (string[] option in (string[][])[["test", "--memory", "cuda"], ["test", "--memory", "cuda-ipc"], ["/clip.mp4", "--decode", "nvdec"]])
        {
            CliResult result = CliProcess.RunWith(variables, _directory.Path, ["publish", "back", .. option]);
            RequireFailure(result, 1, "CUDA_UNAVAILABLE", "libcuda.so.1 cannot be opened");
        }
    }

    [Theory]
    [InlineData("CONFIGURATION_INVALID", 2, "There is no GPU '7'", "--memory", "cuda", "--device", "7")]
    [InlineData("CONFIGURATION_INVALID", 2, "There is no GPU 'GPU-0'", "--memory", "cuda-ipc", "--device", "GPU-0")]
    [InlineData("CONFIGURATION_INVALID", 2, "nothing here uses one", "--device", "0")]
    [InlineData("CONFIGURATION_INVALID", 2, "leave out --decode", "--decode", "nvdec")]
    public void What_cannot_be_meant_is_refused(string code, int exitCode, string text, params string[] options) =>
        RequireFailure(CliProcess.RunWith(_cuda.With(), _directory.Path, ["publish", "front", "test", .. options]), exitCode, code, text);

    [Theory]
    [InlineData("FAKECUDA_MEMORY_MIB=2", "OUT_OF_RESOURCES", "MiB")]
    [InlineData("FAKECUDA_FAIL=cuMemCreate:*:CUDA_ERROR_NOT_SUPPORTED", "CUDA_CALL_FAILED", "cuMemCreate answered CUDA_ERROR_NOT_SUPPORTED (801")]
    public void What_the_driver_refuses_is_shown_with_its_code(string variable, string code, string text)
    {
        CliResult result = CliProcess.RunWith(_cuda.With(variable), _directory.Path, "publish", "front", "test:nv12@1920x1080", "--memory", "cuda", "--json");
        RequireFailure(result, 1, code, text);
    }

    [Theory]
    [InlineData("cuda")]
    [InlineData("cuda-ipc")]
    public void Two_processes_that_are_both_pid_1_share_descriptors_and_hear_why_they_cannot_share_legacy_handles(string memory)
    {
        // --kill-child: the end of unshare is the end of the namespace and of what runs in it.
        string[] alone = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child", CliProcess.Program];
        using CliProcess publisher = CliProcess.StartOther(
            _directory.Path, "env", [.. _cuda.With(), .. alone, "publish", "front", "test:nv12@128x64@50", "--memory", memory, "--json"]);
        WaitForFrames(publisher);
        using CliProcess reader = CliProcess.StartOther(_directory.Path, "env", [.. _cuda.With(), .. alone, "snapshot", "front", _files.PathOf("a.png")]);
        CliResult result = reader.WaitForEnd();
        if (memory == "cuda")
        {
            result.RequireSuccess();
        }
        else
        {
            RequireFailure(result, 4, "CUDA_IPC_NAMESPACE", "both PID 1", "memory: cuda");
        }
    }

    private CliProcess Publish(string source, params string[] options)
    {
        CliProcess process = CliProcess.StartWith(_cuda.With("FAKECUDA_DEVICES=2"), _directory.Path, ["publish", "front", source, "--json", .. options]);
        try
        {
            WaitForFrames(process);
            return process;
        }
        catch
        {
            process.Dispose();
            throw;
        }
    }

    private static void WaitForFrames(CliProcess publisher) => publisher.WaitForObject(report => report.GetProperty("frames").GetInt32() > 0);

    /// <summary>Takes a snapshot and gives its samples, as ffmpeg reads them.</summary>
    private JsonElement Snapshot(out byte[] rgb, params string[] variables)
    {
        string path = _files.PathOf("front.png");
        CliResult result = CliProcess.RunWith(
            _cuda.With(variables.Length > 0 ? variables : ["FAKECUDA_DEVICES=2"]), _directory.Path, "snapshot", "front", path, "--force", "--json");
        result.RequireSuccess();
        JsonElement report = result.Json;
        byte[] png = File.ReadAllBytes(path);
        Assert.Equal(report.GetProperty("width").GetInt32(), BinaryPrimitives.ReadInt32BigEndian(png.AsSpan(16)));
        Assert.Equal(report.GetProperty("height").GetInt32(), BinaryPrimitives.ReadInt32BigEndian(png.AsSpan(20)));
        rgb = _files.DecodeReference(path, "rgb24");
        return report;
    }

    /// <summary>The conversion that snapshots make; that it is right is tested with streams in main memory.</summary>
    private static byte[] ToRgb(byte[] picture, PixelFormat format, int width, int height, FrameMetadata metadata)
    {
        byte[] rgb = new byte[width * height * 3];
        WithPlanes(picture, format, width, height, planes => PictureEncoder.ToRgb24(format, width, height, planes, metadata, rgb));
        return rgb;
    }

    private static unsafe void WithPlanes(byte[] picture, PixelFormat format, int width, int height, Action<PicturePlane[]> act)
    {
        // As snapshots do: libav may read a little past the end.
        byte[] padded = new byte[picture.Length + 64];
        picture.CopyTo(padded, 0);
        fixed (byte* first = padded)
        {
            List<PicturePlane> planes = [];
            int offset = 0;
            for (int plane = 0; plane < PixelFormats.PlaneCount(format); plane++)
            {
                int pitch = PixelFormats.RowBytes(format, plane, width);
                planes.Add(new PicturePlane((nint)(first + offset), (nuint)pitch));
                offset += pitch * PixelFormats.Rows(format, plane, height);
            }

            act([.. planes]);
        }

        padded.AsSpan(0, picture.Length).CopyTo(picture);
    }

    private static void RequireFailure(CliResult result, int exitCode, string code, params string[] texts)
    {
        Assert.Equal(exitCode, result.ExitCode);
        Assert.StartsWith($"cuframes: {code}: ", result.Errors, StringComparison.Ordinal);
        Assert.Single(result.Errors.Split('\n', StringSplitOptions.RemoveEmptyEntries));
        Assert.All(texts, text => Assert.Contains(text, result.Errors, StringComparison.Ordinal));
    }
}
