using System.Globalization;
using CuFrames.Client;
using CuFrames.Interop;
using CuFrames.Protocol;
using CuFrames.TestKit;
using Xunit;

namespace CuFrames.Media.Tests;

/// <summary>Cameras that are decoded only while somebody reads, and those of which only key frames are.</summary>
[Collection("cuda")]
public sealed class OnDemandTests : IDisposable
{
    private const int Width = 640, Height = 360, Rate = 25, Size = Width * Height * 3 / 2;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(90);
    private readonly MediaClips _clips = new();

    public void Dispose() => _clips.Dispose();

    /// <summary>Each loop of the clip is one group of pictures, so the place of a picture behind its key frame says which it is.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Who_comes_gets_the_newest_key_frame_and_then_every_picture_of_now(bool isLive)
    {
        string path = _clips.WithSound("a.mp4", Width, Height, 1);
        byte[] reference = _clips.DecodeReference(path, "yuv420p");
        using RtspServer? server = isLive ? new RtspServer(new RtspServerOptions { File = path, Audio = "aac", Repeat = TimeSpan.FromSeconds(120) }) : null;
        string source = server?.Url ?? _clips.Make("long.mp4", "-stream_loop", "-1", "-i", path, "-t", "60", "-c", "copy");
        using CameraHarness camera = Idle(new MediaSourceOptions { Url = new RedactedUrl(source) });
        using PacketSubscriber packets = camera.ReadPackets(PacketStart.Next);
        camera.Pump.Start();
        RequireIdle(camera, 0);
        Assert.Equal(0, camera.Pump.Statistics.Frames);
        Assert.Equal(StreamState.Starting, camera.Publisher.GetStatistics().State);
        List<Packet> taken = [];
        ulong lastShown = 0;
        long lastPts = long.MinValue;
        for (int cycle = 0; cycle < 4; cycle++)
        {
            // A different place in the group of pictures each time.
            TakePackets(packets, taken, taken.Count + 110 + (cycle * 17));
            int seen = camera.Statuses.Length;
            ulong before = camera.Packets!.Head;
            using (FrameSubscriber reader = Subscribe(camera))
            {
                List<FrameMetadata> frames = [];
                for (int i = 0; i < 30; i++)
                {
                    using Frame frame = reader.Next(Patience);
                    byte[] samples = new byte[Size];
                    frame.CopyTo(samples);
                    frames.Add(frame.Metadata);
                    TakePackets(packets, taken, until: frame.Metadata.SourcePacket);
                    int picture = PictureOf(taken, frame.Metadata.SourcePacket);
                    Assert.True(reference.AsSpan(picture * Size, Size).SequenceEqual(samples), $"cycle {cycle}, frame {i}, picture {picture} differs");
                    Assert.False(frame.Metadata.Flags.HasFlag(FrameFlags.Corrupt));
                    Assert.True(frame.Metadata.Pts > lastPts, $"cycle {cycle}, frame {i}");
                    lastPts = frame.Metadata.Pts;
                }

                // The first one is the newest key frame that was there, the next comes from a packet of after that.
                ulong newest = taken.Last(packet => packet.Track.Number == 0 && packet.IsKey && packet.Sequence <= Math.Max(before, frames[0].SourcePacket)).Sequence;
                Assert.Equal(newest, frames[0].SourcePacket);
                Assert.True(frames[1].SourcePacket >= before, $"frame 1 is of packet {frames[1].SourcePacket}, and {before} was there before anybody read");
                Assert.True(frames[1].SourcePacket > lastShown);
                Assert.True(frames[0].Flags.HasFlag(FrameFlags.Discontinuity));
                Assert.All(frames.Skip(2), frame => Assert.False(frame.Flags.HasFlag(FrameFlags.Discontinuity)));
                int[] pictures = [.. frames.Skip(1).Select(frame => PictureOf(taken, frame.SourcePacket))];
                Assert.Equal(pictures.Select((_, i) => (pictures[0] + i) % Rate), pictures);
                lastShown = frames[^1].SourcePacket;
                Assert.Equal("software", camera.WaitFor(CameraState.Live, seen).Info!.Decoder);
                seen = camera.Statuses.Length;
            }

            RequireIdle(camera, seen);
            Assert.Equal(StreamState.Live, camera.Publisher.GetStatistics().State);
        }

        // All the time every packet was there for others.
        Assert.Equal(0ul, packets.Missed);
        Assert.DoesNotContain(taken, packet => packet.Flags.HasFlag(PacketFlags.Discontinuity));
        Assert.True(server is null || server.Connections == 1);
        Assert.Equal(1, camera.Pump.Statistics.Connections);
    }

