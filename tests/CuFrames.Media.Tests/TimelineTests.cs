using CuFrames.Media.Internal;
using CuFrames.Protocol;
using Xunit;

namespace CuFrames.Media.Tests;

public sealed class TimelineTests
{
    private const long Step = 40_000_000;
    private static readonly MediaInfo Info = new("", "", "", "", 1, 1, 25, 1, null, false);

    [Fact]
    public void The_first_run_keeps_the_sources_pts()
    {
        FrameTimeline timeline = new();
        timeline.BeginRun(isGap: false, Info);
        Assert.Equal((1_400_000_000, FrameFlags.None), Place(timeline, 1_400_000_000, 0));
        Assert.Equal((1_440_000_000, FrameFlags.None), Place(timeline, 1_440_000_000, 0));
    }

    [Fact]
    public void A_loop_goes_on_after_the_last_frame()
    {
        FrameTimeline timeline = new();
        timeline.BeginRun(isGap: false, Info);
        Place(timeline, 1000, 0);
        Assert.Equal((1000 + Step, FrameFlags.None), Place(timeline, 1000 + Step, 0));
        timeline.BeginRun(isGap: false, Info);
        Assert.Equal((1000 + (2 * Step), FrameFlags.None), Place(timeline, 1000, 5));
        Assert.Equal((1000 + (3 * Step), FrameFlags.None), Place(timeline, 1000 + Step, 5));
    }

    [Fact]
    public void A_gap_takes_the_time_that_it_took_and_is_marked_once()
    {
        FrameTimeline timeline = new();
        timeline.BeginRun(isGap: false, Info);
        Place(timeline, 7000, now: 100);
        timeline.BeginRun(isGap: true, Info);
        Assert.Equal((7000 + 5_000_000_000, FrameFlags.Discontinuity), Place(timeline, 0, now: 100 + 5_000_000_000));
        Assert.Equal((7000 + 5_000_000_000 + Step, FrameFlags.None), Place(timeline, Step, now: 100 + 5_000_000_000));
        timeline.BeginRun(isGap: true, Info);
        Assert.Equal((7000 + 5_000_000_000 + (2 * Step), FrameFlags.Discontinuity), Place(timeline, 99, now: 101 + 5_000_000_000));
    }

    [Fact]
    public void A_decoder_that_wakes_up_makes_no_jump()
    {
        FrameTimeline timeline = new();
        timeline.BeginRun(isGap: false, Info);
        Place(timeline, 1000 * Step, 0);

        // The key frame is an older one than what was seen before the sleep, the next picture one of long after.
        FrameMetadata key = new() { Pts = 990 * Step, Flags = FrameFlags.Discontinuity };
        timeline.Place(ref key, 0, isWaking: true);
        Assert.Equal((1000 * Step) + 1, key.Pts);
        FrameMetadata next = new() { Pts = 9000 * Step, Flags = FrameFlags.Discontinuity };
        timeline.Place(ref next, 0);
        Assert.Equal(9000 * Step, next.Pts);
        Assert.Equal((9001 * Step, FrameFlags.None), Place(timeline, 9001 * Step, 0));
    }

    [Theory]
    [InlineData(-1_000_000_000)]
    [InlineData(0)]
    [InlineData(20_000_000_000)]
    public void A_jump_of_the_clock_is_smoothed_and_marked(long jump)
    {
        FrameTimeline timeline = new();
        timeline.BeginRun(isGap: false, Info);
        Place(timeline, 2_000_000_000, 0);
        Assert.Equal((2_000_000_000 + Step, FrameFlags.Discontinuity), Place(timeline, 2_000_000_000 + jump, 0));
        Assert.Equal((2_000_000_000 + (2 * Step), FrameFlags.None), Place(timeline, 2_000_000_000 + jump + Step, 0));
    }

