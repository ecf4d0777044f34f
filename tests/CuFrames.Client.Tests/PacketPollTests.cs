using System.Runtime.InteropServices;
using CuFrames.Protocol;
using CuFrames.TestKit;
using Xunit;

namespace CuFrames.Client.Tests;

/// <summary>Packets that come through poll(2) on <see cref="PacketSubscriber.PollDescriptor"/> and <see cref="PacketSubscriber.TryPoll"/> alone. What is behind
/// it is the same as for frames (<see cref="PollTests"/>).</summary>
public partial class PacketPollTests
{
    // Far beyond any wait that is expected. A wake-up that is lost is seen by it, because then nothing comes at all.
    private const int PatienceMilliseconds = 90_000;
    private const short Readable = 1;

    [Fact]
    public void No_wake_up_is_lost_whenever_the_packet_comes()
    {
        // As for frames: the next packet comes only when the one before has been taken, after a pause that falls before, between and after the steps by
        // which the reader goes to sleep.
        const int packets = 50_000;
        using PacketStream stream = new();
        using PacketSubscriber subscriber = stream.Connect();
        long taken = 0;
        bool hasFailed = false;
        Thread publisher = new(() =>
        {
            Random random = new(1);
            for (int i = 0; i < packets; i++)
            {
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

                stream.Publish();
            }
        })
        { IsBackground = true };
        PacketChecker checker = new(subscriber, PacketStream.Largest);
        publisher.Start();
        try
        {
            for (int i = 0; i < packets; i++)
            {
                checker.Take(Next(subscriber));
                Volatile.Write(ref taken, i + 1);
            }
        }
        finally
        {
            Volatile.Write(ref hasFailed, true);
            publisher.Join();
        }

        Assert.Empty(checker.Faults);
        Assert.Equal((packets, 0UL), (checker.Whole, checker.Missed));
    }

    [Fact]
    public void A_new_publisher_an_eviction_and_an_end_are_found_through_the_same_descriptor()
    {
        using PacketStream stream = new();
        List<SubscriberEventKind> events = [];
        using PacketSubscriber subscriber = stream.Connect(new PacketSubscriberOptions { OnEvent = happened => events.Add(happened.Kind) });
        int number = subscriber.PollDescriptor.Number;
        for (int run = 1; run <= 3; run++)
        {
            stream.Publish(10);
            for (ulong sequence = 1; sequence <= 10; sequence++)
            {
                Assert.Equal(sequence, Next(subscriber).Sequence);
            }

            stream.Publisher.Evict(stream.Publisher.GetStatistics().Subscribers.Single().SubscriberId, "for a test");
            WaitFor(subscriber, () => subscriber.Evictions == run && subscriber.IsConnected);
            stream.Publish();
            Assert.Equal(11UL, Next(subscriber).Sequence);
            stream.Restart();
            WaitFor(subscriber, () => subscriber.Epoch == stream.Publisher.Epoch);
        }

        Assert.Equal(number, subscriber.PollDescriptor.Number);
        Assert.Equal((3, 3), (events.Count(kind => kind == SubscriberEventKind.Evicted), events.Count(kind => kind == SubscriberEventKind.Disconnected)));
    }

    [Fact]
    public void Polling_allocates_nothing_and_what_it_opened_is_closed()
    {
        using PacketStream stream = new();
        PacketSubscriber subscriber = stream.Connect();
        int descriptor = subscriber.PollDescriptor.Number;
        byte[] data = new byte[PacketStream.Largest];
        Rounds(100);
        Assert.Equal(0, Allocation.OfBestRound(() => Rounds(10_000)));
        subscriber.Dispose();
        Assert.Throws<ObjectDisposedException>(() => subscriber.PollDescriptor);
        Assert.Throws<ObjectDisposedException>(() => subscriber.TryPoll(out _));
        Assert.True(descriptor >= 0);

        void Rounds(int count)
        {
            for (int i = 0; i < count; i++)
            {
                // Without a change of parameters, for which objects are made.
                stream.Publisher.Publish(stream.Publisher.Tracks[0], data, new PacketMetadata { Flags = PacketFlags.Key });
                Packet packet = Next(subscriber);
                if (!packet.IsValid || packet.Sequence != stream.Publisher.Head || subscriber.TryPoll(out _))
                {
                    throw new InvalidOperationException("The packet is not the one that was published.");
                }
            }
        }
    }

    /// <summary>The next packet, by poll(2) and <see cref="PacketSubscriber.TryPoll"/> only.</summary>
    private static Packet Next(PacketSubscriber subscriber)
    {
        Packet packet;
        while (!subscriber.TryPoll(out packet))
        {
            RequireReadable(subscriber);
        }

        return packet;
    }

    private static void WaitFor(PacketSubscriber subscriber, Func<bool> isReached)
    {
        while (!isReached())
        {
            Assert.False(subscriber.TryPoll(out _));
            if (!isReached())
            {
                RequireReadable(subscriber);
            }
        }
    }

    private static unsafe void RequireReadable(PacketSubscriber subscriber)
    {
        PollEntry entry = new() { Descriptor = subscriber.PollDescriptor.Number, Events = Readable };
        if (WaitForEvents(&entry, 1, PatienceMilliseconds) != 1 || entry.Returned != Readable)
        {
            throw new TimeoutException($"The descriptor did not become readable: poll answered {entry.Returned}.");
        }
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
