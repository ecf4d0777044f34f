using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;
using CuFrames.Client;
using CuFrames.Protocol;
using CuFrames.TestKit;
using Xunit;

namespace CuFrames.Daemon.Tests;

/// <summary>Cameras whose frames lie in device memory, on the double of the CUDA driver.</summary>
public sealed partial class GpuTests : IDisposable
{
    private const string HostCamera = "  host: {source: 'test:nv12@160x120@50', lossless: 10min}\n";

    private readonly MediaClips _clips = new();

    // Readers are in this process.
    public GpuTests() => _ = TestCuda.Device;

    public void Dispose() => _clips.Dispose();

    [Theory]
    [InlineData("cuda", "auto")]
    [InlineData("cuda", "software")]
    [InlineData("cuda-ipc", "auto")]
    [InlineData("host", "auto")]
    public void Software_decodes_into_the_ring_bit_for_bit_and_the_stream_says_why(string memory, string decode)
    {
        string path = _clips.H264("a.mp4", 322, 182, 2);
        byte[] reference = _clips.DecodeReference(path, "yuv420p");
        int size = reference.Length / 50;
        string late = _clips.PathOf("late.mp4");
        using DaemonProcess daemon = CudaDouble.Run(
            $"cameras: {{a: {{source: '{late}', lossless: 30s, paced: false, slots: 4, max_slots: 4, memory: {memory}, decode: {decode}}}}}");
        using FrameSubscriber reader = daemon.Subscribe("a", Delivery.Lossless);
        Assert.False(reader.TryNext(TimeSpan.Zero, out _));
        File.Move(path, late);
        byte[] samples = new byte[size];
        for (int i = 0; i < 50; i++)
        {
            using Frame frame = reader.Next(DaemonProcess.Patience);
            Assert.Equal((ulong)i + 1, frame.Sequence);
            Assert.Equal(memory == "host" ? MemoryDomain.Host : MemoryDomain.Cuda, frame.Memory);
            Assert.Equal(size, frame.CopyTo(samples));
            Assert.True(reference.AsSpan(i * size, size).SequenceEqual(samples), $"frame {i} differs");
            if (i == 0)
            {
                string text = daemon.WaitFor("a", info => info.Description?.State == StreamState.Live && info.StateText.Length > 0).StateText;
                string reason = (memory, decode) switch
                {
                    ("host", _) => "The frames go to main memory.",
                    (_, "software") => "Software was asked for.",
                    _ => "NVDEC cannot be used: ",
                };
                Assert.StartsWith("Decoder: software. " + reason, text, StringComparison.Ordinal);
                Assert.EndsWith(memory == "host" ? " Memory: host." : $" Memory: {memory} on {DeviceName(daemon)} ({CudaDouble.Uuids[0]}).", text, StringComparison.Ordinal);
                string line = memory != "host" && decode == "auto" ? "[312 camera-fallback] a: " : "[311 camera-decoder] a: ";
                Assert.EndsWith(text, daemon.WaitForLog(line), StringComparison.Ordinal);
            }
        }

        Assert.Equal(0UL, reader.Missed);
        Assert.Equal(memory != "host", daemon.LogText.Contains("[500 gpu-opened]", StringComparison.Ordinal));
        Assert.Equal(memory != "host", File.ReadAllText($"/proc/{daemon.ProcessId}/maps").Contains("libcuda.so", StringComparison.Ordinal));
        Assert.Equal(0, daemon.End().ExitCode);
        Assert.DoesNotContain("internal-error", daemon.LogText, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("cuda")]
    [InlineData("host")]
    public void Nvdec_that_is_asked_for_by_name_and_cannot_be_used_is_no_software(string memory)
    {
        string path = _clips.H264("a.mp4", 320, 240, 1);
        using DaemonProcess daemon = CudaDouble.Run($"cameras: {{a: {{source: '{path}', memory: {memory}, decode: nvdec}}}}");
        string line = daemon.WaitForLog("[302 camera-lost] a: ", "cannot be decoded by NVDEC");
        Assert.Contains("Next attempt in ", line, StringComparison.Ordinal);
        Assert.Contains("cannot be decoded by NVDEC", daemon.WaitFor("a", info => info.Description?.State == StreamState.SourceLost).StateText, StringComparison.Ordinal);
        Assert.DoesNotContain("[301 camera-live]", daemon.LogText, StringComparison.Ordinal);
    }

    [Fact]
    public void A_camera_that_finds_no_room_says_what_ran_out_and_is_admitted_when_another_is_removed_or_shrunk()
    {
        // Six slots of 1280x720 NV12 are 7.9 MiB, which the device rounds to 8: two such rings do not fit 12 MiB.
        const string Large = "{source: 'test:nv12@1280x720@25', memory: cuda}";
        const string Small = "{source: 'test:nv12@320x240@25', memory: cuda}";
        const string Head = "gpu: {memory_limit: 12 MiB}\ncameras:\n" + HostCamera;
        using DaemonProcess daemon = CudaDouble.Run($"{Head}  a: {Large}\n");
        using FrameSubscriber host = daemon.Subscribe("host", Delivery.Lossless);
        (ulong sequence, ulong epoch, _) = PatternReader.Next(host);
        daemon.WaitFor("a", info => info.Description?.State == StreamState.Live);

        daemon.Reload($"{Head}  a: {Large}\n  b: {Large}\n");
        Refused("b");

        // The first one shrinks: there is room for the second.
        daemon.Reload($"{Head}  a: {Small}\n  b: {Large}\n");
        Assert.Equal((1280, 720), Next("b"));
        Assert.Equal((320, 240), Next("a"));
        daemon.Reload($"{Head}  a: {Small}\n  b: {Large}\n  c: {Large}\n");
        Refused("c");

        // The second one goes: there is room for the third.
        daemon.Reload($"{Head}  a: {Small}\n  c: {Large}\n");
        Assert.Equal((1280, 720), Next("c"));
        Assert.Equal((320, 240), Next("a"));
        for (int i = 0; i < 20; i++)
        {
            (ulong Sequence, ulong Epoch, long) next = PatternReader.Next(host);
            Assert.Equal((sequence + 1, epoch), (next.Sequence, next.Epoch));
            sequence = next.Sequence;
        }

        Assert.DoesNotContain("internal-error", daemon.LogText, StringComparison.Ordinal);

        void Refused(string key)
        {
            string line = daemon.WaitForLog($"[309 camera-not-admitted] {key}: ");
            string text = daemon.WaitFor(key, info => info.Description?.State == StreamState.SourceLost).StateText;
            Assert.StartsWith("Not admitted: ", text, StringComparison.Ordinal);
            foreach (string said in (ReadOnlySpan<string>)[line, text])
            {
                Match figures = Figures().Match(said);
                Assert.True(figures.Success, said);
                double asked = Number(1), limit = Number(2), inUse = Number(3), wouldBe = Number(4);
                Assert.Equal((8, 12), (asked, limit));
                Assert.InRange(inUse, 8, 12);
                Assert.Equal(inUse + asked, wouldBe);
                Assert.Contains("gpu.memory_limit", said, StringComparison.Ordinal);
                Assert.Contains("Next attempt in ", said, StringComparison.Ordinal);

                double Number(int group) => double.Parse(figures.Groups[group].ValueSpan, CultureInfo.InvariantCulture);
            }
        }

        (int Width, int Height) Next(string key)
        {
            daemon.WaitFor(key, info => info.Description?.State == StreamState.Live);
            using FrameSubscriber reader = daemon.Subscribe(key);
            PatternReader.Next(reader);
            using Frame frame = reader.Next(DaemonProcess.Patience);
            return (frame.Width, frame.Height);
        }
    }

    [Fact]
    public void A_device_without_memory_refuses_a_camera_which_is_tried_again()
    {
        using DaemonProcess daemon = CudaDouble.Run($"cameras:\n{HostCamera}  a: {{source: 'test:nv12@640x368@25', memory: cuda}}\n", ("FAKECUDA_FAIL", "cuMemCreate:1:CUDA_ERROR_OUT_OF_MEMORY"));
        string line = daemon.WaitForLog("[309 camera-not-admitted] a: ", "CUDA_ERROR_OUT_OF_MEMORY");
        Assert.Contains("MiB free of", line, StringComparison.Ordinal);
        Assert.Contains("Next attempt in ", line, StringComparison.Ordinal);
        using FrameSubscriber reader = daemon.Subscribe("a");
        PatternReader.Next(reader);
        daemon.WaitForLog("[301 camera-live] a: ");
    }

    [Fact]
    public void A_missing_driver_is_told_and_found_when_it_is_there()
    {
        using DaemonProcess daemon = CudaDouble.Prepare($"cameras:\n{HostCamera}  a: {{source: 'test:nv12@640x368@50', memory: cuda, readers: everyone}}\n");
        // Not a library: so that no driver of this machine is found instead.
        string folder = Path.Combine(daemon.Folder, "lib");
        string library = Path.Combine(folder, "libcuda.so.1");
        Directory.CreateDirectory(folder);
        File.WriteAllText(library, "nothing");
        daemon.Environment["LD_LIBRARY_PATH"] = folder;
        using NotifySocket systemd = new();
        daemon.Environment["NOTIFY_SOCKET"] = systemd.Path;
        daemon.Start();
        Assert.Contains("a no GPU", systemd.WaitFor("READY=1"), StringComparison.Ordinal);
        using FrameSubscriber host = daemon.Subscribe("host", Delivery.Lossless);
        (ulong sequence, ulong epoch, _) = PatternReader.Next(host);
        Assert.Contains("libcuda.so.1 cannot be opened", daemon.WaitForLog("[501 gpu-unavailable]"), StringComparison.Ordinal);
        Assert.Contains("Install the NVIDIA driver", daemon.WaitForLog("[310 camera-without-gpu] a: "), StringComparison.Ordinal);
        StreamInfo without = daemon.WaitFor("a", info => info.Description?.State == StreamState.SourceLost);
        Assert.Contains("libcuda.so.1 cannot be opened", without.StateText, StringComparison.Ordinal);

        // A reader may come before the driver does.
        using FrameSubscriber reader = daemon.Subscribe("a");
        Assert.False(reader.TryNext(TimeSpan.Zero, out _));
        File.Copy(CudaDouble.Library, library + ".new");
        File.Move(library + ".new", library, overwrite: true);
        Assert.NotEqual(without.Epoch, PatternReader.Next(reader).Epoch);
        daemon.WaitForLog("[500 gpu-opened]", CudaDouble.Uuids[0]);
        systemd.WaitFor("STATUS=2 of 2 cameras live");
        Assert.Single(daemon.Log, line => line.Contains("[501 ", StringComparison.Ordinal));
        for (int i = 0; i < 50; i++)
        {
            (ulong Sequence, ulong Epoch, long) next = PatternReader.Next(host);
            Assert.Equal((sequence + 1, epoch), (next.Sequence, next.Epoch));
            sequence = next.Sequence;
        }

        Assert.Equal(0, daemon.End().ExitCode);
    }

    [Theory]
    [InlineData("cuInit:1:CUDA_ERROR_NO_DEVICE", "CUDA_ERROR_NO_DEVICE")]
    [InlineData("cuDevicePrimaryCtxRetain:1:CUDA_ERROR_OUT_OF_MEMORY", "CUDA_ERROR_OUT_OF_MEMORY")]
    public void A_driver_that_refuses_at_first_is_tried_again(string fault, string name)
    {
        using DaemonProcess daemon = CudaDouble.Run($"cameras:\n{HostCamera}  a: {{source: 'test:nv12@640x368@50', memory: cuda}}\n", ("FAKECUDA_FAIL", fault));
        Assert.Contains(name, daemon.WaitForLog("[501 gpu-unavailable]"), StringComparison.Ordinal);
        Assert.Contains(name, daemon.WaitForLog("[310 camera-without-gpu] a: "), StringComparison.Ordinal);
        using FrameSubscriber reader = daemon.Subscribe("a");
        PatternReader.Next(reader);
        daemon.WaitForLog("[500 gpu-opened]");
    }

    [Fact]
    public void A_device_that_is_not_there_is_told_and_another_configuration_starts_the_gpus_cameras_alone()
    {
        const string Cameras = "cameras:\n" + HostCamera + "  a: {source: 'test:nv12@640x368@50', memory: cuda}\n";
        using DaemonProcess daemon = CudaDouble.Run("gpu: {device: 7}\n" + Cameras, ("FAKECUDA_DEVICES", "2"));
        ulong hostEpoch = daemon.WaitFor("host", info => info.Description?.State == StreamState.Live).Epoch;
        string text = daemon.WaitFor("a", info => info.Description?.State == StreamState.SourceLost).StateText;
        Assert.Contains("gpu.device is 7, and the CUDA driver shows device 0 (", text, StringComparison.Ordinal);
        Assert.All(CudaDouble.Uuids, uuid => Assert.Contains(uuid, text, StringComparison.Ordinal));

        foreach ((string device, int index) in (ReadOnlySpan<(string, int)>)[(CudaDouble.Uuids[1], 1), ("0", 0)])
        {
            int seen = daemon.Log.Count;
            Assert.Contains("added none, changed a, removed none, untouched 1.", daemon.Reload($"gpu: {{device: {device}}}\n{Cameras}"), StringComparison.Ordinal);
            daemon.WaitForLog("[500 gpu-opened]", CudaDouble.Uuids[index], seen);
            string state = daemon.WaitFor("a", info => info.Description?.State == StreamState.Live && info.StateText.Length > 0).StateText;
            Assert.Contains(CudaDouble.Uuids[index], state, StringComparison.Ordinal);
        }

        Assert.Equal(hostEpoch, daemon.Probe("host").Epoch);
    }

    [Fact]
    public void A_reload_moves_a_camera_to_the_gpu_and_back_and_touches_no_other()
    {
        const string Head = "cameras:\n" + HostCamera;
        using DaemonProcess daemon = CudaDouble.Prepare($"{Head}  a: {{source: 'test:nv12@640x368@50'}}\n");
        string counts = Path.Combine(daemon.Folder, "counts.json");
        daemon.Environment["FAKECUDA_COUNTS"] = counts;
        daemon.Start();
        using FrameSubscriber host = daemon.Subscribe("host", Delivery.Lossless);
        (ulong sequence, ulong hostEpoch, _) = PatternReader.Next(host);
        using FrameSubscriber reader = daemon.Subscribe("a");
        HashSet<ulong> epochs = [PatternReader.Next(reader).Epoch];
        foreach (string memory in (ReadOnlySpan<string>)["cuda", "cuda-ipc", "host"])
        {
            int seen = daemon.Log.Count;
            Assert.Contains(
                "added none, changed a, removed none, untouched 1.", daemon.Reload($"{Head}  a: {{source: 'test:nv12@640x368@50', memory: {memory}}}\n"), StringComparison.Ordinal);

            // By its text, because the run before may have said its own only now.
            daemon.WaitForLog("[311 camera-decoder] a: ", memory == "host" ? "Memory: host." : $"Memory: {memory} on ", seen);

            // The reader comes back to the new epoch by itself.
            ulong epoch = daemon.Probe("a").Epoch;
            Assert.True(epochs.Add(epoch));
            while (PatternReader.Next(reader).Epoch != epoch)
            {
                // What the old ring still holds.
            }
        }

        for (int i = 0; i < 50; i++)
        {
            (ulong Sequence, ulong Epoch, long) next = PatternReader.Next(host);
            Assert.Equal((sequence + 1, hostEpoch), (next.Sequence, next.Epoch));
            sequence = next.Sequence;
        }

        Assert.Equal(0, daemon.End().ExitCode);
        using JsonDocument report = JsonDocument.Parse(File.ReadAllText(counts));
        JsonElement calls = report.RootElement.GetProperty("calls");
        Assert.Equal(1, calls.GetProperty("cuDevicePrimaryCtxRetain").GetInt32());
        Assert.Equal(1, calls.GetProperty("cuDevicePrimaryCtxRelease_v2").GetInt32());
    }

    [Fact]
    public void A_device_that_cannot_share_memory_as_configured_gives_the_camera_up_with_advice()
    {
        using DaemonProcess daemon = CudaDouble.Run(
            "cameras: {a: {source: 'test:nv12@640x368@25', memory: cuda}, b: {source: 'test:nv12@640x368@25', memory: cuda-ipc}}", ("FAKECUDA_ATTRIBUTES", "vmm=0"));
        Assert.Contains("Use the memory kind cuda-ipc.", daemon.WaitForLog("[304 camera-failed] a: "), StringComparison.Ordinal);
        Assert.Contains("Use the memory kind cuda-ipc.", daemon.WaitFor("a", info => info.Description?.State == StreamState.Ended).StateText, StringComparison.Ordinal);
        using FrameSubscriber reader = daemon.Subscribe("b");
        PatternReader.Next(reader);
    }

    [Fact]
    public void A_broken_context_ends_the_daemon_with_an_exit_code_of_its_own()
    {
        using DaemonProcess daemon = CudaDouble.Run($"cameras:\n{HostCamera}", ("FAKECUDA_FAIL", "cuMemcpy2DAsync:40:CUDA_ERROR_ILLEGAL_ADDRESS"));
        List<SubscriberEvent> events = [];
        using FrameSubscriber host = daemon.Subscribe("host", Delivery.Lossless, events.Add, reconnect: false);
        PatternReader.Next(host);

        // It breaks within a second of the camera's start: the reader of the other one has to be there by then.
        daemon.Write($"cameras:\n{HostCamera}  a: {{source: 'test:nv12@640x368@50', memory: cuda}}\n");
        daemon.Signal(Signals.HangUp);
        Assert.Equal(3, daemon.WaitForExit());
        string line = daemon.WaitForLog("[502 gpu-broken]");
        Assert.Contains("CUDA_ERROR_ILLEGAL_ADDRESS", line, StringComparison.Ordinal);
        Assert.Contains("exit code 3", line, StringComparison.Ordinal);
        Assert.Contains("All cameras have ended", daemon.WaitForLog("[103 stopped]"), StringComparison.Ordinal);

        // Readers of the others are told in order.
        Action readAll = () =>
        {
            while (true)
            {
                PatternReader.Next(host);
            }
        };
        CuFramesException error = Assert.ThrowsAny<CuFramesException>(readAll);
        Assert.True(error.Code is ErrorCode.ShuttingDown or ErrorCode.Disconnected, error.ToString());
        Assert.Contains(events, happening => happening is { Kind: SubscriberEventKind.Disconnected, Code: ErrorCode.ShuttingDown });
        Assert.Empty(StreamDirectory.Keys(daemon.RuntimeDirectory));
    }

    [Fact]
    public void Sixteen_cameras_share_one_context()
    {
        const int Cameras = 16;
        string path = _clips.H264("a.mp4", 320, 240, 2);
        HashSet<string> reference = [.. _clips.DecodeReference(path, "yuv420p").Chunk(320 * 240 * 3 / 2).Select(Convert.ToHexString)];
        string list = string.Concat(Enumerable.Range(0, Cameras).Select(i =>
            i % 2 == 0 ? $"  c{i}: {{source: '{path}', loop: true, memory: cuda}}\n" : $"  c{i}: {{source: 'test:nv12@160x120@25', memory: cuda}}\n"));
        using DaemonProcess daemon = CudaDouble.Prepare("cameras:\n" + list);
        string counts = Path.Combine(daemon.Folder, "counts.json");
        daemon.Environment["FAKECUDA_COUNTS"] = counts;
        daemon.Start();
        daemon.WaitForLog("[101 ready]");
        for (int i = 0; i < Cameras; i++)
        {
            using FrameSubscriber reader = daemon.Subscribe($"c{i}");
            for (int frames = 0; frames < 5; frames++)
            {
                if (i % 2 == 1)
                {
                    PatternReader.Next(reader);
                    continue;
                }

                using Frame frame = reader.Next(DaemonProcess.Patience);
                byte[] samples = new byte[320 * 240 * 3 / 2];
                frame.CopyTo(samples);
                Assert.Contains(Convert.ToHexString(samples), reference);
            }
        }

        Assert.Equal(0, daemon.End().ExitCode);
        using JsonDocument report = JsonDocument.Parse(File.ReadAllText(counts));
        JsonElement calls = report.RootElement.GetProperty("calls");
        Assert.Equal(1, calls.GetProperty("cuDevicePrimaryCtxRetain").GetInt32());
        Assert.False(calls.TryGetProperty("cuCtxCreate_v2", out _));
        Assert.True(calls.GetProperty("cuMemCreate").GetInt32() >= Cameras);
        Assert.Equal(0, report.RootElement.GetProperty("live").GetProperty("physical").GetInt32());
    }

    [GeneratedRegex(@"asks for ([0-9.]+) MiB of .*the limit of all streams is ([0-9.]+) MiB, in use are ([0-9.]+) MiB, and it would be ([0-9.]+) MiB")]
    private static partial Regex Figures();

    private static string DeviceName(DaemonProcess daemon) =>
        Regex.Match(daemon.WaitForLog("[500 gpu-opened]"), @"device 0 \((.*), GPU-").Groups[1].Value;
}
