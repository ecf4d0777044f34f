using CuFrames.Media.Internal;
using Xunit;

namespace CuFrames.Media.Tests;

public sealed class FrameRateLimitTests
{
    [Theory]
    [InlineData(25, 5, 5.0)]
    [InlineData(25, 25, 25.0)]
    [InlineData(25, 30, 25.0)]
    [InlineData(25, 24, 24.0)]
    [InlineData(30, 20, 20.0)]
    [InlineData(30, 25, 25.0)]
    [InlineData(60, 7.5, 7.5)]
    [InlineData(29.97, 15, 15.0)]
    [InlineData(25, 0.5, 0.5)]
    public void The_average_is_the_limit_or_the_sources_rate(double source, double limit, double expected)
    {
        // Cameras' stamps tremble by a tenth of a frame.
        foreach (double tremble in (double[])[0, 0.1])
        {
            FrameRateLimit rate = new(limit);
            Random random = new(3);
            const int Seconds = 1000;
            int chosen = 0;
            long duration = (long)(1e9 / source);
            for (int i = 0; i < Seconds * source; i++)
            {
                chosen += rate.IsChosen((long)((i + (tremble * random.NextDouble())) * 1e9 / source), i % 2 == 0 ? duration : 0) ? 1 : 0;
            }

            Assert.InRange(chosen / (double)Seconds, expected * 0.999, (expected * 1.001) + 0.001);
        }
    }

    [Fact]
    public void Every_fifth_of_a_steady_source_is_chosen_and_the_first_one_always()
    {
        FrameRateLimit rate = new(5);
        Assert.Equal([0, 5, 10, 15, 20], Enumerable.Range(0, 25).Where(i => rate.IsChosen(i * 40_000_000L, 40_000_000)));
        Assert.False(rate.IsChosen(24 * 40_000_000L, 40_000_000));
        rate.Reset();
        Assert.True(rate.IsChosen(24 * 40_000_000L, 40_000_000));
    }

    [Fact]
    public void After_a_gap_or_a_jump_back_nothing_is_made_up_for()
    {
        FrameRateLimit rate = new(5);
        long[] times = [0, 40, 5000, 5040, 5080, 5120, 5160, 5200, 100, 140, 300];
        Assert.Equal([0L, 5000, 5200, 100, 300], times.Where(time => rate.IsChosen(time * 1_000_000, 40_000_000)));
    }

    [Fact]
    public void Without_a_limit_every_frame_is_chosen()
    {
        FrameRateLimit rate = new(null);
        Assert.All(Enumerable.Range(0, 100), i => Assert.True(rate.IsChosen(i, 0)));
    }
}
