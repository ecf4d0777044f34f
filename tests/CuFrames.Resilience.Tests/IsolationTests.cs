using CuFrames.Client;
using CuFrames.Control;
using CuFrames.Control.V1;
using CuFrames.Daemon.Tests;
using CuFrames.Protocol;
using CuFrames.TestKit;
using Xunit;

namespace CuFrames.Resilience.Tests;

/// <summary>Cameras with <c>isolated: true</c>: what happens in their process stays there.</summary>
public sealed class IsolationTests
{
    private const string Head = "defaults: {lossless: 60s, readers: everyone}\ncameras:\n  steady: {source: 'test:nv12@160x120@50'}\n";

    [Fact]
    public void A_decoder_that_crashes_takes_down_only_its_own_camera()
    {
        using MediaClips clips = new();
        string clip = clips.H264("clip.mp4", 160, 120, 4);
        ClipFrames frames = new(clips, clip, 160, 120);
        string crash = clips.PathOf("crash");
        using DaemonProcess daemon = new(Head + $"  weak: {{source: {clip}, loop: true, isolated: true}}\n  weakling: {{source: {clip}, loop: true, isolated: true, decode: keyframes}}\n");
        daemon.Environment["LD_PRELOAD"] = Path.Combine(AppContext.BaseDirectory, "libdecoder_crash.so");
        daemon.Environment["DECODER_CRASH"] = crash;
        daemon.Start();
        using SteadyReader steady = new(daemon, "steady");
        using FrameSubscriber reader = daemon.Subscribe("weak", Delivery.Newest);
        ulong epoch = frames.Next(reader);
        int seen = daemon.Log.Count;

        File.WriteAllText(crash, "");
        string line = daemon.WaitForLog("[321 worker-ended] weak: ", seen: seen);
        Assert.Contains("was ended by signal 11 (SIGSEGV)", line, StringComparison.Ordinal);
        Assert.Contains("Another is started in", line, StringComparison.Ordinal);
        daemon.WaitForLog("[321 worker-ended] weakling: ", seen: seen);
        steady.WaitForMore(50);

        // The reader has done nothing for it. The next worker starts a while after this one: no reader comes to one that is about to crash.
        daemon.WaitForLog("[321 worker-ended] weak: ", seen: daemon.Log.Count);
        File.Delete(crash);
        ulong next = epoch;
        Until.True(() => (next = frames.Next(reader)) != epoch, "no frame of another worker comes", () => daemon.LogText);
        Assert.Equal(1, reader.Reconnects);
        for (int i = 0; i < 50; i++)
        {
            Assert.Equal(next, frames.Next(reader));
        }

        steady.Finish();
        Assert.Equal(0, daemon.End().ExitCode);
    }

    [Fact]
    public void The_same_crash_without_isolation_ends_the_daemon()
    {
        // Else the test above would prove nothing.
        using MediaClips clips = new();
        string clip = clips.H264("clip.mp4", 160, 120, 4);
        using DaemonProcess daemon = new(Head + $"  weak: {{source: {clip}, loop: true}}\n");
        daemon.Environment["LD_PRELOAD"] = Path.Combine(AppContext.BaseDirectory, "libdecoder_crash.so");
        daemon.Environment["DECODER_CRASH"] = clip;
        daemon.Start();
        Assert.Equal(139, daemon.WaitForExit());
    }

    [Fact]
    public void A_worker_that_is_killed_is_replaced_and_others_lose_nothing()
    {
        using DaemonProcess daemon = DaemonProcess.Run(Head + "  alone: {source: 'test:nv12@96x64@50', isolated: true, renditions: {small: {scale: 0.5}}}\n");
        using SteadyReader steady = new(daemon, "steady");
        using FrameSubscriber reader = daemon.Subscribe("alone");
        using FrameSubscriber small = daemon.Subscribe("alone@small");
        ulong epoch = PatternReader.Next(reader).Epoch;
        for (int round = 0, seen = 0; round < 3; round++)
        {
            int worker = Workers.Of(daemon, "alone", seen);
            seen = daemon.Log.Count;
            Signals.Send(worker, Workers.Kill);
            string line = daemon.WaitForLog("[321 worker-ended] alone: ", seen: seen);
            Assert.Contains($"process {worker}, was ended by signal 9 (SIGKILL).", line, StringComparison.Ordinal);
            ulong before = epoch;
            Until.True(() => (epoch = PatternReader.Next(reader).Epoch) != before, "no frame of another worker comes", () => daemon.LogText);
            Assert.False(Workers.IsRunning(worker));
        }

        using (Frame frame = small.Next(DaemonProcess.Patience))
        {
            Assert.Equal((48, 32), (frame.Width, frame.Height));
        }

        steady.Finish();
        Assert.Equal(0, daemon.End().ExitCode);
        Assert.DoesNotContain("internal-error", daemon.LogText, StringComparison.Ordinal);
    }