    [Fact]
    public void A_ring_that_lost_the_key_frame_makes_readers_wait_for_the_next_and_says_so()
    {
        // One key frame in 6 s, and a ring that holds 1 s: there are seconds to come and see that there is none.
        string path = _clips.H264("a.mp4", Width, Height, 6, "-g", "150", "-b:v", "800k", "-maxrate", "800k", "-bufsize", "200k");
        byte[] reference = _clips.DecodeReference(path, "yuv420p");
        using RtspServer server = new(new RtspServerOptions { File = path, Repeat = TimeSpan.FromSeconds(60) });
        using CameraHarness camera = Idle(
            new MediaSourceOptions { Url = new RedactedUrl(server.Url) }, new PacketPublisherOptions { ByteCapacity = 64 << 10, MaxAge = TimeSpan.FromSeconds(1) });
        camera.Pump.Start();
        RequireIdle(camera, 0);
        using PacketSubscriber packets = camera.ReadPackets(PacketStart.Next);
        Packet key;
        do
        {
            key = packets.Next(Patience);
        }
        while (!key.IsKey);

        while (camera.Packets!.GetStatistics().Oldest <= key.Sequence)
        {
            packets.Next(Patience);
        }

        ulong before = camera.Packets.Head;
        using FrameSubscriber reader = Subscribe(camera);
        while (!StreamDirectory.Probe("camera", camera.Directory).StateText.StartsWith("Waiting for the next key frame: the ring of packets no longer holds the last one.", StringComparison.Ordinal))
        {
            Assert.True(camera.Packets.Head < before + 130, StreamDirectory.Probe("camera", camera.Directory).StateText);
        }

        for (int i = 0; i < 10; i++)
        {
            using Frame frame = reader.Next(Patience);
            byte[] samples = new byte[Size];
            frame.CopyTo(samples);
            Assert.True(frame.Metadata.SourcePacket > before);
            Assert.True(reference.AsSpan(i * Size, Size).SequenceEqual(samples), $"picture {i} differs");
        }

        camera.WaitFor(CameraState.Live, 1);
        Assert.DoesNotContain("Waiting", StreamDirectory.Probe("camera", camera.Directory).StateText, StringComparison.Ordinal);
    }

    [Fact]
    public void A_reader_of_a_rendition_alone_wakes_the_camera()
    {
        string path = _clips.H264("a.mp4", Width, Height, 1);
        using CameraHarness camera = Idle(new MediaSourceOptions { Url = new RedactedUrl(path), Loop = true });
        Rendition rendition = new(FramePublisher.Create("camera@small", new PublisherOptions { Directory = camera.Directory }), new RenditionOptions { Width = 320, Height = 180 });
        camera.Pump.Add(rendition);
        camera.Pump.Start();
        RequireIdle(camera, 0);
        Assert.StartsWith(Rendition.IdleText, StreamDirectory.Probe("camera@small", camera.Directory).StateText, StringComparison.Ordinal);
        int seen = camera.Statuses.Length;
        using (FrameSubscriber reader = FrameSubscriber.Connect("camera@small", new SubscriberOptions { Directory = camera.Directory, Delivery = Delivery.InOrder }))
        {
            using Frame frame = reader.Next(Patience);
            Assert.Equal((320, 180), (frame.Width, frame.Height));
            RequireKey(camera, frame.Metadata.SourcePacket);
        }

        RequireIdle(camera, seen);
    }

    /// <summary>The double of NVDEC gives each picture of a session one value, by its number.</summary>
    [Theory]
    [InlineData(0)]
    [InlineData(2)]
    public void An_idle_camera_of_a_GPU_has_no_session_no_place_and_no_memory(int bPictures)
    {
        using CudaContext context = CudaDouble.OpenContext();
        CudaDouble.SetSessionLimit(1000);
        string path = _clips.Make(
            "long.mp4", "-stream_loop", "-1", "-i", _clips.H264("a.mp4", Width, Height, 1, "-bf", bPictures.ToString(CultureInfo.InvariantCulture)), "-t", "60", "-c", "copy");
        DecoderAdmission admission = new(1);
        using (CameraHarness camera = Idle(
            new MediaSourceOptions { Url = new RedactedUrl(path), Loop = true, Admission = admission }, memory: FrameMemory.Cuda, cuda: context))
        {
            camera.Pump.Start();
            for (int cycle = 0; cycle < 3; cycle++)
            {
                RequireIdle(camera, camera.Statuses.Length > 2 ? camera.Statuses.Length - 1 : 0);
                Assert.Equal((0, false), (CudaDouble.Sessions, admission.IsFull));
                Assert.Equal(0, StreamDirectory.Probe("camera", camera.Directory).Description!.Slots);
                using FrameSubscriber reader = Subscribe(camera, context);
                ulong key = 0;
                for (int i = 0; i < 10; i++)
                {
                    using Frame frame = reader.Next(Patience);
                    byte[] samples = new byte[Size];
                    frame.CopyTo(samples);
                    key = i == 0 ? frame.Metadata.SourcePacket : key;

                    // Where pictures are reordered the key frame was decoded for itself, and again by the session that decodes those that follow it.
                    byte expected = CudaDouble.ValueOf((long)(frame.Metadata.SourcePacket - key));
                    if (frame.Metadata.SourcePacket >= key + 25)
                    {
                        break;
                    }

                    Assert.Equal(-1, samples.AsSpan().IndexOfAnyExcept(expected));
                    Assert.True(admission.IsFull);

                    // Between the two decodings of a key frame there is none.
                    Assert.Equal(1, i == 0 ? 1 : CudaDouble.Sessions);
                }
            }

            // No room: readers are told why, and packets go on.
            RequireIdle(camera, camera.Statuses.Length - 1);
            Assert.True(admission.TryEnter(out _, out _));
            int seen = camera.Statuses.Length;
            using FrameSubscriber late = Subscribe(camera, context);
            CameraStatus refused = camera.WaitFor(CameraState.SourceLost, seen);
            Assert.Equal(MediaError.NotAdmitted, refused.Error);
            ulong head = camera.Packets!.Head;
            Assert.True(SpinWait.SpinUntil(() => camera.Packets.Head > head + 30, Patience));
            Assert.Equal(StreamState.Live, camera.Packets.GetStatistics().State);
            admission.Leave();
            late.Next(Patience).Dispose();
        }

        Assert.Equal((0, false), (CudaDouble.Sessions, admission.IsFull));
    }

