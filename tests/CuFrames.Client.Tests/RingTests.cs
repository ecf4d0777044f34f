using System.Diagnostics;
using CuFrames.Protocol;
using CuFrames.TestKit;
using Xunit;

namespace CuFrames.Client.Tests;

/// <summary>Growth, dropping, eviction, shrinking, format changes and limits of memory.</summary>
public class RingTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(90);

    [Fact]
    public void The_ring_grows_to_its_limit_then_drops_and_counts()
    {
        using TestStream stream = new(TestStream.Small, new PublisherOptions { Slots = 2, MaxSlots = 6 });
        using FrameSubscriber subscriber = stream.Connect(Delivery.InOrder, leases: 8);
        FrameChecker checker = new();
        List<Frame> held = [];
        for (int i = 0; i < 6; i++)
        {
            stream.Publish();
            held.Add(subscriber.Next(Patience));
            checker.Take(held[^1]);
        }

        Assert.Equal(6, stream.Publisher.GetStatistics().Slots);
        Assert.Contains(stream.Events, happened => happened.Kind == PublisherEventKind.RingGrown);
        for (ulong dropped = 1; dropped <= 5; dropped++)
        {
            Assert.False(StampedFrames.TryPublish(stream.Publisher));
            Assert.Equal(dropped, stream.Publisher.GetStatistics().Dropped);
        }

        // A dropped frame uses no sequence.
        Assert.Equal(6UL, stream.Publisher.Head);
        checker.Verify(held[0]);
        held[0].Dispose();
        stream.Publish();
        Assert.Equal(7UL, stream.Publisher.Head);
        for (int i = 1; i < held.Count; i++)
        {
            checker.Verify(held[i]);
            held[i].Dispose();
        }

        using Frame last = subscriber.Next(Patience);
        checker.Take(last);
        Assert.Equal((7UL, 0UL), (last.Sequence, last.Missed));
        Assert.True(checker.IsClean, string.Join('\n', checker.Faults));
        Assert.Equal(5UL, StreamDirectory.Probe(TestStream.Key, stream.Directory.Path).Description!.Dropped);
    }

    [Fact]
    public void A_holder_past_its_time_is_evicted_when_others_starve_and_its_frames_say_so()
    {
        TimeSpan timeout = TimeSpan.FromMilliseconds(400);
        using TestStream stream = new(TestStream.Small, new PublisherOptions { Slots = 2, MaxSlots = 2, LeaseTimeout = timeout });
        List<SubscriberEvent> events = [];
        using FrameSubscriber subscriber = stream.Connect(Delivery.InOrder, leases: 2, events.Add);
        using FrameSubscriber other = stream.Connect(Delivery.Newest);
        stream.Publish();
        Frame first = subscriber.Next(Patience);
        stream.Publish();
        Frame second = subscriber.Next(Patience);
        Stopwatch watch = Stopwatch.StartNew();
        while (!StampedFrames.TryPublish(stream.Publisher))
        {
            Assert.True(first.IsValid && second.IsValid);
            Thread.Sleep(5); // The frame rate of this stream.
        }

        Assert.True(watch.Elapsed >= timeout);
        PublisherEvent evicted = stream.Wait(PublisherEventKind.SubscriberEvicted);
        Assert.Equal(ErrorCode.LeaseTimeout, evicted.Code);

        // The slot of the first frame has been written, that of the second will be: content is checked before the frame is trusted.
        Assert.False(first.IsValid);
        Assert.Throws<FrameLostException>(() => first.Plane(0).Rows);
        stream.Publish(2);
        Assert.False(second.IsValid);
        FrameLostException lost = Assert.Throws<FrameLostException>(second.ThrowIfInvalid);
        Assert.Equal(ErrorCode.FrameLost, lost.Code);
        using Frame again = subscriber.Next(Patience);
        Assert.Null(StampedFrames.FindFault(again));
        Assert.Contains(events, happened => happened is { Kind: SubscriberEventKind.Evicted, Code: ErrorCode.LeaseTimeout });
        Assert.Equal((1, 1), (subscriber.Evictions, subscriber.Reconnects));

        // It came back with its cursor: what passed meanwhile is missed, exactly.
        Assert.Equal(2 + 1 + again.Missed, again.Sequence);
        first.Dispose();
        second.Dispose();
        using Frame others = other.Next(Patience);
        Assert.Null(StampedFrames.FindFault(others));
        Assert.Equal(0, other.Evictions);
    }

    [Fact]
    public void An_evicted_reader_that_never_sleeps_learns_it_at_its_next_take()
    {
        using TestStream stream = new(TestStream.Small);
        List<SubscriberEvent> events = [];
        using FrameSubscriber subscriber = stream.Connect(Delivery.Newest, leases: 2, events.Add);
        stream.Publish();
        Frame held = subscriber.Next(Patience);
        ulong id = Assert.Single(stream.Publisher.GetStatistics().Subscribers).SubscriberId;
        Assert.True(stream.Publisher.Evict(id, "for a test"));
        Assert.False(stream.Publisher.Evict(id, "twice"));
        stream.Publish();

        // There is a newer frame, so nothing but the control messages can tell: the frame must not be given under a lease that nobody sees.
        Assert.False(subscriber.TryTake(out _));
        Assert.False(held.IsValid);
        using Frame next = subscriber.Next(Patience);
        Assert.Null(StampedFrames.FindFault(next));
        Assert.Contains(events, happened => happened is { Kind: SubscriberEventKind.Evicted, Code: ErrorCode.EvictedByOperator } && happened.Text.Contains("for a test", StringComparison.Ordinal));
        Assert.Equal(1, Assert.Single(stream.Publisher.GetStatistics().Subscribers).HeldLeases);
        held.Dispose();
    }

    [Fact]
    public void The_ring_shrinks_when_it_is_not_needed_and_its_memory_comes_back()
    {
        using TestStream stream = new(TestStream.Small, new PublisherOptions { Slots = 2, MaxSlots = 10, ShrinkAfter = TimeSpan.FromMilliseconds(300) });
        using FrameSubscriber subscriber = stream.Connect(Delivery.InOrder, leases: 8);
        long before = stream.Publisher.GetStatistics().SegmentBytes;
        FrameChecker checker = new();
        List<Frame> held = [];
        for (int i = 0; i < 8; i++)
        {
            stream.Publish();
            held.Add(subscriber.Next(Patience));
            checker.Take(held[^1]);
        }

        Assert.True(stream.Publisher.GetStatistics().Slots >= 8);
        int mappings = SegmentMappings();
        foreach (Frame frame in held)
        {
            checker.Verify(frame);
            frame.Dispose();
        }

        TestStream.Until(
            () =>
            {
                stream.Publish();
                using Frame frame = subscriber.Next(Patience);
                checker.Take(frame);
                PublisherStatistics now = stream.Publisher.GetStatistics();
                return now.Slots == 2 && now.SegmentBytes == before && now.UnansweredBytes == 0;
            },
            "the ring shrinks to 2 slots, and every segment was given back");
        Assert.Contains(stream.Events, happened => happened.Kind == PublisherEventKind.RingShrunk);
        Assert.True(SegmentMappings() < mappings);
        Assert.True(checker.IsClean, string.Join('\n', checker.Faults));
    }

    [Theory]
    [InlineData(Delivery.Newest)]
    [InlineData(Delivery.InOrder)]
    [InlineData(Delivery.Lossless)]
    public void A_change_of_format_leaves_held_frames_as_they_are(Delivery delivery)
    {
        StreamFormat[] formats =
        [
            new(PixelFormat.Nv12, 640, 360), new(PixelFormat.Gray8, 64, 48), new(PixelFormat.Nv12, 1920, 1080), new(PixelFormat.Gray8, 16, 16),
            new(PixelFormat.Rgb24, 321, 181), new(PixelFormat.P010, 64, 64), new(PixelFormat.I420, 641, 361), new(PixelFormat.Nv12, 640, 360),
        ];
        using TestStream stream = new(formats[0], new PublisherOptions { Slots = 3, MaxSlots = 8, LosslessTimeout = Patience });
        using FrameSubscriber subscriber = stream.Connect(delivery, leases: 4);
        using FrameSubscriber holder = stream.Connect(Delivery.Newest, leases: 8);
        FrameChecker checker = new();
        FrameChecker holderChecker = new();
        Queue<Frame> held = new();
        foreach (StreamFormat format in formats)
        {
            stream.Publisher.Configure(format);
            Assert.Equal(format, stream.Publisher.Format);
            for (int i = 0; i < 7; i++)
            {
                stream.Publish();
                using Frame frame = subscriber.Next(Patience);
                Assert.Equal((format.PixelFormat, format.Width, format.Height), (frame.PixelFormat, frame.Width, frame.Height));
                checker.Take(frame);
            }

            if (held.Count == 7)
            {
                holderChecker.Verify(held.Peek());
                held.Dequeue().Dispose();
            }

            held.Enqueue(holder.Next(Patience));
            holderChecker.Take(held.Last());
        }

        foreach (Frame frame in held)
        {
            holderChecker.Verify(frame);
            frame.Dispose();
        }

        Assert.True(checker.IsClean, string.Join('\n', checker.Faults));
        Assert.True(holderChecker.IsClean, string.Join('\n', holderChecker.Faults));
        Assert.Equal((56L, 0L), (checker.Frames, checker.Missed));
        StreamDescription description = StreamDirectory.Probe(TestStream.Key, stream.Directory.Path).Description!;
        Assert.Equal((PixelFormat.Nv12, 640, 360), (description.PixelFormat, description.Width, description.Height));
    }

    [Fact]
    public void Frames_of_the_old_format_come_in_order_before_those_of_the_new()
    {
        using TestStream stream = new(TestStream.Small, new PublisherOptions { Slots = 6 });
        using FrameSubscriber subscriber = stream.Connect(Delivery.InOrder);
        FrameChecker checker = new();
        stream.Publish(4);
        stream.Publisher.Configure(TestStream.Small with { Width = 128 });
        stream.Publish(2);
        int[] widths = [64, 64, 64, 128, 128];
        for (int i = 0; i < 6 && subscriber.TryTake(out Frame frame); i++)
        {
            using (frame)
            {
                checker.Take(frame);
                Assert.Equal(frame.Sequence <= 4 ? 64 : 128, frame.Width);
            }
        }

        Assert.True(checker.IsClean, string.Join('\n', checker.Faults));
        Assert.Equal(6, checker.Frames + checker.Missed);

        // Each publish empties one slot of the old ring, the oldest.
        Assert.True(checker.Missed <= 2);
        Assert.True(checker.Frames >= widths.Length - 1);
    }

    [Fact]
    public void Other_colours_need_no_new_ring()
    {
        using TestStream stream = new(TestStream.Small);
        using FrameSubscriber subscriber = stream.Connect(Delivery.InOrder);
        stream.Publish();
        long before = stream.Publisher.GetStatistics().SegmentBytes;
        stream.Publisher.Configure(TestStream.Small with { ColourMatrix = 9, FrameRateNumerator = 25, FrameRateDenominator = 1 });
        stream.Publish();
        Assert.Equal(before, stream.Publisher.GetStatistics().SegmentBytes);
        using Frame first = subscriber.Next(Patience);
        using Frame second = subscriber.Next(Patience);
        Assert.Equal((2, 9), (first.Metadata.ColourMatrix, second.Metadata.ColourMatrix));
        Assert.Null(StampedFrames.FindFault(second));
        Assert.Equal(25u, StreamDirectory.Probe(TestStream.Key, stream.Directory.Path).Description!.FrameRateNumerator);
    }

    [Fact]
    public void The_limit_of_memory_stops_growth_and_format_changes_and_the_stream_goes_on()
    {
        const long slot = 4096;
        using TestStream stream = new(TestStream.Small, new PublisherOptions { Slots = 2, MaxSlots = 12, MemoryLimit = 4 * slot });
        using FrameSubscriber subscriber = stream.Connect(Delivery.InOrder, leases: 8);
        FrameChecker checker = new();
        List<Frame> held = [];
        for (int i = 0; i < 4; i++)
        {
            stream.Publish();
            held.Add(subscriber.Next(Patience));
            checker.Take(held[^1]);
        }

        Assert.False(StampedFrames.TryPublish(stream.Publisher));
        Assert.Equal(4, stream.Publisher.GetStatistics().Slots);
        Assert.Equal(4 * slot, stream.Publisher.GetStatistics().SegmentBytes);
        Assert.Equal(ErrorCode.OutOfResources, stream.Wait(PublisherEventKind.GrowthFailed).Code);
        Assert.Equal(ErrorCode.OutOfResources, Assert.Throws<CuFramesException>(() => stream.Publisher.Configure(TestStream.Small with { Width = 256 })).Code);
        Assert.Equal(TestStream.Small, stream.Publisher.Format);
        foreach (Frame frame in held)
        {
            checker.Verify(frame);
            frame.Dispose();
        }

        stream.Publish(20);
        using Frame next = subscriber.Next(Patience);
        checker.Take(next);
        Assert.True(checker.IsClean, string.Join('\n', checker.Faults));
    }

    [Fact]
    public void A_first_format_that_does_not_fit_can_be_tried_again()
    {
        using TemporaryDirectory directory = new();
        using FramePublisher publisher = FramePublisher.Create("later", new PublisherOptions { Directory = directory.Path, Slots = 2, MemoryLimit = 8192 });
        Assert.Throws<InvalidOperationException>(() => publisher.TryBeginFrame(out _));
        Assert.Equal(ErrorCode.OutOfResources, Assert.Throws<CuFramesException>(() => publisher.Configure(new StreamFormat(PixelFormat.Nv12, 1920, 1080))).Code);
        Assert.Null(publisher.Format);
        Assert.Equal(ErrorCode.FormatUnsupported, Assert.Throws<CuFramesException>(() => publisher.Configure(new StreamFormat(PixelFormat.Nv12, 0, 1080))).Code);
        publisher.Configure(TestStream.Small);
        StampedFrames.Publish(publisher, 3);
    }

    [Fact]
    public void Frames_of_old_formats_that_nobody_gives_back_do_not_block_changes_for_ever()
    {
        TimeSpan timeout = TimeSpan.FromMilliseconds(200);
        using TestStream stream = new(TestStream.Small, new PublisherOptions { Slots = 2, MaxSlots = 2, MemoryLimit = 5 * 8192, LeaseTimeout = timeout });
        using FrameSubscriber holder = stream.Connect(Delivery.InOrder, leases: 8);
        List<Frame> held = [];
        bool wasRefused = false;
        Stopwatch watch = Stopwatch.StartNew();
        for (int i = 1; !stream.Events.Any(happened => happened.Kind == PublisherEventKind.SubscriberEvicted); i++)
        {
            Assert.True(watch.Elapsed < Patience);
            try
            {
                stream.Publisher.Configure(TestStream.Small with { Width = 64 - (i % 2), Height = 40 + (i % 8) });
                if (StampedFrames.TryPublish(stream.Publisher) && held.Count < 8 && holder.TryTake(out Frame frame))
                {
                    held.Add(frame);
                }
            }
            catch (CuFramesException error) when (error.Code == ErrorCode.OutOfResources)
            {
                wasRefused = true;
                Thread.Sleep(20); // Until the lease time-out has passed.
            }
        }

        Assert.True(wasRefused);
        Assert.Equal(ErrorCode.LeaseTimeout, stream.Wait(PublisherEventKind.SubscriberEvicted).Code);
        stream.Publisher.Configure(TestStream.Small with { Width = 50 });
        stream.Publish(4);
        held.ForEach(frame => frame.Dispose());
    }

    [Theory]
    [InlineData(1, 4)]
    [InlineData(4, 2)]
    [InlineData(4, PublisherOptions.SlotLimit + 1)]
    public void Impossible_rings_are_refused(int slots, int maxSlots)
    {
        using TemporaryDirectory directory = new();
        CuFramesException error = Assert.Throws<CuFramesException>(() =>
            FramePublisher.Create("ring", TestStream.Small, new PublisherOptions { Directory = directory.Path, Slots = slots, MaxSlots = maxSlots }));
        Assert.Equal(ErrorCode.ConfigurationInvalid, error.Code);
        Assert.Empty(Directory.GetFileSystemEntries(directory.Path));
    }

    private static int SegmentMappings() =>
        File.ReadLines("/proc/self/maps").Count(line => line.Contains("cuframes-segment", StringComparison.Ordinal));
}
