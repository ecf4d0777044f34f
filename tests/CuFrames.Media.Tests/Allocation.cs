namespace CuFrames.Media.Tests;

/// <summary>What code allocates when it runs again and again.</summary>
internal static class Allocation
{
    private const int MostRounds = 5;

    /// <summary>Bytes that the calling thread allocates in the cheapest of a few rounds: the runtime may compile a method anew in the middle of one, which
    /// allocates once.</summary>
    public static long OfBestRound(Action round)
    {
        long least = long.MaxValue;
        for (int i = 0; i < MostRounds && least > 0; i++)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            round();
            least = Math.Min(least, GC.GetAllocatedBytesForCurrentThread() - before);
        }

        return least;
    }
}