    /// <summary>A loop is another connection, and one whose reader has not left is no reason for a gap.</summary>
    [Fact]
    public void A_looped_file_that_is_read_goes_on_without_a_gap()
    {
        string path = _clips.H264("a.mp4", 320, 240, 0.4);
        byte[] reference = _clips.DecodeReference(path, "yuv420p");
        CameraOptions options = CameraHarness.File(path, loop: true);
        using CameraHarness camera = new(options with { OnDemand = true });
        camera.Pump.Start();
        int size = 320 * 240 * 3 / 2;
        for (int i = 0; i < 35; i++)
        {
            (FrameMetadata metadata, _, byte[] samples) = camera.Next();
            Assert.True(reference.AsSpan(i % 10 * size, size).SequenceEqual(samples), $"frame {i} differs");
            Assert.Equal(i * 40_000_000L, metadata.Pts);
            Assert.Equal(FrameFlags.None, metadata.Flags & (FrameFlags.Discontinuity | FrameFlags.EndOfStream));
        }
    }

    [Fact]
    public void What_is_idle_at_the_end_of_a_file_ends()
    {
        using CameraHarness camera = Idle(new MediaSourceOptions { Url = new RedactedUrl(_clips.H264("a.mp4", 320, 240, 1)), Paced = false });
        camera.Pump.Start();
        Assert.True(camera.Pump.WaitForEnd(Patience));
        Assert.Equal((CameraState.Ended, 25ul, 0ul), (camera.Pump.Status.State, camera.Packets!.Head, camera.Publisher.Head));
    }

    [Fact]
    public void On_demand_needs_packets()
    {
        using TemporaryDirectory directory = new();
        using FramePublisher publisher = FramePublisher.Create("camera", new PublisherOptions { Directory = directory.Path });
        CameraOptions options = CameraHarness.File(_clips.PathOf("a.mp4")) with { OnDemand = true };
        Assert.Equal(MediaError.InvalidArgument, Assert.Throws<MediaException>(() => new CameraPump(publisher, options)).Error);
    }

    [Theory]
    [InlineData("h264")]
    [InlineData("h264-threads")]
    [InlineData("hevc")]
    public void Key_frames_alone_equal_ffmpegs(string kind)
    {
        string path = kind == "hevc" ? _clips.H265("a.ts", Width, Height, 3) : _clips.H264("a.mp4", Width, Height, 3);
        byte[] reference = _clips.DecodeReference(path, "yuv420p", "-skip_frame", "nokey");
        IReadOnlyList<ProbedPacket> packets = MediaClips.ProbePackets(path);
        int count = packets.Count(packet => packet.IsKey);
        Assert.Equal((3, count * Size), (count, reference.Length));
        CameraOptions options = CameraHarness.File(path);
        using CameraHarness camera = new(options with { Source = options.Source! with { KeyframesOnly = true, DecodeThreads = kind == "h264-threads" ? 4 : 1 } });
        camera.Pump.Start();
        ulong[] keys = [.. packets.Select((packet, i) => (packet, Sequence: (ulong)i + 1)).Where(entry => entry.packet.IsKey).Select(entry => entry.Sequence)];
        for (int i = 0; i < count; i++)
        {
            (FrameMetadata metadata, _, byte[] samples) = camera.Next();
            Assert.True(reference.AsSpan(i * Size, Size).SequenceEqual(samples), $"key frame {i} differs");
            Assert.Equal(keys[i], metadata.SourcePacket);
            Assert.Equal(i == count - 1, metadata.Flags.HasFlag(FrameFlags.EndOfStream));
        }

        Assert.True(camera.Pump.WaitForEnd(Patience));
        Assert.Equal(((long)count, (long)packets.Count, (ulong)packets.Count), (camera.Pump.Statistics.Frames, camera.Pump.Statistics.Packets, camera.Packets!.Head));
    }

