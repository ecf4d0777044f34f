using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using CuFrames.Client;
using CuFrames.Interop;
using CuFrames.Protocol;
using CuFrames.TestKit;
using Xunit;

namespace CuFrames.Media.Tests;

/// <summary>What subscribers of a camera see: whole frames, growing pts, marks, states with reasons.</summary>
public sealed class CameraPumpTests : IDisposable
{
    private const string Password = "Geh3imnis-Passwort";
    private readonly MediaClips _clips = new();

    public void Dispose() => _clips.Dispose();

    [Fact]
    public void A_file_is_published_frame_by_frame_and_its_last_frame_says_so()
    {
        string path = _clips.H264("a.mp4", 1920, 1080, 1);
        byte[] reference = _clips.DecodeReference(path, "yuv420p");
        using CameraHarness camera = new(CameraHarness.File(path));
        camera.Pump.Start();
        int size = 1920 * 1080 * 3 / 2;
        for (int i = 0; i < 25; i++)
        {
            (FrameMetadata metadata, string format, byte[] samples) = camera.Next();
            Assert.Equal("i420 1920x1080", format);
            Assert.True(reference.AsSpan(i * size, size).SequenceEqual(samples), $"frame {i} differs");
            Assert.Equal(i == 24, metadata.Flags.HasFlag(FrameFlags.EndOfStream));
            Assert.False(metadata.Flags.HasFlag(FrameFlags.Discontinuity));
            Assert.Equal(i * 40_000_000L, metadata.Pts);
        }

        Assert.True(camera.Pump.WaitForEnd(TimeSpan.FromSeconds(90)));
        Assert.Equal(CameraState.Ended, camera.Pump.Status.State);
        Assert.Equal([CameraState.Connecting, CameraState.Live, CameraState.Ended], camera.Statuses.Select(status => status.State));
        Assert.Equal(StreamState.Ended, camera.Publisher.GetStatistics().State);
        CameraStatistics statistics = camera.Pump.Statistics;
        Assert.Equal((25, 25, 0, 0, 0, 1, 0), (statistics.Packets, statistics.Frames, statistics.DroppedFrames, statistics.CorruptFrames, statistics.DecodeErrors, statistics.Connections, statistics.Reconnects));
        Assert.InRange(statistics.Bytes, 1, new FileInfo(path).Length);
        Assert.Equal("h264", camera.Pump.Status.Info!.Codec);
    }

    [Fact]
    public void A_change_of_size_reaches_subscribers_with_growing_pts()
    {
        string first = _clips.H264("first.ts", 640, 360, 0.4);
        string second = _clips.H264("second.ts", 1280, 720, 0.4);
        byte[] reference = [.. _clips.DecodeReference(first, "yuv420p"), .. _clips.DecodeReference(second, "yuv420p")];
        using CameraHarness camera = new(CameraHarness.File(_clips.Join("joined.ts", first, second)));
        camera.Pump.Start();
        int position = 0;
        long last = long.MinValue;
        for (int i = 0; i < 20; i++)
        {
            (FrameMetadata metadata, string format, byte[] samples) = camera.Next();
            Assert.Equal(i < 10 ? "i420 640x360" : "i420 1280x720", format);
            Assert.True(reference.AsSpan(position, samples.Length).SequenceEqual(samples), $"frame {i} differs");
            position += samples.Length;
            Assert.True(i == 0 || metadata.Pts == last + 40_000_000, $"frame {i}: {last} then {metadata.Pts}");
            Assert.Equal(i == 10, metadata.Flags.HasFlag(FrameFlags.Discontinuity));
            last = metadata.Pts;
        }

        Assert.Contains(camera.Statuses, status => status.Reason.Contains("i420 1280x720", StringComparison.Ordinal));
    }

    [Fact]
    public void A_looped_file_goes_on_without_a_gap()
    {
        string path = _clips.H264("a.mp4", 320, 240, 0.4);
        byte[] reference = _clips.DecodeReference(path, "yuv420p");
        using CameraHarness camera = new(CameraHarness.File(path, loop: true));
        camera.Pump.Start();
        int size = 320 * 240 * 3 / 2;
        for (int i = 0; i < 35; i++)
        {
            (FrameMetadata metadata, _, byte[] samples) = camera.Next();
            Assert.True(reference.AsSpan(i % 10 * size, size).SequenceEqual(samples), $"frame {i} differs");
            Assert.Equal(i * 40_000_000L, metadata.Pts);
            Assert.Equal(FrameFlags.None, metadata.Flags & (FrameFlags.Discontinuity | FrameFlags.EndOfStream));
        }

        Assert.Equal([CameraState.Connecting, CameraState.Live], camera.Statuses.Select(status => status.State));
        Assert.Equal(0, camera.Pump.Statistics.Reconnects);
        Assert.InRange(camera.Pump.Statistics.Connections, 4, 5);
    }

