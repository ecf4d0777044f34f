using System.Globalization;
using System.Runtime.InteropServices;
using CuFrames.Client.Internal;
using CuFrames.Interop;
using CuFrames.Protocol;
using CuFrames.TestKit;
using Xunit;

namespace CuFrames.Client.Tests;

/// <summary>Frames that come through poll(2) on <see cref="FrameSubscriber.PollDescriptor"/> and <see cref="FrameSubscriber.TryPoll"/> alone.</summary>
public partial class PollTests
{
    // Far beyond any wait that is expected. A wake-up that is lost is seen by it, because then nothing comes at all.
    private const int PatienceMilliseconds = 90_000;
    private const short Readable = 1;

    [Theory]
    [InlineData(100, 300)]
    [InlineData(1000, 3000)]
    [InlineData(10_000, 10_000)]
    [InlineData(0, 20_000)]
    public void Every_frame_of_another_process_arrives(int framesPerSecond, int frames)
    {
        using TemporaryDirectory directory = new();
        string[] rate = framesPerSecond > 0 ? ["--fps", framesPerSecond.ToString(CultureInfo.InvariantCulture)] : [];
        using PeerProcess publisher = PeerProcess.Start(
            ["publish", "--key", "polled", "--dir", directory.Path, "--format", "gray8:64x48", "--lossless-ms", "20000", "--start-on-go", "1",
                "--frames", frames.ToString(CultureInfo.InvariantCulture), .. rate]);
        publisher.Expect("ready");
        using FrameSubscriber subscriber = FrameSubscriber.Connect("polled", new SubscriberOptions { Directory = directory.Path, Delivery = Delivery.Lossless });
        int number = subscriber.PollDescriptor.Number;
        publisher.Send("go");
        FrameChecker checker = new();
        while (checker.Frames < frames)
        {
            using Frame frame = Next(subscriber);
            checker.Take(frame);
        }

        Assert.True(checker.IsClean, string.Join('\n', checker.Faults));
        Assert.Equal((frames, 0L), (checker.Frames, checker.Missed));
        Assert.Equal(number, subscriber.PollDescriptor.Number);
        publisher.Expect("done");
        Assert.Equal(0, publisher.Exit());
    }

    [Fact]
    public void No_wake_up_is_lost_whenever_the_frame_comes()
    {
        // The next frame is published only when the one before has been taken, after a pause that is different each time: it falls before, between
        // and after the steps by which the reader goes to sleep. If it is not announced, no other frame comes to hide that.
        const int frames = 100_000;
        using TestStream stream = new(TestStream.Small);
        using FrameSubscriber subscriber = stream.Connect(Delivery.InOrder);
        long taken = 0;
        bool hasFailed = false;
        Thread publisher = new(() =>
        {
            Random random = new(1);
            for (int i = 0; i < frames; i++)
            {
                ulong sequence = stream.Publisher.Head + 1;
                Assert.True(stream.Publisher.TryBeginFrame(out FrameWriter writer));
                FrameStamp.Fill(writer, StampedFrames.Number(stream.Publisher.Epoch, sequence));
                writer.Metadata.Pts = StampedFrames.PtsOf(sequence);
                writer.Metadata.SourcePacket = sequence;
                for (int spins = 1; Volatile.Read(ref taken) < i && !Volatile.Read(ref hasFailed); spins++)
                {
                    if (spins % 10_000 == 0)
                    {
                        // The reader may be waiting for this very processor.
                        Thread.Yield();
                    }
                }

                // About a nanosecond each: the reader is asleep after some 2,000.
                for (int pause = random.Next(3000); pause > 0; pause--)
                {
                    _ = Volatile.Read(ref hasFailed);
                }

                writer.Publish();
            }
        })
        { IsBackground = true };
        FrameChecker checker = new();
        publisher.Start();
        try
        {
            for (int i = 0; i < frames; i++)
            {
                using Frame frame = Next(subscriber);
                checker.Take(frame);
                Volatile.Write(ref taken, i + 1);
            }
        }
        finally
        {
            Volatile.Write(ref hasFailed, true);
            publisher.Join();
        }

        Assert.True(checker.IsClean, string.Join('\n', checker.Faults));
        Assert.Equal((frames, 0L), (checker.Frames, checker.Missed));
    }

