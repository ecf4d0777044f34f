using System.Buffers.Binary;
using System.Diagnostics;
using CuFrames.Conformance.Spec;
using CuFrames.Conformance.Suite;
using CuFrames.Conformance.Wire;

namespace CuFrames.Conformance.PublisherChecks;

/// <summary>Paragraph 6.11: what a publisher that rests while nobody reads says to who comes next.</summary>
internal static class RestChecks
{
    private const int Rests = 3;
    private const int LongestMilliseconds = 4_000;

    /// <summary>On a busy machine a publisher may publish before its WELCOME is looked at, so that few looks prove nothing.</summary>
    private const int LeastLooks = 20;

    public static IEnumerable<Check<PublisherContext>> All() =>
    [
        new("6.11-start", "sends a sound START, or has its newest frame", Start),
    ];

    private static void Start(PublisherContext context)
    {
        int seen = 0;
        var watch = Stopwatch.StartNew();
        for (int looks = 0; seen < Rests && (looks < LeastLooks || watch.ElapsedMilliseconds < LongestMilliseconds); looks++)
        {
            using (Reader reader = Reader.Open(context))
            {
                seen += Examine(reader) ? 1 : 0;
            }

            Thread.Sleep(50); // Nothing tells that the publisher has gone to rest.
        }

        if (seen == 0)
        {
            throw Expect.Skip($"no WELCOME in {LongestMilliseconds} ms had a START");
        }
    }

    /// <returns>Whether there was a START.</returns>
    private static bool Examine(Reader reader)
    {
        ulong head = BinaryPrimitives.ReadUInt64LittleEndian(reader.Description.AsSpan(Layout.StreamDescription.Head));
        if (!reader.Welcome.Has(TlvType.START))
        {
            // Who begins with the newest frame finds it, unless a newer one has come meanwhile.
            ulong entry = reader.Control.IndexEntry(head);
            ulong state = entry >> 8 == head ? reader.Control.SlotState((int)(entry & 0x3F)) & (ulong.MaxValue >> 1) : 0;
            Expect.That(head == 0 || state == head || reader.Control.Head != head, $"START, or frame {head} in a slot (4.2)", "neither");
            reader.AwaitFirstFrame();
            return false;
        }

        Tlv start = reader.Welcome.Get(TlvType.START);
        Expect.That(start.MustUnderstand, "START with must-understand (3.3)", "one without");
        Expect.That(start.UInt64 <= head, $"START of at most {head} (2.8)", $"{start.UInt64}");
        reader.Page.Cursor = start.UInt64;
        reader.Until(() => reader.Segments.Count > 0, 15_000, "6.11", "a segment", () => "none");
        Frame frame = reader.TakeNewest(start.UInt64);
        Expect.That(frame.Sequence > start.UInt64, $"a frame after {start.UInt64}", $"{frame.Sequence}");
        reader.Release(frame);
        return true;
    }
}
