using System.Text.Json.Nodes;
using CuFrames.Benchmarks.Gpu.Running;
using CuFrames.Benchmarks.Running;

namespace CuFrames.Benchmarks.Gpu.Cameras;

/// <summary>CPU time per frame of the daemon and of its readers, cameras at 25 frames per second.</summary>
internal sealed class CpuPart : IPart
{
    private const int Readers = 3;
    private static readonly TimeSpan Settling = TimeSpan.FromSeconds(2);

    public string Name => "cpu";

    public void Run(PartContext context)
    {
        int cameras = context.Options.Cameras[^1];
        using CameraDaemon daemon = CameraDaemon.Start(context, BenchClips.Find(context, "h264"), cameras, isPaced: true);
        for (int reader = 0; reader < Readers; reader++)
        {
            daemon.AddReader();
        }

        Thread.Sleep(Settling);
        using StreamWriter table = context.CreateTable("cpu.csv", "process,frames,cpu_ms");
        (StreamPoint[][] firstPoints, double[] firstTimes) = Look();

        // Long enough for the 10 ms in which the kernel counts.
        Thread.Sleep(TimeSpan.FromSeconds(2 * context.Options.Seconds));
        (StreamPoint[][] lastPoints, double[] lastTimes) = Look();
        double published = firstPoints[0].Zip(lastPoints[0], (from, to) => (double)(to.Sequence - from.Sequence)).Sum();
        double taken = firstPoints.Zip(lastPoints, (from, to) => to.Sum(point => point.Taken) - from.Sum(point => point.Taken)).Sum();
        double[] used = [.. firstTimes.Zip(lastTimes, (from, to) => to - from)];
        table.WriteLine(FormattableString.Invariant($"daemon,{published},{used[0]}"));
        for (int reader = 0; reader < Readers; reader++)
        {
            table.WriteLine(FormattableString.Invariant(
                $"reader,{lastPoints[reader].Sum(point => point.Taken) - firstPoints[reader].Sum(point => point.Taken)},{used[reader + 1]}"));
        }

        context.Report.Set("cpu_us_per_frame", new JsonObject
        {
            ["daemon"] = BenchReport.Round(used[0] * 1000 / published),
            ["reader"] = BenchReport.Round(used[1..].Sum() * 1000 / taken),
            ["cameras"] = cameras,
            ["readers"] = Readers,
            ["frames"] = published,
        });

        (StreamPoint[][], double[]) Look() =>
            (daemon.Mark(), [.. new[] { daemon.ProcessId }.Concat(daemon.ReaderProcessIds).Select(CpuTimes.ReadMilliseconds)]);
    }

    public void Print(BenchReport report, TextWriter output)
    {
        if (report["cpu_us_per_frame"] is { } figures)
        {
            output.WriteLine(FormattableString.Invariant(
                $"\nCPU time per frame, {(int)figures["cameras"]!} cameras at 25 fps, {(int)figures["readers"]!} readers: daemon {(double)figures["daemon"]!} µs, reader {(double)figures["reader"]!} µs"));
        }
    }
}
