using System.Buffers.Binary;
using System.Diagnostics;
using CuFrames.Conformance.Spec;
using CuFrames.Conformance.Suite;
using CuFrames.Interop;

namespace CuFrames.Conformance.PublisherChecks;

/// <summary>Sections 4.2 to 4.9 and 6.5: the frames themselves and the order in which they are announced.</summary>
internal static class FrameChecks
{
    private const int FramesExamined = 20;

    public static IEnumerable<Check<PublisherContext>> All() =>
    [
        new("4.2-sequences", "counts frames without a gap", Sequences),
        new("4.3-slot", "fills in the slot's descriptor", Slots),
        new("4.5-meta", "fills in the frame's meta", Meta),
        new("4.8-reserved", "leaves zero what is reserved or unused in a picture", Reserved),
        new("4.9-picture", "describes pictures that lie in their segment", Pictures),
        new("6.5-order", "announces a frame only when slot and index hold it", Order),
        new("8.2-futex-word", "changes futex_word with every publish", FutexWord),
    ];

    private static void Sequences(PublisherContext context)
    {
        using Reader reader = Reader.Open(context);
        reader.AwaitFirstFrame();
        ulong first = reader.Control.Head;
        ulong last = first;
        var watch = Stopwatch.StartNew();
        while (last < first + FramesExamined)
        {
            ulong head = reader.Control.Head;
            for (ulong sequence = last + 1; sequence <= head; sequence++)
            {
                // The index keeps 128 frames' entries, whether the frames are still there or not.
                ulong entry = reader.Control.IndexEntry(sequence);
                // An entry is overwritten a moment before head says so (6.5, steps 6 and 7).
                bool overwritten = reader.Control.Head >= sequence + 127;
                Expect.That(overwritten || entry >> 8 == sequence, $"an index entry for sequence {sequence}, head being {head}",
                    $"one of sequence {entry >> 8}");
                Expect.That((entry & 0xFF) < Layout.ControlBlock.SlotCount, "a slot below 64", $"{entry & 0xFF}");
            }

            Expect.That(head >= last, "a head that never goes back", $"{head} after {last}");
            last = head;
            Expect.That(watch.ElapsedMilliseconds < 20_000, $"{FramesExamined} frames within 20 s", $"{last - first}");
            reader.CheckAlive();
        }

        Expect.That(last < Limits.EndOfSequences, "sequences below 2^56", $"{last}");
    }

    private static void Slots(PublisherContext context) => ForEachFrame(context, (reader, frame) =>
    {
        uint generation = BinaryPrimitives.ReadUInt32LittleEndian(frame.Descriptor.AsSpan(Layout.Slot.SegmentGeneration));
        Expect.Equal(frame.Segment.Generation, generation, "the segment's generation in the slot");

        // The publisher may have examined the slot when it was copied (6.5, step 2).
        Expect.Equal(frame.Sequence, BinaryPrimitives.ReadUInt64LittleEndian(frame.Descriptor) & ~(1UL << 63), "in the slot's state");
    });

    private static void Meta(PublisherContext context)
    {
        long lastPublish = 0;
        ForEachFrame(context, (_, frame) =>
        {
            ReadOnlySpan<byte> meta = frame.Descriptor.AsSpan(Layout.Slot.Meta, Layout.FrameMeta.Size);
            long published = BinaryPrimitives.ReadInt64LittleEndian(meta[Layout.FrameMeta.PublishTime..]);
            long now = MonotonicClock.NowNanoseconds;
            Expect.That(published > 0 && published <= now && published >= lastPublish && now - published < 60_000_000_000,
                "a publish_time of CLOCK_MONOTONIC in ns, before now and not before the frame before", $"{published} at {now}");
            lastPublish = published;
            uint flags = BinaryPrimitives.ReadUInt32LittleEndian(meta[Layout.FrameMeta.Flags..]);
            Expect.That(flags < 64, "flags of table 4.6", $"0x{flags:x}");
            Expect.That(meta[Layout.FrameMeta.PictureType] <= 3, "a picture_type from 0 to 3", $"{meta[Layout.FrameMeta.PictureType]}");
            Expect.That(meta[Layout.FrameMeta.ColourRange] <= 2, "a colour_range from 0 to 2 (4.7)", $"{meta[Layout.FrameMeta.ColourRange]}");
            Expect.That(meta[Layout.FrameMeta.Rotation] <= 3, "a rotation from 0 to 3", $"{meta[Layout.FrameMeta.Rotation]}");
            Expect.That(meta[59] == 0 && !meta[Layout.FrameMeta.Reserved..].ContainsAnyExcept((byte)0), "zero in the reserved bytes", "others");
        });
    }

