using CuFrames.Client;
using CuFrames.Native.Internal;
using CuFrames.Protocol;
using CuFrames.TestKit;

namespace CuFrames.Native.Tests.Managed;

/// <summary>The table of frames that a program holds, without the library around it.</summary>
public sealed class HeldFramesTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(90);
    private static readonly StreamFormat Small = new(PixelFormat.Gray8, 64, 48);

    [Fact]
    public void A_frame_is_released_by_its_last_owner_and_by_no_older_lease()
    {
        using TemporaryDirectory directory = new();
        using FramePublisher publisher = Publish(directory);
        using FrameSubscriber subscriber = Connect(directory, leases: 2);
        using FrameStreams streams = new();
        using HeldFrames held = new(streams);
        ulong first = Take(publisher, subscriber, held);
        HeldFrame place = held.Find(first, out ulong generation)!;
        Assert.True(place.TryRetain(generation));
        Assert.True(place.TryRelease(generation, out bool wasLast));
        Assert.False(wasLast);
        Assert.Equal(1, subscriber.HeldFrames);
        Assert.True(place.TryRelease(generation, out wasLast));
        Assert.True(wasLast);
        Assert.Equal(0, subscriber.HeldFrames);
        Assert.False(place.TryRelease(generation, out _));
        Assert.False(place.TryRetain(generation));

        // The same place, another lease.
        ulong second = Take(publisher, subscriber, held);
        Assert.Same(place, held.Find(second, out ulong later));
        Assert.NotEqual(generation, later);
        Assert.False(place.TryRelease(generation, out _));
        Assert.Equal(1, subscriber.HeldFrames);
        Assert.True(place.TryRelease(later, out wasLast));
        Assert.True(wasLast);
    }

    [Fact]
    public void Leases_that_never_were_are_not_found()
    {
        using FrameStreams streams = new();
        using HeldFrames held = new(streams);
        for (ulong lease = 0; lease < HeldFrames.Capacity; lease++)
        {
            Assert.Null(held.Find(lease, out _));
        }

        Assert.True(held.HasRoom);
    }

    [Fact]
    public void More_owners_than_can_be_counted_are_refused()
    {
        using TemporaryDirectory directory = new();
        using FramePublisher publisher = Publish(directory);
        using FrameSubscriber subscriber = Connect(directory, leases: 2);
        using FrameStreams streams = new();
        using HeldFrames held = new(streams);
        HeldFrame place = held.Find(Take(publisher, subscriber, held), out ulong generation)!;
        for (int owners = 1; owners < 65535; owners++)
        {
            Assert.True(place.TryRetain(generation));
        }

        Assert.Equal(LibraryError.WrongState, Assert.Throws<LibraryException>(() => place.TryRetain(generation)).Code);
        for (int owners = 65535; owners > 0; owners--)
        {
            Assert.True(place.TryRelease(generation, out bool wasLast));
            Assert.Equal(owners == 1, wasLast);
        }
    }

    [Fact]
    public void Frames_of_four_connections_fit_and_the_next_one_has_to_wait()
    {
        using TemporaryDirectory directory = new();
        using FrameStreams streams = new();
        using HeldFrames held = new(streams);
        List<ulong> leases = [];
        for (int connection = 0; connection < 4; connection++)
        {
            // A frame outlives its publisher and its connection.
            using FramePublisher publisher = Publish(directory, slots: 48);
            for (int reader = 0; reader < 2; reader++)
            {
                using FrameSubscriber subscriber = Connect(directory, leases: 32);
                for (int frame = 0; frame < 32; frame++)
                {
                    Assert.True(held.HasRoom);
                    leases.Add(Take(publisher, subscriber, held));
                }
            }
        }

        Assert.False(held.HasRoom);
        Assert.Equal(HeldFrames.Capacity, leases.Distinct().Count());
        Assert.All(leases, lease => Assert.True(held.Find(lease, out ulong generation)!.TryRelease(generation, out _)));
        Assert.True(held.HasRoom);
    }

    [Fact]
    public async Task Every_lease_ends_once_however_many_threads_release()
    {
        const int frames = 20_000;
        const int threads = 4;
        using TemporaryDirectory directory = new();
        using FramePublisher publisher = Publish(directory, slots: 16);
        using FrameSubscriber subscriber = Connect(directory, leases: 8);
        using FrameStreams streams = new();
        using HeldFrames held = new(streams);
        ulong[] leases = new ulong[frames];
        int taken = 0;
        int ended = 0;
        int released = 0;
        int inFlight = 0;

        // Every thread is an owner of every frame, twice. A thread that finds a fault ends, and the others with it.
        using CancellationTokenSource over = new(Patience * 3);
        Task[] releasers = [.. Enumerable.Range(0, threads).Select(_ => Task.Factory.StartNew(() =>
        {
            for (int frame = 0; frame < frames; frame++)
            {
                SpinWait spin = default;
                while (Volatile.Read(ref taken) <= frame)
                {
                    over.Token.ThrowIfCancellationRequested();
                    spin.SpinOnce();
                }

                HeldFrame place = held.Find(leases[frame], out ulong generation)!;
                Assert.True(place.TryRetain(generation));
                for (int owner = 0; owner < 2; owner++)
                {
                    Assert.True(place.TryRelease(generation, out bool wasLast));
                    Interlocked.Increment(ref released);
                    if (wasLast)
                    {
                        Interlocked.Increment(ref ended);
                        Interlocked.Decrement(ref inFlight);
                    }
                }
            }
        }, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default))];
        for (int frame = 0; frame < frames; frame++)
        {
            SpinWait spin = default;
            while (Volatile.Read(ref inFlight) >= 4)
            {
                if (releasers.Any(releaser => releaser.IsFaulted) || over.IsCancellationRequested)
                {
                    await over.CancelAsync();
                    await Task.WhenAll(releasers);
                }

                spin.SpinOnce();
            }

            Interlocked.Increment(ref inFlight);
            ulong lease = Take(publisher, subscriber, held);
            HeldFrame place = held.Find(lease, out ulong generation)!;
            for (int owner = 1; owner < threads; owner++)
            {
                Assert.True(place.TryRetain(generation));
            }

            leases[frame] = lease;
            Volatile.Write(ref taken, frame + 1);
        }

        await Task.WhenAll(releasers);
        Assert.Equal(frames, ended);
        Assert.Equal(2 * threads * frames, released);
        Assert.Equal(0, subscriber.HeldFrames);
    }

    [Fact]
    public unsafe void Taking_and_releasing_through_a_handle_allocates_nothing()
    {
        using TemporaryDirectory directory = new();
        using FramePublisher publisher = Publish(directory);
        fixed (byte* path = System.Text.Encoding.UTF8.GetBytes(directory.Path + "\0"))
        {
            NativeSubscriberOptions options = new() { Size = (uint)sizeof(NativeSubscriberOptions), Directory = path };
            OpenSubscriber subscriber = OpenSubscriber.Require(OpenSubscriber.Open("test", &options));
            NativeFrame frame = new() { Size = (uint)sizeof(NativeFrame) };
            long allocated = long.MaxValue;
            for (int round = 0; round < 20; round++)
            {
                // The runtime itself allocates a little now and then, as while it compiles again: what a frame costs shows in each round.
                long bytes = 0;
                for (int index = 0; index < 200; index++)
                {
                    StampedFrames.Publish(publisher);
                    long before = GC.GetAllocatedBytesForCurrentThread();
                    int code = subscriber.Next(0, &frame);
                    bool wasHeld = subscriber.Retain(frame.Lease) && subscriber.Check(frame.Lease) && subscriber.Release(frame.Lease) && subscriber.Release(frame.Lease);
                    int none = subscriber.Next(0, &frame);
                    bytes += GC.GetAllocatedBytesForCurrentThread() - before;
                    Assert.Equal((0, true, (int)ErrorCode.TimedOut), (code, wasHeld, none));
                }

                allocated = Math.Min(allocated, bytes);
            }

            subscriber.Close();
            Assert.Equal(0, allocated);
        }
    }

    private static FramePublisher Publish(TemporaryDirectory directory, int slots = 6) => FramePublisher.Create("test", Small, new PublisherOptions
    {
        Directory = directory.Path,
        Slots = slots,
        MaxSlots = 48,
        MaxLeases = 32,
    });

    private static FrameSubscriber Connect(TemporaryDirectory directory, int leases) =>
        FrameSubscriber.Connect("test", new SubscriberOptions { Directory = directory.Path, Leases = leases });

    private static ulong Take(FramePublisher publisher, FrameSubscriber subscriber, HeldFrames held)
    {
        StampedFrames.Publish(publisher);
        return held.Put(subscriber.Next(Patience), null);
    }
}
