using System.Globalization;
using System.Text.Json;
using CuFrames.Client;
using CuFrames.Client.Tests;
using CuFrames.Protocol;
using CuFrames.TestKit;

namespace CuFrames.Native.Tests.BlackBox;

/// <summary>A publisher in C# and a reader in each language: every reader sees the same of the same stream.</summary>
public sealed class ReadingTests
{
    private static readonly StreamFormat Small = new(PixelFormat.Nv12, 64, 48);

    [Theory]
    [MemberData(nameof(Languages.EachWithEachMemory), MemberType = typeof(Languages))]
    public void A_reader_connects_and_both_sides_know_of_each_other(string language, string memory)
    {
        using TestStream stream = Publish(memory, new PublisherOptions { MaxLeases = 3 });
        using StepPeer reader = Read(language, memory, stream, "--leases", "5", "--program", "a reader");
        stream.Publish(3);
        reader.Do("open");
        JsonElement frame = reader.Next(3, 0);
        Assert.Equal(
            ("nv12", 64, 48, memory == "host" ? "host" : "cuda", 2),
            (frame.GetProperty("format").GetString(), frame.Number("width"), frame.Number("height"), frame.GetProperty("memory").GetString(), frame.Number("planes")));
        JsonElement info = reader.Info();
        Assert.True(info.GetProperty("isConnected").GetBoolean());
        Assert.Equal(stream.Publisher.Epoch.ToString(CultureInfo.InvariantCulture), info.GetProperty("epoch").GetString());
        Assert.Equal((3, 1, 1, 0), (info.Number("granted"), info.Number("held"), info.Number("taken"), info.Number("missed")));
        Assert.Equal((int)StreamState.Live, info.Number("state"));
        Assert.Equal(memory == "host" ? "host" : "cuda", info.GetProperty("memory").GetString());
        Assert.Equal([("connected", 0)], reader.Events());
        SubscriberStatistics seen = Assert.Single(stream.Publisher.GetStatistics().Subscribers);
        Assert.Equal(("a reader", 3, 1, 1UL), (seen.Program, seen.GrantedLeases, seen.HeldLeases, seen.Taken));
        reader.Release(3);
        reader.Settle();
        reader.Do("close");
        TestStream.Until(() => stream.Publisher.GetStatistics().Subscribers.Count == 0, "the reader has left");
        Assert.Equal(0UL, stream.Publisher.GetStatistics().HungUp);
        reader.Do("open");
        reader.Next(3, 0);
        reader.Exit();
    }

    [Theory]
    [MemberData(nameof(Languages.Each), MemberType = typeof(Languages))]
    public void What_cannot_be_connected_to_is_refused_with_its_code(string language)
    {
        using TestStream stream = Publish("host", new PublisherOptions { MaxSubscribers = 1 });
        using StepPeer reader = Read(language, "host", stream);
        using StepPeer unknown = StepPeer.Subscriber(language, "host", stream.Directory.Path, "nobody");
        using StepPeer wrong = StepPeer.Subscriber(language, "host", stream.Directory.Path, "../wrong");
        using StepPeer lossless = Read(language, "host", stream, "--delivery", "lossless");
        using StepPeer second = Read(language, "host", stream);
        Assert.Equal(ErrorCode.StreamNotFound, unknown.Fail("open"));
        Assert.Equal(ErrorCode.InvalidKey, wrong.Fail("open"));
        Assert.Equal(ErrorCode.DeliveryNotGranted, lossless.Fail("open"));
        reader.Do("open");
        Assert.Equal(ErrorCode.TooManySubscribers, second.Fail("open"));
        Assert.Equal(2UL, stream.Publisher.GetStatistics().Refused);
        foreach (StepPeer peer in (StepPeer[])[reader, unknown, wrong, lossless, second])
        {
            peer.Exit();
        }
    }

    [Theory]
    [MemberData(nameof(Languages.Each), MemberType = typeof(Languages))]
    public void A_user_who_may_not_read_is_refused(string language)
    {
        Assert.True(Environment.IsPrivilegedProcess, "This test changes users and has to run as root.");
        using TestStream stream = Publish("host", new PublisherOptions { Readers = ReaderAccess.OwnUserAndGroup });
        using PeerCopy copy = new(language);
        using PeerProcess reader = copy.StartAs("54321", "subscriber", "--dir", stream.Directory.Path, "--key", TestStream.Key);
        reader.Expect("ready");
        JsonElement refused = reader.Ask("open");
        Assert.Equal((int)ErrorCode.AccessDenied, refused.Number("code"));
        Assert.Equal(ErrorCode.AccessDenied, stream.Wait(PublisherEventKind.SubscriberRefused).Code);
        Assert.Equal(0, reader.Exit());
    }

