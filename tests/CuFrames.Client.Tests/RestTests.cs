using CuFrames.Protocol;
using CuFrames.TestKit;
using Xunit;

namespace CuFrames.Client.Tests;

/// <summary>A publisher that nobody reads gives its memory back, and who comes next does not see what was there before (docs/protocol.md 6.11).</summary>
public sealed class RestTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(90);

    [Theory]
    [InlineData(FrameMemory.Host)]
    [InlineData(FrameMemory.Cuda)]
    public void Memory_is_given_back_and_a_newcomer_begins_with_the_next_frame(FrameMemory memory)
    {
        MemoryBudget budget = new(1L << 30, "memory of the test");
        using TestStream stream = new(new StreamFormat(PixelFormat.Nv12, 640, 360), new PublisherOptions { Memory = memory, Budget = budget });
        using CuFrames.Interop.CudaContext? context = memory == FrameMemory.Host ? null : TestCuda.Device.OpenContext();
        ulong epoch = stream.Publisher.Epoch;
        long inUse = budget.InUse, atRest = long.MaxValue;
        Assert.True(inUse > 0);
        ulong head = 0;
        for (int round = 0; round < 4; round++)
        {
            using (FrameSubscriber subscriber = stream.Connect(Delivery.InOrder))
            {
                Assert.False(subscriber.TryTake(out _));
                Assert.False(stream.Publisher.TryRest());
                stream.Publish(3);
                for (int i = 0; i < 3; i++)
                {
                    using Frame frame = subscriber.Next(Patience);
                    Assert.Equal((++head, 0UL), (frame.Sequence, frame.Missed));
                    byte[] picture = new byte[PixelFormats.PictureBytes(frame.PixelFormat, frame.Width, frame.Height)];
                    frame.CopyTo(picture);
                    Assert.Null(FrameStamp.FindFault(picture, frame.PixelFormat, frame.Width, frame.Height, StampedFrames.Number(epoch, head)));
                }

                Assert.Equal(inUse, budget.InUse);
            }

            TestStream.Until(() => stream.Publisher.SubscriberCount == 0, "the subscriber has left");
            long before = context?.GetMemory().Free ?? 0;
            Assert.True(stream.Publisher.TryRest());
            Assert.Equal(0, budget.InUse);
            PublisherStatistics statistics = stream.Publisher.GetStatistics();
            Assert.Equal((0L, 0, head), (statistics.SegmentBytes, statistics.Slots, statistics.Published));
            if (context is not null)
            {
                // What the ring takes is what came back, in this round as in the first.
                Assert.True(TestCuda.IsReal || context.GetMemory().Free - before == inUse, $"of {inUse} bytes {context.GetMemory().Free - before} came back");
                atRest = Math.Min(atRest, context.GetMemory().Free);
                Assert.True(TestCuda.IsReal || context.GetMemory().Free == atRest);
            }

            Assert.True(stream.Publisher.TryRest());
            Assert.Equal((epoch, head), (stream.Publisher.Epoch, stream.Publisher.Head));
            Assert.Equal(head, StreamDirectory.Probe(TestStream.Key, stream.Directory.Path).Description!.Head);
        }
    }

    /// <summary>A legacy handle cannot be opened by the process that made it, so nobody reads here.</summary>
    [Fact]
    public void Memory_behind_legacy_handles_is_given_back_too()
    {
        using TestStream stream = new(new StreamFormat(PixelFormat.Nv12, 640, 360), new PublisherOptions { Memory = FrameMemory.CudaIpc });
        using CuFrames.Interop.CudaContext context = TestCuda.Device.OpenContext();
        for (int round = 0; round < 4; round++)
        {
            stream.Publish(3);
            long bytes = stream.Publisher.GetStatistics().SegmentBytes, before = context.GetMemory().Free;
            Assert.True(stream.Publisher.TryRest());
            Assert.Equal(0, stream.Publisher.GetStatistics().SegmentBytes);
            Assert.True(TestCuda.IsReal || context.GetMemory().Free - before == bytes);
        }
    }

    [Fact]
    public void A_newcomer_of_a_stream_that_has_rested_and_went_on_begins_with_the_newest_frame()
    {
        using TestStream stream = new(TestStream.Small);
        stream.Publish(5);
        Assert.True(stream.Publisher.TryRest());
        stream.Publish(3);
        using FrameSubscriber subscriber = stream.Connect(Delivery.InOrder);
        using Frame frame = subscriber.Next(Patience);
        Assert.Equal((8UL, 0UL), (frame.Sequence, frame.Missed));
        Assert.Null(StampedFrames.FindFault(frame));
    }

    [Fact]
    public void A_frame_that_was_begun_and_given_up_after_a_rest_shows_nothing_old()
    {
        using TestStream stream = new(TestStream.Small);
        stream.Publish(5);
        Assert.True(stream.Publisher.TryRest());
        Assert.True(stream.Publisher.TryBeginFrame(out FrameWriter writer));
        Assert.Throws<InvalidOperationException>(() => stream.Publisher.TryRest());
        writer.Dispose();
        using FrameSubscriber subscriber = stream.Connect();
        Assert.False(subscriber.TryNext(TimeSpan.FromMilliseconds(100), out _));
        Assert.True(subscriber.IsConnected);
        stream.Publish();
        using Frame frame = subscriber.Next(Patience);
        Assert.Equal((6UL, 0UL), (frame.Sequence, frame.Missed));
        Assert.Null(StampedFrames.FindFault(frame));
    }

    [Fact]
    public void A_stream_that_never_had_a_frame_rests_too()
    {
        using TemporaryDirectory directory = new();
        using FramePublisher publisher = FramePublisher.Create("rests", new PublisherOptions { Directory = directory.Path });
        Assert.True(publisher.TryRest());
        publisher.Configure(TestStream.Small);
        Assert.True(publisher.TryRest());
        using FrameSubscriber subscriber = FrameSubscriber.Connect("rests", new SubscriberOptions { Directory = directory.Path });
        Assert.Equal(0UL, StreamDirectory.Probe("rests", directory.Path).Description!.MemoryBytes);
        StampedFrames.Publish(publisher);
        using Frame frame = subscriber.Next(Patience);
        Assert.Equal((1UL, 0UL), (frame.Sequence, frame.Missed));
        Assert.Null(StampedFrames.FindFault(frame));
    }

    [Fact]
    public void The_format_may_change_at_rest()
    {
        using TestStream stream = new(TestStream.Small);
        stream.Publish(2);
        Assert.True(stream.Publisher.TryRest());
        using FrameSubscriber subscriber = stream.Connect(Delivery.InOrder);
        stream.Publisher.Configure(new StreamFormat(PixelFormat.I420, 66, 34));
        stream.Publish(20);
        using Frame frame = subscriber.Next(Patience);
        Assert.Equal(PixelFormat.I420, frame.PixelFormat);
        Assert.Null(StampedFrames.FindFault(frame));
    }

    [Fact]
    public void A_reader_that_comes_back_after_a_rest_goes_on_and_knows_what_it_missed()
    {
        using TestStream stream = new(TestStream.Small);
        using FrameSubscriber subscriber = stream.Connect(Delivery.InOrder);
        FrameChecker checker = new();
        stream.Publish(3);
        for (int i = 0; i < 3; i++)
        {
            using Frame frame = subscriber.Next(Patience);
            checker.Take(frame);
        }

        stream.Publish(4);
        Assert.True(stream.Publisher.Evict(stream.Publisher.GetStatistics().Subscribers[0].SubscriberId, "for the test"));
        Assert.True(stream.Publisher.TryRest());
        TestStream.Until(
            () =>
            {
                Assert.False(subscriber.TryNext(TimeSpan.FromMilliseconds(200), out _));
                return subscriber.IsConnected;
            },
            "the reader is connected again");
        stream.Publish(2);
        using (Frame frame = subscriber.Next(Patience))
        {
            checker.Take(frame);
            Assert.Equal((8UL, 4UL), (frame.Sequence, frame.Missed));
        }

        using (Frame frame = subscriber.Next(Patience))
        {
            checker.Take(frame);
        }

        Assert.True(checker.IsClean, string.Join('\n', checker.Faults));
        Assert.Equal((5UL, 4UL), (subscriber.Taken, subscriber.Missed));
    }

    [Fact]
    public void What_stands_in_the_way_of_waking_up_is_told_and_goes_away()
    {
        MemoryBudget budget = new(16 << 20, "memory of the test");
        StreamFormat format = new(PixelFormat.Rgba, 1280, 256);
        using TestStream stream = new(format, new PublisherOptions { Slots = 8, MaxSlots = 8, Budget = budget });
        stream.Publish();
        Assert.True(stream.Publisher.TryRest());
        using (TestStream other = new(format, new PublisherOptions { Slots = 8, MaxSlots = 8, Budget = budget }))
        {
            CuFramesException error = Assert.Throws<CuFramesException>(() => stream.Publisher.TryBeginFrame(out _));
            Assert.Equal(ErrorCode.OutOfResources, error.Code);
        }

        using FrameSubscriber subscriber = stream.Connect();
        stream.Publish();
        using Frame frame = subscriber.Next(Patience);
        Assert.Equal(2UL, frame.Sequence);
        Assert.Null(StampedFrames.FindFault(frame));
    }

    [Fact]
    public void A_stream_that_has_ended_does_not_rest()
    {
        using TestStream stream = new(TestStream.Small);
        using FrameSubscriber subscriber = stream.Connect();
        stream.Publish();
        stream.Publisher.Close();
        Assert.False(stream.Publisher.TryRest());
        using Frame frame = subscriber.Next(Patience);
        Assert.Null(StampedFrames.FindFault(frame));
        stream.Publisher.Dispose();
        Assert.Throws<ObjectDisposedException>(() => stream.Publisher.TryRest());
    }

    /// <summary>Readers come and go while the publisher rests whenever it can. Nobody sees a frame from before a rest, finds memory missing or misses a frame.</summary>
    [Fact]
    public void Joins_race_with_rests()
    {
        const int readers = 3, joins = 400;
        using TestStream stream = new(TestStream.Small, new PublisherOptions { Slots = 4, MaxSlots = 12 });
        long rested = 0, rests = 0;
        bool stop = false;
        Exception? failure = null;
        Thread publisher = new(() =>
        {
            try
            {
                while (!Volatile.Read(ref stop))
                {
                    if (stream.Publisher.TryRest())
                    {
                        Volatile.Write(ref rested, (long)stream.Publisher.Head);
                        rests++;
                        continue;
                    }

                    stream.TryPublish();
                }
            }
            catch (Exception error)
            {
                failure = error;
            }
        });
        publisher.Start();
        try
        {
            Parallel.For(0, readers, new ParallelOptions { MaxDegreeOfParallelism = readers }, reader =>
            {
                FrameChecker checker = new();
                for (int join = 0; join < joins; join++)
                {
                    ulong before = (ulong)Volatile.Read(ref rested);
                    using FrameSubscriber subscriber = stream.Connect(join % 2 == 0 ? Delivery.Newest : Delivery.InOrder);
                    checker.Restart();
                    for (int i = 0; i < 1 + (join % 3); i++)
                    {
                        using Frame frame = subscriber.Next(Patience);
                        Assert.True(frame.Sequence > before, $"frame {frame.Sequence} is from before the rest at {before}");
                        checker.Take(frame);
                    }

                    Assert.Equal((0, 0), (subscriber.Reconnects, subscriber.Evictions));
                }

                Assert.True(checker.IsClean, string.Join('\n', checker.Faults));
            });
        }
        finally
        {
            Volatile.Write(ref stop, true);
            publisher.Join();
        }

        Assert.Null(failure);
        Assert.InRange(rests, 50, long.MaxValue);
    }
}
