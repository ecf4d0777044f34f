using CuFrames.Client;
using CuFrames.Control;
using CuFrames.Control.V1;
using CuFrames.Daemon.Tests;
using CuFrames.TestKit;
using Xunit;
using CameraHeartbeat = CuFrames.Media.CameraHeartbeat;
using CameraStep = CuFrames.Media.CameraStep;
using CameraWatch = CuFrames.Daemon.Internal.CameraWatch;

namespace CuFrames.Resilience.Tests;

/// <summary>Camera threads that make no step: in a decoder that never comes back, and in a call of the kernel that nobody can interrupt.</summary>
public sealed class StuckTests
{
    private const string Head =
        "defaults: {lossless: 60s, readers: everyone, open_timeout: 1s, stall_timeout: 1s, stuck_timeout: 2s}\ncameras:\n  steady: {source: 'test:nv12@160x120@50'}\n";

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_stuck_decoder_is_found_and_the_stream_begins_anew(bool isolated)
    {
        using MediaClips clips = new();
        string clip = clips.H264("clip.mp4", 160, 120, 4);
        ClipFrames frames = new(clips, clip, 160, 120);
        string crash = clips.PathOf("crash");
        using DaemonProcess daemon = new(Head + $"  weak: {{source: {clip}, loop: true, isolated: {(isolated ? "true" : "false")}}}\n");
        daemon.Environment["LD_PRELOAD"] = Path.Combine(AppContext.BaseDirectory, "libdecoder_crash.so");
        daemon.Environment["DECODER_CRASH"] = crash;
        daemon.Start();
        using SteadyReader steady = new(daemon, "steady");
        using FrameSubscriber reader = daemon.Subscribe("weak");
        ulong epoch = frames.Next(reader);
        int seen = daemon.Log.Count;

        File.WriteAllText(crash + ".hang", "");
        string line = daemon.WaitForLog("[323 camera-stuck] weak: The camera's thread has been reading a packet or decoding for ", seen: seen);
        Assert.Contains(isolated ? "another takes its place" : "is left to end by itself", line, StringComparison.Ordinal);
        File.Delete(crash + ".hang");
        ulong next = epoch;
        Until.True(() => (next = frames.Next(reader)) != epoch, "no frame comes after the thread was stuck", () => daemon.LogText);
        if (isolated)
        {
            daemon.WaitForLog("[321 worker-ended] weak: ", "was ended by signal 9 (SIGKILL)", seen);
        }

        steady.WaitForMore(50);
        steady.Finish();
        Assert.Equal(0, daemon.End().ExitCode);
    }

    [Fact]
    public async Task A_camera_whose_threads_are_all_stuck_is_given_up_and_comes_back_when_one_ends()
    {
        using MediaClips clips = new();
        string clip = clips.H264("clip.ts", 160, 120, 2);
        ClipFrames frames = new(clips, clip, 160, 120);
        string crash = clips.PathOf("crash");
        using DaemonProcess daemon = new(Head + $"  weak: {{source: {clip}, loop: true}}\n");
        daemon.Environment["LD_PRELOAD"] = Path.Combine(AppContext.BaseDirectory, "libdecoder_crash.so");
        daemon.Environment["DECODER_CRASH"] = crash;
        File.WriteAllText(crash + ".hang", "");
        daemon.Start();
        using SteadyReader steady = new(daemon, "steady");
        string line = daemon.WaitForLog("[324 camera-given-up] weak: ");
        Assert.Contains("3 threads of this camera are stuck", line, StringComparison.Ordinal);
        Assert.Contains("isolated: true", line, StringComparison.Ordinal);
        Assert.Equal(3, daemon.Log.Count(entry => entry.Contains("[323 camera-stuck] weak: ", StringComparison.Ordinal)));
        using ControlClient client = new(Path.Combine(daemon.RuntimeDirectory, ControlClient.SocketName));
        Camera camera = await client.GetCameraAsync("weak", TestContext.Current.CancellationToken);
        Assert.Equal(CameraState.Failed, camera.State);
        Assert.Contains("isolated: true", camera.Reason, StringComparison.Ordinal);
        Assert.Contains("isolated: true", daemon.WaitFor("weak", info => info.StateText.Length > 0).StateText, StringComparison.Ordinal);

        File.Delete(crash + ".hang");
        using FrameSubscriber reader = daemon.Subscribe("weak");
        for (int i = 0; i < 20; i++)
        {
            frames.Next(reader);
        }

        steady.WaitForMore(50);
        steady.Finish();
        Assert.Equal(0, daemon.End().ExitCode);
    }

    [Fact]
    public void Only_time_in_which_somebody_looked_and_nothing_changed_makes_a_thread_stuck()
    {
        const long Second = 1_000_000_000;
        CameraWatch watch = new(TimeSpan.FromSeconds(5));
        CameraHeartbeat reading = new(CameraStep.Reading, 8);
        Assert.Null(watch.FindStuck(reading, 0));

        // The daemon was stopped for an hour, twice: each counts for two seconds at most.
        Assert.Null(watch.FindStuck(reading, 3600 * Second));
        Assert.Null(watch.FindStuck(reading, 7200 * Second));
        string? text = watch.FindStuck(reading, 7202 * Second);
        Assert.Equal("The camera's thread has been reading a packet or decoding for 6 s without a step.", text);

        // A step later it is well, and waiting it may as long as it likes.
        Assert.Null(watch.FindStuck(reading with { Time = 16 }, 7203 * Second));
        for (long now = 7204; now < 7300; now++)
        {
            Assert.Null(watch.FindStuck(new CameraHeartbeat(CameraStep.Waiting, 16), now * Second));
        }

        // Without a limit nothing is stuck, and neither is what does not run.
        CameraWatch none = new(TimeSpan.Zero), idle = new(TimeSpan.FromSeconds(1));
        for (long now = 0; now < 100; now++)
        {
            Assert.Null(none.FindStuck(reading, now * Second));
            Assert.Null(idle.FindStuck(null, now * Second));
        }
    }

    [Fact]
    public void A_time_that_a_source_may_take_is_not_stuck()
    {
        using DaemonProcess daemon = new("cameras:\n  a: {source: 'rtsp://h/x', open_timeout: 20s, stuck_timeout: 20s}\n");
        (int exitCode, _, string errors) = DaemonProcess.Execute(daemon.Environment, "--check");
        Assert.Equal(2, exitCode);
        Assert.Contains("cuframes.yaml:2:", errors, StringComparison.Ordinal);
        Assert.Contains("stuck_timeout is 20 s, and a source may take 20 s", errors, StringComparison.Ordinal);
        daemon.Write("cameras:\n  a: {source: 'rtsp://h/x', open_timeout: 60s}\n  b: {source: test, stuck_timeout: off}\n  c: {source: test}\n");
        (exitCode, string output, errors) = DaemonProcess.Execute(daemon.Environment, "--check");
        Assert.Equal((0, ""), (exitCode, errors));
        Assert.Equal(
            ["stuck_timeout: 70000ms", "stuck_timeout: off", "stuck_timeout: 30000ms"],
            output.Split('\n').Where(line => line.Contains("stuck", StringComparison.Ordinal)).Select(line => line.Trim()));
    }
}
