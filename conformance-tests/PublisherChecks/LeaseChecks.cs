using System.Diagnostics;
using CuFrames.Conformance.Spec;
using CuFrames.Conformance.Suite;

namespace CuFrames.Conformance.PublisherChecks;

/// <summary>Sections 5 and 6: leases protect, quotas hold, bad pages evict, starving readers are evicted, hang-up frees.</summary>
internal static class LeaseChecks
{
    private const ulong Rings = 3;
    private const int RacesPerCheck = 150;
    private const int MostStarvers = 80;

    public static IEnumerable<Check<PublisherContext>> All() =>
    [
        new("6.6-lease-protects", "does not touch a held frame while three rings go by", LeaseProtects),
        new("6.5-lease-race", "respects a lease that is set in the last moment", LeaseRace),
        new("6.7-release-frees", "uses a slot again after its release", ReleaseFrees),
        new("9.3-hang-up-frees", "uses slots again after their holder hung up", HangUpFrees),
        new("5.2-lease-above-head", "evicts for a lease above head", context => BadPage(context, ErrorCode.PAGE_INVALID,
            reader => reader.Page.SetLease(0, reader.Control.Head + 1_000_000))),
        new("5.2-lease-garbage", "evicts for a lease word of ones", context => BadPage(context, ErrorCode.PAGE_INVALID,
            reader => reader.Page.SetLease(63, ulong.MaxValue))),
        new("5.2-cursor-above-head", "evicts for a cursor above head", context => BadPage(context, ErrorCode.PAGE_INVALID,
            reader => reader.Page.Cursor = reader.Control.Head + 1_000_000)),
        new("5.2-cursor-back", "evicts for a cursor that goes back", CursorBack),
        new("5.2-quota", "evicts for more leases than were granted", context => BadPage(context, ErrorCode.LEASE_QUOTA_EXCEEDED, TakeTooMany)),
        new("5.2-page-garbage", "evicts for a page of noise", context => BadPage(context, ErrorCode.PAGE_INVALID, Garbage)),
        new("5.2-counters", "does not care about counters that make no sense", Counters),
        new("6.9-lease-timeout", "drops, grows and evicts when leases starve the ring", LeaseTimeout),
        new("6.8-lossless", "waits for a lossless subscriber and evicts one that is too slow", Lossless),
    ];

    private static void LeaseProtects(PublisherContext context)
    {
        using Reader reader = Reader.Open(context);
        reader.AwaitFirstFrame();
        List<(Frame Frame, string Hash)> held = [];
        uint count = Math.Min(reader.Granted, Math.Max(1, reader.Slots - 2));
        for (uint i = 0; i < count; i++)
        {
            Frame frame = reader.TakeNewest(held.Count == 0 ? 0 : held[^1].Frame.Sequence);
            held.Add((frame, frame.Hash()));
        }

        reader.AwaitFrames((Rings * reader.Slots) + 1);
        foreach ((Frame frame, string hash) in held)
        {
            ulong state = reader.Control.HeldSequence(frame.Slot);
            Expect.That(state == frame.Sequence, $"state {frame.Sequence} in the held slot {frame.Slot} after {Rings} rings", $"{state}");
            string now = frame.Hash();
            Expect.That(now == hash, $"the picture of held frame {frame.Sequence} unchanged after {Rings} rings", "another content");
            reader.Release(frame);
        }

        reader.CheckAlive();
    }

    private static void LeaseRace(PublisherContext context)
    {
        using Reader reader = Reader.Open(context, new HelloOptions { Delivery = Delivery.IN_ORDER });
        reader.AwaitFirstFrame();
        var random = new Random(11);
        var watch = Stopwatch.StartNew();
        int taken = 0;
        int gone = 0;

        // The oldest frame that is still there is the one whose slot is chosen next: taking it is a race by design.
        while (taken < RacesPerCheck && watch.ElapsedMilliseconds < 30_000)
        {
            Frame? frame = TakeOldest(reader);
            if (frame is null)
            {
                gone++;
                continue;
            }

            taken++;
            string before = frame.Hash();
            if (random.Next(4) == 0)
            {
                Thread.Sleep(random.Next(25)); // Holds the frame for a while that the publisher's pace meets now and then.
            }

            string after = frame.Hash();
            ulong state = reader.Control.HeldSequence(frame.Slot);
            Expect.That(state == frame.Sequence && before == after, $"frame {frame.Sequence} unchanged while it is held",
                $"state {state}, {(before == after ? "the same" : "another")} content");
            reader.Release(frame);
        }

        Expect.That(taken > 0, "an old frame to take", $"{gone} that were gone");
        reader.CheckAlive();
    }

    private static Frame? TakeOldest(Reader reader)
    {
        ulong head = reader.Control.Head;
        ulong first = head > 127 ? head - 127 : 1;
        ulong oldest = ulong.MaxValue;
        for (ulong sequence = first; sequence <= head; sequence++)
        {
            ulong entry = reader.Control.IndexEntry(sequence);
            if (entry >> 8 == sequence && reader.Control.SlotState((int)(entry & 63)) == sequence)
            {
                oldest = sequence;
                break;
            }
        }

        return oldest == ulong.MaxValue ? null : reader.TryTake(oldest);
    }

