using System.Diagnostics;
using CuFrames.Conformance.Spec;
using CuFrames.Conformance.Suite;
using CuFrames.Interop;

namespace CuFrames.Conformance.PublisherChecks;

/// <summary>Section 8: who waits is woken, once.</summary>
internal static class WakeChecks
{
    private const int Wakes = 5;

    public static IEnumerable<Check<PublisherContext>> All() =>
    [
        new("8.2-futex-wake", "wakes a subscriber that sleeps on futex_word", FutexWake),
        new("8.3-doorbell", "rings the doorbell of a subscriber that waits for it", Doorbell),
        new("8.3-one-doorbell", "rings once for each value of waiting", OneDoorbell),
        new("8.3-no-doorbell", "does not ring for a subscriber that is awake", NoDoorbell),
    ];

    private static unsafe void FutexWake(PublisherContext context)
    {
        using Reader reader = Reader.Open(context);
        reader.AwaitFirstFrame();
        uint arm = 0;
        int woken = 0;
        var watch = Stopwatch.StartNew();
        while (woken < Wakes)
        {
            Expect.That(watch.ElapsedMilliseconds < 60_000, $"{Wakes} wakes within 60 s", $"{woken}");
            reader.Page.Waiting = (++arm << 2) | Limits.WakeFutex;
            Interlocked.MemoryBarrier();
            uint word = reader.Control.FutexValue;
            ulong head = reader.Control.Head;
            FutexWaitResult result = Futex.Wait(reader.Control.FutexWord, word, 2_000_000_000);
            reader.Page.Waiting = 0;

            // ValueChanged: a frame was published between reading the word and sleeping. That proves nothing, try again.
            woken += result == FutexWaitResult.Woken ? 1 : 0;
            Expect.That(result != FutexWaitResult.TimedOut || reader.Control.Head == head,
                "to be woken when a frame is published", $"none in two seconds, in which head went from {head} to {reader.Control.Head}");
            reader.CheckAlive();
        }
    }

    private static void Doorbell(PublisherContext context)
    {
        using Reader reader = OpenWithDoorbell(context);
        for (uint arm = 1; arm <= Wakes; arm++)
        {
            int before = reader.Doorbells;
            reader.Page.Waiting = (arm << 2) | Limits.WakeDoorbell;
            Interlocked.MemoryBarrier();
            reader.Until(() => reader.Doorbells > before, 15_000, "8.3", "a DOORBELL", () => $"none, head {reader.Control.Head}");
        }
    }

    private static void OneDoorbell(PublisherContext context)
    {
        using Reader reader = OpenWithDoorbell(context);
        reader.Page.Waiting = (1 << 2) | Limits.WakeDoorbell;
        Interlocked.MemoryBarrier();
        reader.Until(() => reader.Doorbells > 0, 15_000, "8.3", "a DOORBELL", () => $"none, head {reader.Control.Head}");
        reader.AwaitFrames(8);
        reader.Drain();
        Expect.Equal(1, reader.Doorbells, "while waiting keeps its value, DOORBELLs");
        reader.Page.Waiting = (2 << 2) | Limits.WakeDoorbell;
        Interlocked.MemoryBarrier();
        reader.Until(() => reader.Doorbells > 1, 15_000, "8.3", "another DOORBELL", () => $"none, head {reader.Control.Head}");
        reader.AwaitFrames(4);
        reader.Drain();
        Expect.Equal(2, reader.Doorbells, "after a second arm, DOORBELLs");
    }

    private static void NoDoorbell(PublisherContext context)
    {
        using Reader reader = OpenWithDoorbell(context);
        reader.AwaitFrames(5);
        Expect.Equal(0, reader.Doorbells, "while waiting is 0, DOORBELLs");
    }

    private static Reader OpenWithDoorbell(PublisherContext context)
    {
        Reader reader = Reader.Open(context, new HelloOptions { Wakes = Limits.WakeFutex | Limits.WakeDoorbell });
        if ((reader.Welcome.UInt32(TlvType.WAKES) & Limits.WakeDoorbell) == 0)
        {
            reader.Dispose();
            throw Expect.Skip("this publisher does not offer doorbells");
        }

        reader.AwaitFirstFrame();
        return reader;
    }
}
