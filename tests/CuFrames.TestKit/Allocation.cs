namespace CuFrames.TestKit;

/// <summary>What code allocates when it runs again and again.</summary>
public static class Allocation
{
    private const int MostRounds = 10;

    /// <summary>
    /// Bytes that the calling thread allocates in the cheapest of a few rounds: the runtime may compile a method anew in the middle of one, which allocates
    /// once. What allocates by itself does so in every round.
    /// </summary>
    /// <param name="round">What is looked at; it has run before, so that its code is there.</param>
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
