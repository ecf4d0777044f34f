using System.Collections.Concurrent;
using System.Globalization;
using CuFrames.Protocol;
using CuFrames.TestKit;
using Xunit;

namespace CuFrames.Client.Tests;

/// <summary>Keys, the directory of streams, access, notices, reconnecting.</summary>
public class StreamTests
{
    private const string OtherUserId = "54321";
    private const string OtherGroupId = "54322";
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(90);

    [Fact]
    public void A_key_has_one_publisher_at_a_time()
    {
        using TestStream stream = new(TestStream.Small);
        StreamUnavailableException error = Assert.Throws<StreamUnavailableException>(() =>
            FramePublisher.Create(TestStream.Key, TestStream.Small, new PublisherOptions { Directory = stream.Directory.Path }));
        Assert.Equal(ErrorCode.AlreadyPublished, error.Code);
        Assert.Contains(Environment.ProcessId.ToString(CultureInfo.InvariantCulture), error.Message, StringComparison.Ordinal);

        // The first one is not disturbed.
        using FrameSubscriber subscriber = stream.Connect();
        stream.Publish();
        using Frame frame = subscriber.Next(Patience);
        Assert.Null(StampedFrames.FindFault(frame));
    }

    [Fact]
    public void Ending_a_stream_leaves_nothing_behind()
    {
        using TemporaryDirectory directory = new();
        for (int i = 0; i < 5; i++)
        {
            using FramePublisher publisher = FramePublisher.Create("again@small", TestStream.Small, new PublisherOptions { Directory = directory.Path });
            Assert.Equal(2, Directory.GetFileSystemEntries(directory.Path).Length);
        }

        Assert.Empty(Directory.GetFileSystemEntries(directory.Path));
    }

    [Fact]
    public void A_publisher_knows_how_many_read()
    {
        using TestStream stream = new(TestStream.Small);
        Assert.Equal(0, stream.Publisher.SubscriberCount);
        _ = StreamDirectory.Probe(TestStream.Key, stream.Directory.Path);
        Assert.Equal(0, stream.Publisher.SubscriberCount);
        FrameSubscriber first = stream.Connect(), second = stream.Connect();
        Assert.Equal(2, stream.Publisher.SubscriberCount);
        first.Dispose();
        TestStream.Until(() => stream.Publisher.SubscriberCount == 1, "the first subscriber has left");
        second.Dispose();
        TestStream.Until(() => stream.Publisher.SubscriberCount == 0, "nobody reads");
    }

    [Theory]
    [InlineData("")]
    [InlineData("Upper")]
    [InlineData("a/b")]
    [InlineData("../up")]
    public void Bad_keys_are_refused(string key)
    {
        using TemporaryDirectory directory = new();
        Assert.Equal(ErrorCode.InvalidKey, Assert.ThrowsAny<CuFramesException>(() => FramePublisher.Create(key, new PublisherOptions { Directory = directory.Path })).Code);
        Assert.Equal(ErrorCode.InvalidKey, Assert.ThrowsAny<CuFramesException>(() => FrameSubscriber.Connect(key, new SubscriberOptions { Directory = directory.Path })).Code);
    }

    [Fact]
    public void What_nobody_publishes_is_not_found()
    {
        using TemporaryDirectory directory = new();
        SubscriberOptions options = new() { Directory = directory.Path };
        Assert.Equal(ErrorCode.StreamNotFound, Assert.Throws<StreamUnavailableException>(() => FrameSubscriber.Connect("none", options)).Code);
        Assert.Equal(ErrorCode.StreamNotFound, Assert.Throws<StreamUnavailableException>(() =>
            FrameSubscriber.Connect("none", options with { Directory = directory.Path + "/missing" })).Code);
        Assert.Equal(ErrorCode.ConfigurationInvalid, Assert.Throws<CuFramesException>(() => FrameSubscriber.Connect("none", options with { Leases = 65 })).Code);
        using FrameSubscriber waiting = FrameSubscriber.Connect("none", options with { WaitForStream = true });
        Assert.False(waiting.TryNext(TimeSpan.FromMilliseconds(50), out _));
        Assert.Equal(("", ""), (waiting.Publisher, waiting.Source));
        using FramePublisher publisher = FramePublisher.Create("none", TestStream.Small,
            new PublisherOptions { Directory = directory.Path, Program = "late", Source = "a file" });
        StampedFrames.Publish(publisher);
        using Frame frame = waiting.Next(Patience);
        Assert.Null(StampedFrames.FindFault(frame));
        Assert.Equal(0, waiting.Reconnects);
        Assert.Equal(("late", "a file"), (waiting.Publisher, waiting.Source));
    }