    [Fact]
    public void A_publisher_that_is_killed_and_started_again_is_found_through_the_same_descriptor()
    {
        using TemporaryDirectory directory = new();
        List<SubscriberEvent> events = [];
        using FrameSubscriber subscriber = FrameSubscriber.Connect(
            "polled", new SubscriberOptions { Directory = directory.Path, WaitForStream = true, OnEvent = events.Add });
        int number = subscriber.PollDescriptor.Number;
        FrameChecker checker = new();
        for (int run = 0; run < 5; run++)
        {
            using PeerProcess publisher = PeerProcess.Start(
                "publish", "--key", "polled", "--dir", directory.Path, "--format", "nv12:64x48", "--fps", "500");
            for (int i = 0; i < 100; i++)
            {
                using Frame frame = Next(subscriber);
                checker.Take(frame);
            }

            Assert.Equal(run + 1, checker.Epochs);
            if (run % 2 == 0)
            {
                publisher.Kill();
            }
            else
            {
                Assert.Equal(0, publisher.Exit());
            }

            // What it has left in its ring is given first, then the end is told.
            int ends = run + 1;
            while (events.Count(happened => happened.Kind == SubscriberEventKind.Disconnected) < ends)
            {
                if (Poll(subscriber, out Frame frame))
                {
                    checker.Take(frame);
                    frame.Dispose();
                }
            }

            Assert.Equal(number, subscriber.PollDescriptor.Number);
        }

        Assert.True(checker.IsClean, string.Join('\n', checker.Faults));
        Assert.Equal(4, subscriber.Reconnects);
    }

    [Fact]
    public void An_eviction_wakes_and_the_subscriber_comes_back()
    {
        using TestStream stream = new(TestStream.Small);
        List<SubscriberEvent> events = [];
        using FrameSubscriber subscriber = stream.Connect(onEvent: events.Add);
        Assert.False(PollUntilIdle(subscriber, out _));
        for (int round = 0; round < 10; round++)
        {
            stream.Publisher.Evict(stream.Publisher.GetStatistics().Subscribers.Single().SubscriberId, "for a test");
            Assert.False(Poll(subscriber, out _));
            Assert.Equal(round + 1, subscriber.Evictions);
            Assert.True(subscriber.IsConnected);
            stream.Publish();
            using Frame frame = Next(subscriber);
            Assert.Null(StampedFrames.FindFault(frame));
            Assert.False(PollUntilIdle(subscriber, out _));
        }

        Assert.Equal(10, events.Count(happened => happened.Kind == SubscriberEventKind.Evicted && happened.Text.Contains("for a test", StringComparison.Ordinal)));
    }

    [Fact]
    public void A_notice_wakes_and_is_told()
    {
        using TestStream stream = new(TestStream.Small);
        List<SubscriberEvent> events = [];
        using FrameSubscriber subscriber = stream.Connect(onEvent: events.Add);
        stream.Publish();
        Assert.True(PollUntilIdle(subscriber, out Frame first));
        first.Dispose();
        Assert.False(PollUntilIdle(subscriber, out _));
        stream.Publisher.SetState(StreamState.SourceLost, "the camera is off");
        Assert.False(Poll(subscriber, out _));
        Assert.Equal((SubscriberEventKind.SourceLost, "the camera is off"), (events[^1].Kind, events[^1].Text));
    }

    [Fact]
    [Trait("needs", "gpu")]
    public void Leases_on_their_way_through_the_GPU_are_waited_for()
    {
        using TestStream stream = new(TestStream.Small, new PublisherOptions { Memory = FrameMemory.Cuda });
        using FrameSubscriber subscriber = stream.Connect(Delivery.InOrder, leases: 1);
        Assert.Equal(Fence.Stream, subscriber.ReleaseFence);
        FrameChecker checker = new();
        using DeviceReader reader = new(subscriber.Cuda!, checker, 2);
        int turnedAway = 0;
        for (int i = 0; i < 10; i++)
        {
            stream.Publish();
            Frame frame = Next(subscriber);
            checker.Count(frame);
            reader.Enqueue(frame);
            reader.Spin(TimeSpan.FromMilliseconds(200));
            frame.Release(reader.Stream);
            stream.Publish();

            // There is a frame, and no lease for it until the stream has come to the release.
            while (!subscriber.TryPoll(out frame))
            {
                turnedAway++;
                Assert.True(IsReadable(subscriber, PatienceMilliseconds));
            }

            checker.Count(frame);
            reader.Enqueue(frame);
            reader.VerifyAll();
            frame.Dispose();
        }

        Assert.True(turnedAway >= 10, $"{turnedAway}");
        Assert.True(checker.IsClean, string.Join('\n', checker.Faults));
        Assert.Equal((20L, 0L), (checker.Frames, checker.Missed));
    }

