using CuFrames.Client;
using CuFrames.TestKit;
using Xunit;

namespace CuFrames.Media.Tests;

/// <summary>Durations are counted where they belong.</summary>
public sealed class LatencyHistogramTests
{
    [Fact]
    public void Every_duration_lies_below_the_bound_of_its_bucket_and_not_below_that_of_the_one_before()
    {
        List<long> values = [-5, 0, 1, 1023, 1024, 1151, 1152, 999_999_999, (1L << 36) - 1, 1L << 36, long.MaxValue];
        Random random = new(1);
        for (int i = 0; i < 20_000; i++)
        {
            values.Add(random.NextInt64(1L << random.Next(1, 40)));
        }

        long[] counts = new long[LatencyHistogram.BucketCount];
        foreach (long value in values)
        {
            LatencyHistogram histogram = new();
            histogram.Record(value);
            histogram.CopyTo(counts);
            int bucket = Array.IndexOf(counts, 1);
            Assert.Equal(1, counts.Sum());
            Assert.True(value < LatencyHistogram.UpperBoundOf(bucket) || value == long.MaxValue, $"{value} in {bucket}");
            Assert.True(bucket == 0 || value >= LatencyHistogram.UpperBoundOf(bucket - 1), $"{value} in {bucket}");
            Assert.Equal(Math.Max(0, value), histogram.Sum);
        }
    }

    [Fact]
    public void Bounds_grow_by_an_eighth_of_an_octave()
    {
        Assert.Equal(1024, LatencyHistogram.UpperBoundOf(0));
        for (int bucket = 1; bucket < LatencyHistogram.BucketCount - 1; bucket++)
        {
            double growth = LatencyHistogram.UpperBoundOf(bucket) / (double)LatencyHistogram.UpperBoundOf(bucket - 1);
            Assert.InRange(growth, 16 / 15.0, 9 / 8.0);
        }

        Assert.Equal(1L << 36, LatencyHistogram.UpperBoundOf(LatencyHistogram.BucketCount - 2));
        Assert.Equal(long.MaxValue, LatencyHistogram.UpperBoundOf(LatencyHistogram.BucketCount - 1));
    }

    [Fact]
    public void A_percentile_is_the_true_one_or_at_most_an_eighth_more()
    {
        Random random = new(2);
        LatencyHistogram histogram = new();
        long[] counts = new long[LatencyHistogram.BucketCount];
        Assert.Null(LatencyHistogram.Percentile(counts, 0.5));
        List<long> values = [];
        for (int i = 0; i < 5000; i++)
        {
            values.Add(2000 + (long)(Math.Exp(random.NextDouble() * 12) * 1000));
            histogram.Record(values[^1]);
        }

        values.Sort();
        histogram.CopyTo(counts);
        foreach (double share in (double[])[0, 0.01, 0.5, 0.95, 0.99, 1])
        {
            long exact = values[Math.Max(0, (int)Math.Ceiling(share * values.Count) - 1)];
            Assert.InRange(LatencyHistogram.Percentile(counts, share)!.Value, exact, exact * 9 / 8.0);
        }
    }

    [Fact]
    public void Recording_and_reading_allocate_nothing()
    {
        LatencyHistogram histogram = new();
        long[] counts = new long[LatencyHistogram.BucketCount];
        long least = Allocation.OfBestRound(() =>
        {
            for (int i = 0; i < 1000; i++)
            {
                histogram.Record(i * 1000);
            }

            histogram.CopyTo(counts);
        });
        Assert.Equal(0, least);
    }

    [Fact]
    public void A_pump_counts_every_published_frame_and_how_long_it_took()
    {
        using TemporaryDirectory directory = new();
        using FramePublisher publisher = FramePublisher.Create("cam", new PublisherOptions { Directory = directory.Path });
        TestPatternOptions pattern = new() { Width = 64, Height = 64, FrameCount = 40 };
        using CameraPump pump = new(publisher, new CameraOptions { Pattern = pattern });
        pump.Start();
        Assert.True(pump.WaitForEnd(TimeSpan.FromMinutes(2)));
        long[] counts = new long[LatencyHistogram.BucketCount];
        pump.Latency.CopyTo(counts);
        Assert.Equal(40, pump.Statistics.Frames);
        Assert.Equal(40, counts.Sum());

        // A slot is filled before it is announced: that takes some time, and no frame can take longer than all.
        Assert.True(pump.Latency.Sum > 0);
        Assert.True(pump.Latency.Sum < 40 * 120_000_000_000L);
    }
}
