using System.Diagnostics;
using CuFrames.Conformance.Examples;
using CuFrames.Conformance.Spec;
using CuFrames.Conformance.Suite;
using CuFrames.Conformance.Wire;

namespace CuFrames.Conformance.SubscriberChecks;

/// <summary>What a subscriber does with a sound publisher: handshake, frames, leases, counters, waiting, format changes.</summary>
internal static class ReadingChecks
{
    private const int PacedFrames = 20;
    private const int BurstFrames = 12;
    private const int Bursts = 8;
    private const int LargeFrames = 60;

    /// <summary>Frames in which a lease must be seen: a subscriber that copies a frame holds it for a few milliseconds, in which the watcher may not have run.</summary>
    private const int LeaseFrames = 600;

    /// <summary>Leases that must be seen before their number is believed, and the frames in which they must be; some subscribers hold them too shortly.</summary>
    private const int LeastLeases = 5;
    private const int QuotaFrames = 300;
    private const int QuotaMilliseconds = 20_000;
    private const ulong AloneFrames = 5;

    private static readonly PictureShape Large = new(PixelFormat.Nv12, 1920, 1080, [0, 0, 0, 8], 0);

    // To copy it takes longer than the kernel lets one thread wait for another on a busy machine.
    private static readonly PictureShape Huge = new(PixelFormat.Nv12, 7680, 4320, [0, 0, 0, 0], 0);

    // Some of the bytes of the control block that no table names.
    private static readonly int[] ReservedOffsets = [48, 56, 88, 120, 144, 248];

    public static IEnumerable<Check<SubscriberContext>> All() =>
    [
        new("3.2-hello", "says HELLO with all that 3.2 names", Hello),
        new("6.3-segment-ready", "answers SEGMENT with SEGMENT_READY", SegmentReady),
        new("6.6-takes-frames", "takes every frame of a slow publisher, with the right content", TakesFrames),
        new("6.6-leases", "holds a lease while it reads", HoldsLeases),
        new("6.6-quota", "never sets more lease words than were granted", Quota),
        new("6.6-missed", "skips no frame twice and counts what it missed", Missed),
        new("6.6-rechecks-state", "does not take a slot whose state is not the sequence, and lets go of it", RechecksState),
        new("6.7-releases", "sets the lease word to zero when it is done", Releases),
        new("5.1-counters", "keeps cursor and counters of its page right", Counters),
        new("5.1-cursor", "never moves its cursor back or above head", context => Watch(context, watcher => watcher.CursorFault)),
        new("5.2-lease-words", "sets lease words to published sequences only", context => Watch(context, watcher => watcher.LeaseFault)),
        new("8.1-waiting", "writes only what was granted into waiting", context => Watch(context, watcher => watcher.WaitingFault)),
        new("8.3-late-doorbell", "accepts a DOORBELL that it does not wait for", LateDoorbell),
        new("4.2-head-without-index", "leaves with CONTROL_BLOCK_INVALID when the index does not name the newest frame",
            context => BadHead(context, (ring, sequence) => ring.SetIndexEntry(sequence, ((sequence - 1) << 8) | 1), 1)),
        new("4.2-head-in-slot-200", "leaves with CONTROL_BLOCK_INVALID when the index names a slot above 63 for the newest frame",
            context => BadHead(context, (ring, sequence) => ring.SetIndexEntry(sequence, (sequence << 8) | 200), 1)),
        new("4.2-head-goes-back", "leaves with CONTROL_BLOCK_INVALID when head goes back", context => BadHead(context, (_, _) => { }, -2)),
        new("4.2-head-too-large", "leaves with CONTROL_BLOCK_INVALID when head reaches 2^56",
            context => BadHead(context, (ring, sequence) => ring.SetIndexEntry(sequence, (sequence << 8) | 1), (long)Limits.EndOfSequences)),
        .. PixelFormat.All.Select(format => new Check<SubscriberContext>(
            $"10.1-{format.Name.ToLowerInvariant()}", $"reads {format.Name} with an odd size{(format.IsTensor ? "" : ", crop and padding")}", context => Format(context, format))),
        new("6.11-start-at-head", "with START at head takes nothing until the next frame", StartAtHead),
        new("6.11-start-before-head", "begins with the frame after START", StartBeforeHead),
        new("6.4-new-segment", "reads the socket before a frame in a new segment", NewSegment),
        new("6.10-format-change", "follows a change of format and answers RETIRE", FormatChange),
        new("6.10-shrink", "answers RETIRE of a segment of the same generation", Shrink),
        new("2.6-additions", "accepts unknown TLVs, longer values and padding of any content", Additions),
        new("11.1-reserved", "ignores reserved bytes", ReservedBytes),
        new("12-unknown-codes", "ignores notices and codes that it does not know", UnknownNotices),
        new("9.1-source-lost", "stays when the source is lost and comes back", SourceLost),
        new("2.4-nothing-left", "keeps no descriptor and no mapping of connections that are over", NothingLeft),
    ];