    [Theory]
    [MemberData(nameof(Languages.EachWithEachMemory), MemberType = typeof(Languages))]
    public void Newest_gives_the_newest_and_counts_the_others(string language, string memory)
    {
        using TestStream stream = Publish(memory);
        using StepPeer reader = Read(language, memory, stream);
        reader.Do("open");
        Assert.Equal(ErrorCode.TimedOut, reader.Fail("next 0"));
        Assert.Equal(ErrorCode.TimedOut, reader.Fail("next 30"));
        Pass(stream, reader, 1, 1, 0);
        Pass(stream, reader, 1, 2, 0);
        Pass(stream, reader, 5, 7, 4);
        Pass(stream, reader, 40, 47, 39);
        Assert.Equal(ErrorCode.TimedOut, reader.Fail("next 0"));
        RequireFigures(stream, reader, 4, 43);
        reader.Settle();
        reader.Exit();
    }

    [Theory]
    [MemberData(nameof(Languages.EachWithEachMemory), MemberType = typeof(Languages))]
    public void In_order_gives_the_oldest_that_is_there_and_counts_what_is_gone(string language, string memory)
    {
        using TestStream stream = Publish(memory, new PublisherOptions { Slots = 4, MaxSlots = 4 });
        using StepPeer reader = Read(language, memory, stream, "--delivery", "inorder");
        reader.Do("open");
        stream.Publish(3);
        reader.Pass(1, 0);
        reader.Pass(2, 0);
        reader.Pass(3, 0);
        Settle(reader, stream);
        stream.Publish(7);
        reader.Pass(7, 3);
        reader.Pass(8, 0);
        reader.Pass(9, 0);
        reader.Pass(10, 0);
        Assert.Equal(ErrorCode.TimedOut, reader.Fail("next 0"));
        RequireFigures(stream, reader, 7, 3);
        reader.Exit();
    }

    [Theory]
    [MemberData(nameof(Languages.EachWithEachMemory), MemberType = typeof(Languages))]
    public void Several_frames_are_held_while_the_ring_goes_round_and_released_in_another_order(string language, string memory)
    {
        using TestStream stream = Publish(memory, new PublisherOptions { Slots = 3, MaxSlots = 12 });
        using StepPeer reader = Read(language, memory, stream, "--delivery", "inorder", "--leases", "4");
        reader.Do("open");
        for (ulong sequence = 1; sequence <= 4; sequence++)
        {
            stream.Publish();
            reader.Next(sequence, 0);
        }

        stream.Publish(50);
        reader.RequireHeld(4);
        Assert.Equal(4, reader.Info().Number("held"));
        Assert.Equal(ErrorCode.LeasesExhausted, reader.Fail("next 0"));
        Assert.Equal(ErrorCode.LeasesExhausted, reader.Fail("next 50"));
        foreach (ulong sequence in (ulong[])[2, 4, 1])
        {
            reader.Release(sequence);
            stream.Publish(20);
        }

        reader.RequireHeld(1);
        JsonElement next = reader.Next();
        Assert.True(next.Long("sequence") > 100, next.ToString());
        stream.Publish(20);
        reader.RequireHeld(2);
        reader.Release(3, byCpu: true);
        reader.Release(next.GetProperty("sequence").GetUInt64(), byCpu: true);
        Settle(reader, stream);
        Assert.Equal(0UL, stream.Publisher.GetStatistics().Dropped);
        reader.Exit();
    }

    [Theory]
    [MemberData(nameof(Languages.EachWithEachMemory), MemberType = typeof(Languages))]
    public void A_format_changes_in_mid_stream_and_held_frames_stay_as_they_are(string language, string memory)
    {
        StreamFormat[] formats =
        [
            new(PixelFormat.I420, 65, 33), new(PixelFormat.P010, 66, 34), new(PixelFormat.Gray8, 1, 1), new(PixelFormat.Rgb24, 321, 181),
            new(PixelFormat.Bgr24, 3, 5), new(PixelFormat.Rgba, 17, 9), new(PixelFormat.Bgra, 640, 2), new(PixelFormat.Nv12, 1279, 33),
            new(PixelFormat.Rgbp, 65, 33), new(PixelFormat.BgrpF16, 17, 9), new(PixelFormat.RgbpF32, 3, 5),
        ];
        using TestStream stream = Publish(memory);
        using StepPeer reader = Read(language, memory, stream, "--leases", "3", "--delivery", "inorder");
        reader.Do("open");
        stream.Publish();
        reader.Next(1, 0);
        ulong sequence = 1;
        foreach (StreamFormat format in formats)
        {
            stream.Publisher.Configure(format);
            stream.Publish();
            JsonElement frame = reader.Next(++sequence, 0);
            Assert.Equal(
                (PixelFormats.Name(format.PixelFormat), format.Width, format.Height, PixelFormats.PlaneCount(format.PixelFormat)),
                (frame.GetProperty("format").GetString(), frame.Number("width"), frame.Number("height"), frame.Number("planes")));
            stream.Publish();
            reader.Next(++sequence, 0);
            reader.RequireHeld(3);
            reader.Release(sequence - 1);
            reader.Release(sequence);
        }

        reader.RequireHeld(1);
        reader.Exit();
    }

