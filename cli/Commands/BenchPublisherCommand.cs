using System.CommandLine;
using CuFrames.Cli.Internal;
using CuFrames.Client;
using CuFrames.Interop;
using CuFrames.Protocol;

namespace CuFrames.Cli.Commands;

/// <summary>The publishing process of <see cref="BenchCommand"/>: waits for a line on standard input, publishes, writes its figures.</summary>
internal static class BenchPublisherCommand
{
    internal const string Key = "bench";

    /// <summary>The first frames pay for compiling the code, on both sides: they are published and not measured.</summary>
    internal const int WarmUpFrames = 50;

    private static readonly StreamFormat Format = new(PixelFormat.Nv12, 1920, 1080);

    public static Command Create()
    {
        Option<int> seconds = Options.Number("--seconds", "", standard: 5, least: 1, most: 3600);
        Option<int> rate = Options.Number("--fps", "", standard: 100, least: 1, most: 1000);
        Command command = new("bench-publisher") { seconds, rate };
        command.Hidden = true;
        command.SetAction(parse => Run(parse.GetValue(seconds), parse.GetValue(rate)));
        return command;
    }

    private static int Run(int seconds, int rate)
    {
        using FramePublisher publisher = FramePublisher.Create(Key, Format, new PublisherOptions { Program = "cuframes bench" });
        Console.Out.WriteLine("ready");
        if (Console.In.ReadLine() is null)
        {
            return ExitCode.Interrupted;
        }

        LatencyHistogram cost = new();
        long period = 1_000_000_000 / rate;
        long next = MonotonicClock.NowNanoseconds;
        long frames = (long)seconds * rate;
        long allocated = 0;
        for (long frame = 0; frame < frames + WarmUpFrames; frame++)
        {
            if (frame == WarmUpFrames)
            {
                cost.Clear();
                allocated = GC.GetAllocatedBytesForCurrentThread();
            }

            PublishOne(publisher, cost);
            next += period;
            long wait = next - MonotonicClock.NowNanoseconds;
            if (wait > 0)
            {
                // The pace of a camera: this is what is measured at.
                Thread.Sleep(TimeSpan.FromTicks(wait / 100));
            }
        }

        allocated = GC.GetAllocatedBytesForCurrentThread() - allocated;
        PublisherStatistics statistics = publisher.GetStatistics();
        JsonLine.Write(new BenchPublisher(
            Format.ToString(), frames, statistics.Dropped, cost.Percentile(0.5), cost.Percentile(0.99), Math.Round(allocated / (double)frames, 1)));
        return ExitCode.Success;
    }

    private static void PublishOne(FramePublisher publisher, LatencyHistogram cost)
    {
        long begun = MonotonicClock.NowNanoseconds;
        if (publisher.TryBeginFrame(out FrameWriter frame))
        {
            frame.Publish();
            cost.Add(MonotonicClock.NowNanoseconds - begun);
        }
    }
}