    private static void Hello(SubscriberContext context)
    {
        using StageSession session = StageSession.Accept(context.Stage);
        byte[] range = session.Hello.Get(TlvType.VERSION_RANGE).Value;
        int lowest = range[0] | (range[1] << 8);
        int highest = range[2] | (range[3] << 8);
        Expect.That(lowest <= 1 && highest >= 1, "a VERSION_RANGE with 1 in it", $"{lowest} to {highest}");
        Expect.Equal((byte)lowest, session.Hello.Version, "in the header of HELLO the lowest version (2.9),");
        Expect.That(Enum.IsDefined(session.Delivery), "a DELIVERY of table 3.4", $"{(uint)session.Delivery}");
        uint leases = session.Hello.UInt32(TlvType.LEASES);
        Expect.That(leases is >= 1 and <= Limits.MaxLeases, "1 to 64 LEASES", $"{leases}");
        Expect.That(session.Hello.All(TlvType.DOMAIN).Any(offer => offer.UInt32 == Limits.DomainHost && (offer.Value[4] & 2) != 0),
            "a DOMAIN of host memory with memfd", "none");
    }

    private static void SegmentReady(SubscriberContext context)
    {
        using StageSession session = StageSession.Start(context.Stage);
        session.ExpectAnswer(MessageType.SEGMENT_READY, session.Ring.Segments[0].Id);
    }

    private static void TakesFrames(SubscriberContext context)
    {
        using StageSession session = StageSession.Start(context.Stage);
        ulong last = 0;
        for (int i = 0; i < PacedFrames; i++)
        {
            SubjectLine line = session.TakeOne();
            Expect.Equal(0UL, line.Missed, $"of frame {line.Sequence}, after {last}, missed");
            last = line.Sequence;
        }
    }

    private static void HoldsLeases(SubscriberContext context)
    {
        // Such pictures take long enough to read for the watcher to see a lease, if not of the first then of a later one.
        using StageSession session = StageSession.StartWithFrame(context.Stage, new WelcomeOptions { Shape = Huge, Slots = 3 });
        using var watcher = new PageWatcher(session, ~0u);
        watcher.AwaitLook();
        for (int i = 0; i < LeaseFrames && !watcher.HasSeenLease; i++)
        {
            session.TakeOne();
        }

        Expect.That(watcher.HasSeenLease, "a lease word set while a frame of 50 MB is read", $"none in {LeaseFrames} frames");
    }