    [Fact]
    public async Task A_doorbell_is_asked_for_by_those_who_wait_only()
    {
        using RawPublisher publisher = new();
        publisher.Welcome = publisher.Welcome with { Wakes = Wake.Futex | Wake.Doorbell };
        bool isSent = false;
        publisher.AfterWelcome = socket =>
        {
            publisher.SendSegment(socket);
            Volatile.Write(ref isSent, true);
        };
        using MemoryMapping mapping = MemoryMapping.Map(publisher.PageFile, SubscriberPageLayout.FileSize, MappingAccess.ReadOnly);
        Task served = publisher.Serve();
        using (FrameSubscriber subscriber = publisher.Connect())
        {
            // What is published below lies in it.
            TestStream.Until(() => Volatile.Read(ref isSent), "the segment is on its way");

            // Nobody has asked for the descriptor, so nobody waits for it.
            Assert.False(subscriber.TryPoll(out _));
            Assert.Equal(0u, WaitingOf(mapping));
            Assert.True(IsReadable(subscriber, 0));
            Assert.False(PollUntilIdle(subscriber, out _));
            Assert.Equal((uint)Wake.Doorbell, WaitingOf(mapping) & 3);
            Picture picture = Picture.Create(PixelFormat.Gray8, 64, 48, out _);
            publisher.Publish(1, picture);
            Assert.True(subscriber.TryPoll(out Frame frame));
            Assert.Equal(0u, WaitingOf(mapping));
            frame.Dispose();
            Assert.False(subscriber.TryPoll(out _));
            uint first = WaitingOf(mapping);
            Assert.Equal((uint)Wake.Doorbell, first & 3);
            publisher.Publish(2, picture, slot: 1);
            Assert.True(subscriber.TryTake(out frame));
            Assert.Equal(0u, WaitingOf(mapping));
            frame.Dispose();
            Assert.False(subscriber.TryPoll(out _));
            Assert.NotEqual(first, WaitingOf(mapping));
        }

        await served;
    }

    [Fact]
    public async Task A_publisher_that_rings_no_bell_is_looked_at()
    {
        using RawPublisher publisher = new();
        publisher.Welcome = publisher.Welcome with { Wakes = Wake.Futex };
        bool isSent = false;
        publisher.AfterWelcome = socket =>
        {
            publisher.SendSegment(socket);
            Volatile.Write(ref isSent, true);
        };
        Task served = publisher.Serve();
        using (FrameSubscriber subscriber = publisher.Connect())
        {
            // What is published below lies in it.
            TestStream.Until(() => Volatile.Read(ref isSent), "the segment is on its way");
            Picture picture = Picture.Create(PixelFormat.Gray8, 64, 48, out _);
            Assert.False(PollUntilIdle(subscriber, out _));
            for (ulong sequence = 1; sequence <= 4; sequence++)
            {
                publisher.Publish(sequence, picture, slot: (int)sequence - 1);
                using Frame frame = Next(subscriber);
                Assert.Equal(sequence, frame.Sequence);
            }
        }

        await served;
    }

    [Fact]
    public void Without_reconnection_the_end_is_told_and_the_descriptor_stays_readable()
    {
        using TestStream stream = new(TestStream.Small);
        using FrameSubscriber subscriber = FrameSubscriber.Connect(
            TestStream.Key, new SubscriberOptions { Directory = stream.Directory.Path, Reconnect = false });
        Assert.False(PollUntilIdle(subscriber, out _));
        stream.Publisher.Dispose();
        for (int i = 0; i < 3; i++)
        {
            Assert.True(IsReadable(subscriber, PatienceMilliseconds));
            Assert.Throws<StreamUnavailableException>(() => subscriber.TryPoll(out _));
        }
    }

