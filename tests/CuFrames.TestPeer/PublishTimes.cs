using System.Diagnostics;

namespace CuFrames.TestPeer;

/// <summary>How long publishing took: counts by whole microseconds. Free of allocation once made.</summary>
internal sealed class PublishTimes
{
    private readonly int[] _counts = new int[1_000_001];
    private long _total;

    /// <summary>The longest, in microseconds.</summary>
    public double WorstMicroseconds { get; private set; }

    public void Add(long ticks)
    {
        double microseconds = ticks * 1e6 / Stopwatch.Frequency;
        WorstMicroseconds = Math.Max(WorstMicroseconds, microseconds);
        _counts[(int)Math.Min(microseconds, _counts.Length - 1)]++;
        _total++;
    }

    /// <summary>The time that a part of all was not above, in microseconds.</summary>
    public int Quantile(double part)
    {
        long wanted = (long)Math.Ceiling(part * _total);
        long seen = 0;
        for (int i = 0; i < _counts.Length; i++)
        {
            seen += _counts[i];
            if (seen >= wanted)
            {
                return i;
            }
        }

        return 0;
    }
}