    private static void Quota(SubscriberContext context)
    {
        using StageSession session = StageSession.Start(context.Stage, new WelcomeOptions { Leases = 1, Shape = Large, Slots = 4 });
        using var watcher = new PageWatcher(session, ~0u);
        ulong last = 0;
        for (int i = 0; i < LargeFrames; i++)
        {
            last = session.Publish();
        }

        while (session.ExpectFrameLine().Sequence != last)
        {
            session.CheckAlive();
        }

        // On a busy machine the watcher may not have run while the subscriber held anything.
        var watch = Stopwatch.StartNew();
        for (int i = 0; i < QuotaFrames && watcher.LeasesSeen < LeastLeases && watch.ElapsedMilliseconds < QuotaMilliseconds; i++)
        {
            session.TakeOne();
        }

        watcher.Stop();
        Expect.That(watcher.QuotaFault is null, "at most one lease at a time", watcher.QuotaFault ?? string.Empty);
    }

    private static void Missed(SubscriberContext context)
    {
        using StageSession session = StageSession.Start(context.Stage);
        ulong previous = session.TakeOne().Sequence;
        for (int burst = 0; burst < Bursts; burst++)
        {
            // In every second burst nobody is woken before the last frame: a subscriber that is woken for each may take each.
            ulong last = 0;
            for (int i = 0; i < BurstFrames; i++)
            {
                last = burst % 2 == 0 || i == BurstFrames - 1 ? session.Publish() : session.PublishQuietly();
            }

            while (previous < last)
            {
                SubjectLine line = session.ExpectFrameLine();
                Expect.That(line.Sequence > previous && line.Sequence <= last, $"a sequence above {previous}", line.Text);
                Expect.Equal(line.Sequence - previous - 1, line.Missed, $"of frame {line.Sequence}, after {previous}, missed");
                session.CheckContent(line);
                previous = line.Sequence;
            }
        }
    }

    private static void RechecksState(SubscriberContext context)
    {
        using StageSession session = StageSession.StartWithFrame(context.Stage);

        // Announces a sequence whose slot is being written: index and head name it, the state does not.
        Ring ring = session.Ring;
        ulong sequence = ring.Head + 1;
        int slot = (int)(ring.Control.IndexEntry(ring.Head) & 0xFF) == 0 ? 1 : 0;
        ring.SetSlotState(slot, 0);
        ring.SetIndexEntry(sequence, (sequence << 8) | (uint)slot);
        ring.Announce(sequence);
        session.Wake();
        session.ExpectNoFrameLine(250, $"no frame {sequence}: the state of its slot is 0");

        // The newest frame can never be gone, so the control block is wrong (4.2).
        session.ExpectBye(ErrorCode.CONTROL_BLOCK_INVALID);
        Expect.Equal(0UL, session.Page.GetLease(slot), "of that slot a lease word (6.6, step 5) of");
    }

    private static void Releases(SubscriberContext context)
    {
        using StageSession session = StageSession.Start(context.Stage);
        for (int i = 0; i < 5; i++)
        {
            session.TakeOne();
            Expect.Equal(0, session.Page.CountLeases(), "when its line was printed, leases");
        }
    }

    private static void Counters(SubscriberContext context)
    {
        using StageSession session = StageSession.Start(context.Stage);
        ulong lines = 0;
        SubjectLine first = session.TakeOne();
        lines++;
        ulong last = 0;
        for (int i = 0; i < BurstFrames; i++)
        {
            last = session.Publish();
        }

        ulong gaps = 0;
        for (SubjectLine line = first; line.Sequence != last;)
        {
            line = session.ExpectFrameLine();
            lines++;
            gaps += line.Missed;
        }

        Expect.Equal(last, session.Page.Cursor, "cursor");
        Expect.Equal(lines, session.Page.Taken, "taken");
        Expect.Equal(lines, session.Page.Released, "released");
        Expect.Equal(gaps + first.Missed, session.Page.Missed, "missed");
    }