    [Theory]
    [MemberData(nameof(Languages.EachWithEachMemory), MemberType = typeof(Languages))]
    public void All_that_is_told_of_a_frame_arrives(string language, string memory)
    {
        using TemporaryDirectory directory = new();
        using StepPeer publisher = StepPeer.Publisher(Languages.CSharp, memory, directory.Path, TestStream.Key, "--format", "nv12:64x48");
        publisher.Do("open");
        publisher.Do("publish-described", "publish");
        using StepPeer reader = StepPeer.Subscriber(language, memory, directory.Path, TestStream.Key);
        reader.Do("open");

        // The stamp is that of the frame's number; what is told of it is not what a stamped frame tells.
        Assert.Contains("metadata", reader.Do("next 20000", "frame").GetProperty("fault").GetString(), StringComparison.Ordinal);
        JsonElement told = reader.Do("metadata 1");
        Assert.Equal(
            (-1_234_567_890_123, 1_700_000_000_000_000_001, 42, 7, 40_000_001),
            (told.Long("pts"), told.Long("captureTime"), told.Long("arrivalTime"), told.Long("sourcePacket"), told.Long("duration")));
        Assert.Equal((31, 3, 9, 2, 9, 16), (told.Number("flags"), told.Number("pictureType"), told.Number("colourMatrix"), told.Number("colourRange"),
            told.Number("colourPrimaries"), told.Number("colourTransfer")));
        Assert.Equal((3, 2), (told.Number("rotation"), told.Number("chromaLocation")));
        Assert.True(told.Long("publishTime") > 0);
        reader.Exit();
        publisher.Exit();
    }

    [Theory]
    [MemberData(nameof(Languages.EachWithEachMemory), MemberType = typeof(Languages))]
    public void After_kill_9_of_the_publisher_held_frames_stay_and_the_next_run_is_found(string language, string memory)
    {
        using TemporaryDirectory directory = new();
        using StepPeer reader = StepPeer.Subscriber(language, memory, directory.Path, TestStream.Key, "--wait-for-stream", "1");
        reader.Do("open");
        using StepPeer final = StepPeer.Subscriber(language, memory, directory.Path, TestStream.Key, "--no-reconnect", "1");
        string firstEpoch;
        using (StepPeer first = StepPeer.Publisher(Languages.CSharp, memory, directory.Path, TestStream.Key, "--format", "nv12:64x48"))
        {
            firstEpoch = first.Do("open").GetProperty("epoch").GetString()!;
            final.Do("open");
            first.Do("publish 2");
            Assert.Equal(firstEpoch, reader.Next().GetProperty("epoch").GetString());
            final.Next();
            first.Process.Kill();
        }

        Assert.Equal(ErrorCode.Disconnected, final.Fail("next 20000"));
        final.RequireHeld(1);
        final.Exit();
        Assert.Equal(ErrorCode.TimedOut, reader.Fail("next 100"));
        Assert.False(reader.Info().GetProperty("isConnected").GetBoolean());
        reader.RequireHeld(1);
        using StepPeer second = StepPeer.Publisher(Languages.CSharp, memory, directory.Path, TestStream.Key, "--format", "i420:65x33");
        string epoch = second.Do("open").GetProperty("epoch").GetString()!;
        Assert.NotEqual(firstEpoch, epoch);
        second.Do("publish 5");
        JsonElement frame = reader.Next();
        Assert.Equal((epoch, "i420"), (frame.GetProperty("epoch").GetString(), frame.GetProperty("format").GetString()));
        JsonElement info = reader.Info();
        Assert.Equal((1, 0), (info.Number("reconnects"), info.Number("evictions")));
        Assert.Equal([("connected", 0), ("disconnected", (int)ErrorCode.Disconnected), ("connected", 0)], reader.Events());
        reader.RequireHeld(2);
        reader.Exit();
        second.Exit();
    }

