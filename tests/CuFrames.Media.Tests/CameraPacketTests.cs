using System.Security.Cryptography;
using System.Text.Json;
using CuFrames.Client;
using CuFrames.Protocol;
using CuFrames.TestKit;
using Xunit;

namespace CuFrames.Media.Tests;

/// <summary>What subscribers of a camera's packets get: every byte and field that the source has, and which packet a frame was decoded from.</summary>
public sealed class CameraPacketTests : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(90);
    private readonly MediaClips _clips = new();

    public void Dispose() => _clips.Dispose();

    /// <summary>The reader of packets begins when all are there; the one that never takes any and the frames do not disturb each other.</summary>
    [Theory]
    [InlineData("a.mp4", "aac")]
    [InlineData("a.mkv", "pcm_alaw")]
    [InlineData("a.ts", "mp2")]
    public void Packets_of_a_file_are_the_files_and_frames_name_theirs(string name, string audio)
    {
        string path = _clips.WithSound(name, 640, 360, 2, audio);
        byte[] reference = _clips.DecodeReference(path, "yuv420p");
        using CameraHarness camera = new(CameraHarness.File(path));
        using PacketSubscriber stalled = camera.ReadPackets();
        camera.Pump.Start();
        FrameMetadata[] frames = new FrameMetadata[50];
        int size = 640 * 360 * 3 / 2;
        for (int i = 0; i < frames.Length; i++)
        {
            (frames[i], _, byte[] samples) = camera.Next();
            Assert.True(reference.AsSpan(i * size, size).SequenceEqual(samples), $"frame {i} differs");
        }

        Assert.True(camera.Pump.WaitForEnd(Patience));
        using PacketSubscriber reader = camera.ReadPackets();
        IReadOnlyList<ProbedPacket> expected = MediaClips.ProbePackets(path);
        Assert.True(expected.Count > 60);
        List<ProbedPacket> found = [];
        for (int i = 0; i < expected.Count; i++)
        {
            Packet packet = reader.Next(Patience);
            Assert.Equal((ulong)i + 1, packet.Sequence);
            Assert.Equal(packet.Track.Number == 0 ? TrackKind.Video : TrackKind.Audio, packet.Track.Kind);
            Assert.Equal(PacketFlags.None, packet.Flags & (PacketFlags.Discontinuity | PacketFlags.ParametersChanged | PacketFlags.Corrupt));
            Assert.Equal(1u, packet.ParametersNumber);
            found.Add(Describe(packet));
        }

        Assert.Equal(expected, found);
        Assert.False(reader.TryNext(TimeSpan.Zero, out _));
        RequireParameters(path, reader);
        Assert.Equal(StreamState.Ended, reader.State);

        // A file's frames keep their pts.
        foreach (FrameMetadata frame in frames)
        {
            Assert.True(reader.TryFind(frame.SourcePacket, out Packet packet));
            Assert.Equal(TrackKind.Video, packet.Track.Kind);
            Assert.Equal(packet.Pts * 1_000_000_000 / packet.Parameters.TimeBaseDenominator, frame.Pts);
            Assert.Equal(packet.ArrivalTime, frame.ArrivalTime);
        }

        Assert.Equal(50, frames.Select(frame => frame.SourcePacket).Distinct().Count());
        Assert.Equal(StreamState.Ended, camera.Packets!.GetStatistics().State);
        Assert.Equal(1, stalled.Next(Patience).Track.Kind == TrackKind.Video ? 1 : 0);
    }

    [Theory]
    [InlineData("a.mp4", "aac", "aac", MediaTransport.Tcp)]
    [InlineData("a.mov", "pcm_alaw", "pcma", MediaTransport.Tcp)]
    public void One_connection_to_a_camera_gives_pictures_and_sound_as_they_are_sent(string name, string audio, string payload, MediaTransport transport)
    {
        string path = _clips.WithSound(name, 640, 360, 2, audio);
        byte[] reference = _clips.DecodeReference(path, "yuv420p");
        using RtspServer server = new(new RtspServerOptions { File = path, Audio = payload });
        using CameraHarness camera = new(CameraHarness.Of(new MediaSourceOptions { Url = new RedactedUrl(server.Url), Transport = transport }) with { Retry = false });
        using PacketSubscriber reader = camera.ReadPackets(PacketStart.Next);
        using PacketSubscriber second = camera.ReadPackets(PacketStart.Next);
        camera.Pump.Start();
        List<ulong> named = [];
        int size = 640 * 360 * 3 / 2;
        while (camera.Subscriber!.TryNext(TimeSpan.FromSeconds(90), out Frame frame))
        {
            using (frame)
            {
                byte[] samples = new byte[size];
                frame.CopyTo(samples);
                Assert.True(reference.AsSpan(named.Count * size, size).SequenceEqual(samples), $"frame {named.Count} differs");
                named.Add(frame.Metadata.SourcePacket);
            }

            if (named.Count == 50)
            {
                break;
            }
        }

        // Without another attempt the end of the connection is the end.
        Assert.True(camera.Pump.WaitForEnd(Patience));
        Assert.Equal(1, server.Connections);
        Assert.InRange(named.Count, 45, 50);
        List<Packet> packets = TakeAll(reader, camera);
        List<Packet> again = TakeAll(second, camera);
        Assert.Equal(packets.Select(packet => (packet.Sequence, Hash(packet))), again.Select(packet => (packet.Sequence, Hash(packet))));
        Dictionary<ulong, Packet> bySequence = packets.ToDictionary(packet => packet.Sequence);

        // Pictures come in the order of their times, whatever the order of their packets. The first packets of a session may have no time.
        long[] times = [.. named.Select(sequence => bySequence[sequence].Pts).Where(pts => pts != FrameMetadata.UnknownPts)];
        Assert.Equal(times.Order(), times);
        Assert.True(times.Length >= named.Count - 3);
        Assert.All(named, sequence => Assert.Equal(TrackKind.Video, bySequence[sequence].Track.Kind));
        Assert.Equal(named.Count, named.Distinct().Count());

        // The parameter sets that come with each key picture are those of the session's description, written otherwise.
        Assert.All(packets, packet => Assert.Equal((1u, PacketFlags.None), (packet.ParametersNumber, packet.Flags & (PacketFlags.Discontinuity | PacketFlags.ParametersChanged))));
        Assert.Equal((Codec.H264, 640, 360), (reader.Tracks[0].Parameters.Codec, reader.Tracks[0].Parameters.Width, reader.Tracks[0].Parameters.Height));
        Assert.Equal(audio == "aac" ? (Codec.Aac, 48000, 1) : (Codec.PcmAlaw, 8000, 1),
            (reader.Tracks[1].Parameters.Codec, reader.Tracks[1].Parameters.SampleRate, reader.Tracks[1].Parameters.Channels));

        // A connection of ffprobe's own gets the same bytes. How a server cuts off the end is another matter each time.
        IReadOnlyList<ProbedPacket> expected = MediaClips.ProbePackets(server.Url, "-rtsp_transport", transport == MediaTransport.Tcp ? "tcp" : "udp");
        for (int track = 0; track < 2; track++)
        {
            string[] own = [.. packets.Where(packet => packet.Track.Number == track).Select(Hash)];
            string[] others = [.. expected.Where(packet => packet.Stream == track).Select(packet => packet.Hash)];
            int count = Math.Min(own.Length, others.Length);
            Assert.InRange(count, track == 0 ? 45 : payload == "aac" ? 80 : 10, 10_000);
            Assert.InRange(Math.Abs(own.Length - others.Length), 0, 4);
            Assert.Equal(others[..count], own[..count]);
        }
    }

    [Fact]
    public void Each_track_tells_a_new_connection_once()
    {
        string path = _clips.WithSound("a.mp4", 320, 240, 1);
        using RtspServer server = new(new RtspServerOptions { File = path, Audio = "aac", Repeat = TimeSpan.FromSeconds(60) });
        using CameraHarness camera = new(CameraHarness.Of(new MediaSourceOptions { Url = new RedactedUrl(server.Url) }), subscribe: false);
        using PacketSubscriber reader = camera.ReadPackets();
        camera.Pump.Start();
        List<Packet> first = [.. Enumerable.Range(0, 60).Select(_ => reader.Next(Patience))];
        Assert.DoesNotContain(first, packet => packet.Flags.HasFlag(PacketFlags.Discontinuity));
        server.DropConnections();
        camera.WaitFor(CameraState.SourceLost);
        Assert.Equal(2, first.Select(packet => packet.Track.Number).Distinct().Count());
        List<Packet> marked = [];
        bool[] wasMarked = new bool[2];
        for (int after = 0; after < 60;)
        {
            Packet packet = reader.Next(Patience);
            bool isMarked = packet.Flags.HasFlag(PacketFlags.Discontinuity);
            Assert.False(isMarked && wasMarked[packet.Track.Number], $"packet {packet.Sequence}");
            wasMarked[packet.Track.Number] |= isMarked;
            after += wasMarked[0] && wasMarked[1] ? 1 : 0;
            Assert.Equal(0ul, packet.Missed);
            Assert.Equal(1u, packet.ParametersNumber);
        }

        // What the server says comes by another way than its packets.
        Assert.True(SpinWait.SpinUntil(() => server.Connections >= 2, Patience));
        Assert.Equal(2, server.Connections);
        Assert.Equal(2, reader.Tracks.Count);
    }

    [Fact]
    public void A_loop_has_the_sources_own_times_and_tells_each_beginning()
    {
        string path = _clips.WithSound("a.mp4", 320, 240, 0.4);
        IReadOnlyList<ProbedPacket> expected = MediaClips.ProbePackets(path);
        using CameraHarness camera = new(CameraHarness.File(path, loop: true));
        using PacketSubscriber reader = camera.ReadPackets();
        camera.Pump.Start();
        for (int i = 0; i < 40; i++)
        {
            camera.Next();
        }

        HashSet<(int Loop, int Track)> begun = [];
        for (int i = 0; i < 3 * expected.Count; i++)
        {
            Packet packet = reader.Next(Patience);
            Assert.Equal(expected[i % expected.Count], Describe(packet));
            bool isFirst = begun.Add((i / expected.Count, packet.Track.Number));
            Assert.Equal(isFirst && i >= expected.Count, packet.Flags.HasFlag(PacketFlags.Discontinuity));
        }
    }

    [Theory]
    [InlineData("ts")]
    [InlineData("flv")]
    [InlineData("hevc.ts")]
    public void Other_parameters_in_mid_stream_hold_from_their_packet_on(string container)
    {
        string[] parts = container == "hevc.ts"
            ? [_clips.H265("a.ts", 640, 360, 0.4), _clips.H265("b.ts", 1280, 720, 0.4)]
            : [_clips.H264($"a.{container}", 640, 360, 0.4), _clips.H264($"b.{container}", 1280, 720, 0.4)];
        string path = container == "flv" ? JoinFlv("joined.flv", parts) : _clips.Join("joined.ts", parts);
        IReadOnlyList<ProbedPacket> expected = MediaClips.ProbePackets(path);
        using CameraHarness camera = new(CameraHarness.File(path));
        camera.Pump.Start();
        for (int i = 0; i < 20; i++)
        {
            (FrameMetadata metadata, string format, _) = camera.Next();
            Assert.Equal(i < 10 ? "i420 640x360" : "i420 1280x720", format);
            Assert.InRange(metadata.SourcePacket, i < 10 ? 1u : 11u, i < 10 ? 10u : 20u);
        }

        Assert.True(camera.Pump.WaitForEnd(Patience));
        using PacketSubscriber reader = camera.ReadPackets();
        byte[][] extradata = new byte[2][];
        for (int i = 0; i < 20; i++)
        {
            Packet packet = reader.Next(Patience);
            Assert.Equal(expected[i].Hash, Hash(packet));
            Assert.Equal(i < 10 ? 1u : 2u, packet.ParametersNumber);
            Assert.Equal(i == 10, packet.Flags.HasFlag(PacketFlags.ParametersChanged));
            Assert.Equal(i < 10 ? (640, 360) : (1280, 720), (packet.Parameters.Width, packet.Parameters.Height));
            extradata[i / 10] = packet.Parameters.Extradata.ToArray();
        }

        // The second part's extradata are those that it has when it is opened alone, but for the length of start codes.
        Assert.Equal(Nals(ExtradataOf(parts[0]), container), Nals(extradata[0], container));
        Assert.Equal(Nals(ExtradataOf(parts[1]), container), Nals(extradata[1], container));
        Assert.NotEqual(extradata[0], extradata[1]);
    }

    [Fact]
    public void A_packet_that_the_ring_cannot_hold_is_counted_and_the_camera_goes_on()
    {
        string path = _clips.H264("a.ts", 1280, 720, 2, "-crf", "1", "-bf", "0");
        IReadOnlyList<ProbedPacket> expected = MediaClips.ProbePackets(path);

        // Most packets fit half of it, the largest do not.
        int ring = (expected.Select(packet => packet.Size).Order().ElementAt(expected.Count * 9 / 10) * 2) & ~4095;
        int tooLarge = expected.Count(packet => packet.Size > ring / 2);
        Assert.InRange(tooLarge, 1, expected.Count - 10);
        using CameraHarness camera = new(CameraHarness.File(path), packets: new PacketPublisherOptions { ByteCapacity = ring });
        camera.Pump.Start();
        List<ulong> named = [];
        for (int i = 0; i < 50; i++)
        {
            named.Add(camera.Next().Metadata.SourcePacket);
        }

        Assert.True(camera.Pump.WaitForEnd(Patience));
        PacketPublisherStatistics statistics = camera.Packets!.GetStatistics();
        Assert.Equal(((ulong)tooLarge, (ulong)(expected.Count - tooLarge)), (statistics.TooLarge, statistics.Published));
        ulong sequence = 0;
        Assert.Equal(expected.Select(packet => packet.Size > ring / 2 ? 0 : ++sequence), named);
    }

    [Fact]
    public void What_has_no_packets_takes_no_publisher_of_them()
    {
        using TemporaryDirectory directory = new();
        using FramePublisher publisher = FramePublisher.Create("camera", new PublisherOptions { Directory = directory.Path });
        using PacketPublisher packets = PacketPublisher.Create("camera", new PacketPublisherOptions { Directory = directory.Path });
        CameraOptions pattern = new() { Pattern = new TestPatternOptions() };
        Assert.Equal(MediaError.InvalidArgument, Assert.Throws<MediaException>(() => new CameraPump(publisher, pattern, null, packets)).Error);
    }

    [Fact]
    public void Without_packets_frames_name_none()
    {
        using TemporaryDirectory directory = new();
        using FramePublisher publisher = FramePublisher.Create("camera", new PublisherOptions { Directory = directory.Path, LosslessTimeout = Patience });
        using FrameSubscriber subscriber = FrameSubscriber.Connect("camera", new SubscriberOptions { Directory = directory.Path, Delivery = Delivery.Lossless });
        using CameraPump pump = new(publisher, CameraHarness.File(_clips.WithSound("a.mp4", 320, 240, 0.4)));
        pump.Start();
        for (int i = 0; i < 10; i++)
        {
            using Frame frame = subscriber.Next(Patience);
            Assert.Equal(0ul, frame.Metadata.SourcePacket);
        }

        Assert.Equal(10, pump.Statistics.Packets);
    }

    /// <summary>Measured on the pump's own thread, between its first and its last report.</summary>
    [Fact]
    public void A_packet_costs_no_allocation()
    {
        string path = _clips.WithSound("a.mp4", 128, 128, 8);
        using TemporaryDirectory directory = new();
        using FramePublisher publisher = FramePublisher.Create("camera", new PublisherOptions { Directory = directory.Path });
        using PacketPublisher packets = PacketPublisher.Create("camera", new PacketPublisherOptions { Directory = directory.Path });
        long atStart = 0, atEnd = 0;
        using CameraPump pump = new(publisher, CameraHarness.File(path), status =>
        {
            atStart = status.State == CameraState.Live ? GC.GetAllocatedBytesForCurrentThread() : atStart;
            atEnd = GC.GetAllocatedBytesForCurrentThread();
        }, packets);
        pump.Start();
        Assert.True(pump.WaitForEnd(TimeSpan.FromSeconds(90)));
        Assert.Equal(200, pump.Statistics.Frames);
        Assert.True(packets.Head > 500);

        // The last report itself is a record and a text. The smallest object per packet would be more than 500 x 24 bytes.
        Assert.InRange(atEnd - atStart, 0, 4000);
    }

    private static string Hash(Packet packet)
    {
        byte[] bytes = new byte[packet.Size];
        packet.CopyTo(bytes);
        return $"SHA256:{Convert.ToHexStringLower(SHA256.HashData(bytes))}";
    }

    private static ProbedPacket Describe(Packet packet) =>
        new(packet.Track.Number, packet.Pts, packet.Dts, packet.Duration, packet.Size, packet.IsKey, Hash(packet));

    private static List<Packet> TakeAll(PacketSubscriber reader, CameraHarness camera)
    {
        List<Packet> packets = [reader.Next(Patience)];
        while (packets[^1].Sequence < camera.Packets!.Head)
        {
            packets.Add(reader.Next(Patience));
            Assert.Equal(packets[^2].Sequence + 1, packets[^1].Sequence);
        }

        return packets;
    }

    private static void RequireParameters(string path, PacketSubscriber reader)
    {
        using JsonDocument document = MediaClips.Probe("-show_data_hash", "sha256", "-show_streams", path);
        foreach (JsonElement stream in document.RootElement.GetProperty("streams").EnumerateArray())
        {
            TrackParameters parameters = reader.Tracks[stream.GetProperty("index").GetInt32()].Parameters;
            Assert.Equal(stream.GetProperty("codec_name").GetString(), parameters.CodecName);
            Assert.Equal(stream.GetProperty("time_base").GetString(), $"{parameters.TimeBaseNumerator}/{parameters.TimeBaseDenominator}");
            if (stream.TryGetProperty("extradata_hash", out JsonElement hash))
            {
                Assert.Equal(hash.GetString(), $"SHA256:{Convert.ToHexStringLower(SHA256.HashData(parameters.Extradata.Span))}");
            }
            else
            {
                Assert.Equal(0, parameters.Extradata.Length);
            }

            if (stream.GetProperty("codec_type").GetString() == "audio")
            {
                Assert.Equal(stream.GetProperty("sample_rate").GetString(), $"{parameters.SampleRate}");
                Assert.Equal(stream.GetProperty("channels").GetInt32(), parameters.Channels);
                continue;
            }

            Assert.Equal((stream.GetProperty("width").GetInt32(), stream.GetProperty("height").GetInt32()), (parameters.Width, parameters.Height));
            Assert.Equal(stream.GetProperty("r_frame_rate").GetString(), $"{parameters.FrameRateNumerator}/{parameters.FrameRateDenominator}");
            Assert.Equal(stream.GetProperty("has_b_frames").GetInt32(), parameters.ReorderDelay);
        }
    }

    private static byte[] ExtradataOf(string path)
    {
        using JsonDocument document = MediaClips.Probe("-show_data", "-show_streams", path);
        string dump = document.RootElement.GetProperty("streams")[0].GetProperty("extradata").GetString()!;

        // Lines of "00000000: 0001 0203 ...  text".
        return [.. dump.Split('\n', StringSplitOptions.RemoveEmptyEntries).SelectMany(line =>
            Convert.FromHexString(line[(line.IndexOf(':', StringComparison.Ordinal) + 2)..].Split("  ")[0].Replace(" ", "", StringComparison.Ordinal)))];
    }

    private static string Nals(byte[] extradata, string container) => container == "flv"
        ? Convert.ToHexString(extradata)
        : Convert.ToHexString(extradata).Replace("00000001", "|", StringComparison.Ordinal).Replace("000001", "|", StringComparison.Ordinal);

    /// <summary>The tags of several files behind one header: the second one's sequence header changes the parameters.</summary>
    private string JoinFlv(string name, string[] parts)
    {
        const int Header = 13;
        byte[] first = File.ReadAllBytes(parts[0]);
        string path = _clips.PathOf(name);
        File.WriteAllBytes(path, [.. first, .. File.ReadAllBytes(parts[1])[Header..]]);
        return path;
    }
}