    private static void Watch(SubscriberContext context, Func<PageWatcher, string?> fault)
    {
        using StageSession session = StageSession.Start(context.Stage);
        uint wakes = Limits.WakeFutex | (session.Hello.Has(TlvType.WAKES) ? session.Hello.UInt32(TlvType.WAKES) & Limits.WakeDoorbell : 0);
        using var watcher = new PageWatcher(session, wakes);
        session.TakeOne();
        watcher.AwaitLook();
        for (int round = 0; round < 4; round++)
        {
            for (int i = 0; i < BurstFrames; i++)
            {
                session.Publish();
            }

            while (session.ExpectFrameLine().Sequence != session.Ring.Head)
            {
                session.CheckAlive();
            }

            session.TakeOne();
            watcher.AwaitLook();
        }

        watcher.Stop();
        Expect.That(fault(watcher) is null, "nothing of that kind", fault(watcher) ?? string.Empty);
    }

    private static void LateDoorbell(SubscriberContext context)
    {
        using StageSession session = StageSession.StartWithFrame(context.Stage);
        for (int i = 0; i < 3; i++)
        {
            session.Connection.Send(Message.Build(MessageType.DOORBELL, 0));
        }

        session.TakeOne();
        session.CheckAlive();
    }

    private static void BadHead(SubscriberContext context, Action<Ring, ulong> prepare, long step)
    {
        using StageSession session = StageSession.StartWithFrame(context.Stage);
        for (int i = 0; i < 4; i++)
        {
            session.TakeOne();
        }

        ulong sequence = (ulong)((long)session.Ring.Head + step);
        prepare(session.Ring, sequence);
        session.Ring.Announce(sequence);
        session.Wake();
        session.ExpectNoFrameLine(100, $"no frame {sequence}");
        session.ExpectBye(ErrorCode.CONTROL_BLOCK_INVALID);
    }

    private static void Format(SubscriberContext context, PixelFormat format)
    {
        var shape = format.IsTensor ? new PictureShape(format, 101, 57, [0, 0, 0, 0], 0) : new PictureShape(format, 101, 57, [4, 6, 3, 5], 128);
        using StageSession session = StageSession.Start(context.Stage, new WelcomeOptions { Shape = shape });
        for (int i = 0; i < 3; i++)
        {
            session.TakeOne();
        }
    }

    /// <summary>A publisher that has rested: the frame that head names is gone.</summary>
    private static void StartAtHead(SubscriberContext context)
    {
        using StageSession session = StageSession.Accept(context.Stage);
        session.Welcome(new WelcomeOptions
        {
            AlterControl = ring =>
            {
                PublishAlone(ring);
                foreach (int slot in ring.Segments[0].Slots)
                {
                    ring.SetSlotState(slot, 0);
                }
            },
            More = [Tlv.Start(AloneFrames)],
        });
        session.SendSegments();
        session.AwaitSleep();
        session.ExpectNoFrameLine(300, "no frame until one is published");
        session.CheckAlive();
        SubjectLine line = session.TakeOne();
        Expect.Equal(AloneFrames + 1, line.Sequence, "first sequence");
        Expect.Equal(0UL, line.Missed, "of the first frame missed");
    }

    private static void StartBeforeHead(SubscriberContext context)
    {
        using StageSession session = StageSession.Accept(context.Stage);
        session.Welcome(new WelcomeOptions { AlterControl = PublishAlone, More = [Tlv.Start(AloneFrames - 3)] });
        session.SendSegments();
        session.PublishQuietly();
        session.Wake();
        SubjectLine line = session.ExpectFrameLine();
        Expect.That(line.Sequence > AloneFrames - 3, $"a sequence above {AloneFrames - 3}", line.Text);
        Expect.Equal(line.Sequence - (AloneFrames - 3) - 1, line.Missed, $"of frame {line.Sequence}, after START {AloneFrames - 3}, missed");
    }

    private static void PublishAlone(Ring ring)
    {
        for (ulong i = 0; i < AloneFrames; i++)
        {
            _ = ring.TryPublish([]);
        }
    }

