using CuFrames.Protocol;
using CuFrames.TestKit;
using Xunit;

namespace CuFrames.Client.Tests;

/// <summary>Publishing and reading packets: bytes, fields, starts, losses, changes, ends.</summary>
public class PacketTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(90);

    [Fact]
    public void Every_byte_and_field_arrives()
    {
        using PacketStream stream = new();
        using PacketSubscriber subscriber = stream.Connect();
        PacketChecker checker = new(subscriber, PacketStream.Largest);
        for (int i = 0; i < 5000; i++)
        {
            stream.Publish();
            Assert.True(subscriber.TryTake(out Packet packet));
            Assert.Equal((ulong)i + 1, packet.Sequence);
            Assert.Equal(stream.Publisher.Epoch, packet.Epoch);
            checker.Take(packet);
            byte[] copy = new byte[packet.Size + 3];
            packet.CopyTo(copy);
            Assert.Equal(packet.Data, copy.AsSpan(0, packet.Size));
            Assert.False(subscriber.TryTake(out _));
        }

        Assert.Empty(checker.Faults);
        Assert.Equal((5000L, 0UL, 0L), (checker.Whole, checker.Missed, checker.Overwritten));
        Assert.Equal((5000UL, 0UL), (subscriber.Taken, subscriber.Missed));
        Assert.Equal(["Video ", "Audio deu"], subscriber.Tracks.Select(track => $"{track.Kind} {track.Language}"));
        Assert.Equal(stream.Publisher.Tracks.Select(track => track.Parameters), subscriber.Tracks.Select(track => track.Parameters));
        PacketPublisherStatistics statistics = stream.Publisher.GetStatistics();
        Assert.Equal((5000UL, 0UL, StreamState.Live), (statistics.Published, statistics.TooLarge, statistics.State));
        Assert.Equal([3333UL, 1667UL], statistics.Tracks.Select(track => track.Packets));
        SubscriberStatistics reader = Assert.Single(statistics.Subscribers);
        Assert.Equal((5000UL, 0UL, 0UL), (reader.Taken, reader.Missed, reader.Lag));
        Assert.True(statistics.BufferedTime > TimeSpan.Zero);
    }

    [Theory]
    [InlineData(PacketStart.NewestKey, 100, 91)]
    [InlineData(PacketStart.NewestKey, 91, 91)]
    [InlineData(PacketStart.NewestKey, 30, 1)]
    [InlineData(PacketStart.OldestKey, 30, 1)]
    [InlineData(PacketStart.Next, 30, 31)]
    [InlineData(PacketStart.Next, 40, 41)]
    public void A_late_reader_starts_where_it_wants(PacketStart start, int published, int first)
    {
        using PacketStream stream = new();
        stream.Publish(published);
        using PacketSubscriber subscriber = stream.Connect(new PacketSubscriberOptions { Start = start });
        PacketChecker checker = new(subscriber, PacketStream.Largest);
        stream.Publish(5);
        for (int sequence = first; sequence <= published + 5; sequence++)
        {
            Assert.True(subscriber.TryTake(out Packet packet));
            Assert.Equal((ulong)sequence, packet.Sequence);
            if (start != PacketStart.Next)
            {
                checker.Take(packet);
            }
        }

        Assert.Empty(checker.Faults);
        Assert.False(subscriber.TryTake(out _));
        Assert.Equal((0UL, 0UL, 0UL), (subscriber.Missed, subscriber.MissedOn(0), subscriber.MissedOn(1)));
    }

    [Fact]
    public void The_oldest_key_frame_of_a_ring_that_went_round_is_found()
    {
        using PacketStream stream = new();
        stream.Publish(1000);
        ulong oldest = stream.Publisher.Oldest;
        Assert.InRange(oldest, 900UL, 970UL);
        using PacketSubscriber subscriber = stream.Connect(new PacketSubscriberOptions { Start = PacketStart.OldestKey });
        Packet packet = subscriber.Next(Patience);
        Assert.Equal(oldest + ((StampedPackets.KeyEvery + 1 - (oldest % StampedPackets.KeyEvery)) % StampedPackets.KeyEvery), packet.Sequence);
        Assert.True(packet.IsKey);
        Assert.Equal(0UL, packet.Missed);
    }

    [Theory]
    [InlineData(PacketStart.NewestKey)]
    [InlineData(PacketStart.OldestKey)]
    public void Without_a_key_frame_the_next_one_is_waited_for(PacketStart start)
    {
        using PacketStream stream = new(new PacketPublisherOptions { ByteCapacity = 65536, MaxPackets = 16 });
        stream.Publish(25);
        using PacketSubscriber subscriber = stream.Connect(new PacketSubscriberOptions { Start = start });
        stream.Publish(5);
        Assert.False(subscriber.TryTake(out _));
        stream.Publish(2);
        Packet packet = subscriber.Next(Patience);
        Assert.Equal((31UL, 0UL), (packet.Sequence, packet.Missed));
        Assert.Equal(32UL, subscriber.Next(Patience).Sequence);
        Assert.Equal(0UL, subscriber.Missed);
    }

    [Fact]
    public void A_lapped_reader_learns_its_losses_and_goes_on_at_a_key_frame()
    {
        using PacketStream stream = new();
        using PacketSubscriber subscriber = stream.Connect();
        stream.Publish(10);
        PacketChecker checker = new(subscriber, PacketStream.Largest);
        for (int i = 0; i < 7; i++)
        {
            Assert.True(subscriber.TryTake(out Packet packet));
            checker.Take(packet);
        }

        stream.Publish(1000);
        ulong oldest = stream.Publisher.Oldest;
        Assert.True(subscriber.TryTake(out Packet next));
        Assert.InRange(next.Sequence, oldest, oldest + StampedPackets.KeyEvery);
        Assert.Equal(next.Sequence - 8, next.Missed);
        checker.Take(next);
        while (subscriber.TryTake(out next))
        {
            Assert.Equal(0UL, next.Missed);
            checker.Take(next);
        }

        Assert.Equal(1010UL, next.Sequence == 0 ? checker.Last : next.Sequence);
        Assert.Empty(checker.Faults);
        Assert.Equal(1, checker.Gaps);
        Assert.Equal(checker.Missed, subscriber.Missed);
        Assert.Equal(subscriber.Missed, subscriber.MissedOn(0) + subscriber.MissedOn(1));
        Assert.Equal(checker.Missed, stream.Publisher.GetStatistics().Subscribers[0].Missed);
    }

    [Fact]
    public void Losses_are_exact_when_no_key_frame_is_left()
    {
        using PacketStream stream = new(new PacketPublisherOptions { ByteCapacity = 65536, MaxPackets = 16 });
        using PacketSubscriber subscriber = stream.Connect();
        PacketChecker checker = new(subscriber, PacketStream.Largest);
        stream.Publish(5);
        Assert.True(subscriber.TryTake(out Packet packet));
        checker.Take(packet);

        // 16 packets are there, the key frames 31 and 61 are not.
        stream.Publish(75);
        Assert.Equal(65UL, stream.Publisher.Oldest);
        Assert.False(subscriber.TryTake(out _));
        stream.Publish(5);
        Assert.False(subscriber.TryTake(out _));
        stream.Publish(10);
        Assert.True(subscriber.TryTake(out packet));
        checker.Take(packet);
        Assert.Equal((91UL, 89UL), (packet.Sequence, packet.Missed));
        Assert.Empty(checker.Faults);
    }

    [Fact]
    public void Packets_stay_valid_until_they_are_overwritten()
    {
        using PacketStream stream = new();
        using PacketSubscriber subscriber = stream.Connect();
        stream.Publish();
        Assert.True(subscriber.TryTake(out Packet packet));
        Assert.True(packet.IsValid);
        byte[] copy = new byte[packet.Size];
        while (stream.Publisher.Oldest == 1)
        {
            Assert.True(packet.IsValid);
            Assert.True(packet.TryCopyTo(copy));
            Assert.True(StampedPackets.HasRightBytes(packet.Data, 1, PacketStream.Largest));
            stream.Publish();
        }

        Assert.False(packet.IsValid);
        Assert.False(packet.TryCopyTo(copy));
        Assert.Equal(ErrorCode.PacketLost, Assert.Throws<PacketLostException>(packet.ThrowIfInvalid).Code);
        Assert.Throws<PacketLostException>(() => packet.CopyTo(copy));
        Assert.Throws<ArgumentException>(() => packet.TryCopyTo(new byte[packet.Size - 1]));
        subscriber.Dispose();
        Assert.False(packet.IsValid);
        Assert.Throws<PacketLostException>(() => packet.Data.Length);
        Assert.False(default(Packet).IsValid);
        Assert.Throws<PacketLostException>(() => default(Packet).Data.Length);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void After_a_packet_that_was_overwritten_while_it_was_read_comes_a_key_frame(bool isCopied)
    {
        const ulong nextKey = StampedPackets.KeyEvery + 1;
        using PacketStream stream = new(new PacketPublisherOptions { ByteCapacity = 65536, MaxPackets = 16 });
        using PacketSubscriber subscriber = stream.Connect();
        stream.Publish();
        Assert.True(subscriber.TryTake(out Packet packet));
        while (stream.Publisher.Oldest == 1)
        {
            stream.Publish();
        }

        // The next one is still there: nobody would say that this subscriber was lapped. But what it needs is gone.
        Assert.Equal(2UL, stream.Publisher.Oldest);
        Assert.True(stream.Publisher.Head < nextKey);
        Assert.False(isCopied ? packet.TryCopyTo(new byte[packet.Size]) : packet.IsValid);
        Assert.False(subscriber.TryTake(out _));
        while (stream.Publisher.Head < nextKey)
        {
            stream.Publish();
        }

        Assert.True(subscriber.TryTake(out packet));
        Assert.True(packet.IsKey);
        Assert.Equal((nextKey, nextKey - 2), (packet.Sequence, packet.Missed));
    }

    [Fact]
    public void A_packet_that_was_read_in_time_does_not_stand_in_the_way_of_the_next()
    {
        using PacketStream stream = new(new PacketPublisherOptions { ByteCapacity = 65536, MaxPackets = 16 });
        using PacketSubscriber subscriber = stream.Connect();
        stream.Publish();
        Assert.True(subscriber.TryTake(out Packet packet));
        Assert.True(packet.IsValid);
        while (stream.Publisher.Oldest == 1)
        {
            stream.Publish();
        }

        Assert.True(subscriber.TryTake(out packet));
        Assert.Equal((2UL, 0UL), (packet.Sequence, packet.Missed));
    }

    [Fact]
    public void A_packet_of_half_the_ring_fits_and_a_larger_one_is_refused_and_counted()
    {
        using PacketStream stream = new(hasTracks: false);
        PacketTrack track = stream.Publisher.AddTrack(TrackKind.Data, new TrackParameters { CodecName = "klv" });
        using PacketSubscriber subscriber = stream.Connect();
        Assert.Equal(32768, stream.Publisher.MaxPacketSize);
        byte[] data = new byte[32769];
        Random.Shared.NextBytes(data);
        for (ulong i = 1; i < 20; i++)
        {
            Assert.Equal(i, stream.Publisher.Publish(track, data.AsSpan(1), PacketMetadata.Unknown));
            CuFramesException error = Assert.Throws<CuFramesException>(() => stream.Publisher.Publish(track, data, PacketMetadata.Unknown));
            Assert.Equal(ErrorCode.PacketTooLarge, error.Code);
            Assert.True(subscriber.TryTake(out Packet packet));
            Assert.Equal(data.AsSpan(1), packet.Data);
            Assert.Equal((FrameMetadata.UnknownPts, FrameMetadata.UnknownPts, PacketFlags.None), (packet.Pts, packet.Dts, packet.Flags));
            Assert.Equal(i, packet.Sequence);
        }

        Assert.Equal(19UL, stream.Publisher.GetStatistics().TooLarge);
        Assert.Equal(19UL, StreamDirectory.ProbePackets(PacketStream.Key, stream.Directory.Path).Description!.Refused);
    }

    [Fact]
    public void Old_packets_are_let_go()
    {
        using PacketStream stream = new(new PacketPublisherOptions { MaxAge = TimeSpan.FromSeconds(2) }, hasTracks: false);
        PacketTrack track = stream.Publisher.AddTrack(TrackKind.Audio, StampedPackets.Audio);
        const long second = 1_000_000_000;
        foreach ((long arrival, ulong oldest) in ((long, ulong)[])[(10 * second, 1), (11 * second, 1), (12 * second, 1), (13 * second, 2), (20 * second, 5)])
        {
            stream.Publisher.Publish(track, [1, 2, 3], new PacketMetadata { ArrivalTime = arrival });
            Assert.Equal(oldest, stream.Publisher.Oldest);
        }

        Assert.Equal(TimeSpan.Zero, stream.Publisher.GetStatistics().BufferedTime);
    }

    [Fact]
    public void Parameters_change_in_mid_stream_and_old_packets_keep_theirs()
    {
        using PacketStream stream = new(new PacketPublisherOptions { ByteCapacity = 1 << 20 }, hasTracks: false);
        PacketTrack track = stream.Publisher.AddTrack(TrackKind.Video, StampedPackets.Video(1));
        using PacketSubscriber subscriber = stream.Connect();
        for (uint number = 1; number <= PacketBlockLayout.ParametersCapacity; number++)
        {
            stream.Publisher.SetParameters(track, StampedPackets.Video(number));
            stream.Publisher.SetParameters(track, StampedPackets.Video(number));
            stream.Publisher.Publish(track, [(byte)number], new PacketMetadata { Flags = PacketFlags.Key });
        }

        Assert.Equal(1UL, stream.Publisher.Oldest);
        for (uint number = 1; number <= PacketBlockLayout.ParametersCapacity; number++)
        {
            Assert.True(subscriber.TryTake(out Packet packet));
            Assert.Equal((number, StampedPackets.Video(number)), (packet.ParametersNumber, packet.Parameters));
            Assert.Equal(number > 1, (packet.Flags & PacketFlags.ParametersChanged) != 0);
            Assert.Equal(StampedPackets.Video(number), subscriber.Tracks[0].Parameters);
        }

        // A ninth set takes the place of the first one, and packets that name that have to go.
        stream.Publisher.SetParameters(track, StampedPackets.Video(9));
        Assert.Equal(2UL, stream.Publisher.Oldest);
        Assert.False(subscriber.TryFind(1, out _));
        Assert.True(subscriber.TryFind(2, out Packet second));
        Assert.Equal(StampedPackets.Video(2), second.Parameters);
        using PacketSubscriber late = stream.Connect(new PacketSubscriberOptions { Start = PacketStart.OldestKey });
        Assert.Equal(StampedPackets.Video(9), late.Tracks[0].Parameters);
        Assert.True(late.TryTake(out Packet first));
        Assert.Equal((2UL, StampedPackets.Video(2)), (first.Sequence, first.Parameters));

        // What is wrong changes nothing.
        Assert.Equal(ErrorCode.ConfigurationInvalid, Assert.Throws<CuFramesException>(() =>
            stream.Publisher.SetParameters(track, StampedPackets.Video(3) with { TimeBaseDenominator = 0 })).Code);
        Assert.Equal(StampedPackets.Video(9), stream.Publisher.Tracks[0].Parameters);
        stream.Publisher.Publish(track, [9], new PacketMetadata { Flags = PacketFlags.Key });
        while (late.TryTake(out first))
        {
            second = first;
        }

        Assert.Equal(StampedPackets.Video(9), second.Parameters);
    }

    [Fact]
    public void Tracks_may_come_later_and_without_video_every_packet_is_a_start()
    {
        using PacketStream stream = new(hasTracks: false);
        using PacketSubscriber early = stream.Connect();
        Assert.Empty(early.Tracks);
        PacketTrack audio = stream.Publisher.AddTrack(TrackKind.Audio, StampedPackets.Audio);
        stream.Publisher.Publish(audio, [1], PacketMetadata.Unknown);
        Assert.True(early.TryTake(out Packet packet));
        Assert.Same(early.Tracks[0], packet.Track);
        stream.Publisher.Publish(audio, [2], PacketMetadata.Unknown);
        using PacketSubscriber late = stream.Connect();
        Assert.True(late.TryTake(out packet));
        Assert.Equal(2UL, packet.Sequence);

        // From the first video track on, its key frames are the starts.
        PacketTrack video = stream.Publisher.AddTrack(TrackKind.Video, StampedPackets.Video(1));
        stream.Publisher.Publish(audio, [3], PacketMetadata.Unknown);
        using PacketSubscriber later = stream.Connect();
        Assert.Equal(2, later.Tracks.Count);
        Assert.False(later.TryTake(out _));
        stream.Publisher.Publish(video, [4], new PacketMetadata { Flags = PacketFlags.Key });
        Assert.Equal(4UL, later.Next(Patience).Sequence);
        Assert.Equal([2UL, 3UL, 4UL], Enumerable.Range(0, 3).Select(_ => early.Next(Patience).Sequence));

        for (int i = 2; i < PacketBlockLayout.TrackCapacity; i++)
        {
            stream.Publisher.AddTrack(TrackKind.Data, new TrackParameters());
        }

        Assert.Equal(ErrorCode.ConfigurationInvalid, Assert.Throws<CuFramesException>(() => stream.Publisher.AddTrack(TrackKind.Data, new TrackParameters())).Code);
        Assert.Equal(PacketBlockLayout.TrackCapacity, early.Tracks.Count);
        using PacketStream other = new();
        Assert.Throws<ArgumentException>(() => stream.Publisher.Publish(other.Publisher.Tracks[1], [1], PacketMetadata.Unknown));
    }

    [Fact]
    public void A_frame_finds_its_packet()
    {
        using PacketStream stream = new();
        using FramePublisher frames = FramePublisher.Create(PacketStream.Key, TestStream.Small, new PublisherOptions { Directory = stream.Directory.Path });
        stream.Publish(50);
        Assert.True(frames.TryBeginFrame(out FrameWriter writer));
        writer.Metadata.SourcePacket = 31;
        writer.Publish();
        using FrameSubscriber reader = FrameSubscriber.Connect(PacketStream.Key, new SubscriberOptions { Directory = stream.Directory.Path });
        using PacketSubscriber subscriber = stream.Connect();
        using Frame frame = reader.Next(Patience);
        Assert.True(subscriber.TryFind(frame.Metadata.SourcePacket, out Packet packet));
        Assert.Equal((31UL, true), (packet.Sequence, packet.IsKey));
        Assert.True(StampedPackets.HasRightBytes(packet.Data, 31, PacketStream.Largest));
        Assert.True(packet.IsValid);
        Assert.False(subscriber.TryFind(0, out _));
        Assert.False(subscriber.TryFind(51, out _));
        Assert.True(subscriber.TryTake(out packet));
        Assert.Equal(31UL, packet.Sequence);
    }

    [Fact]
    public void A_publisher_that_ends_leaves_its_packets_and_a_new_one_a_new_epoch()
    {
        using PacketStream stream = new();
        List<SubscriberEvent> events = [];
        using PacketSubscriber subscriber = stream.Connect(new PacketSubscriberOptions { OnEvent = events.Add });
        stream.Publish(5);
        ulong before = stream.Publisher.Epoch;
        stream.Restart();
        PacketChecker checker = new(subscriber, PacketStream.Largest);
        for (int i = 1; i <= 5; i++)
        {
            Packet packet = subscriber.Next(Patience);
            Assert.Equal((before, (ulong)i), (packet.Epoch, packet.Sequence));
            checker.Take(packet);
        }

        stream.Publish(40);
        Packet first = subscriber.Next(Patience);
        Assert.Equal((stream.Publisher.Epoch, 31UL), (first.Epoch, first.Sequence));
        checker.Take(first);
        Assert.Empty(checker.Faults);
        Assert.Equal((1, 0, 2), (subscriber.Reconnects, subscriber.Evictions, checker.Epochs));
        Assert.Equal([SubscriberEventKind.Connected, SubscriberEventKind.Disconnected, SubscriberEventKind.Connected], events.Select(entry => entry.Kind));
    }

    [Fact]
    public void An_evicted_reader_goes_on_where_it_was()
    {
        using PacketStream stream = new();
        stream.Publish(40);
        using PacketSubscriber subscriber = stream.Connect();
        PacketChecker checker = new(subscriber, PacketStream.Largest);
        checker.Take(subscriber.Next(Patience));
        Assert.Equal(31UL, checker.Last);
        Assert.True(stream.Publisher.Evict(stream.Publisher.GetStatistics().Subscribers[0].SubscriberId, "tea"));
        for (ulong sequence = 32; sequence <= 40; sequence++)
        {
            checker.Take(subscriber.Next(Patience));
            Assert.Equal(sequence, checker.Last);
        }

        stream.Publish(200);
        checker.Take(subscriber.Next(Patience));
        Assert.Equal((1, 1), (subscriber.Evictions, subscriber.Reconnects));
        Assert.Empty(checker.Faults);
        Assert.Equal(1, checker.Gaps);
    }

    [Fact]
    public void Another_process_goes_on_behind_a_position()
    {
        using PacketStream stream = new();
        stream.Publish(40);
        PacketPosition position;
        using (PacketSubscriber first = stream.Connect(new PacketSubscriberOptions { Start = PacketStart.OldestKey }))
        {
            Packet packet = default;
            for (int i = 0; i < 17; i++)
            {
                packet = first.Next(Patience);
            }

            position = packet.Position;
        }

        using (PacketSubscriber second = stream.Connect(new PacketSubscriberOptions { StartAfter = position }))
        {
            Assert.Equal(18UL, second.Next(Patience).Sequence);
        }

        stream.Publish(1000);
        using PacketSubscriber lapped = stream.Connect(new PacketSubscriberOptions { StartAfter = position });
        Packet next = lapped.Next(Patience);
        Assert.Equal((next.Sequence - 18, true), (next.Missed, next.IsKey));
        using PacketSubscriber other = stream.Connect(new PacketSubscriberOptions { StartAfter = position with { Epoch = position.Epoch + 1 } });
        Assert.Equal((1021UL, 0UL), (other.Next(Patience).Sequence, other.Missed));
    }

    [Fact]
    public async Task Waiting_readers_are_woken()
    {
        using PacketStream stream = new();
        using PacketSubscriber sleeping = stream.Connect();
        using PacketSubscriber awaiting = stream.Connect();
        for (int i = 1; i <= 50; i++)
        {
            Task<Packet> slept = Task.Run(() => sleeping.Next(Patience));
            ValueTask<Packet> awaited = awaiting.NextAsync(new CancellationTokenSource(Patience).Token);
            await Task.Delay(i % 10 == 0 ? 20 : 0);
            stream.Publish();
            Assert.Equal((ulong)i, (await slept).Sequence);
            Assert.Equal((ulong)i, (await awaited).Sequence);
        }

        Assert.False(sleeping.TryNext(TimeSpan.FromMilliseconds(30), out _));
        Assert.Throws<TimeoutException>(() => sleeping.Next(TimeSpan.Zero));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await awaiting.NextAsync(new CancellationToken(canceled: true)));
    }

    [Fact]
    public void States_and_notices_reach_readers()
    {
        using PacketStream stream = new();
        List<SubscriberEvent> events = [];
        using PacketSubscriber subscriber = stream.Connect(new PacketSubscriberOptions { OnEvent = events.Add });
        stream.Publish();
        stream.Publisher.SetState(StreamState.SourceLost, "the cable");
        Assert.True(subscriber.TryTake(out _));
        Assert.False(subscriber.TryNext(TimeSpan.FromMilliseconds(10), out _));
        Assert.Equal(StreamState.SourceLost, subscriber.State);
        Assert.Equal("the cable", StreamDirectory.ProbePackets(PacketStream.Key, stream.Directory.Path).StateText);
        stream.Publish();
        Assert.Equal(2UL, subscriber.Next(Patience).Sequence);
        Assert.Equal(StreamState.Live, subscriber.State);
        Assert.Contains(events, entry => entry.Kind == SubscriberEventKind.SourceLost && entry.Text == "the cable");
    }

    [Fact]
    public void A_probe_tells_of_tracks_and_the_directory_lists_only_frames()
    {
        using PacketStream stream = new(PacketStream.Small with { Program = "tester", Source = "pattern" });
        stream.Publish(100);
        using PacketSubscriber subscriber = stream.Connect();
        PacketStreamInfo info = StreamDirectory.ProbePackets(PacketStream.Key, stream.Directory.Path);
        Assert.Equal((ErrorCode.None, "tester", "pattern", stream.Publisher.Epoch), (info.ErrorCode, info.Program, info.Source, info.Epoch));
        Assert.Equal((2, 1, 100UL, 65536UL, StreamState.Live),
            (info.Description!.Tracks, info.Description.Subscribers, info.Description.Head, info.Description.ByteCapacity, info.Description.State));
        Assert.Equal(stream.Publisher.Oldest, info.Description.Oldest);
        Assert.Equal([(TrackKind.Video, Codec.H264, 641, 67UL), (TrackKind.Audio, Codec.Aac, 0, 33UL)],
            info.Tracks.Select(track => (track.Kind, track.Codec, track.Width, track.Packets)));
        Assert.Equal(("deu", 48_000, 2), (info.Tracks[1].Language, info.Tracks[1].SampleRate, info.Tracks[1].Channels));
        Assert.Empty(StreamDirectory.Keys(stream.Directory.Path));
        Assert.Empty(StreamDirectory.List(stream.Directory.Path));
        Assert.Equal(ErrorCode.StreamNotFound, StreamDirectory.ProbePackets("other", stream.Directory.Path).ErrorCode);
        Assert.Equal(("tester", "pattern"), (subscriber.Publisher, subscriber.Source));
        Assert.Equal([$"{PacketStream.Key}+packets.lock", $"{PacketStream.Key}+packets.sock"],
            Directory.EnumerateFiles(stream.Directory.Path).Select(Path.GetFileName).Order(StringComparer.Ordinal));
        stream.Publisher.Dispose();
        Assert.Empty(Directory.EnumerateFiles(stream.Directory.Path));
    }

    [Fact]
    public void A_reader_of_frames_at_a_socket_of_packets_is_told_so_and_the_other_way_round()
    {
        using PacketStream stream = new();
        string packets = Path.Combine(stream.Directory.Path, $"{PacketStream.Key}+packets.sock");
        File.CreateSymbolicLink(Path.Combine(stream.Directory.Path, "wrong.sock"), packets);
        StreamUnavailableException error = Assert.Throws<StreamUnavailableException>(() =>
            FrameSubscriber.Connect("wrong", new SubscriberOptions { Directory = stream.Directory.Path }));
        Assert.Equal(ErrorCode.ProtocolError, error.Code);
        Assert.Contains($"{PacketStream.Key}.sock", error.Message, StringComparison.Ordinal);
        using FramePublisher frames = FramePublisher.Create(PacketStream.Key, TestStream.Small, new PublisherOptions { Directory = stream.Directory.Path });
        File.CreateSymbolicLink(Path.Combine(stream.Directory.Path, "wrong+packets.sock"), Path.Combine(stream.Directory.Path, $"{PacketStream.Key}.sock"));
        error = Assert.Throws<StreamUnavailableException>(() => PacketSubscriber.Connect("wrong", new PacketSubscriberOptions { Directory = stream.Directory.Path }));
        Assert.Equal(ErrorCode.UnsupportedTlv, error.Code);
        Assert.Contains($"{PacketStream.Key}+packets.sock", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Keys_limits_and_options_are_checked()
    {
        using PacketStream stream = new(PacketStream.Small with { MaxSubscribers = 1 });
        PacketPublisherOptions options = new() { Directory = stream.Directory.Path };
        Assert.Equal(ErrorCode.AlreadyPublished, Assert.Throws<StreamUnavailableException>(() => PacketPublisher.Create(PacketStream.Key, options)).Code);
        Assert.Equal(ErrorCode.InvalidKey, Assert.ThrowsAny<CuFramesException>(() => PacketPublisher.Create("a+packets", options)).Code);
        Assert.Equal(ErrorCode.InvalidKey, Assert.ThrowsAny<CuFramesException>(() => PacketSubscriber.Connect("A", new PacketSubscriberOptions { Directory = stream.Directory.Path })).Code);
        foreach (PacketPublisherOptions wrong in (PacketPublisherOptions[])
            [options with { ByteCapacity = 65535 }, options with { ByteCapacity = 65537 }, options with { MaxPackets = 15 }, options with { MaxPackets = 48 },
            options with { ByteCapacity = -1 }, options with { MaxPackets = 1 << 17 }, options with { MaxSubscribers = 0 }, options with { MaxAge = TimeSpan.FromTicks(-1) }])
        {
            Assert.Equal(ErrorCode.ConfigurationInvalid, Assert.Throws<CuFramesException>(() => PacketPublisher.Create("other", wrong)).Code);
        }

        using PacketSubscriber first = stream.Connect();
        Assert.Equal(ErrorCode.TooManySubscribers, Assert.Throws<StreamUnavailableException>(() => stream.Connect()).Code);
        Assert.Equal(ErrorCode.StreamNotFound, Assert.Throws<StreamUnavailableException>(() =>
            PacketSubscriber.Connect("none", new PacketSubscriberOptions { Directory = stream.Directory.Path })).Code);
        using PacketSubscriber waiting = PacketSubscriber.Connect("none", new PacketSubscriberOptions { Directory = stream.Directory.Path, WaitForStream = true });
        Assert.False(waiting.TryNext(TimeSpan.FromMilliseconds(50), out _));
        using PacketPublisher late = PacketPublisher.Create("none", options);
        PacketTrack track = late.AddTrack(TrackKind.Audio, StampedPackets.Audio);
        late.Publish(track, [7], PacketMetadata.Unknown);
        Assert.Equal(1UL, waiting.Next(Patience).Sequence);
        late.Close();
        Assert.Equal(0UL, late.Publish(track, [8], PacketMetadata.Unknown));
    }
}