    [Fact]
    public void A_paced_file_is_not_faster_than_its_pts()
    {
        string path = _clips.H264("a.mp4", 320, 240, 1);
        // Nothing is said about pace: a file is paced of its own accord.
        using CameraHarness camera = new(CameraHarness.Of(new MediaSourceOptions { Url = new RedactedUrl(path) }));
        long start = MonotonicClock.NowNanoseconds;
        camera.Pump.Start();
        for (int i = 0; i < 25; i++)
        {
            FrameMetadata metadata = camera.Next().Metadata;
            // The wait counts whole milliseconds.
            Assert.True(metadata.PublishTime - start >= metadata.Pts - 1_000_000, $"frame {i}");
            Assert.True(metadata.ArrivalTime - start >= metadata.Pts - 1_000_000, $"frame {i}: it arrives when it is due");
        }
    }

    [Fact]
    public void The_test_pattern_verifies_whole_in_every_format()
    {
        foreach (PixelFormat format in PixelFormats.All.ToArray().Where(format => !PixelFormats.IsTensor(format)))
        {
            using CameraHarness camera = new(new CameraOptions
            {
                Pattern = new TestPatternOptions { Width = 322, Height = 182, Format = format, Paced = false, FrameCount = 30 },
            });
            camera.Pump.Start();
            TestPattern pattern = new(format, 322, 182);
            for (int number = 0; number < 30; number++)
            {
                using Frame frame = camera.Subscriber!.Next(TimeSpan.FromSeconds(90));
                PicturePlane[] planes = PlanesOf(in frame);
                Assert.True(pattern.Verify(planes, number, out string? difference), difference);
                Assert.Equal((ulong)number + 1, frame.Metadata.SourcePacket);
                Assert.Equal(number == 29, frame.Metadata.Flags.HasFlag(FrameFlags.EndOfStream));
            }

            Assert.True(camera.Pump.WaitForEnd(TimeSpan.FromSeconds(90)));
            Assert.Equal(CameraState.Ended, camera.Pump.Status.State);
        }
    }

    [Fact]
    public void A_dropped_connection_is_made_again_and_the_gap_is_marked()
    {
        string path = _clips.H264("a.mp4", 320, 240, 1);
        using RtspServer server = new(new RtspServerOptions { File = path, Repeat = TimeSpan.FromSeconds(60) });
        using CameraHarness camera = new(CameraHarness.Of(new MediaSourceOptions { Url = new RedactedUrl(server.Url) }));
        camera.Pump.Start();
        long last = long.MinValue;
        for (int i = 0; i < 10; i++)
        {
            FrameMetadata metadata = camera.Next().Metadata;
            Assert.False(metadata.Flags.HasFlag(FrameFlags.Discontinuity), $"frame {i}: {last} then {metadata.Pts}, packet {metadata.SourcePacket}");
            Assert.True(metadata.Pts > last);
            last = metadata.Pts;
        }

        int seen = camera.Statuses.Length;
        server.DropConnections();
        int marked = 0;
        for (int i = 0; i < 200 && marked == 0; i++)
        {
            FrameMetadata metadata = camera.Next().Metadata;
            marked += metadata.Flags.HasFlag(FrameFlags.Discontinuity) ? 1 : 0;
            Assert.True(metadata.Pts > last, "pts went back");
            last = metadata.Pts;
        }

        Assert.Equal(1, marked);
        Assert.False(camera.Next().Metadata.Flags.HasFlag(FrameFlags.Discontinuity));
        CameraStatus lost = camera.WaitFor(CameraState.SourceLost, seen);
        Assert.NotEqual(TimeSpan.Zero, lost.RetryDelay);
        Assert.Equal(ErrorCode.SourceFailed, lost.Code);
        camera.WaitFor(CameraState.Live, seen);
        Assert.Equal(1, camera.Pump.Statistics.Reconnects);

        // What the server says comes by another way than its pictures.
        Assert.True(SpinWait.SpinUntil(() => server.Connections >= 2, TimeSpan.FromSeconds(90)));
        Assert.Equal(2, server.Connections);
    }