    private static void NewSegment(SubscriberContext context)
    {
        using StageSession session = StageSession.StartWithFrame(context.Stage, new WelcomeOptions { Slots = 3 });
        RingSegment added = session.Ring.AddSegment(3);
        session.Broadcast(added.Announce(0), added.Descriptor);

        // The empty slots are the oldest, so the next frames lie in the new segment.
        for (int i = 0; i < 4; i++)
        {
            session.TakeOne();
        }

        session.ExpectAnswer(MessageType.SEGMENT_READY, added.Id);
    }

    private static void FormatChange(SubscriberContext context)
    {
        using StageSession session = StageSession.StartWithFrame(context.Stage);
        foreach (PictureShape shape in new[] { new PictureShape(PixelFormat.All[1], 65, 33, [2, 0, 0, 1], 0), PictureShape.Small })
        {
            RingSegment added = session.Ring.ChangeFormat(shape, 4);
            session.Broadcast(added.Announce(0), added.Descriptor);
            for (int i = 0; i < 6; i++)
            {
                session.TakeOne();
            }

            IReadOnlyList<RingSegment> retired = session.Ring.CollectRetired([session.Page]);
            Expect.That(retired.Count == 1, "that no lease stays in the old segment", $"{session.Page.CountLeases()} leases");
            foreach (RingSegment segment in retired)
            {
                session.Broadcast(Message.Build(MessageType.RETIRE, 0, Tlv.U32(TlvType.SEGMENT_ID, segment.Id)));
                session.ExpectAnswer(MessageType.RETIRED, segment.Id);
                segment.Dispose();
            }
        }
    }

    private static void Shrink(SubscriberContext context)
    {
        using StageSession session = StageSession.StartWithFrame(context.Stage);
        RingSegment added = session.Ring.AddSegment(2);
        session.Broadcast(added.Announce(0), added.Descriptor);
        session.ExpectAnswer(MessageType.SEGMENT_READY, added.Id);
        session.Broadcast(Message.Build(MessageType.RETIRE, 0, Tlv.U32(TlvType.SEGMENT_ID, added.Id)));
        session.ExpectAnswer(MessageType.RETIRED, added.Id);
        session.CheckAlive();
    }

    private static void Additions(SubscriberContext context)
    {
        byte[] noisyPadding = Tlv.U32(TlvType.WAKES, Limits.WakeFutex);
        noisyPadding.AsSpan(12).Fill(0xEE);
        using StageSession session = StageSession.Accept(context.Stage);
        byte granted = (byte)Math.Min(session.Hello.UInt32(TlvType.LEASES), 4);
        session.Welcome(new WelcomeOptions
        {
            Leases = granted,
            Instead = new()
            {
                [TlvType.LEASES] = Tlv.Bytes(TlvType.LEASES, [granted, 0, 0, 0, 0xFF, 0xFF, 0xFF]),
                [TlvType.WAKES] = noisyPadding,
            },
            More = [Tlv.Bytes(0x7777, [1, 2, 3]), Tlv.Bytes(0x7777, []), Tlv.U32(TlvType.NOTICE_KIND, 1), Tlv.Text(TlvType.SOURCE, "a test")],
        });
        session.SendSegments();
        session.TakeOne();
    }

    private static void ReservedBytes(SubscriberContext context)
    {
        using StageSession session = StageSession.Start(context.Stage, new WelcomeOptions
        {
            AlterControl = ring =>
            {
                foreach (int offset in ReservedOffsets)
                {
                    ring.Set(offset, ulong.MaxValue);
                }
            },
            AlterPage = page =>
            {
                page.Bytes[56..64].Fill(0xFF);
                page.Bytes[68..128].Fill(0xFF);
                page.Bytes[640..].Fill(0xFF);
            },
        });
        session.TakeOne();
        ulong sequence = session.Publish(slot =>
        {
            slot.AsSpan(16, 48).Fill(0xFF);
            slot.AsSpan(224).Fill(0xFF);
            slot.AsSpan(Layout.Slot.Meta + 59, 5).Fill(0xFF);
            slot.AsSpan(Layout.Slot.Picture + Layout.Picture.Reserved, 8).Fill(0xFF);

            // Planes that NV12 does not use.
            slot.AsSpan(Layout.Slot.Picture + Layout.Picture.PlaneOffset + 16, 16).Fill(0xFF);
            slot.AsSpan(Layout.Slot.Picture + Layout.Picture.PlanePitch + 8, 8).Fill(0xFF);
        });
        Expect.Equal(sequence, session.ExpectFrameLine().Sequence, "a line for sequence");
    }