    [Fact]
    public void It_is_not_readable_while_there_is_nothing_to_do()
    {
        using TestStream stream = new(TestStream.Small);
        using FrameSubscriber subscriber = stream.Connect(Delivery.InOrder);
        for (int i = 0; i < 100; i++)
        {
            Assert.False(PollUntilIdle(subscriber, out _));
            stream.Publish(3);
            Assert.True(IsReadable(subscriber, PatienceMilliseconds));
            for (int frame = 0; frame < 3; frame++)
            {
                Assert.True(subscriber.TryPoll(out Frame taken));
                taken.Dispose();
            }
        }
    }

    [Fact]
    public void Polling_allocates_nothing()
    {
        using TestStream stream = new(TestStream.Small);
        using FrameSubscriber subscriber = stream.Connect(Delivery.InOrder);
        Rounds(100);
        Assert.Equal(0, Allocation.OfBestRound(() => Rounds(10_000)));

        void Rounds(int count)
        {
            for (int i = 0; i < count; i++)
            {
                stream.Publish();
                Frame frame = Next(subscriber);
                bool isWrong = StampedFrames.FindFault(frame) is not null;
                frame.Dispose();
                if (isWrong || subscriber.TryPoll(out _))
                {
                    throw new InvalidOperationException("The frame is not the one that was published.");
                }
            }
        }
    }

    [Fact]
    public void What_it_opened_is_closed()
    {
        using TestStream stream = new(TestStream.Small);
        for (int i = 0; i < 3; i++)
        {
            using FrameSubscriber warm = stream.Connect();
            _ = warm.PollDescriptor;
        }

        FrameSubscriber subscriber = stream.Connect();
        FileDescriptor descriptor = subscriber.PollDescriptor;
        Assert.Equal(descriptor.Number, subscriber.PollDescriptor.Number);
        subscriber.Dispose();
        Assert.Equal(-1, descriptor.Number);
        Assert.Throws<ObjectDisposedException>(() => subscriber.PollDescriptor);
        Assert.Throws<ObjectDisposedException>(() => subscriber.TryPoll(out _));
    }

    private static unsafe uint WaitingOf(MemoryMapping page) => new SubscriberPage(page.Pointer).Waiting;

    /// <summary>The next frame, by poll(2) and <see cref="FrameSubscriber.TryPoll"/> only.</summary>
    private static Frame Next(FrameSubscriber subscriber)
    {
        Frame frame;
        while (!subscriber.TryPoll(out frame))
        {
            if (!IsReadable(subscriber, PatienceMilliseconds))
            {
                throw new TimeoutException("The descriptor did not become readable.");
            }
        }

        return frame;
    }

    /// <summary>Waits for the descriptor, then looks once.</summary>
    private static bool Poll(FrameSubscriber subscriber, out Frame frame)
    {
        Assert.True(IsReadable(subscriber, PatienceMilliseconds));
        return subscriber.TryPoll(out frame);
    }

    /// <summary>Looks until there is a frame, or nothing to do.</summary>
    private static bool PollUntilIdle(FrameSubscriber subscriber, out Frame frame)
    {
        do
        {
            if (subscriber.TryPoll(out frame))
            {
                return true;
            }
        }
        while (IsReadable(subscriber, 0));
        return false;
    }

    private static unsafe bool IsReadable(FrameSubscriber subscriber, int milliseconds)
    {
        PollEntry entry = new() { Descriptor = subscriber.PollDescriptor.Number, Events = Readable };
        int found = WaitForEvents(&entry, 1, milliseconds);
        return found switch
        {
            < 0 => throw new InvalidOperationException(Marshal.GetLastPInvokeErrorMessage()),
            0 => false,
            _ => entry.Returned == Readable ? true : throw new InvalidOperationException($"poll answered {entry.Returned}."),
        };
    }

    [LibraryImport("libc", EntryPoint = "poll", SetLastError = true)]
    private static unsafe partial int WaitForEvents(PollEntry* entries, nuint count, int milliseconds);

    /// <summary>struct pollfd.</summary>
    private struct PollEntry
    {
        public int Descriptor;
        public short Events;
        public short Returned;
    }
}