    [Fact]
    public void A_hanging_camera_is_left_and_connected_to_again()
    {
        string path = _clips.H264("a.mp4", 320, 240, 1);
        using RtspServer server = new(new RtspServerOptions { File = path, Repeat = TimeSpan.FromSeconds(60) });
        using CameraHarness camera = new(CameraHarness.Of(new MediaSourceOptions { Url = new RedactedUrl(server.Url), StallTimeout = TimeSpan.FromSeconds(1) }), subscribe: false);
        camera.Pump.Start();
        camera.WaitFor(CameraState.Live);
        int seen = camera.Statuses.Length;
        server.Hang();
        CameraStatus lost = camera.WaitFor(CameraState.SourceLost, seen);
        Assert.Equal(MediaError.Stalled, lost.Error);
        Assert.Contains("sent no picture for 1 s", lost.Reason, StringComparison.Ordinal);
        camera.WaitFor(CameraState.Live, seen);
        Assert.Equal(1, camera.Pump.Statistics.Reconnects);
    }

    [Fact]
    public void A_wrong_password_is_told_in_every_place_without_the_password()
    {
        string path = _clips.H264("a.mp4", 320, 240, 0.4);
        using RtspServer server = new(new RtspServerOptions { File = path, User = "admin", Password = "right" });
        using CameraHarness camera = new(CameraHarness.Of(new MediaSourceOptions { Url = new RedactedUrl(server.Url + "?token=" + Password).WithCredentials("admin", Password) }), subscribe: false);
        camera.Pump.Start();
        CameraStatus lost = camera.WaitFor(CameraState.SourceLost);
        Assert.Equal(MediaError.Unauthorized, lost.Error);
        Assert.Contains("password (401)", lost.Reason, StringComparison.Ordinal);
        Assert.Contains("admin:***@", lost.Reason, StringComparison.Ordinal);
        camera.WaitFor(CameraState.SourceLost, camera.Statuses.Length);
        string everything = string.Join('\n', camera.Statuses.Select(status => status.ToString())) + camera.Pump.Statistics + camera.Publisher.GetStatistics() +
            new CameraOptions { Source = new MediaSourceOptions { Url = new RedactedUrl(server.UrlFor("admin", Password)) } };
        Assert.DoesNotContain(Password, everything, StringComparison.OrdinalIgnoreCase);
        foreach (StreamInfo stream in StreamDirectory.List(camera.Directory))
        {
            Assert.DoesNotContain(Password, stream.ToString(), StringComparison.OrdinalIgnoreCase);
        }
    }

    [Fact]
    public void What_is_lost_stays_lost_since_the_first_attempt_until_it_is_live()
    {
        string path = _clips.PathOf("later-still.mp4");
        using CameraHarness camera = new(CameraHarness.File(path, loop: true), subscribe: false);
        camera.Pump.Start();
        int seen = 0;
        while (seen < 4)
        {
            camera.WaitFor(CameraState.SourceLost, seen);
            seen = camera.Statuses.Length;
        }

        File.Move(_clips.H264("complete.mp4", 320, 240, 0.4), path);
        CameraStatus live = camera.WaitFor(CameraState.Live);
        CameraStatus[] before = [.. camera.Statuses.TakeWhile(status => status.State != CameraState.Live)];
        Assert.Equal([CameraState.Connecting, .. Enumerable.Repeat(CameraState.SourceLost, before.Length - 1)], before.Select(status => status.State));
        Assert.All(before[1..], status => Assert.Equal(before[1].Since, status.Since));
        Assert.True(live.Since > before[1].Since);
        Assert.True(before[1].Since >= before[0].Since);
    }

    [Fact]
    public void A_file_that_appears_later_is_found()
    {
        string path = _clips.PathOf("later.mp4");
        using CameraHarness camera = new(CameraHarness.File(path), subscribe: false);
        camera.Pump.Start();
        Assert.Equal(MediaError.FileNotFound, camera.WaitFor(CameraState.SourceLost).Error);
        string ready = _clips.H264("ready.mp4", 320, 240, 0.4);
        File.Move(ready, path);
        camera.WaitFor(CameraState.Ended);
        Assert.Equal(10, camera.Pump.Statistics.Frames);
        Assert.Equal(0, camera.Pump.Statistics.Reconnects);
    }

    [Fact]
    public void Without_retry_the_first_error_is_final()
    {
        using CameraHarness camera = new(CameraHarness.File(_clips.PathOf("none.mp4")) with { Retry = false }, subscribe: false);
        camera.Pump.Start();
        Assert.True(camera.Pump.WaitForEnd(TimeSpan.FromSeconds(90)));
        Assert.Equal(CameraState.Failed, camera.Pump.Status.State);
        Assert.Equal(MediaError.FileNotFound, camera.Pump.Status.Error);
        Assert.Equal(ErrorCode.SourceFailed, camera.Pump.Status.Code);
    }

