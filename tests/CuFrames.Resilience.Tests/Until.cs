using System.Diagnostics;

namespace CuFrames.Resilience.Tests;

/// <summary>Waits for conditions.</summary>
internal static class Until
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(90);

    /// <summary>Waits until something holds.</summary>
    public static void True(Func<bool> condition, string what, Func<string>? more = null)
    {
        Stopwatch time = Stopwatch.StartNew();
        while (!condition())
        {
            if (time.Elapsed > Patience)
            {
                throw new TimeoutException($"{what}\n{more?.Invoke()}");
            }

            // What is waited for is another process's state, which has no event here.
            Thread.Sleep(20);
        }
    }
}