    private static void UnknownNotices(SubscriberContext context)
    {
        using StageSession session = StageSession.StartWithFrame(context.Stage);
        session.Broadcast(Message.Build(MessageType.NOTICE, 0, Tlv.U32(TlvType.NOTICE_KIND, 99), Tlv.U32(TlvType.ERROR_CODE, 250)));
        session.TakeOne();
        session.CheckAlive();
    }

    private static void SourceLost(SubscriberContext context)
    {
        using StageSession session = StageSession.StartWithFrame(context.Stage);
        session.Ring.Set(Layout.ControlBlock.State, 2u);
        session.Broadcast(Message.Build(MessageType.NOTICE, 0, Tlv.U32(TlvType.NOTICE_KIND, (uint)NoticeKind.SOURCE_LOST),
            Tlv.U32(TlvType.ERROR_CODE, 29), Tlv.Text(TlvType.ERROR_TEXT, "the camera is gone")));
        session.ExpectNoFrameLine(150, "no frame while there is none");
        session.CheckAlive();
        session.Broadcast(Message.Build(MessageType.NOTICE, 0, Tlv.U32(TlvType.NOTICE_KIND, (uint)NoticeKind.SOURCE_BACK)));
        session.TakeOne();
    }

    private static void NothingLeft(SubscriberContext context)
    {
        const int rounds = 6;
        var counts = new List<(int Process, int Descriptors, int Mappings)>();
        for (int round = 0; round < rounds; round++)
        {
            using StageSession session = StageSession.StartWithFrame(context.Stage);
            session.TakeOne();
            int process = session.Connection.Socket.GetPeerCredentials().ProcessId;
            (int descriptors, int mappings) = CountHeld(process);

            // A thread of the command may be letting go just now.
            var watch = Stopwatch.StartNew();
            while (round == rounds - 1 && (descriptors > counts[2].Descriptors || mappings > counts[2].Mappings) && watch.ElapsedMilliseconds < StageSession.AnswerMilliseconds)
            {
                Thread.Sleep(20); // Nothing announces what another process closes.
                (descriptors, mappings) = CountHeld(process);
            }

            counts.Add((process, descriptors, mappings));
        }

        if (counts.DistinctBy(count => count.Process).Count() > 1)
        {
            throw Expect.Skip("the command starts a process for each connection");
        }

        // The first rounds may load what stays; from there on each round is like the one before.
        (int _, int descriptorsBefore, int mappingsBefore) = counts[2];
        (int _, int descriptorsAfter, int mappingsAfter) = counts[^1];
        Expect.That(descriptorsAfter <= descriptorsBefore && mappingsAfter <= mappingsBefore,
            $"at most {descriptorsBefore} descriptors and {mappingsBefore} mappings after {rounds} connections",
            $"{descriptorsAfter} and {mappingsAfter}");
    }

    /// <summary>Descriptors of a process, and its mappings of what the suite made.</summary>
    private static (int Descriptors, int Mappings) CountHeld(int process) =>
        (Directory.EnumerateFileSystemEntries($"/proc/{process}/fd").Count(),
            File.ReadLines($"/proc/{process}/maps").Count(line => line.Contains("memfd:conformance", StringComparison.Ordinal)));
}
