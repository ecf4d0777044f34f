using System.Numerics;
using System.Runtime.InteropServices;

namespace CuFrames.Cli.Internal;

/// <summary>Counts durations in nanoseconds in fixed memory. Percentiles are exact below 256 ns and within 1 % above.</summary>
internal sealed class LatencyHistogram
{
    private const int StepBits = 7;
    private const int Steps = 1 << StepBits;

    private readonly long[] _counts = new long[IndexOf(long.MaxValue) + 1];

    public long Count { get; private set; }

    public long Maximum { get; private set; }

    public void Add(long nanoseconds)
    {
        // The clock is the same for all processes; below zero would be a publisher that stamps the future.
        nanoseconds = Math.Max(nanoseconds, 0);
        _counts[IndexOf(nanoseconds)]++;
        Count++;
        Maximum = Math.Max(Maximum, nanoseconds);
    }

    public void Add(LatencyHistogram other)
    {
        for (int i = 0; i < _counts.Length; i++)
        {
            _counts[i] += other._counts[i];
        }

        Count += other.Count;
        Maximum = Math.Max(Maximum, other.Maximum);
    }

    public void Clear()
    {
        _counts.AsSpan().Clear();
        Count = 0;
        Maximum = 0;
    }

    /// <summary>The least duration that a share of all does not exceed, in nanoseconds; 0 when nothing was counted.</summary>
    /// <param name="share">0 to 1: 0.99 for p99.</param>
    public long Percentile(double share)
    {
        long rank = Math.Max(1, (long)Math.Ceiling(share * Count));
        long seen = 0;
        for (int i = 0; i < _counts.Length && Count > 0; i++)
        {
            seen += _counts[i];
            if (seen >= rank)
            {
                return Math.Min(LargestOf(i), Maximum);
            }
        }

        return 0;
    }

    /// <summary>Percentiles in microseconds; null when nothing was counted.</summary>
    public LatencyFigures? Figures() => Count == 0
        ? null
        : new LatencyFigures(Microseconds(Percentile(0.5)), Microseconds(Percentile(0.99)), Microseconds(Percentile(0.999)), Microseconds(Maximum));

    /// <summary>The content for another process: pairs of a bucket's index and its count.</summary>
    public long[] ToPairs()
    {
        List<long> pairs = [];
        for (int i = 0; i < _counts.Length; i++)
        {
            if (_counts[i] > 0)
            {
                pairs.Add(i);
                pairs.Add(_counts[i]);
            }
        }

        return [.. pairs];
    }

    public static LatencyHistogram FromPairs(ReadOnlySpan<long> pairs, long maximum)
    {
        LatencyHistogram histogram = new() { Maximum = maximum };
        foreach (Pair pair in MemoryMarshal.Cast<long, Pair>(pairs)) // the order of ToPairs
        {
            histogram._counts[pair.Index] += pair.Count;
            histogram.Count += pair.Count;
        }

        return histogram;
    }

    private static double Microseconds(long nanoseconds) => Math.Round(nanoseconds / 1000.0, 1);

    /// <summary>128 buckets for every power of two; below 256 each bucket is one nanosecond.</summary>
    private static int IndexOf(long value)
    {
        int shift = Math.Max(0, BitOperations.Log2((ulong)value) - StepBits);
        return (shift << StepBits) + (int)(value >> shift);
    }

    private static long LargestOf(int index)
    {
        int shift = Math.Max(0, (index >> StepBits) - 1);
        long step = index - (shift << StepBits);
        return (step << shift) + (1L << shift) - 1;
    }

    private readonly record struct Pair(long Index, long Count);
}