    [Theory]
    [MemberData(nameof(Languages.EachWithEachMemory), MemberType = typeof(Languages))]
    public void An_eviction_is_noticed_and_recovered_from(string language, string memory)
    {
        using TestStream stream = Publish(memory, new PublisherOptions { Slots = 3, MaxSlots = 3, LeaseTimeout = TimeSpan.FromMilliseconds(300) });
        using StepPeer reader = Read(language, memory, stream, "--delivery", "inorder", "--leases", "3", "--program", "hoarder");
        reader.Do("open");
        for (ulong sequence = 1; sequence <= 3; sequence++)
        {
            stream.Publish();
            reader.Next(sequence, 0);
        }

        TestStream.Until(
            () => stream.TryPublish() | stream.Events.Any(happened => happened.Kind == PublisherEventKind.SubscriberEvicted), "the reader is evicted");
        Assert.Equal(ErrorCode.LeaseTimeout, stream.Wait(PublisherEventKind.SubscriberEvicted).Code);
        stream.Publish(4);
        JsonElement looks = reader.Do("verify");
        Assert.Equal((3, 0, 3), (looks.Number("held"), looks.Number("torn"), looks.Number("lost")));
        for (ulong sequence = 1; sequence <= 3; sequence++)
        {
            reader.Release(sequence, byCpu: true);
        }

        // The ring of 3 has the newest frames; reading goes on where it was, within the epoch.
        ulong head = stream.Publisher.Head;
        reader.Pass(head - 2, head - 2 - 4);
        reader.Pass(head - 1, 0);
        Assert.Equal([("connected", 0), ("evicted", (int)ErrorCode.LeaseTimeout), ("connected", 0)], reader.Events());
        Assert.Equal((1, 1), (reader.Info().Number("evictions"), reader.Info().Number("reconnects")));
        reader.Settle();
        reader.Exit();
    }

    [Theory]
    [MemberData(nameof(Languages.Each), MemberType = typeof(Languages))]
    public void A_reader_that_does_not_reconnect_is_told_why_it_was_evicted(string language)
    {
        using TestStream stream = Publish("host");
        using StepPeer reader = Read(language, "host", stream, "--no-reconnect", "1");
        reader.Do("open");
        stream.Publish();
        reader.Pass(1, 0);
        Assert.True(stream.Publisher.Evict(Assert.Single(stream.Publisher.GetStatistics().Subscribers).SubscriberId, "asked to"));
        Assert.Equal(ErrorCode.EvictedByOperator, reader.Fail("next 20000"));
        Assert.Equal([("connected", 0), ("evicted", (int)ErrorCode.EvictedByOperator)], reader.Events());
        reader.Exit();
    }

    [Theory]
    [MemberData(nameof(Languages.Each), MemberType = typeof(Languages))]
    public void The_source_is_lost_and_comes_back(string language)
    {
        using TestStream stream = Publish("host");
        using StepPeer reader = Read(language, "host", stream);
        reader.Do("open");
        stream.Publish();
        reader.Pass(1, 0);
        stream.Publisher.SetState(StreamState.SourceLost, "unplugged");
        TestStream.Until(() => reader.Fail("next 10") == ErrorCode.TimedOut && reader.Info().Number("state") == (int)StreamState.SourceLost, "the state");
        stream.Publisher.SetState(StreamState.Live);
        stream.Publish();
        reader.Pass(2, 0);
        TestStream.Until(() => reader.Fail("next 10") == ErrorCode.TimedOut && reader.Events().Count == 3, "the events");
        Assert.Equal(["connected", "source-lost", "source-back"], reader.Events().Select(happened => happened.Name));
        reader.Exit();
    }