    [Fact]
    public void What_no_attempt_can_change_is_final()
    {
        using CameraHarness camera = new(CameraHarness.File("nonsense://h/s"), subscribe: false);
        camera.Pump.Start();
        Assert.True(camera.Pump.WaitForEnd(TimeSpan.FromSeconds(90)));
        Assert.Equal((CameraState.Failed, MediaError.UnsupportedProtocol), (camera.Pump.Status.State, camera.Pump.Status.Error));
    }

    [Fact]
    public void A_stop_ends_an_open_a_read_a_pause_and_a_paced_wait()
    {
        string path = _clips.H264("a.mp4", 320, 240, 1);
        using TcpListener silent = new(IPAddress.Loopback, 0);
        silent.Start();
        using RtspServer server = new(new RtspServerOptions { File = path, Repeat = TimeSpan.FromSeconds(60) });
        RequireStop(CameraHarness.Of(new MediaSourceOptions { Url = new RedactedUrl($"rtsp://127.0.0.1:{((IPEndPoint)silent.LocalEndpoint).Port}/s") }), CameraState.Connecting, () => silent.AcceptTcpClient().Close);
        RequireStop(CameraHarness.Of(new MediaSourceOptions { Url = new RedactedUrl(server.Url) }), CameraState.Live);
        RequireStop(CameraHarness.File(_clips.PathOf("none.mp4")) with { InitialRetryDelay = TimeSpan.FromHours(1), MaxRetryDelay = TimeSpan.FromHours(2) }, CameraState.SourceLost);
        RequireStop(new CameraOptions { Pattern = new TestPatternOptions { FrameRateNumerator = 1, FrameRateDenominator = 3600 } }, CameraState.Live);
    }

