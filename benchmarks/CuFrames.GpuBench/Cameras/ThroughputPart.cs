using System.Text.Json.Nodes;
using CuFrames.Benchmarks.Gpu.Running;
using CuFrames.Benchmarks.Report;

namespace CuFrames.Benchmarks.Gpu.Cameras;

/// <summary>Frames per second of the daemon with readers attached, against as many ffmpeg processes that decode for nobody.</summary>
internal sealed class ThroughputPart : IPart
{
    private const int Readers = 3;
    private static readonly string[] Codecs = ["h264", "hevc"];
    private static readonly TimeSpan Settling = TimeSpan.FromSeconds(1);

    // The prototype's measurement, rounded down; by cameras.
    private static readonly Dictionary<int, double> Aims = new() { [1] = 1.0, [4] = 1.05, [8] = 1.2, [16] = 1.3 };

    public string Name => "throughput";

    public void Run(PartContext context)
    {
        JsonArray figures = [];
        BarChart chart = new("Decoding 1080p files as fast as it goes: cuframesd with 3 readers and as many ffmpeg processes", "fps");
        using StreamWriter table = context.CreateTable("throughput.csv", "program,codec,cameras,camera,frames,ns");
        foreach (string codec in Codecs)
        {
            string clip = BenchClips.FindLong(context, codec);
            foreach (int cameras in context.Options.Cameras)
            {
                double baseline = MeasureProcesses(context, table, codec, clip, cameras);
                (double rate, double read) = MeasureDaemon(context, table, codec, clip, cameras);
                figures.Add(new JsonObject
                {
                    ["codec"] = codec,
                    ["cameras"] = cameras,
                    ["readers"] = Readers,
                    ["fps"] = BenchReport.Round(rate),
                    ["baseline_fps"] = BenchReport.Round(baseline),
                    ["read_fps"] = BenchReport.Round(read),
                });
                context.Log($"{codec}, {cameras} cameras: {rate:0} fps, ffmpeg {baseline:0}, {rate / baseline:0.00} times; the readers took {read:0} fps");
                string group = $"{codec}, {cameras} cameras";
                chart.Add(group, "CuFrames", new Figure("", "fps", [rate]));
                chart.Add(group, "ffmpeg", new Figure("", "fps", [baseline]));
                table.Flush();
                context.Report.Set("throughput", figures.DeepClone());
                context.Report.Write();
            }
        }

        context.WritePlot("throughput.svg", chart.Render());
    }

    public void Print(BenchReport report, TextWriter output)
    {
        if (report["throughput"] is not JsonArray figures)
        {
            return;
        }

        output.WriteLine("\nFrames per second, 1080p files unpaced, against as many ffmpeg processes");
        output.WriteLine($"{"codec",-6} {"cameras",8} {"readers",8} {"cuframesd",10} {"ffmpeg",8} {"times",6} {"aim",5}");
        foreach (JsonNode? figure in figures)
        {
            int cameras = (int)figure!["cameras"]!;
            string aim = Aims.TryGetValue(cameras, out double least) ? FormattableString.Invariant($"{least:0.00}") : "";
            double rate = (double)figure["fps"]!;
            double baseline = (double)figure["baseline_fps"]!;
            output.WriteLine(FormattableString.Invariant(
                $"{(string)figure["codec"]!,-6} {cameras,8} {(int)figure["readers"]!,8} {rate,10} {baseline,8} {rate / baseline,6:0.00} {aim,5}"));
        }
    }

    private static double MeasureProcesses(PartContext context, StreamWriter table, string codec, string clip, int cameras)
    {
        using FfmpegProcesses processes = FfmpegProcesses.Start(context, clip, cameras, isPaced: false);
        Thread.Sleep(Settling);
        (long Frames, long Time)[] first = processes.Mark();
        Thread.Sleep(TimeSpan.FromSeconds(context.Options.Seconds));
        (long Frames, long Time)[] last = processes.Mark();
        processes.CheckAlive();
        double sum = 0;
        foreach ((int camera, ((long Frames, long Time) from, (long Frames, long Time) to)) in first.Zip(last).Index())
        {
            table.WriteLine($"ffmpeg,{codec},{cameras},{camera},{from.Frames},{from.Time}");
            table.WriteLine($"ffmpeg,{codec},{cameras},{camera},{to.Frames},{to.Time}");
            sum += (to.Frames - from.Frames) * 1e9 / (to.Time - from.Time);
        }

        return sum;
    }

    /// <returns>Frames per second that were published, and that a reader took on average.</returns>
    private static (double Published, double Read) MeasureDaemon(PartContext context, StreamWriter table, string codec, string clip, int cameras)
    {
        using CameraDaemon daemon = CameraDaemon.Start(context, clip, cameras, isPaced: false);
        for (int reader = 0; reader < Readers; reader++)
        {
            daemon.AddReader();
        }

        Thread.Sleep(Settling);
        StreamPoint[][] first = daemon.Mark();
        Thread.Sleep(TimeSpan.FromSeconds(context.Options.Seconds));
        StreamPoint[][] last = daemon.Mark();
        double published = 0;
        double read = 0;
        for (int reader = 0; reader < Readers; reader++)
        {
            for (int camera = 0; camera < cameras; camera++)
            {
                (StreamPoint from, StreamPoint to) = (first[reader][camera], last[reader][camera]);
                double seconds = (to.PublishTime - from.PublishTime) / 1e9;
                if (seconds <= 0 || to.Sequence <= from.Sequence)
                {
                    throw new InvalidOperationException($"Camera {camera + 1} stopped while it was measured. {daemon.Errors}");
                }

                read += (to.Taken - from.Taken) / seconds / Readers;
                if (reader == 0)
                {
                    // Every frame that is published has a number of its own, whether a reader takes it or not.
                    table.WriteLine($"cuframesd,{codec},{cameras},{camera},{from.Sequence},{from.PublishTime}");
                    table.WriteLine($"cuframesd,{codec},{cameras},{camera},{to.Sequence},{to.PublishTime}");
                    published += (to.Sequence - from.Sequence) / seconds;
                }
            }
        }

        return (published, read);
    }
}