    [Theory]
    [MemberData(nameof(Languages.EachWithEachMemory), MemberType = typeof(Languages))]
    public void Lossless_makes_the_publisher_wait(string language, string memory)
    {
        using TemporaryDirectory directory = new();
        string frames = memory == "host" ? "3000" : "300";
        using PeerProcess publisher = PeerProcess.StartWith(
            StepPeer.EnvironmentOf(Languages.CSharp, memory), [],
            "publish", "--key", TestStream.Key, "--dir", directory.Path, "--memory", memory, "--format", "gray8:64x48", "--start-on-go", "1",
            "--slots", "3", "--max-slots", "5", "--lossless-ms", "20000", "--frames", frames);
        publisher.Expect("ready");
        using PeerProcess reader = PeerProcess.StartCommand(
            Languages.Command(language), StepPeer.EnvironmentOf(language, memory),
            "read", "--key", TestStream.Key, "--dir", directory.Path, "--delivery", "lossless", "--leases", "2", "--hold", "2", "--dwell-us", "50");
        reader.Expect("ready");
        TestStream.Until(
            () => publisher.Ask("stats", "stats").GetProperty("statistics").GetProperty("Subscribers").GetArrayLength() == 1, "the reader is there");
        publisher.Send("go");
        JsonElement done = publisher.Expect("done");
        JsonElement summary = reader.Ask("finish", "summary");
        Assert.True(
            (done.Long("published"), 0, 0, 0, 0, 0, 0) ==
            (summary.Long("frames"), summary.Number("missed"), summary.Number("torn"), summary.Number("lost"), summary.Number("repeated"), summary.Number("outOfOrder"), summary.Number("missedWrong")),
            summary.ToString());
        Assert.Equal(0, done.GetProperty("statistics").Number("Dropped"));
        Assert.Equal(0, reader.Exit());
        Assert.Equal(0, publisher.Exit());
    }

    [Theory]
    [Trait("needs", "gpu")]
    [MemberData(nameof(Languages.EachWithEachFence), MemberType = typeof(Languages))]
    public void A_release_with_a_stream_holds_until_the_streams_work_is_done(string language, string memory, string fence)
    {
        using TestStream stream = Publish(memory, new PublisherOptions { Slots = 3, MaxSlots = 9 });
        using StepPeer reader = Read(language, memory, stream, "--fence", fence, "--delivery", "inorder", "--leases", "3");
        reader.Do("open");
        ulong sequence = 0;
        for (int round = 0; round < 15; round++)
        {
            for (int i = 0; i < 3; i++)
            {
                stream.Publish();
                reader.Next(++sequence, 0);
            }

            // Goes round the ring while copies are in the stream: one of a slot that was given back too early would be another frame's.
            for (ulong released = sequence - 2; released <= sequence; released++)
            {
                reader.Release(released);
            }

            stream.Publish(9);
            reader.Settle();
            sequence = stream.Publisher.Head;
            Catch(reader, sequence);
        }

        Assert.Equal(fence, reader.Info().GetProperty("fence").GetString());
        Settle(reader, stream);
        Assert.Equal((0UL, 0UL), (stream.Publisher.GetStatistics().Dropped, stream.Publisher.GetStatistics().Evicted));
        reader.Exit();
    }

    private static TestStream Publish(string memory, PublisherOptions? options = null) => new(Small, (options ?? new PublisherOptions()) with
    {
        Memory = memory switch { "host" => FrameMemory.Host, "cuda" => FrameMemory.Cuda, _ => FrameMemory.CudaIpc },
    });

    private static StepPeer Read(string language, string memory, TestStream stream, params string[] options) =>
        StepPeer.Subscriber(language, memory, stream.Directory.Path, TestStream.Key, options);

    private static void Pass(TestStream stream, StepPeer reader, int publish, ulong sequence, ulong missed)
    {
        stream.Publish(publish);
        reader.Pass(sequence, missed);
    }

    /// <summary>Takes and releases what there is, up to a frame.</summary>
    private static void Catch(StepPeer reader, ulong last)
    {
        ulong sequence;
        do
        {
            sequence = reader.Next().GetProperty("sequence").GetUInt64();
            reader.Release(sequence);
        }
        while (sequence < last);
    }

    /// <summary>Waits until all that was released is back at the publisher. Frames that the reader is given meanwhile are released, too.</summary>
    private static void Settle(StepPeer reader, TestStream stream)
    {
        reader.Settle();
        TestStream.Until(
            () =>
            {
                // Of releases by EVENT the reader hears when it is asked for a frame.
                JsonElement answer = reader.Process.Ask("next 0");
                if (answer.GetProperty("kind").GetString() == "frame")
                {
                    reader.Release(answer.GetProperty("sequence").GetUInt64(), byCpu: true);
                }

                return stream.Publisher.GetStatistics() is { HeldSlots: 0 } now && now.Subscribers.All(one => one.HeldLeases == 0);
            },
            "all slots are back");
    }

    /// <summary>Both sides count alike.</summary>
    private static void RequireFigures(TestStream stream, StepPeer reader, int taken, int missed)
    {
        JsonElement info = reader.Info();
        Assert.Equal((taken, missed), (info.Number("taken"), info.Number("missed")));
        SubscriberStatistics seen = Assert.Single(stream.Publisher.GetStatistics().Subscribers);
        Assert.Equal(((ulong)taken, (ulong)missed, 0UL), (seen.Taken, seen.Missed, seen.Lag));
    }
}