    private static void Reserved(PublisherContext context) => ForEachFrame(context, (_, frame) =>
    {
        ReadOnlySpan<byte> picture = frame.Descriptor.AsSpan(Layout.Slot.Picture, Layout.Picture.Size);
        int planes = frame.Picture.Format.PlaneCount;
        int offsets = Layout.Picture.PlaneOffset + (8 * planes);
        int pitches = Layout.Picture.PlanePitch + (4 * planes);
        Expect.That(!picture[Layout.Picture.Reserved..Layout.Picture.PlaneOffset].ContainsAnyExcept((byte)0), "zero in the reserved bytes", "others");
        Expect.That(!picture[offsets..Layout.Picture.PlanePitch].ContainsAnyExcept((byte)0) &&
            !picture[pitches..Layout.Picture.Modifier].ContainsAnyExcept((byte)0), "zero in unused planes (4.9)", "others");
    });

    // TryTake has checked the picture already; here its planes are read to the last byte, in slots of the whole ring.
    private static void Pictures(PublisherContext context) => ForEachFrame(context, (reader, frame) => frame.Hash());

    private static void Order(PublisherContext context)
    {
        using Reader reader = Reader.Open(context);
        reader.AwaitFirstFrame();
        var watch = Stopwatch.StartNew();
        ulong first = reader.Control.Head;
        for (ulong head = first; head < first + FramesExamined; head = reader.Control.Head)
        {
            ulong entry = reader.Control.IndexEntry(head);
            ulong state = reader.Control.SlotState((int)(entry & 63));
            Interlocked.MemoryBarrier();

            // While head stands, its frame stands in index and slot: its slot is never chosen (6.5, step 1).
            if (reader.Control.Head == head)
            {
                Expect.That(entry >> 8 == head && state == head, $"index and slot to hold the newest frame {head}",
                    $"index {entry >> 8}, state {state}");
            }

            if (watch.ElapsedMilliseconds > 20_000)
            {
                throw Expect.Failure($"{FramesExamined} frames within 20 s", $"head {head}");
            }
        }
    }

    private static void FutexWord(PublisherContext context)
    {
        using Reader reader = Reader.Open(context);
        reader.AwaitFirstFrame();
        for (int round = 0; round < 5; round++)
        {
            uint word = reader.Control.FutexValue;
            ulong head = reader.Control.Head;
            reader.Until(() => reader.Control.Head > head, 10_000, "6.5", "a frame", () => $"head {reader.Control.Head}");

            // The word changes after head (6.5, step 7), so it may need a moment.
            reader.Until(() => reader.Control.FutexValue != word, 30_000, "8.2", "another futex_word after a publish", () => $"the same, {word}");
        }
    }

    private static void ForEachFrame(PublisherContext context, Action<Reader, Frame> examine)
    {
        using Reader reader = Reader.Open(context, new HelloOptions { Delivery = Delivery.IN_ORDER });
        reader.AwaitFirstFrame();
        ulong last = 0;
        for (int count = 0; count < FramesExamined; count++)
        {
            Frame frame = reader.TakeNewest(last);
            examine(reader, frame);
            reader.Release(frame);
            last = frame.Sequence;
        }
    }
}
