using CuFrames.Cli.Internal;

namespace CuFrames.Cli.Tests;

public sealed class LatencyHistogramTests
{
    [Fact]
    public void Nothing_has_no_percentiles()
    {
        Assert.Null(new LatencyHistogram().Figures());
        Assert.Equal(0, new LatencyHistogram().Percentile(0.5));
    }

    [Fact]
    public void Percentiles_are_within_one_percent_of_the_exact_ones()
    {
        Random random = new(1);
        LatencyHistogram histogram = new();
        long[] values = [.. Enumerable.Range(0, 20_000).Select(_ => (long)Math.Exp(random.NextDouble() * 40))];
        foreach (long value in values)
        {
            histogram.Add(value);
        }

        Array.Sort(values);
        foreach (double share in (double[])[0.001, 0.1, 0.5, 0.9, 0.99, 0.999, 1])
        {
            long exact = values[(int)Math.Ceiling(share * values.Length) - 1];
            Assert.InRange(histogram.Percentile(share), exact, exact + (exact / 100) + 1);
        }

        Assert.Equal(values[^1], histogram.Maximum);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(127)]
    [InlineData(128)]
    [InlineData(255)]
    [InlineData(256)]
    [InlineData(long.MaxValue)]
    public void Every_value_is_found_again(long value)
    {
        LatencyHistogram histogram = new();
        histogram.Add(value);
        Assert.Equal(value, histogram.Percentile(0.5));
        Assert.Equal(value, histogram.Percentile(1));
    }

    [Fact]
    public void Parts_add_up_also_through_another_process()
    {
        LatencyHistogram one = new();
        LatencyHistogram other = new();
        LatencyHistogram both = new();
        for (int i = 0; i < 1000; i++)
        {
            (i % 3 == 0 ? one : other).Add(i * 1000);
            both.Add(i * 1000);
        }

        LatencyHistogram sum = LatencyHistogram.FromPairs(one.ToPairs(), one.Maximum);
        sum.Add(other);
        Assert.Equal(both.Figures(), sum.Figures());
        Assert.Equal(1000, sum.Count);
        sum.Clear();
        Assert.Null(sum.Figures());
    }
}
