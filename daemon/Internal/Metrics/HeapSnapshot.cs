namespace CuFrames.Daemon.Internal.Metrics;

/// <summary>The managed heap of the daemon's process at one moment.</summary>
/// <param name="Allocated">Bytes that were allocated on it since the process started.</param>
/// <param name="Collections">Collections of the generations 0, 1 and 2, each without those that were part of one of a higher generation.</param>
/// <param name="Pause">Time for which collections stopped all threads.</param>
/// <param name="Committed">Bytes of memory that it had after the last collection; 0: there was none.</param>
/// <param name="Sizes">Bytes in each of <see cref="Generations"/> after the last collection.</param>
internal sealed record HeapSnapshot(long Allocated, IReadOnlyList<int> Collections, TimeSpan Pause, long Committed, IReadOnlyList<long> Sizes)
{
    /// <summary>Names of the generations, as OpenTelemetry has them; the last two are the heaps of large and of pinned objects.</summary>
    internal static IReadOnlyList<string> Generations { get; } = ["gen0", "gen1", "gen2", "loh", "poh"];

    /// <summary>Looks at the heap now. Collects nothing.</summary>
    internal static HeapSnapshot Take()
    {
        // A collection of a generation counts for those below it too. One that comes between the questions would make a counter go back later.
        int all, first, second;
        do
        {
            all = GC.CollectionCount(0);
            first = GC.CollectionCount(1);
            second = GC.CollectionCount(2);
        }
        while (all != GC.CollectionCount(0));

        GCMemoryInfo last = GC.GetGCMemoryInfo(GCKind.Any);
        long[] sizes = new long[Generations.Count];
        for (int i = 0; i < Math.Min(sizes.Length, last.GenerationInfo.Length); i++)
        {
            sizes[i] = last.GenerationInfo[i].SizeAfterBytes;
        }

        return new HeapSnapshot(
            GC.GetTotalAllocatedBytes(), [all - first, first - second, second], GC.GetTotalPauseDuration(), last.TotalCommittedBytes, sizes);
    }
}
