using System.Diagnostics;
using CuFrames.Protocol;
using CuFrames.TestKit;
using Xunit;

namespace CuFrames.Client.Tests;

/// <summary>Newest, in-order and lossless; waiting; counting what was missed.</summary>
public class DeliveryTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(90);

    [Fact]
    public void A_reader_begins_with_the_newest_frame_and_misses_nothing_from_before()
    {
        using TestStream stream = new(TestStream.Small);
        stream.Publish(10);
        foreach (Delivery delivery in (Delivery[])[Delivery.Newest, Delivery.InOrder])
        {
            using FrameSubscriber subscriber = stream.Connect(delivery);
            Frame frame = subscriber.Next(Patience);
            Assert.Equal((10UL, 0UL), (frame.Sequence, frame.Missed));
            Assert.Null(StampedFrames.FindFault(frame));
            frame.Dispose();
            Assert.False(subscriber.TryTake(out _));
        }
    }

    [Fact]
    public void Newest_gives_the_newest_and_counts_the_others()
    {
        using TestStream stream = new(TestStream.Small);
        using FrameSubscriber subscriber = stream.Connect();
        FrameChecker checker = new();
        Take(stream, subscriber, checker, 1, 1, 0);
        Take(stream, subscriber, checker, 1, 2, 0);
        Take(stream, subscriber, checker, 5, 7, 4);
        Take(stream, subscriber, checker, 300, 307, 299);
        Assert.True(checker.IsClean, string.Join('\n', checker.Faults));
        SubscriberStatistics own = Assert.Single(stream.Publisher.GetStatistics().Subscribers);
        Assert.Equal((4UL, 303UL), (own.Taken, own.Missed));
        Assert.Equal((4UL, 303UL), (subscriber.Taken, subscriber.Missed));
    }

    [Fact]
    public void In_order_gives_the_oldest_that_is_there_and_counts_what_is_gone()
    {
        using TestStream stream = new(TestStream.Small, new PublisherOptions { Slots = 4, MaxSlots = 4 });
        using FrameSubscriber subscriber = stream.Connect(Delivery.InOrder);
        FrameChecker checker = new();
        stream.Publish(3);
        for (ulong sequence = 1; sequence <= 3; sequence++)
        {
            Next(subscriber, checker, sequence, 0);
        }

        stream.Publish(7);
        Next(subscriber, checker, 7, 3);
        Next(subscriber, checker, 8, 0);
        stream.Publish(1000);
        Next(subscriber, checker, 1007, 998);
        Next(subscriber, checker, 1008, 0);
        Next(subscriber, checker, 1009, 0);
        Next(subscriber, checker, 1010, 0);
        Assert.False(subscriber.TryTake(out _));
        Assert.True(checker.IsClean, string.Join('\n', checker.Faults));
        SubscriberStatistics own = Assert.Single(stream.Publisher.GetStatistics().Subscribers);
        Assert.Equal((9UL, 1001UL, 0UL), (own.Taken, own.Missed, own.Lag));
    }

    [Fact]
    public async Task Lossless_makes_the_publisher_wait()
    {
        using TestStream stream = new(TestStream.Small, new PublisherOptions { Slots = 3, MaxSlots = 3, LosslessTimeout = Patience });
        using FrameSubscriber subscriber = stream.Connect(Delivery.Lossless);
        using FrameSubscriber other = stream.Connect(Delivery.Newest);
        Task publishing = Task.Run(() => stream.Publish(500));
        FrameChecker checker = new();
        for (ulong sequence = 1; sequence <= 500; sequence++)
        {
            if (sequence % 100 == 0)
            {
                // A reader that is slow now and then.
                Thread.Sleep(30);
            }

            Next(subscriber, checker, sequence, 0);
        }

        await publishing;
        Assert.True(checker.IsClean, string.Join('\n', checker.Faults));
        PublisherStatistics statistics = stream.Publisher.GetStatistics();
        Assert.Equal((0UL, 0UL, 3), (statistics.Dropped, statistics.Evicted, statistics.Slots));
    }

    [Fact]
    public void A_lossless_reader_that_does_not_read_is_evicted_after_the_bound()
    {
        TimeSpan bound = TimeSpan.FromMilliseconds(400);
        using TestStream stream = new(TestStream.Small, new PublisherOptions { Slots = 3, MaxSlots = 3, LosslessTimeout = bound });
        List<SubscriberEvent> events = [];
        using FrameSubscriber subscriber = stream.Connect(Delivery.Lossless, onEvent: events.Add);
        Stopwatch watch = Stopwatch.StartNew();
        stream.Publish(10);
        Assert.True(watch.Elapsed >= bound);
        Assert.Equal(ErrorCode.LosslessTimeout, stream.Wait(PublisherEventKind.SubscriberEvicted).Code);
        using Frame frame = subscriber.Next(Patience);

        // It came back with its cursor: the ring of 3 still has frames 8 to 10.
        Assert.Equal((8UL, 7UL), (frame.Sequence, frame.Missed));
        Assert.Contains(events, happened => happened is { Kind: SubscriberEventKind.Evicted, Code: ErrorCode.LosslessTimeout });
        Assert.Equal(1, subscriber.Evictions);
    }

    [Fact]
    public void Lossless_is_refused_where_it_is_not_offered()
    {
        using TestStream stream = new(TestStream.Small);
        Assert.Equal(ErrorCode.DeliveryNotGranted, Assert.Throws<StreamUnavailableException>(() => stream.Connect(Delivery.Lossless)).Code);
        Assert.Equal(1UL, stream.Publisher.GetStatistics().Refused);
    }

    [Fact]
    public void A_wait_ends_with_its_time()
    {
        using TestStream stream = new(TestStream.Small);
        using FrameSubscriber subscriber = stream.Connect();
        Assert.False(subscriber.TryNext(TimeSpan.Zero, out _));
        Stopwatch watch = Stopwatch.StartNew();
        Assert.False(subscriber.TryNext(TimeSpan.FromMilliseconds(200), out _));
        Assert.True(watch.Elapsed >= TimeSpan.FromMilliseconds(200));
        Assert.Throws<TimeoutException>(() => subscriber.Next(TimeSpan.FromMilliseconds(20)));
    }

    [Fact]
    public async Task A_sleeping_reader_is_woken()
    {
        using TestStream stream = new(TestStream.Small);
        using FrameSubscriber subscriber = stream.Connect(Delivery.InOrder);
        FrameChecker checker = new();
        for (int i = 0; i < 200; i++)
        {
            Task<Frame> next = Task.Run(() => subscriber.Next(Patience));
            stream.Publish();
            using Frame frame = await next;
            checker.Take(frame);
        }

        Assert.True(checker.IsClean, string.Join('\n', checker.Faults));
        Assert.Equal(0, checker.Missed);
    }

    [Fact]
    public async Task All_frames_come_to_an_asynchronous_loop()
    {
        using TestStream stream = new(TestStream.Small, new PublisherOptions { LosslessTimeout = Patience });
        using FrameSubscriber subscriber = stream.Connect(Delivery.Lossless);
        FrameChecker checker = new();
        Task publishing = Task.Run(() => stream.Publish(2000));
        await foreach (Frame frame in subscriber.ReadAllAsync())
        {
            using (frame)
            {
                checker.Take(frame);
                if (frame.Sequence == 2000)
                {
                    break;
                }
            }
        }

        await publishing;
        Assert.True(checker.IsClean, string.Join('\n', checker.Faults));
        Assert.Equal((2000L, 0L), (checker.Frames, checker.Missed));
    }

    [Fact]
    public async Task A_wait_can_be_cancelled_and_repeated()
    {
        using TestStream stream = new(TestStream.Small);
        using FrameSubscriber subscriber = stream.Connect(Delivery.InOrder);
        for (int i = 1; i <= 20; i++)
        {
            using CancellationTokenSource cancellation = new();
            Task<Frame> next = subscriber.NextAsync(cancellation.Token).AsTask();
            await Task.Delay(5);
            Assert.False(next.IsCompleted);
            await cancellation.CancelAsync();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => next);
            ValueTask<Frame> again = subscriber.NextAsync();
            stream.Publish();
            using Frame frame = await again;
            Assert.Equal((ulong)i, frame.Sequence);
            Assert.Null(StampedFrames.FindFault(frame));
        }

        using CancellationTokenSource cancelled = new();
        await cancelled.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await subscriber.NextAsync(cancelled.Token));
        Assert.Equal(0, subscriber.HeldFrames);
    }

    private static void Take(TestStream stream, FrameSubscriber subscriber, FrameChecker checker, int publish, ulong sequence, ulong missed)
    {
        stream.Publish(publish);
        Next(subscriber, checker, sequence, missed);
    }

    private static void Next(FrameSubscriber subscriber, FrameChecker checker, ulong sequence, ulong missed)
    {
        using Frame frame = subscriber.Next(Patience);
        Assert.Equal((sequence, missed), (frame.Sequence, frame.Missed));
        checker.Take(frame);
    }
}