    private static void ReleaseFrees(PublisherContext context)
    {
        using Reader reader = Reader.Open(context);
        reader.AwaitFirstFrame();
        Frame frame = reader.TakeNewest();
        reader.AwaitFrames(reader.Slots);
        reader.Release(frame);
        AwaitReuse(reader, frame);
    }

    private static void HangUpFrees(PublisherContext context)
    {
        using Reader observer = Reader.Open(context);
        observer.AwaitFirstFrame();
        var frames = new List<Frame>();
        using (Reader reader = Reader.Open(context))
        {
            reader.AwaitFirstFrame();
            uint count = Math.Min(reader.Granted, Math.Max(1, reader.Slots - 2));
            for (uint i = 0; i < count; i++)
            {
                frames.Add(reader.TakeNewest(frames.Count == 0 ? 0 : frames[^1].Sequence));
            }

            reader.AwaitFrames(reader.Slots + 1);
            foreach (Frame frame in frames)
            {
                Expect.Equal(frame.Sequence, observer.Control.HeldSequence(frame.Slot), "while held, the slot's state");
            }
        }

        // When the publisher hears of the hang-up is up to the scheduler, so frames are no measure of it.
        observer.Until(() => frames.All(frame => observer.Control.HeldSequence(frame.Slot) != frame.Sequence), 20_000, "9.3",
            "that the slots are used again after the holder's hang-up", () => "the old frames still there");
    }

    private static void AwaitReuse(Reader reader, Frame frame)
    {
        ulong limit = reader.Control.Head + (Rings * Math.Max(reader.Slots, 4)) + 4;
        reader.Until(
            () => reader.Control.HeldSequence(frame.Slot) != frame.Sequence || reader.Control.Head > limit,
            20_000, "6.5", "that the slot is used again after release", () => "the old frame still there");
        Expect.That(reader.Control.HeldSequence(frame.Slot) != frame.Sequence,
            $"that the slot is used again within {Rings} rings after release", "the old frame still there");
    }

    /// <summary>Spoils one page and looks at the culprit and at a bystander who holds a frame.</summary>
    private static void BadPage(PublisherContext context, ErrorCode code, Action<Reader> spoil)
    {
        using Reader bystander = Reader.Open(context);
        bystander.AwaitFirstFrame();
        Frame frame = bystander.TakeNewest();
        string hash = frame.Hash();
        using Reader culprit = Reader.Open(context);
        culprit.AwaitFirstFrame();
        uint messages = bystander.Control.ControlMessages;
        spoil(culprit);
        culprit.ExpectEviction(code);
        bystander.Until(() => bystander.Control.ControlMessages != messages, 30_000, "6.4",
            "another control_messages when a subscriber is hung up on", () => $"still {messages}");
        bystander.AwaitFrames(bystander.Slots + 1);
        Expect.That(frame.Hash() == hash && bystander.Control.HeldSequence(frame.Slot) == frame.Sequence,
            "that another subscriber's frame stays unchanged meanwhile", "another content or state");
        bystander.Release(frame);
        bystander.CheckAlive();
    }

    private static void CursorBack(PublisherContext context) => BadPage(context, ErrorCode.PAGE_INVALID, reader =>
    {
        reader.Release(reader.TakeNewest());

        // The publisher must have seen the cursor before it goes back; it looks once a second at least, later if the machine is busy.
        Thread.Sleep(2_500);
        reader.Page.Cursor = 1;
    });

    private static void TakeTooMany(Reader reader)
    {
        ulong head = reader.Control.Head;
        for (int slot = 0; slot < reader.Granted + 1; slot++)
        {
            reader.Page.SetLease(slot, head);
        }
    }

    private static void Garbage(Reader reader)
    {
        Span<byte> bytes = reader.Page.Bytes;
        new Random(5).NextBytes(bytes[Layout.SubscriberPage.Waiting..Layout.SubscriberPage.PublisherWaiting]);

        // No more words than granted, so that the page is wrong for one reason only.
        new Random(6).NextBytes(bytes.Slice(Layout.SubscriberPage.Leases, 8 * (int)reader.Granted));
    }

    private static void Counters(PublisherContext context)
    {
        using Reader reader = Reader.Open(context);
        reader.AwaitFirstFrame();
        reader.Page.Taken = ulong.MaxValue;
        reader.Page.Missed = ulong.MaxValue;
        reader.Page.Released = ulong.MaxValue;
        reader.AwaitFrames((2 * reader.Slots) + 2);
        reader.CheckAlive();
    }