    /// <summary>A camera's key frame is there when its packet is, not when the next one comes.</summary>
    [Fact]
    public void Key_frames_of_a_camera_on_demand_come_without_delay()
    {
        string path = _clips.H264("a.mp4", Width, Height, 1);
        byte[] reference = _clips.DecodeReference(path, "yuv420p");
        using RtspServer server = new(new RtspServerOptions { File = path, Repeat = TimeSpan.FromSeconds(60) });
        using CameraHarness camera = Idle(new MediaSourceOptions { Url = new RedactedUrl(server.Url), KeyframesOnly = true });
        camera.Pump.Start();
        RequireIdle(camera, 0);

        // At the beginning of a group of pictures: the next key frame is a second away, and not about to come.
        using PacketSubscriber packets = camera.ReadPackets(PacketStart.Next);
        while (!packets.Next(Patience).IsKey)
        {
        }

        using MachineDelay delay = new(Environment.ProcessId);
        using FrameSubscriber reader = Subscribe(camera);
        for (int i = 0; i < 3; i++)
        {
            using Frame frame = reader.Next(Patience);
            byte[] samples = new byte[Size];
            frame.CopyTo(samples);
            Assert.True(reference.AsSpan(0, Size).SequenceEqual(samples), $"key frame {i} differs");
            RequireKey(camera, frame.Metadata.SourcePacket);

            // The next group of pictures has not begun, unless it took us a part of a second to be let look.
            Assert.InRange(camera.Packets!.Head, frame.Metadata.SourcePacket, frame.Metadata.SourcePacket + 24 + (ulong)(25 * delay.Total.TotalSeconds));
        }
    }

    private static CameraHarness Idle(
        MediaSourceOptions source, PacketPublisherOptions? packets = null, FrameMemory memory = FrameMemory.Host, CudaContext? cuda = null) =>
        new(CameraHarness.Of(source) with { OnDemand = true, IdleAfter = TimeSpan.FromMilliseconds(200) }, subscribe: false, memory, cuda, packets: packets);

    /// <summary>Waits for the state after the first <paramref name="seen"/>.</summary>
    private static void RequireIdle(CameraHarness camera, int seen)
    {
        Assert.True(SpinWait.SpinUntil(() => camera.Statuses.Skip(seen).Any(status => status.IsIdle) && camera.Pump.Status.IsIdle, Patience), string.Join("; ", camera.Statuses.Skip(seen)));
        CameraStatus idle = camera.Pump.Status;
        Assert.StartsWith(CameraPump.IdleText, idle.Reason, StringComparison.Ordinal);
        Assert.Equal(("", CameraState.Live), (idle.Info!.Decoder, idle.State));
        Assert.StartsWith(CameraPump.IdleText, StreamDirectory.Probe("camera", camera.Directory).StateText, StringComparison.Ordinal);
    }

    private static void RequireKey(CameraHarness camera, ulong sequence)
    {
        using PacketSubscriber reader = camera.ReadPackets();
        Assert.True(reader.TryFind(sequence, out Packet packet));
        Assert.True(packet.IsKey);
    }

    private static FrameSubscriber Subscribe(CameraHarness camera, CudaContext? cuda = null) =>
        FrameSubscriber.Connect("camera", new SubscriberOptions { Directory = camera.Directory, Delivery = Delivery.Lossless, Cuda = cuda });

    private static void TakePackets(PacketSubscriber reader, List<Packet> taken, int count = 0, ulong until = 0)
    {
        while (taken.Count < count || (until > 0 && (taken.Count == 0 || taken[^1].Sequence < until)))
        {
            taken.Add(reader.Next(Patience));
        }
    }

    /// <summary>Pictures between a packet and the newest key frame before it, by their times, in loops of one second.</summary>
    private static int PictureOf(List<Packet> taken, ulong sequence)
    {
        Packet packet = taken.First(candidate => candidate.Sequence == sequence);
        Packet key = taken.Last(candidate => candidate.Track.Number == 0 && candidate.IsKey && candidate.Sequence <= sequence);
        double seconds = (double)(packet.Pts - key.Pts) * packet.Parameters.TimeBaseNumerator / packet.Parameters.TimeBaseDenominator;
        return (int)Math.Round(seconds * Rate);
    }
}