    [Fact]
    public void A_conversion_is_told_in_the_state()
    {
        string path = _clips.H264("a.mp4", 320, 240, 0.2, "-pix_fmt", "yuv422p");
        using CameraHarness camera = new(CameraHarness.File(path), subscribe: false);
        camera.Pump.Start();
        CameraStatus live = camera.WaitFor(CameraState.Live);
        Assert.Contains("converted from yuv422p to i420", live.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void Frames_that_find_no_slot_are_dropped_and_counted()
    {
        using TemporaryDirectory directory = new();
        using FramePublisher publisher = FramePublisher.Create("camera", new PublisherOptions { Directory = directory.Path, Slots = 2, MaxSlots = 2, LeaseTimeout = TimeSpan.FromMinutes(1) });
        using CameraPump pump = new(publisher, new CameraOptions { Pattern = new TestPatternOptions { Width = 64, Height = 64, FrameRateNumerator = 200 } });
        using FrameSubscriber subscriber = FrameSubscriber.Connect("camera", new SubscriberOptions { Directory = directory.Path, Delivery = Delivery.InOrder, Leases = 2 });
        pump.Start();
        using (Frame first = subscriber.Next(TimeSpan.FromSeconds(90)))
        using (Frame second = subscriber.Next(TimeSpan.FromSeconds(90)))
        {
            Assert.True(SpinWait.SpinUntil(() => pump.Statistics.DroppedFrames >= 5, TimeSpan.FromSeconds(90)));
        }

        long frames = pump.Statistics.Frames;
        Assert.True(SpinWait.SpinUntil(() => pump.Statistics.Frames >= frames + 5, TimeSpan.FromSeconds(90)));
        Assert.Equal(CameraState.Live, pump.Status.State);
        Assert.True(pump.Stop(TimeSpan.FromSeconds(90)));
        CameraStatistics statistics = pump.Statistics;
        // A frame that was read when the stop came is neither published nor dropped.
        Assert.InRange(statistics.Packets - (statistics.Frames + statistics.DroppedFrames), 0, 1);
        Assert.Equal((ulong)statistics.DroppedFrames, publisher.GetStatistics().Dropped);
        Assert.Equal((ulong)statistics.Frames, publisher.Head);
    }

    [Fact]
    public void Damaged_video_does_not_end_the_camera()
    {
        string path = _clips.H264("d.ts", 640, 480, 2);
        byte[] content = File.ReadAllBytes(path);
        Random random = new(12);
        for (int packet = 30; packet < content.Length / 188; packet += 5)
        {
            content[(packet * 188) + 20 + random.Next(160)] ^= 0x55;
        }

        string damaged = _clips.PathOf("damaged.ts");
        File.WriteAllBytes(damaged, content);
        using CameraHarness camera = new(CameraHarness.File(damaged), subscribe: false);
        camera.Pump.Start();
        Assert.True(camera.Pump.WaitForEnd(TimeSpan.FromSeconds(90)));
        Assert.Equal(CameraState.Ended, camera.Pump.Status.State);
        CameraStatistics statistics = camera.Pump.Statistics;
        Assert.True(statistics is { Frames: > 10, CorruptFrames: > 0, DecodeErrors: > 0, Reconnects: 0 }, statistics.ToString());
    }

    /// <summary>Measured on the pump's own thread, between its first and its last report.</summary>
    [Fact]
    public void A_frame_costs_no_allocation()
    {
        string path = _clips.H264("a.mp4", 128, 128, 20);
        using TemporaryDirectory directory = new();
        using FramePublisher publisher = FramePublisher.Create("camera", new PublisherOptions { Directory = directory.Path });
        long atStart = 0, atEnd = 0;
        using CameraPump pump = new(publisher, CameraHarness.File(path), status =>
        {
            atStart = status.State == CameraState.Live ? GC.GetAllocatedBytesForCurrentThread() : atStart;
            atEnd = GC.GetAllocatedBytesForCurrentThread();
        });
        pump.Start();
        Assert.True(pump.WaitForEnd(TimeSpan.FromSeconds(90)));
        Assert.Equal(500, pump.Statistics.Frames);
        // The last report itself is a record and a text. The smallest object per frame would be 499 x 24 bytes.
        Assert.InRange(atEnd - atStart, 0, 4000);
    }

    [Fact]
    public void A_pump_is_started_once_and_may_be_stopped_at_any_time()
    {
        CameraOptions options = new() { Pattern = new TestPatternOptions { Width = 64, Height = 64 } };
        using (CameraHarness idle = new(options, subscribe: false))
        {
            Assert.True(idle.Pump.WaitForEnd(TimeSpan.Zero));
            Assert.True(idle.Pump.Stop(TimeSpan.Zero));
        }

        using CameraHarness camera = new(options, subscribe: false);
        camera.Pump.Start();
        Assert.Throws<InvalidOperationException>(camera.Pump.Start);
        Assert.False(camera.Pump.WaitForEnd(TimeSpan.Zero));
        Assert.True(camera.Pump.Stop(TimeSpan.FromSeconds(90)));
        Assert.True(camera.Pump.Stop(TimeSpan.Zero));
        camera.Pump.Dispose();
        camera.Pump.Dispose();
        Assert.True(camera.Pump.Stop(TimeSpan.Zero));
        Assert.Throws<InvalidOperationException>(camera.Pump.Start);
        Assert.Equal(CameraState.Ended, camera.Pump.Status.State);
    }

    [Fact]
    public void Impossible_options_are_refused()
    {
        using TemporaryDirectory directory = new();
        using FramePublisher publisher = FramePublisher.Create("camera", new PublisherOptions { Directory = directory.Path });
        CameraOptions file = CameraHarness.File("a.mp4");
        Assert.Throws<MediaException>(() => new CameraPump(publisher, new CameraOptions()));
        Assert.Throws<MediaException>(() => new CameraPump(publisher, file with { Pattern = new TestPatternOptions() }));
        Assert.Throws<MediaException>(() => new CameraPump(publisher, file with { InitialRetryDelay = TimeSpan.Zero }));
        Assert.Throws<MediaException>(() => new CameraPump(publisher, file with { MaxRetryDelay = TimeSpan.FromMilliseconds(1) }));
    }

    private static void RequireStop(CameraOptions options, CameraState state, Func<Action>? whenReady = null)
    {
        using CameraHarness camera = new(options, subscribe: false);
        camera.Pump.Start();
        camera.WaitFor(state);
        Action? after = whenReady?.Invoke();
        // 2 s is what the daemon has for all its cameras; what the machine keeps from everybody on it comes on top.
        using MachineDelay delay = new(Environment.ProcessId);
        Stopwatch time = Stopwatch.StartNew();
        Assert.True(camera.Pump.Stop(TimeSpan.FromSeconds(90)), $"no stop while {state}");
        Assert.True(time.Elapsed <= TimeSpan.FromSeconds(2) + delay.Total, $"a stop while {state} takes {time.Elapsed}, of which the machine has {delay.Total}");
        Assert.Equal(CameraState.Ended, camera.Pump.Status.State);
        after?.Invoke();
    }

    private static unsafe PicturePlane[] PlanesOf(in Frame frame)
    {
        PicturePlane[] planes = new PicturePlane[frame.PlaneCount];
        for (int plane = 0; plane < planes.Length; plane++)
        {
            // The mapping does not move.
            fixed (byte* first = frame.Plane(plane).Data)
            {
                planes[plane] = new PicturePlane((nint)first, (nuint)frame.Plane(plane).Pitch);
            }
        }

        return planes;
    }
}
