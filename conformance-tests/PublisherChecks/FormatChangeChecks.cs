using System.Buffers.Binary;
using System.Diagnostics;
using CuFrames.Conformance.Spec;
using CuFrames.Conformance.Suite;

namespace CuFrames.Conformance.PublisherChecks;

/// <summary>Paragraphs 6.4 and 6.10: a change of format in mid-stream.</summary>
internal static class FormatChangeChecks
{
    private const int ChangeMilliseconds = 60_000;

    public static IEnumerable<Check<PublisherContext>> All() =>
    [
        new("6.10-format-change", "sends new segments before their frames and retires the old ones", Change),
    ];

    private static void Change(PublisherContext context)
    {
        if (!context.FormatChangeComes)
        {
            throw Expect.Skip("no format change was announced (--format-change)");
        }

        using Reader reader = Reader.Open(context);
        reader.AwaitFirstFrame();
        uint generation = reader.Control.SegmentGeneration;
        var old = reader.Segments.Keys.ToHashSet();
        reader.Announcements.Clear();
        var watch = Stopwatch.StartNew();
        Frame frame;
        ulong last = 0;
        do
        {
            // Each take checks that the frame's segment is known by then (6.4) and that its picture is sound.
            frame = reader.TakeNewest(last);
            last = frame.Sequence;
            _ = frame.Hash();
            reader.Release(frame);
            Expect.That(watch.ElapsedMilliseconds < ChangeMilliseconds, $"a change of format within {ChangeMilliseconds} ms", $"still generation {generation}");
        }
        while (frame.Segment.Generation == generation);

        Expect.That(!old.Contains(frame.Segment.Id), "a new segment for the new generation", $"segment {frame.Segment.Id}");
        Expect.That(reader.Control.SegmentGeneration > generation, "a larger segment_generation in the control block", $"{reader.Control.SegmentGeneration}");
        uint inSlot = BinaryPrimitives.ReadUInt32LittleEndian(frame.Descriptor.AsSpan(Layout.Slot.SegmentGeneration));
        Expect.Equal(frame.Segment.Generation, inSlot, "the new generation in the slot,");
        reader.Until(() => old.All(id => reader.Announcements.Contains((MessageType.RETIRE, id))), ChangeMilliseconds, "6.10",
            "RETIRE of every old segment", () => string.Join(", ", reader.Announcements));
        reader.AwaitFrames(3);
    }
}
