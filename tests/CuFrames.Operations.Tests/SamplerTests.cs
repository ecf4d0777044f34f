using CuFrames.Client;
using CuFrames.Daemon.Internal;
using CuFrames.Daemon.Internal.Metrics;
using CuFrames.Media;
using CuFrames.Protocol;
using Xunit;
using CameraState = CuFrames.Control.V1.CameraState;

namespace CuFrames.Operations.Tests;

/// <summary>Rates, percentiles and the hour of history, of cameras whose figures the tests make.</summary>
public sealed class SamplerTests
{
    private const long Second = 1_000_000_000;

    [Fact]
    public void A_rate_is_that_of_the_last_seconds()
    {
        Rate rate = default;
        Assert.Equal(0, rate.Update(100 * Second, 1000));
        Assert.Equal(25, rate.Update(102 * Second, 1050), 6);

        // Looks within a second are of the same window.
        Assert.Equal(25, rate.Update(102 * Second + (Second / 2), 1062.5), 6);
        Assert.Equal(10, rate.Update(104 * Second, 1070), 6);
        Assert.Equal(0, rate.Update(106 * Second, 1070), 6);

        // Who begins anew has no rate yet.
        Assert.Equal(0, rate.Update(108 * Second, 3));
        Assert.Equal(5, rate.Update(110 * Second, 13), 6);
    }

    [Fact]
    public void Percentiles_are_of_the_last_minute_and_begin_anew_with_the_camera()
    {
        CameraWindow window = new();
        LatencyHistogram histogram = new();
        for (int i = 0; i < 1000; i++)
        {
            histogram.Record(500_000_000);
        }

        Assert.InRange(Look().P50, 500_000_000, 562_500_000);
        for (int tenSeconds = 0; tenSeconds < 7; tenSeconds++)
        {
            for (int i = 0; i < 100; i++)
            {
                histogram.Record(i < 94 ? 2_000_000 : 40_000_000);
            }

            window.Advance(Facts(histogram, 0));
        }

        // Seven parts have passed: the first, with the slow frames before it, is out of the minute.
        LatencySnapshot latency = Look();
        Assert.Equal(500, latency.Frames);
        Assert.InRange(latency.P50, 2_000_000, 2_250_000);
        Assert.InRange(latency.P95, 40_000_000, 45_000_000);
        Assert.InRange(latency.P99, 40_000_000, 45_000_000);

        histogram = new LatencyHistogram();
        Assert.Null(window.Describe("cam", "test", Facts(histogram, 0), Second).Latency);
        histogram.Record(3_000_000);
        latency = Look();
        Assert.Equal(1, latency.Frames);
        Assert.InRange(latency.P99, 3_000_000, 3_400_000);

        LatencySnapshot Look() => window.Describe("cam", "test", Facts(histogram, 0), Second).Latency!;
    }

    [Fact]
    public void The_history_keeps_an_hour_of_the_cameras_that_there_are()
    {
        History history = new();
        Assert.Empty(history.ReadProcess());
        Assert.Null(history.ReadCamera("a"));
        for (int i = 0; i < 400; i++)
        {
            history.Add(Moment(i, i < 380 ? ["a", "b"] : ["a"]));
        }

        ProcessSample[] process = history.ReadProcess();
        Assert.Equal(Enumerable.Range(40, 360).Select(i => (long)i * 10_000), process.Select(sample => sample.Time));
        CameraSample[] camera = history.ReadCamera("a")!;
        Assert.Equal(Enumerable.Range(40, 360).Select(i => (float)i), camera.Select(sample => sample.FramesPerSecond));
        Assert.All(camera, sample => Assert.Equal((3, 50, (int)CameraState.Live), (sample.Dropped, sample.RingOccupancy, sample.State)));
        Assert.Null(history.ReadCamera("b"));

        // It comes back with nothing of before.
        history.Add(Moment(400, ["a", "b"]));
        Assert.Equal((359, 1), (history.ReadCamera("b")!.Count(sample => sample.State == 0), history.ReadCamera("b")!.Count(sample => sample.State != 0)));
        Assert.Equal(20, System.Runtime.CompilerServices.Unsafe.SizeOf<CameraSample>(), 4.0);
    }

    private static DaemonSnapshot Moment(int number, string[] keys) => new(
        number * 10 * Second,
        DateTime.UnixEpoch.AddSeconds(number * 10),
        [.. keys.Select(key => new CameraSnapshot(key, "test", Facts(new LatencyHistogram(), number), [new StreamSnapshot(Stream(number), number, 0)], 0, null))],
        null,
        new ProcessSnapshot(number, 0.5, 1 << 20, 20, 10, number, HeapSnapshot.Take()),
        true,
        [],
        0);

    private static StreamFacts Stream(int number) =>
        new("cam", null, MemoryDomain.Host, new PublisherStatistics { Dropped = (ulong)(number + 1) * 3, Slots = 4, HeldSlots = 2 });

    private static CameraFacts Facts(LatencyHistogram histogram, int number)
    {
        long[] counts = new long[LatencyHistogram.BucketCount];
        histogram.CopyTo(counts);
        return new CameraFacts
        {
            State = CameraState.Live,
            Reason = "",
            Since = 0,
            Streams = [Stream(number)],
            Latency = counts,
            LatencySum = histogram.Sum,
        };
    }
}