    [Fact]
    public void A_killed_publisher_leaves_nothing_that_needs_cleaning()
    {
        using TemporaryDirectory directory = new();
        using PeerProcess peer = PeerProcess.Start("publish", "--key", "killed", "--dir", directory.Path, "--format", "gray8:64x48", "--fps", "100");
        peer.Expect("ready");
        Assert.Equal(ErrorCode.AlreadyPublished, Assert.Throws<StreamUnavailableException>(() =>
            FramePublisher.Create("killed", TestStream.Small, new PublisherOptions { Directory = directory.Path })).Code);
        peer.Kill();
        Assert.Equal(2, Directory.GetFileSystemEntries(directory.Path).Length);
        Assert.Empty(StreamDirectory.List(directory.Path));
        Assert.Equal(ErrorCode.StreamNotFound, StreamDirectory.Probe("killed", directory.Path).ErrorCode);
        using FramePublisher publisher = FramePublisher.Create("killed", TestStream.Small, new PublisherOptions { Directory = directory.Path });
        using FrameSubscriber subscriber = FrameSubscriber.Connect("killed", new SubscriberOptions { Directory = directory.Path });
        StampedFrames.Publish(publisher);
        using Frame frame = subscriber.Next(Patience);
        Assert.Null(StampedFrames.FindFault(frame));
    }

    [Fact]
    public void The_directory_lists_streams_with_what_they_are()
    {
        using TestStream stream = new(new StreamFormat(PixelFormat.Nv12, 640, 360) { FrameRateNumerator = 30, FrameRateDenominator = 1 }, new PublisherOptions
        {
            Program = "tester",
            Source = "pattern",
            Slots = 3,
            MaxSlots = 7,
        });
        using FramePublisher other = FramePublisher.Create("a@small", new PublisherOptions { Directory = stream.Directory.Path });
        File.WriteAllText(Path.Combine(stream.Directory.Path, "dead.sock"), "");
        File.WriteAllText(Path.Combine(stream.Directory.Path, "NOT A KEY.sock"), "");
        using FrameSubscriber subscriber = stream.Connect();
        stream.Publish(3);
        stream.Publisher.SetState(StreamState.SourceLost, "the cable");
        IReadOnlyList<StreamInfo> streams = StreamDirectory.List(stream.Directory.Path);
        Assert.Equal(["a@small", TestStream.Key], streams.Select(found => found.Key));
        StreamInfo info = streams[1];
        Assert.Equal(("tester", "pattern", "the cable", stream.Publisher.Epoch), (info.Program, info.Source, info.StateText, info.Epoch));
        StreamDescription description = info.Description!;
        Assert.Equal((PixelFormat.Nv12, 640, 360, StreamState.SourceLost), (description.PixelFormat, description.Width, description.Height, description.State));
        Assert.Equal((3, 7, 1, 3UL), (description.Slots, description.MaxSlots, description.Subscribers, description.Head));
        Assert.Equal(StreamState.Starting, streams[0].Description!.State);
        Assert.Equal(ErrorCode.StreamNotFound, Assert.Throws<StreamUnavailableException>(() => StreamDirectory.List(stream.Directory.Path + "/missing")).Code);
    }

    [Fact]
    public async Task Watching_tells_of_streams_that_come_change_and_go()
    {
        using TemporaryDirectory directory = new();
        using CancellationTokenSource end = new(Patience);
        IAsyncEnumerator<StreamChange> changes = StreamDirectory.WatchAsync(directory.Path, end.Token).GetAsyncEnumerator(end.Token);
        ValueTask<bool> next = changes.MoveNextAsync();
        FramePublisher publisher = FramePublisher.Create("watched", TestStream.Small, new PublisherOptions { Directory = directory.Path });
        await RequireChange(StreamChangeKind.Added);
        publisher.Configure(TestStream.Small with { Width = 32 });
        StreamInfo changed = await RequireChange(StreamChangeKind.Changed);
        while (changed.Description!.Width != 32)
        {
            // The stream may have been seen before its first format was set.
            changed = await RequireChange(StreamChangeKind.Changed);
        }

        publisher.Dispose();
        await RequireChange(StreamChangeKind.Removed);
        using FramePublisher again = FramePublisher.Create("watched", TestStream.Small, new PublisherOptions { Directory = directory.Path });
        await RequireChange(StreamChangeKind.Added);
        await end.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await next);