    [Fact]
    public void Unknown_pts_are_filled_in()
    {
        FrameTimeline timeline = new();
        timeline.BeginRun(isGap: false, Info);
        for (int i = 0; i < 5; i++)
        {
            Assert.Equal((i * Step, FrameFlags.None), Place(timeline, FrameMetadata.UnknownPts, 0));
        }

        Assert.Equal((5 * Step, FrameFlags.None), Place(timeline, 5 * Step, 0));
        timeline.BeginRun(isGap: true, Info);
        Assert.Equal((6 * Step, FrameFlags.Discontinuity), Place(timeline, FrameMetadata.UnknownPts, 0));
        Assert.Equal((7 * Step, FrameFlags.None), Place(timeline, Step, 0));
        Assert.Equal((8 * Step, FrameFlags.None), Place(timeline, 2 * Step, 0));
    }

    /// <summary>Whatever a source says, pts grow.</summary>
    [Fact]
    public void Pts_always_grow()
    {
        Random random = new(8);
        FrameTimeline timeline = new();
        timeline.BeginRun(isGap: false, Info);
        long last = long.MinValue, now = 0;
        for (int i = 0; i < 100_000; i++)
        {
            if (random.Next(50) == 0)
            {
                timeline.BeginRun(random.Next(2) == 0, Info);
            }

            now += random.Next(100_000_000);
            long pts = random.Next(10) == 0 ? FrameMetadata.UnknownPts : random.NextInt64(-1_000_000_000_000, 1_000_000_000_000);
            long placed = Place(timeline, pts, now).Pts;
            Assert.True(placed > last, $"step {i}: {last} then {placed}");
            last = placed;
        }
    }

    [Fact]
    public void A_session_whose_first_packet_has_no_time_goes_on_after_the_one_before()
    {
        // RTSP: ten pictures a second, and a clock that begins anew with each session, behind a picture that has no time.
        TrackParameters camera = new() { FrameRateNumerator = 10, FrameRateDenominator = 1 };
        PacketTimeline timeline = new([camera]);
        long last = -1, arrival = 0;
        foreach (long clock in (long[])[0, 2_000, 50])
        {
            for (int picture = 0; picture < 30; picture++, arrival += 100_000_000)
            {
                long time = picture == 0 ? FrameMetadata.UnknownPts : (clock + picture) * 9_000;
                PlacedTimes placed = timeline.Place(0, camera, new SourceTimes(time, time, 0, arrival, IsDiscontinuous: picture == 0 && arrival > 0))!.Value;
                Assert.InRange(placed.Dts - last, 1, 18_000);
                Assert.Equal(placed.Dts, placed.Pts);
                last = placed.Dts;
            }
        }
    }

    [Fact]
    public void The_delay_doubles_to_its_bound_and_is_spread_over_the_whole_span()
    {
        TimeSpan initial = TimeSpan.FromSeconds(0.5), max = TimeSpan.FromSeconds(30);
        double[] longest = new double[12];
        double[] shortest = [.. Enumerable.Repeat(double.MaxValue, 12)];
        for (int seed = 0; seed < 2000; seed++)
        {
            RetryDelay delay = new(initial, max, new Random(seed));
            for (int attempt = 0; attempt < longest.Length; attempt++)
            {
                double seconds = delay.Next().TotalSeconds;
                longest[attempt] = Math.Max(longest[attempt], seconds);
                shortest[attempt] = Math.Min(shortest[attempt], seconds);
            }
        }

        for (int attempt = 0; attempt < longest.Length; attempt++)
        {
            double bound = Math.Min(5, 0.5 * Math.Pow(2, attempt));
            Assert.InRange(longest[attempt], bound * 0.98, bound);
            Assert.InRange(shortest[attempt], 0.05, 0.05 + (bound * 0.02));
        }

        RetryDelay one = new(initial, max, new Random(1));
        Assert.True(Enumerable.Range(0, 100).Max(_ => Refused().TotalSeconds) > 25);
        one.Reset();
        Assert.True(one.Next() <= initial);

        TimeSpan Refused()
        {
            one.Slow();
            return one.Next();
        }
    }

    private static (long Pts, FrameFlags Flags) Place(FrameTimeline timeline, long pts, long now)
    {
        FrameMetadata metadata = new() { Pts = pts, Duration = Step };
        timeline.Place(ref metadata, now);
        return (metadata.Pts, metadata.Flags);
    }
}