    [Fact]
    public void Workers_end_with_a_daemon_that_is_killed_and_streams_come_back_with_the_next()
    {
        using DaemonProcess daemon = DaemonProcess.Run(Head + "  alone: {source: 'test:nv12@96x64@50', isolated: true}\n");
        using FrameSubscriber steady = daemon.Subscribe("steady");
        using FrameSubscriber alone = daemon.Subscribe("alone");
        ulong steadyEpoch = PatternReader.Next(steady).Epoch, aloneEpoch = PatternReader.Next(alone).Epoch;
        for (int round = 0, seen = 0; round < 20; round++)
        {
            int worker = Workers.Of(daemon, "alone", seen);
            seen = daemon.Log.Count;
            daemon.End(Workers.Kill);
            Until.True(() => !Workers.IsRunning(worker), "the worker outlives the daemon");

            // Sockets, locks and folders of the dead one are still there. A worker may have had time to remove its own.
            Assert.True(File.Exists(Path.Combine(daemon.RuntimeDirectory, "steady.sock")));
            daemon.Start();
            ulong next = 0;
            Until.True(() => (next = PatternReader.Next(steady).Epoch) != steadyEpoch, "the reader does not come back", () => daemon.LogText);
            steadyEpoch = next;
            Until.True(() => (next = PatternReader.Next(alone).Epoch) != aloneEpoch, "the reader of the isolated camera does not come back", () => daemon.LogText);
            aloneEpoch = next;
        }

        Assert.Equal(20, steady.Reconnects);
        Assert.Equal(20, alone.Reconnects);
        Assert.Equal(0, daemon.End().ExitCode);
        Assert.Equal([], StreamDirectory.Keys(daemon.RuntimeDirectory));
        Assert.DoesNotContain("internal-error", daemon.LogText, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_control_API_tells_of_an_isolated_camera_what_it_tells_of_others()
    {
        CancellationToken cancellation = TestContext.Current.CancellationToken;
        using DaemonProcess daemon = DaemonProcess.Run(Head + "  alone: {source: 'test:nv12@96x64@50', isolated: true, renditions: {small: {scale: 0.5}}}\n");
        using FrameSubscriber reader = daemon.Subscribe("alone");
        PatternReader.Next(reader);
        using ControlClient client = new(Path.Combine(daemon.RuntimeDirectory, ControlClient.SocketName));
        Camera? camera = null;
        IReadOnlyList<Reader> readers = [];
        Until.True(
            () =>
            {
                camera = client.GetCameraAsync("alone", cancellation).Result;
                readers = camera.State == CameraState.Live ? client.ListReadersAsync("alone", cancellation).Result : [];
                return readers.Count == 1 && readers[0].Taken > 0;
            },
            "the worker's word does not come",
            () => $"{camera}\n{daemon.LogText}");
        Assert.Equal(["alone", "alone@small"], camera!.Streams.Select(stream => stream.Key));
        Assert.Equal((96U, 64U, "nv12", "host"), (camera.Streams[0].Width, camera.Streams[0].Height, camera.Streams[0].Format, camera.Streams[0].Memory));
        Assert.True(camera.Streams[0].Published > 0);
        Assert.Equal(Environment.ProcessId, readers[0].ProcessId);

        await client.EvictReaderAsync(readers[0], "for a test", cancellation);
        daemon.WaitForLog("[402 reader-evicted] alone: ", "for a test");
        daemon.WaitForLog("[703 control-done] alone: ", "for a test");
        RpcException error = await Assert.ThrowsAsync<RpcException>(() => client.EvictReaderAsync(readers[0], "again", cancellation));
        Assert.Equal(RpcStatus.NotFound, error.Status);

        // It may come back, as any reader.
        PatternReader.Next(reader);
        List<Event> events = [];
        await foreach (Event happening in client.WatchEventsAsync("alone", past: 100, pastOnly: true, cancellation: cancellation))
        {
            events.Add(happening);
        }

        Assert.Equal([320U, 300U], events.Select(happening => happening.Id).Where(id => id is 320 or 300));
        Assert.Contains(events, happening => happening is { Id: 301, Stream: "alone" });
        Assert.Equal(0, daemon.End().ExitCode);
        daemon.WaitForLog("[306 camera-stopped] alone: ");
    }

    [Fact]
    public void Whether_a_camera_is_isolated_can_be_changed_without_touching_others()
    {
        using DaemonProcess daemon = DaemonProcess.Run(Head + "  other: {source: 'test:nv12@96x64@50'}\n");
        using SteadyReader steady = new(daemon, "steady");
        using FrameSubscriber reader = daemon.Subscribe("other");
        ulong epoch = PatternReader.Next(reader).Epoch;
        for (int round = 0; round < 4; round++)
        {
            bool isolated = round % 2 == 0;
            int seen = daemon.Log.Count;
            Assert.Contains(
                "added none, changed other, removed none, untouched 1.",
                daemon.Reload(Head + $"  other: {{source: 'test:nv12@96x64@50', isolated: {(isolated ? "true" : "false")}}}\n"),
                StringComparison.Ordinal);
            ulong before = epoch;
            Until.True(() => (epoch = PatternReader.Next(reader).Epoch) != before, "no frame comes after the change", () => daemon.LogText);
            daemon.WaitForLog(isolated ? "[320 worker-started] other: " : "[300 camera-started] other: ", seen: seen);
            steady.WaitForMore(20);
        }

        // Handing the key over from process to process is no trouble that anybody hears of.
        Assert.DoesNotContain("camera-unavailable", daemon.LogText, StringComparison.Ordinal);
        Assert.DoesNotContain("worker-ended", daemon.LogText, StringComparison.Ordinal);
        steady.Finish();
        Assert.Equal(0, daemon.End().ExitCode);
    }

    [Fact]
    public void Renditions_of_an_isolated_camera_come_and_go_without_touching_it()
    {
        using DaemonProcess daemon = DaemonProcess.Run(Head + "  alone: {source: 'test:nv12@96x64@50', isolated: true}\n");
        using FrameSubscriber reader = daemon.Subscribe("alone");
        ulong epoch = PatternReader.Next(reader).Epoch;
        int seen = daemon.Log.Count;
        Assert.Contains(
            "added alone@small, changed none, removed none, untouched 2.",
            daemon.Reload(Head + "  alone: {source: 'test:nv12@96x64@50', isolated: true, renditions: {small: {scale: 0.5}}}\n"),
            StringComparison.Ordinal);
        using (FrameSubscriber small = daemon.Subscribe("alone@small"))
        using (Frame frame = small.Next(DaemonProcess.Patience))
        {
            Assert.Equal((48, 32), (frame.Width, frame.Height));
        }

        daemon.Write(Head + "  alone: {source: 'test:nv12@96x64@50', isolated: true}\n");
        daemon.Signal(Signals.HangUp);
        daemon.WaitForLog("removed alone@small", seen: seen);
        daemon.WaitForLog("[314 rendition-stopped] alone@small: ", seen: seen);
        Assert.Equal(epoch, PatternReader.Next(reader).Epoch);
        Assert.Equal(0, reader.Reconnects);
        Assert.Equal(0, daemon.End().ExitCode);
    }

    [Fact]
    public void A_worker_has_no_secret_that_others_see_and_less_rights_than_the_daemon()
    {
        const string Secret = "Geh3imes-Passwort";
        using DaemonProcess daemon = new(Head + "  alone: {source: 'rtsp://admin:${CUFRAMES_TEST_SECRET}@127.0.0.1:1/x', isolated: true}\n");
        daemon.Environment["CUFRAMES_TEST_SECRET"] = Secret;
        daemon.Start();
        int worker = Workers.Of(daemon, "alone");
        daemon.WaitForLog("[302 camera-lost] alone: ");
        daemon.WaitFor("alone", info => info.Description?.State == StreamState.SourceLost);
        Assert.DoesNotContain(Secret, File.ReadAllText($"/proc/{worker}/cmdline"), StringComparison.Ordinal);
        Assert.DoesNotContain(Secret, File.ReadAllText($"/proc/{worker}/environ"), StringComparison.Ordinal);
        Assert.Contains(Secret, File.ReadAllText($"/proc/{daemon.ProcessId}/environ"), StringComparison.Ordinal);
        Assert.Matches("NoNewPrivs:\\s+1\n", File.ReadAllText($"/proc/{worker}/status"));
        Assert.Matches("NoNewPrivs:\\s+0\n", File.ReadAllText($"/proc/{daemon.ProcessId}/status"));
        Assert.Matches("Max core file size\\s+0\\s+0\\s", File.ReadAllText($"/proc/{worker}/limits"));
        Assert.Equal("500", File.ReadAllText($"/proc/{worker}/oom_score_adj").Trim());
        Assert.Equal(0, daemon.End().ExitCode);
        Assert.DoesNotContain(Secret, daemon.LogText, StringComparison.Ordinal);
        Until.True(() => !Workers.IsRunning(worker), "the worker outlives the daemon");
    }

    [Fact]
    public void An_isolated_camera_in_device_memory_opens_the_GPU_for_itself()
    {
        using DaemonProcess daemon = new(Head + "  device: {source: 'test:nv12@96x64@50', memory: cuda, isolated: true}\n");
        daemon.Environment["LD_LIBRARY_PATH"] = Path.Combine(AppContext.BaseDirectory, "fakecuda");
        daemon.Start();
        int worker = Workers.Of(daemon, "device");
        daemon.WaitForLog("[500 gpu-opened] device: ");
        daemon.WaitFor("device", info => info.Description?.State == StreamState.Live);
        Assert.Contains("libcuda.so.1", File.ReadAllText($"/proc/{worker}/maps"), StringComparison.Ordinal);
        Assert.DoesNotContain("libcuda.so.1", File.ReadAllText($"/proc/{daemon.ProcessId}/maps"), StringComparison.Ordinal);
        Assert.Equal(0, daemon.End().ExitCode);
    }

    [Fact]
    public void An_isolated_camera_runs_as_any_user()
    {
        // The restrictions of a worker, the trace of itself among them, are another matter for a user who is not root.
        const int Nobody = 65534;
        using DaemonProcess daemon = new(Head + "  alone: {source: 'test:nv12@96x64@50', isolated: true}\n")
        {
            Prefix = ["setpriv", $"--reuid={Nobody}", $"--regid={Nobody}", "--clear-groups"],
        };
        Directory.CreateDirectory(daemon.RuntimeDirectory);
        File.SetUnixFileMode(daemon.RuntimeDirectory, (UnixFileMode)0b111_111_111);
        daemon.Start();
        int worker = Workers.Of(daemon, "alone");
        using FrameSubscriber reader = daemon.Subscribe("alone");
        for (int i = 0; i < 20; i++)
        {
            PatternReader.Next(reader);
        }

        Assert.Matches($"Uid:\\s+{Nobody}\\s", File.ReadAllText($"/proc/{worker}/status"));
        Assert.Equal("500", File.ReadAllText($"/proc/{worker}/oom_score_adj").Trim());
        Assert.Equal(0, daemon.End().ExitCode);
        Assert.DoesNotContain("internal-error", daemon.LogText, StringComparison.Ordinal);
    }

    [Fact]
    public void A_worker_is_not_for_people()
    {
        (int exitCode, string output, string errors) = DaemonProcess.Execute(new Dictionary<string, string?>(), "--help");
        Assert.Equal((0, ""), (exitCode, errors));
        Assert.DoesNotContain("worker", output, StringComparison.Ordinal);
    }
}
