using System.Text.RegularExpressions;
using CuFrames.Client;
using CuFrames.Control;
using CuFrames.Control.V1;
using CuFrames.Interop;
using CuFrames.Protocol;
using CuFrames.TestKit;
using Xunit;

namespace CuFrames.Daemon.Tests;

/// <summary>What operators ask of a daemon whose cameras are on a real GPU: from the archive that gpu/build-bundle.sh makes.</summary>
[Trait("needs", "gpu")]
[Trait("only", "gpu")]
public sealed partial class GpuOperationTests : IDisposable
{
    private const int Width = 320;
    private const int Height = 240;

    private readonly MediaClips _clips = new();

    public GpuOperationTests() => CudaDriver.Initialise();

    public void Dispose() => _clips.Dispose();

    [Fact]
    public async Task Metrics_tell_memory_decoders_and_their_utilisation()
    {
        int port = Ports.Free();
        using DaemonProcess daemon = DaemonProcess.Run(
            $$"""
            web: 127.0.0.1:{{port}}
            cameras:
              one: {source: '{{Clip("h264.mp4")}}', loop: true, memory: cuda}
              two: {source: '{{Clip("hevc.mp4")}}', loop: true, memory: cuda}
            """);
        daemon.WaitForLog("[311 camera-decoder] one: Decoder: nvdec. ");
        daemon.WaitForLog("[311 camera-decoder] two: Decoder: nvdec. ");
        string metrics = await ScrapeUntilAsync(port, text => Values(text, "cuframes_gpu_decoders").SequenceEqual([2]) && Values(text, "hw_gpu_utilization_ratio").Count > 0);
        TestContext.Current.TestOutputHelper?.WriteLine(string.Join('\n', metrics.Split('\n').Where(line => line.Contains("gpu", StringComparison.Ordinal) && !line.StartsWith('#'))));
        double used = Values(metrics, "hw_gpu_memory_usage_bytes").Single(), all = Values(metrics, "hw_gpu_memory_limit_bytes").Single();

        // A CUDA context alone has some hundred MiB (benchmarks/results).
        Assert.InRange(used, 200 << 20, all);
        Assert.InRange(Values(metrics, "cuframes_gpu_ring_memory_bytes").Single(), 2.0 * 1920 * 1080 * 3 / 2 * 6, used);
        Assert.All(Values(metrics, "hw_gpu_utilization_ratio"), ratio => Assert.InRange(ratio, 0, 1));
        Assert.Contains($"task=\"decoder\"", metrics, StringComparison.Ordinal);
        Assert.Contains($"gpu=\"{CudaDriver.Devices[0].UuidText}\"", metrics, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_snapshot_has_the_pixels_of_the_frame_on_the_device_and_a_tile_is_made_of_it(bool isolated)
    {
        int port = Ports.Free();
        using DaemonProcess daemon = DaemonProcess.Run(
            $$"""
            web: 127.0.0.1:{{port}}
            cameras:
              slow: {source: 'test:rgb24@{{Width}}x{{Height}}@1', memory: cuda, isolated: {{(isolated ? "true" : "false")}}}
            """);
        using FrameSubscriber subscriber = daemon.Subscribe("slow", Delivery.InOrder);
        using ControlClient control = new(Path.Combine(daemon.RuntimeDirectory, ControlClient.SocketName));
        while ((await control.GetCameraAsync("slow", TestContext.Current.CancellationToken)).Streams.Count == 0)
        {
            // A worker's streams can be read a moment before the daemon has heard of them.
            await Task.Delay(20, TestContext.Current.CancellationToken);
        }

        Snapshot snapshot = await control.TakeSnapshotAsync("slow", PictureFormat.Png, cancellation: TestContext.Current.CancellationToken);
        byte[] expected = new byte[Width * Height * 3];
        for (bool isFound = false; !isFound;)
        {
            using Frame frame = subscriber.Next(DaemonProcess.Patience);
            Assert.Equal(MemoryDomain.Cuda, frame.Memory);
            if (frame.Sequence > snapshot.Sequence)
            {
                // This reader came later than the picture: another one, of the frame that it has.
                snapshot = await control.TakeSnapshotAsync("slow", PictureFormat.Png, cancellation: TestContext.Current.CancellationToken);
            }

            if (frame.Sequence == snapshot.Sequence)
            {
                frame.CopyTo(expected);
                isFound = true;
            }
        }

        string path = _clips.PathOf("snapshot.png");
        File.WriteAllBytes(path, snapshot.Picture.ToByteArray());
        Assert.Equal(expected, _clips.DecodeReference(path, "rgb24"));

        using FrameSubscriber tile = daemon.Subscribe("slow@tile");
        using Frame small = tile.Next(DaemonProcess.Patience);
        Assert.Equal((320, 180, MemoryDomain.Host), (small.Width, small.Height, small.Memory));
        Camera camera = await control.GetCameraAsync("slow", TestContext.Current.CancellationToken);
        Assert.Equal(isolated, camera.WorkerProcessId != 0);
        Assert.Equal(0, daemon.End().ExitCode);
    }

    private static async Task<string> ScrapeUntilAsync(int port, Predicate<string> isEnough)
    {
        using HttpClient http = new();
        string text = "";
        System.Diagnostics.Stopwatch time = System.Diagnostics.Stopwatch.StartNew();
        do
        {
            Assert.True(time.Elapsed < DaemonProcess.Patience, text);
            await Task.Delay(200, TestContext.Current.CancellationToken);
            text = await http.GetStringAsync(new Uri($"http://127.0.0.1:{port}/metrics"), TestContext.Current.CancellationToken);
        }
        while (!isEnough(text));
        return text;
    }

    private static List<double> Values(string metrics, string name) =>
        [.. Sample().Matches(metrics).Where(match => match.Groups["name"].Value == name).Select(match => double.Parse(match.Groups["value"].Value, System.Globalization.CultureInfo.InvariantCulture))];

    private static string Clip(string name) => Path.Combine(
        Environment.GetEnvironmentVariable("CUFRAMES_CLIPS") ?? throw new InvalidOperationException("CUFRAMES_CLIPS names no folder: run-gpu-tests of the archive sets it."),
        name);

    [GeneratedRegex(@"^(?<name>[a-z_]+)(?:\{[^}]*\})? (?<value>[-+.0-9eE]+)$", RegexOptions.Multiline)]
    private static partial Regex Sample();
}