        async Task<StreamInfo> RequireChange(StreamChangeKind kind)
        {
            Assert.True(await next);
            StreamChange change = changes.Current;
            Assert.Equal((kind, "watched", ""), (change.Kind, change.Stream.Key, change.Stream.Error));
            next = changes.MoveNextAsync();
            return change.Stream;
        }
    }

    [Fact]
    public void Who_may_not_read_is_refused_and_told_why()
    {
        Access(ReaderAccess.OwnUserAndGroup, OtherUserId, OtherGroupId, isAllowed: false);
        Access(new ReaderAccess { Users = [1, 2] }, OtherUserId, OtherGroupId, isAllowed: false);
        Access(new ReaderAccess { Groups = [1, 2] }, OtherUserId, OtherGroupId, isAllowed: false);
    }

    [Fact]
    public void Who_may_read_reads()
    {
        Access(ReaderAccess.Everyone, OtherUserId, OtherGroupId, isAllowed: true);
        Access(ReaderAccess.OwnUserAndGroup, OtherUserId, "0", isAllowed: true);
        Access(new ReaderAccess { Users = [54321] }, OtherUserId, OtherGroupId, isAllowed: true);
        Access(new ReaderAccess { Groups = [54322] }, OtherUserId, OtherGroupId, isAllowed: true);
    }

    [Fact]
    public void Too_many_subscribers_are_refused()
    {
        using TestStream stream = new(TestStream.Small, new PublisherOptions { MaxSubscribers = 3 });
        List<FrameSubscriber> subscribers = [stream.Connect(), stream.Connect(), stream.Connect()];
        Assert.Equal(ErrorCode.TooManySubscribers, Assert.Throws<StreamUnavailableException>(() => stream.Connect()).Code);

        // A probe is no subscriber.
        Assert.Equal(3, StreamDirectory.Probe(TestStream.Key, stream.Directory.Path).Description!.Subscribers);
        subscribers[1].Dispose();
        TestStream.Until(() => stream.Publisher.GetStatistics().Subscribers.Count == 2, "one left");
        subscribers[1] = stream.Connect();
        stream.Publish();
        foreach (FrameSubscriber subscriber in subscribers)
        {
            using Frame frame = subscriber.Next(Patience);
            Assert.Null(StampedFrames.FindFault(frame));
        }

        subscribers.ForEach(subscriber => subscriber.Dispose());
    }

    [Fact]
    public void A_quota_is_what_the_publisher_grants()
    {
        using TestStream stream = new(TestStream.Small, new PublisherOptions { MaxLeases = 2 });
        using FrameSubscriber subscriber = stream.Connect(Delivery.InOrder, leases: 64);
        Assert.Equal(2, subscriber.GrantedLeases);
        stream.Publish(3);
        using Frame first = subscriber.Next(Patience);
        using Frame second = subscriber.Next(Patience);
        Assert.Equal(ErrorCode.LeasesExhausted, Assert.Throws<CuFramesException>(() => subscriber.TryNext(Patience, out _)).Code);
    }

    [Fact]
    public void Readers_are_told_that_the_source_is_lost_and_back()
    {
        using TestStream stream = new(TestStream.Small);
        ConcurrentQueue<SubscriberEvent> events = new();
        using FrameSubscriber subscriber = stream.Connect(Delivery.InOrder, onEvent: events.Enqueue);
        Assert.Equal(StreamState.Starting, subscriber.State);
        stream.Publish();
        subscriber.Next(Patience).Dispose();
        Assert.Equal(StreamState.Live, subscriber.State);
        stream.Publisher.SetState(StreamState.SourceLost, "no signal");
        Assert.False(subscriber.TryNext(TimeSpan.FromMilliseconds(100), out _));
        Assert.Equal(StreamState.SourceLost, subscriber.State);
        Assert.Contains(events, happened => happened is { Kind: SubscriberEventKind.SourceLost, Text: "no signal" });
        stream.Publish();
        using Frame frame = subscriber.Next(Patience);
        Assert.Equal((2UL, 0UL), (frame.Sequence, frame.Missed));
        TestStream.Until(
            () =>
            {
                subscriber.TryNext(TimeSpan.FromMilliseconds(1), out _);
                return events.Any(happened => happened.Kind == SubscriberEventKind.SourceBack);
            },
            "the source is said to be back");
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_reader_lives_through_the_end_of_its_publisher(bool isAsync)
    {
        using TemporaryDirectory directory = new();
        ConcurrentQueue<SubscriberEvent> events = new();
        FramePublisher publisher = Create();
        using FrameSubscriber subscriber = FrameSubscriber.Connect("back", new SubscriberOptions { Directory = directory.Path, Delivery = Delivery.InOrder, OnEvent = events.Enqueue });
        FrameChecker checker = new();
        HashSet<ulong> epochs = [];
        for (int run = 1; run <= 5; run++)
        {
            StampedFrames.Publish(publisher, 3);
            epochs.Add(publisher.Epoch);

            // What is in the ring is still to be had after an orderly end.
            ulong head = publisher.Head;
            publisher.Dispose();
            do
            {
                using Frame frame = await Next();
                checker.Take(frame);
                Assert.Equal(0UL, frame.Missed);
            }
            while (checker.Last != head);

            Task<Frame> waiting = Task.Run(async () => await Next());
            publisher = Create();
            StampedFrames.Publish(publisher);
            using Frame first = await waiting;
            checker.Take(first);
            Assert.Equal(publisher.Epoch, first.Epoch);
            Assert.Equal((1UL, 0UL), (first.Sequence, first.Missed));
            Assert.Equal(run, subscriber.Reconnects);
        }

        publisher.Dispose();
        Assert.True(checker.IsClean, string.Join('\n', checker.Faults));
        Assert.Equal(5, epochs.Count);
        Assert.Equal(5, events.Count(happened => happened is { Kind: SubscriberEventKind.Disconnected, Code: ErrorCode.ShuttingDown }));
        Assert.Equal(6, events.Count(happened => happened.Kind == SubscriberEventKind.Connected));

        FramePublisher Create() => FramePublisher.Create("back", TestStream.Small, new PublisherOptions { Directory = directory.Path });

        async Task<Frame> Next() => isAsync ? await subscriber.NextAsync(new CancellationTokenSource(Patience).Token) : subscriber.Next(Patience);
    }

    [Fact]
    public void A_reader_that_does_not_reconnect_is_told()
    {
        TestStream stream = new(TestStream.Small);
        using FrameSubscriber subscriber = FrameSubscriber.Connect(TestStream.Key, new SubscriberOptions { Directory = stream.Directory.Path, Reconnect = false });
        stream.Publish();
        Frame held = subscriber.Next(Patience);
        stream.Dispose();
        Assert.Equal(ErrorCode.ShuttingDown, Assert.Throws<StreamUnavailableException>(() => subscriber.TryNext(Patience, out _)).Code);
        Assert.Throws<StreamUnavailableException>(() => subscriber.TryNext(Patience, out _));
        Assert.Equal((false, StreamState.Ended), (subscriber.IsConnected, subscriber.State));
        Assert.Null(StampedFrames.FindFault(held));
        held.Dispose();
    }

    [Fact]
    public async Task After_close_nothing_is_written_that_a_reader_may_look_at()
    {
        using TestStream stream = new(TestStream.Small, new PublisherOptions { Slots = 2, MaxSlots = 2 });
        using FrameSubscriber subscriber = stream.Connect(Delivery.InOrder);
        FrameChecker checker = new();
        stream.Publish(2);
        using Frame frame = subscriber.Next(Patience);
        checker.Take(frame);
        await Task.Run(stream.Publisher.Close);
        for (int i = 0; i < 10; i++)
        {
            Assert.False(StampedFrames.TryPublish(stream.Publisher));
        }

        checker.Verify(frame);
        Assert.True(subscriber.TryTake(out Frame last));
        checker.Take(last);
        last.Dispose();
        Assert.True(checker.IsClean, string.Join('\n', checker.Faults));
        using FramePublisher next = FramePublisher.Create(TestStream.Key, TestStream.Small, new PublisherOptions { Directory = stream.Directory.Path });
        StampedFrames.Publish(next);
        using Frame first = subscriber.Next(Patience);
        checker.Take(first);
        Assert.True(checker.IsClean, string.Join('\n', checker.Faults));
    }

    private static void Access(ReaderAccess readers, string user, string group, bool isAllowed)
    {
        Assert.True(Environment.IsPrivilegedProcess, "This test changes users and has to run as root.");
        using TestStream stream = new(TestStream.Small, new PublisherOptions { Readers = readers });
        stream.Publish();
        using PeerProcess peer = PeerProcess.Start(
            "read", "--key", TestStream.Key, "--dir", stream.Directory.Path, "--user", user, "--group", group, "--take-and-hold", "1");
        if (isAllowed)
        {
            Assert.Equal(user, peer.Expect("ready").GetProperty("facts").GetProperty("uid").GetString());
            Assert.True(peer.Expect("holding").GetProperty("isClean").GetBoolean());
            Assert.Equal(user, Assert.Single(stream.Publisher.GetStatistics().Subscribers).UserId.ToString(CultureInfo.InvariantCulture));
            Assert.Equal(0, peer.Exit());
            return;
        }

        PublisherEvent refused = stream.Wait(PublisherEventKind.SubscriberRefused);
        Assert.Equal(ErrorCode.AccessDenied, refused.Code);
        Assert.Contains("54321", refused.Text, StringComparison.Ordinal);
        Assert.Contains("may not read", Assert.Throws<InvalidOperationException>(() => peer.Expect("ready")).Message + peer.WaitForEnd(), StringComparison.Ordinal);
        Assert.Empty(stream.Publisher.GetStatistics().Subscribers);
    }
}
