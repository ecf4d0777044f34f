using System.Globalization;
using System.Text.Json;
using CuFrames.Client;
using CuFrames.Client.Tests;
using CuFrames.Protocol;
using CuFrames.TestKit;

namespace CuFrames.Native.Tests.BlackBox;

/// <summary>A publisher in each language and a reader in C#: every publisher's frames are whole, and it tells of itself what the others do.</summary>
public sealed class PublishingTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(90);

    [Theory]
    [MemberData(nameof(Languages.EachWithEachMemory), MemberType = typeof(Languages))]
    public void Every_byte_of_every_format_and_all_that_is_told_arrives(string language, string memory)
    {
        string[] formats = ["i420:65x33", "p010:66x34", "gray8:1x1", "rgb24:321x181", "bgr24:3x5", "rgba:17x9", "bgra:640x2", "nv12:1279x33"];
        using TemporaryDirectory directory = new();
        using StepPeer publisher = Publish(language, memory, directory);
        string epoch = publisher.Do("open").GetProperty("epoch").GetString()!;
        using FrameSubscriber reader = Read(memory, directory);
        Assert.Equal(epoch, reader.Epoch.ToString(CultureInfo.InvariantCulture));
        StreamInfo told = StreamDirectory.Probe(TestStream.Key, directory.Path);
        Assert.Equal(("a publisher", "a source"), (told.Program, told.Source));
        FrameChecker checker = new();
        publisher.Do("publish 1");
        Take(reader, checker);
        ulong head = 1;
        foreach (string format in formats)
        {
            publisher.Do($"configure {format}");
            publisher.Do("abandon");
            Assert.Equal((int)(head += 2), publisher.Do("publish 2").Number("head"));
            for (int i = 0; i < 2; i++)
            {
                using Frame frame = Take(reader, checker, isKept: true);
                Assert.Equal(format, $"{PixelFormats.Name(frame.PixelFormat)}:{frame.Width}x{frame.Height}");
            }
        }

        publisher.Do("publish-described", "publish");
        using (Frame described = reader.Next(Patience))
        {
            checker.Count(described);
            RequireDescribed(described.Metadata);
        }

        publisher.Do("publish 1");
        Take(reader, checker);
        Assert.True(checker.IsClean, string.Join('\n', checker.Faults));
        Assert.Equal((19L, 0L, 1L), (checker.Frames, checker.Missed, checker.Epochs));
        publisher.Do("close");
        Assert.False(reader.TryNext(TimeSpan.FromMilliseconds(100), out _));
        Assert.False(reader.IsConnected);
        publisher.Exit();
        Assert.Empty(Directory.GetFileSystemEntries(directory.Path));
    }

    [Theory]
    [MemberData(nameof(Languages.EachWithEachMemory), MemberType = typeof(Languages))]
    public void A_publisher_drops_when_readers_hold_every_slot(string language, string memory)
    {
        using TemporaryDirectory directory = new();
        using StepPeer publisher = Publish(language, memory, directory, "--slots", "2", "--max-slots", "4");
        publisher.Do("open");
        using FrameSubscriber reader = Read(memory, directory, leases: 4);
        List<Frame> held = [];
        for (int i = 0; i < 4; i++)
        {
            publisher.Do("publish 1");
            held.Add(reader.Next(Patience));
        }

        JsonElement dropped = publisher.Do("publish 5");
        Assert.Equal((0, 5, 4), (dropped.Number("published"), dropped.Number("dropped"), dropped.Number("head")));
        JsonElement statistics = publisher.Statistics();
        Assert.Equal((4, 5, 4, 4), (statistics.Number("Published"), statistics.Number("Dropped"), statistics.Number("Slots"), statistics.Number("HeldSlots")));
        Assert.Contains(publisher.Events(), happened => happened.Name == "ring-grown");
        held[2].Dispose();
        held[0].Dispose();
        dropped = publisher.Do("publish 3");
        Assert.Equal((3, 0, 7), (dropped.Number("published"), dropped.Number("dropped"), dropped.Number("head")));
        FrameChecker checker = new();
        foreach (Frame frame in (Frame[])[held[1], held[3]])
        {
            Look(frame, checker);
            frame.Dispose();
        }

        // The two slots that were free have been written three times.
        foreach ((ulong sequence, ulong missed) in ((ulong, ulong)[])[(6, 1), (7, 0)])
        {
            using Frame frame = Take(reader, checker, isKept: true);
            Assert.Equal((sequence, missed), (frame.Sequence, frame.Missed));
        }

        Assert.True(checker.IsClean, string.Join('\n', checker.Faults));
        publisher.Exit();
    }

    [Theory]
    [MemberData(nameof(Languages.EachWithEachMemory), MemberType = typeof(Languages))]
    public void A_publishers_figures_are_right(string language, string memory)
    {
        using TemporaryDirectory directory = new();
        using StepPeer publisher = Publish(language, memory, directory, "--max-leases", "3", "--max-subscribers", "2");
        publisher.Do("open");
        using FrameSubscriber first = Read(memory, directory, leases: 5, program: "first");
        using (FrameSubscriber second = Read(memory, directory, Delivery.Newest, program: "second"))
        {
            Assert.Equal(ErrorCode.TooManySubscribers, Assert.Throws<StreamUnavailableException>(() => Read(memory, directory)).Code);
            publisher.Do("publish 3");
            FrameChecker checker = new();
            using Frame newest = Take(second, checker, isKept: true);
            Take(first, checker);
            JsonElement statistics = publisher.Statistics();
            Assert.Equal(
                (3, 0, 0, 0, 1),
                (statistics.Number("Published"), statistics.Number("Dropped"), statistics.Number("Evicted"), statistics.Number("HungUp"), statistics.Number("Refused")));
            Assert.True(statistics.Long("SegmentBytes") >= statistics.Number("Slots") * 64 * 48 * 3 / 2, statistics.ToString());
            Dictionary<string, JsonElement> readers = statistics.GetProperty("Subscribers").EnumerateArray().ToDictionary(one => one.GetProperty("Program").GetString()!);
            Assert.Equal(["first", "second"], readers.Keys.Order());
            Assert.Equal((3, 0, 1, 0, 2), Figures(readers["first"]));
            Assert.Equal((2, 1, 1, 2, 0), Figures(readers["second"]));
            Assert.Equal(((int)Delivery.InOrder, (int)Delivery.Newest), (readers["first"].Number("Delivery"), readers["second"].Number("Delivery")));
            Assert.Equal(Environment.ProcessId, readers["first"].Number("ProcessId"));
        }

        TestStream.Until(() => publisher.Statistics().GetProperty("Subscribers").GetArrayLength() == 1, "the second one is gone");
        Assert.Equal(1000, publisher.FailWithCode("evict second"));
        publisher.Do("evict first");
        Assert.True(first.TryNext(Patience, out Frame frame));
        frame.Dispose();
        Assert.Equal((1, 1), (first.Evictions, publisher.Statistics().Number("Evicted")));
        string[] names = [.. publisher.Events().Select(happened => happened.Name)];
        Assert.Equal(["subscriber-evicted", "subscriber-joined", "subscriber-joined", "subscriber-joined", "subscriber-left", "subscriber-refused"], names.Order());
        publisher.Exit();
    }

    [Theory]
    [MemberData(nameof(Languages.Each), MemberType = typeof(Languages))]
    public void What_cannot_be_published_is_refused_with_its_code(string language)
    {
        using TemporaryDirectory directory = new();
        using StepPeer publisher = Publish(language, "host", directory);
        using StepPeer second = Publish(language, "host", directory);
        using StepPeer wrong = StepPeer.Publisher(language, "host", directory.Path, "../wrong", "--format", "nv12:64x48");
        using StepPeer slots = StepPeer.Publisher(language, "host", directory.Path, "other", "--format", "nv12:64x48", "--slots", "9", "--max-slots", "8");
        publisher.Do("open");
        Assert.Equal(ErrorCode.AlreadyPublished, second.Fail("open"));
        Assert.Equal(ErrorCode.InvalidKey, wrong.Fail("open"));
        Assert.Equal(ErrorCode.ConfigurationInvalid, slots.Fail("open"));
        publisher.Do("publish 1");
        Assert.Equal(ErrorCode.FormatUnsupported, publisher.Fail("configure nv12:20000x20000"));
        publisher.Do("publish 1");
        publisher.Do("close");
        second.Do("open");
        second.Do("publish 1");
        foreach (StepPeer peer in (StepPeer[])[publisher, second, wrong, slots])
        {
            peer.Exit();
        }
    }

    [Theory]
    [MemberData(nameof(Languages.EachWithEachMemory), MemberType = typeof(Languages))]
    public void After_kill_9_the_key_is_free_and_readers_come_back(string language, string memory)
    {
        using TemporaryDirectory directory = new();
        FrameChecker checker = new();
        using StepPeer first = Publish(language, memory, directory);
        first.Do("open");
        using FrameSubscriber reader = Read(memory, directory);
        first.Do("publish 2");
        Take(reader, checker);
        Frame held = reader.Next(Patience);
        first.Process.Kill();
        using StepPeer second = Publish(language, memory, directory);
        second.Do("open");
        second.Do("publish 3");
        Assert.True(reader.TryNext(Patience, out Frame next));
        checker.Count(held);
        Look(held, checker);
        held.Dispose();
        checker.Count(next);
        Look(next, checker);
        next.Dispose();
        Assert.True(checker.IsClean, string.Join('\n', checker.Faults));
        Assert.Equal((2L, 1), (checker.Epochs, reader.Reconnects));
        second.Exit();
    }

    [Theory]
    [MemberData(nameof(Languages.Each), MemberType = typeof(Languages))]
    public void Readers_are_told_of_the_source(string language)
    {
        using TemporaryDirectory directory = new();
        List<SubscriberEvent> events = [];
        using StepPeer publisher = Publish(language, "host", directory);
        publisher.Do("open");
        using FrameSubscriber reader = FrameSubscriber.Connect(TestStream.Key, new SubscriberOptions { Directory = directory.Path, OnEvent = events.Add });
        publisher.Do("publish 1");
        reader.Next(Patience).Dispose();
        publisher.Do($"state {(int)StreamState.SourceLost} the plug was pulled");
        TestStream.Until(() => !reader.TryNext(TimeSpan.FromMilliseconds(10), out _) && reader.State == StreamState.SourceLost, "the state");
        Assert.Equal("the plug was pulled", Assert.Single(events, happened => happened.Kind == SubscriberEventKind.SourceLost).Text);
        publisher.Do($"state {(int)StreamState.Live}");
        publisher.Do("publish 1");
        reader.Next(Patience).Dispose();
        TestStream.Until(() => !reader.TryNext(TimeSpan.FromMilliseconds(10), out _) && events.Any(happened => happened.Kind == SubscriberEventKind.SourceBack), "the source is back");
        Assert.Equal(StreamState.Live, reader.State);
        publisher.Exit();
    }

    [Theory]
    [MemberData(nameof(Languages.EachWithEachMemory), MemberType = typeof(Languages))]
    public void A_publisher_waits_for_lossless_readers_and_changes_its_format_in_between(string language, string memory)
    {
        using TemporaryDirectory directory = new();
        string frames = memory == "host" ? "2000" : "300";
        using PeerProcess publisher = PeerProcess.StartCommand(
            Languages.Command(language), StepPeer.EnvironmentOf(language, memory),
            "publish", "--key", TestStream.Key, "--dir", directory.Path, "--memory", memory, "--format", "gray8:64x48,nv12:66x34,rgb24:9x9",
            "--cycle-every", "50", "--start-on-go", "1", "--slots", "3", "--max-slots", "5", "--lossless-ms", "20000", "--frames", frames);
        string epoch = publisher.Expect("ready").GetProperty("epoch").GetString()!;
        using PeerProcess reader = PeerProcess.StartWith(
            StepPeer.EnvironmentOf(Languages.CSharp, memory), [],
            "read", "--key", TestStream.Key, "--dir", directory.Path, "--delivery", "lossless", "--leases", "2", "--hold", "2");
        reader.Expect("ready");
        TestStream.Until(
            () => publisher.Ask("stats", "stats").GetProperty("statistics").GetProperty("Subscribers").GetArrayLength() == 1, "the reader is there");
        publisher.Send("go");
        JsonElement done = publisher.Expect("done");
        JsonElement summary = reader.Ask("finish", "summary");
        Assert.Equal(frames, done.Long("published").ToString(CultureInfo.InvariantCulture));
        Assert.True(
            (done.Long("published"), 0, 0, 0, 0, 0, 0) ==
            (summary.Long("frames"), summary.Number("missed"), summary.Number("torn"), summary.Number("lost"), summary.Number("repeated"), summary.Number("outOfOrder"), summary.Number("missedWrong")),
            summary.ToString());
        Assert.True(done.Number("changes") > 0, done.ToString());
        JsonElement told = publisher.Ask("stats", "stats");
        Assert.Equal("[]", told.GetProperty("evictions").ToString());
        JsonElement statistics = told.GetProperty("statistics");
        Assert.Equal((0, 0), (statistics.Number("Dropped"), statistics.Number("HeldSlots")));
        Assert.NotEqual("0", epoch);
        Assert.Equal(0, reader.Exit());
        Assert.Equal(0, publisher.Exit());
    }

    private static StepPeer Publish(string language, string memory, TemporaryDirectory directory, params string[] options) => StepPeer.Publisher(
        language, memory, directory.Path, TestStream.Key, ["--format", "nv12:64x48", "--program", "a publisher", "--source", "a source", .. options]);

    private static FrameSubscriber Read(
        string memory, TemporaryDirectory directory, Delivery delivery = Delivery.InOrder, int leases = 2, string? program = null)
    {
        if (memory != "host")
        {
            // The double of the driver is loaded before the subscriber asks for a driver.
            _ = TestCuda.Device;
        }

        return FrameSubscriber.Connect(
            TestStream.Key, new SubscriberOptions { Directory = directory.Path, Delivery = delivery, Leases = leases, Program = program });
    }

    /// <summary>Takes a frame and looks at all of it.</summary>
    private static Frame Take(FrameSubscriber reader, FrameChecker checker, bool isKept = false)
    {
        Frame frame = reader.Next(Patience);
        checker.Count(frame);
        Look(frame, checker);
        if (!isKept)
        {
            frame.Dispose();
        }

        return frame;
    }

    private static void Look(Frame frame, FrameChecker checker)
    {
        byte[] copy = new byte[PixelFormats.PictureBytes(frame.PixelFormat, frame.Width, frame.Height)];
        frame.CopyTo(copy);
        checker.NoteContent(
            StampedFrames.FindMetadataFault(frame) ??
            FrameStamp.FindFault(copy, frame.PixelFormat, frame.Width, frame.Height, StampedFrames.Number(frame.Epoch, frame.Sequence)));
        frame.ThrowIfInvalid();
    }

    private static void RequireDescribed(FrameMetadata metadata)
    {
        Assert.Equal(
            (-1_234_567_890_123, 1_700_000_000_000_000_001, 42, 7UL, 40_000_001),
            (metadata.Pts, metadata.CaptureTime, metadata.ArrivalTime, metadata.SourcePacket, metadata.Duration));
        Assert.Equal(FrameFlags.Key | FrameFlags.Discontinuity | FrameFlags.Corrupt | FrameFlags.Interlaced | FrameFlags.TopFieldFirst, metadata.Flags);
        Assert.Equal((PictureType.Bidirectional, 9, ColourRange.Full, 9, 16), (metadata.PictureType, metadata.ColourMatrix, metadata.ColourRange, metadata.ColourPrimaries, metadata.ColourTransfer));
        Assert.Equal((3, 2), (metadata.Rotation, metadata.ChromaLocation));
        Assert.True(metadata.PublishTime > 0);
    }

    private static (int Granted, int Held, int Taken, int Missed, int Lag) Figures(JsonElement reader) =>
        (reader.Number("GrantedLeases"), reader.Number("HeldLeases"), reader.Number("Taken"), reader.Number("Missed"), reader.Number("Lag"));
}
