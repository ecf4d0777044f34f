using System.Numerics;

namespace CuFrames.Media;

/// <summary>
/// Counts durations in buckets whose bounds grow by an eighth of an octave: a percentile read from it is at most an eighth too large. One thread records;
/// any thread reads. Recording allocates nothing and takes no lock.
/// </summary>
public sealed class LatencyHistogram
{
    /// <summary>Number of buckets. The first takes all that is shorter than about a microsecond, the last all that is longer than about a minute.</summary>
    public const int BucketCount = (Octaves * Steps) + 2;

    /// <summary>Buckets of each doubling.</summary>
    private const int Steps = 8;

    private const int StepBits = 3;

    /// <summary>The shortest duration that is told apart: 2^10 ns.</summary>
    private const int FirstOctave = 10;

    /// <summary>The longest one is below 2^36 ns, 69 s.</summary>
    private const int Octaves = 26;

    /// <summary>Written by the recording thread alone, read by any; each is a word of its own and orders nothing else.</summary>
    private readonly long[] _counts = new long[BucketCount];

    /// <summary>Nanoseconds; as <see cref="_counts"/>.</summary>
    private long _sum;

    /// <summary>Sum of all durations in nanoseconds. Any thread.</summary>
    public long Sum => Volatile.Read(ref _sum);

    /// <summary>The duration that a bucket's durations are shorter than, in nanoseconds.</summary>
    /// <param name="bucket">From 0 to <see cref="BucketCount"/> minus 1; the last one has no bound and gives <see cref="long.MaxValue"/>.</param>
    public static long UpperBoundOf(int bucket)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(bucket);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(bucket, BucketCount);
        if (bucket == BucketCount - 1)
        {
            return long.MaxValue;
        }

        (int octave, int step) = Math.DivRem(bucket, Steps);
        return (long)(Steps + step) << (octave + FirstOctave - StepBits);
    }

    /// <summary>
    /// The shortest duration that a share of all durations does not exceed, as the upper bound of its bucket.
    /// </summary>
    /// <param name="counts">Durations in each bucket, <see cref="BucketCount"/> of them.</param>
    /// <param name="share">From 0 to 1: 0.99 for the 99th percentile.</param>
    /// <returns>Nanoseconds; of the last bucket its lower bound; null when there are no durations.</returns>
    public static long? Percentile(ReadOnlySpan<long> counts, double share)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(counts.Length, BucketCount);
        long total = 0;
        foreach (long count in counts)
        {
            total += count;
        }

        if (total == 0)
        {
            return null;
        }

        long wanted = Math.Max(1, (long)Math.Ceiling(share * total));
        int bucket = 0;
        for (long seen = counts[0]; seen < wanted; seen += counts[bucket])
        {
            bucket++;
        }

        return UpperBoundOf(Math.Min(bucket, BucketCount - 2));
    }

    /// <summary>Copies how many durations lie in each bucket. Any thread; each count is exact, all together are not one moment.</summary>
    /// <param name="counts">Takes <see cref="BucketCount"/> counts.</param>
    public void CopyTo(Span<long> counts)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(counts.Length, BucketCount);
        for (int bucket = 0; bucket < BucketCount; bucket++)
        {
            counts[bucket] = Volatile.Read(ref _counts[bucket]);
        }
    }

    /// <summary>Counts a duration. One thread at a time.</summary>
    /// <param name="nanoseconds">The duration; a negative one counts as zero.</param>
    public void Record(long nanoseconds)
    {
        long value = Math.Max(0, nanoseconds);
        ref long count = ref _counts[BucketOf(value)];
        Volatile.Write(ref count, count + 1);
        Volatile.Write(ref _sum, _sum + value);
    }

    private static int BucketOf(long value)
    {
        int octave = BitOperations.Log2((ulong)value | 1) - FirstOctave;
        return octave < 0 ? 0
            : octave >= Octaves ? BucketCount - 1
            : 1 + (octave * Steps) + (int)(value >> (octave + FirstOctave - StepBits)) - Steps;
    }
}