    private static void LeaseTimeout(PublisherContext context)
    {
        var readers = new List<Reader>();
        try
        {
            Reader first = Reader.Open(context);
            readers.Add(first);
            first.AwaitFirstFrame();
            ulong dropped = first.Control.Dropped;
            uint timeout = System.Buffers.Binary.BinaryPrimitives.ReadUInt32LittleEndian(
                first.Description.AsSpan(Layout.StreamDescription.LeaseTimeoutMs));
            var held = new HashSet<int>();
            var watch = Stopwatch.StartNew();

            // The publisher starves from some moment behind the last look that found it well; when we hear of it is up to the scheduler.
            long well = 0;
            bool Starves()
            {
                long now = watch.ElapsedMilliseconds;
                bool starves = first.Control.Dropped != dropped;
                well = starves ? well : now;
                return starves;
            }

            while (!Starves())
            {
                HoldAsMuchAsGranted(readers[^1], held, Starves);
                if (Starves())
                {
                    break;
                }

                if (readers.Count == MostStarvers || watch.ElapsedMilliseconds > 60_000 ||
                    Reader.TryOpen(context, new HelloOptions { Leases = 64 }, out _) is not { } next)
                {
                    throw Expect.NotProvoked($"{readers.Count} subscribers holding {held.Count} slots did not make the publisher drop a frame");
                }

                readers.Add(next);
                next.AwaitFirstFrame();
            }

            long starved = watch.ElapsedMilliseconds;
            while (readers.TrueForAll(reader => !reader.HungUp))
            {
                Expect.That(watch.ElapsedMilliseconds < starved + timeout + 10_000,
                    $"an eviction after lease_timeout_ms, {timeout} ms, plus a margin", "none");
                Thread.Sleep(5); // Long beside a poll, short beside the time-out.
                readers.ForEach(reader => reader.Drain());
            }

            readers.First(reader => reader.HungUp).ExpectEviction(ErrorCode.LEASE_TIMEOUT);
            Expect.That(watch.ElapsedMilliseconds >= well + (timeout / 2), $"no eviction before the lease time-out of {timeout} ms",
                $"one after {watch.ElapsedMilliseconds - well} ms");

            // The frames go on: with the slots that the eviction freed.
            Reader alive = readers.Find(reader => !reader.HungUp) ?? Reader.Open(context);
            if (!readers.Contains(alive))
            {
                readers.Add(alive);
            }

            ulong head = alive.Control.Head;
            var progress = Stopwatch.StartNew();
            while (alive.Control.Head == head)
            {
                Expect.That(progress.ElapsedMilliseconds < 15_000, "new frames after the eviction", $"head {head} for 15 seconds");
                Thread.Sleep(5); // As above.
            }
        }
        finally
        {
            readers.ForEach(reader => reader.Dispose());
        }
    }

    private static void HoldAsMuchAsGranted(Reader reader, HashSet<int> held, Func<bool> enough)
    {
        ulong last = 0;
        var watch = Stopwatch.StartNew();
        for (int mine = 0; mine < reader.Granted && watch.ElapsedMilliseconds < 10_000 && !enough();)
        {
            ulong head = reader.Control.Head;
            if (head > last && reader.TryTake(head) is { } frame)
            {
                last = head;
                held.Add(frame.Slot);
                mine++;
            }
            else
            {
                Thread.Sleep(1); // Waits for the next frame; a futex would hide that none comes.
            }
        }
    }

    private static void Lossless(PublisherContext context)
    {
        using Reader? reader = Reader.TryOpen(context, new HelloOptions { Delivery = Delivery.LOSSLESS }, out _);
        if (reader is null)
        {
            throw Expect.Skip("this publisher does not offer lossless delivery");
        }

        reader.AwaitFirstFrame();

        // What was published before a subscriber's first frame may have gaps in what is left of it.
        Frame first = reader.TakeNewest();
        reader.Page.Cursor = first.Sequence;
        ReleaseLossless(reader, first);
        ulong last = first.Sequence;
        for (int i = 0; i < 10; i++)
        {
            ulong wanted = last + 1;
            reader.Until(() => reader.Control.Head >= wanted, 15_000, "6.8", $"frame {wanted}", () => $"head {reader.Control.Head}");
            Frame? frame = reader.TryTake(wanted);
            reader.CheckAlive();
            Expect.That(frame is not null, $"that frame {wanted} waits for a lossless subscriber", $"it is gone, head {reader.Control.Head}");
            if (i % 3 == 0)
            {
                Thread.Sleep(60); // Slower than the publisher, so that it has to wait.
            }

            ReleaseLossless(reader, frame);
            last = wanted;
        }

        // From here on nothing is taken: the publisher waits for its bound and then evicts.
        reader.ExpectEviction(ErrorCode.LOSSLESS_TIMEOUT, 30_000);
    }

    private static unsafe void ReleaseLossless(Reader reader, Frame frame)
    {
        reader.Release(frame);
        reader.Page.Progress++;
        Interlocked.MemoryBarrier();
        if (reader.Page.PublisherWaiting == 1)
        {
            _ = CuFrames.Interop.Futex.Wake(reader.Page.ProgressWord, 1);
        }
    }
}
