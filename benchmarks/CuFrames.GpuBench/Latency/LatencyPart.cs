using System.Globalization;
using System.Text.Json.Nodes;
using CuFrames.Benchmarks.Gpu.Running;
using CuFrames.Benchmarks.Report;
using CuFrames.Benchmarks.Running;
using CuFrames.Client;
using CuFrames.TestKit;

namespace CuFrames.Benchmarks.Gpu.Latency;

/// <summary>From before the copy into the ring to the reader that may read, by CuFrames and by an event, tick by tick in turn.</summary>
internal sealed class LatencyPart : IPart
{
    private const string Key = "latency";
    private const string Samples = "latency.csv.gz";

    /// <summary>The hand-over of CuFrames: complete, then announced (design D3).</summary>
    private const string Complete = "complete";

    /// <summary>The hand-over of others: announced, then waited for by a stream, as programs that go on working on the GPU do.</summary>
    private const string Event = "event";

    /// <summary>The same hand-over, waited for by the host, which polls.</summary>
    private const string EventOnHost = "event-host";

    /// <summary>The floor of all: a futex wake without a frame.</summary>
    private const string Wake = "wake";

    private const int WorkMicroseconds = 1000;
    private const int WarmUp = 200;

    // What each reader count is to give at least, and what p99.9 needs.
    private const int LeastSamples = 10_000;
    private const int LeastTicks = 1500;
    private const int MostTicks = 5000;

    // Milliseconds between two hand-overs: with both in turn some 160 frames per second each.
    private const int IdlePause = 3;

    // With work the readers' kernels fill this share of the time at most, or they would never end.
    private const double MostBusy = 0.8;

    public string Name => "latency";

    public void Run(PartContext context)
    {
        JsonArray figures = [];
        TailChart idle = new("Device memory, readers without work: how many hand-overs take longer than x", "time from copy to read, µs");
        TailChart busy = new("Device memory, readers with 1 ms of kernels per frame: how many hand-overs take longer than x", "time from copy to read, µs");
        using StreamWriter table = context.CreateTable(Samples, "mode,readers,busy_us,reader,tick,ns");
        foreach (int work in new[] { 0, WorkMicroseconds })
        {
            foreach (int readers in context.Options.Readers)
            {
                int pause = work == 0 ? IdlePause : Math.Max(IdlePause, (int)Math.Ceiling(readers * work / 1000.0 / MostBusy));
                int ticks = context.Options.Scale(Math.Clamp(LeastSamples / readers, LeastTicks, MostTicks));
                (Dictionary<string, List<double>> samples, double launched, double published) = Measure(context, table, readers, work, pause, ticks);
                foreach ((string mode, List<double> values) in samples)
                {
                    JsonObject figure = new()
                    {
                        ["readers"] = readers,
                        ["busy_us"] = work,
                        ["mode"] = mode,
                        ["p50_us"] = BenchReport.Round(Statistics.Percentile(values, 0.5)),
                        ["p99_us"] = BenchReport.Round(Statistics.Percentile(values, 0.99)),
                        ["p999_us"] = BenchReport.Round(Statistics.Percentile(values, 0.999)),
                        ["samples"] = values.Count,
                        ["missed"] = ((mode == Wake ? ticks / LatencyPublisher.TicksPerWake : ticks) * readers) - values.Count,
                        ["pause_ms"] = pause,
                        ["kernels_per_frame"] = BenchReport.Round(launched),
                    };
                    if (mode == Complete)
                    {
                        figure["publish_p50_us"] = BenchReport.Round(published);
                    }

                    figures.Add(figure);
                    context.Log($"{readers} readers, {work} µs of kernels, {mode}: p50 {figure["p50_us"]!.GetValue<double>()}, p99 {figure["p99_us"]!.GetValue<double>()}, p99.9 {figure["p999_us"]!.GetValue<double>()} µs of {values.Count}");
                    (work == 0 ? idle : busy).Add(readers == 1 ? "1 reader" : $"{readers} readers", SeriesOf(mode), values);
                }

                context.Report.Set("latency", figures.DeepClone());
                context.Report.Write();
            }
        }

        context.WritePlot("latency-idle.svg", idle.Render());
        context.WritePlot("latency-busy.svg", busy.Render());
    }

    public void Print(BenchReport report, TextWriter output)
    {
        if (report["latency"] is not JsonArray figures)
        {
            return;
        }

        output.WriteLine("\nFrom before the copy to readable, 1080p NV12, in µs. Aims: 4 idle readers p50 ≤ 45, p99 ≤ 150, events at least 5 times slower at p50");
        output.WriteLine($"{"readers",7} {"kernels",9} {"mode",-10} {"p50",8} {"p99",8} {"p99.9",9} {"samples",8}");
        foreach (JsonNode? figure in figures)
        {
            string ratio = (string)figure!["mode"]! == Event && Other(figure) is { } ours
                ? FormattableString.Invariant($"   {(double)figure["p50_us"]! / (double)ours["p50_us"]!:0.0} times at p50")
                : "";
            output.WriteLine(FormattableString.Invariant(
                $"{(int)figure["readers"]!,7} {(int)figure["busy_us"]!,6} µs {(string)figure["mode"]!,-10} {(double)figure["p50_us"]!,8} {(double)figure["p99_us"]!,8} {(double)figure["p999_us"]!,9} {(int)figure["samples"]!,8}{ratio}"));
        }

        JsonNode? Other(JsonNode figure) => figures.FirstOrDefault(other =>
            (string)other!["mode"]! == Complete && (int)other["readers"]! == (int)figure["readers"]! && (int)other["busy_us"]! == (int)figure["busy_us"]!);
    }

    private static string SeriesOf(string mode) => mode switch
    {
        Complete => "CuFrames",
        Event => "IPC event, stream waits",
        EventOnHost => "IPC event, host polls",
        _ => "a wake alone",
    };

    /// <returns>Samples in µs of each mode, kernels that a reader launched for each frame, and the median time in µs from before the copy until the
    /// publisher had announced the frame.</returns>
    private static (Dictionary<string, List<double>> Samples, double Launched, double Published) Measure(
        PartContext context, StreamWriter table, int readers, int work, int pause, int ticks)
    {
        using TemporaryDirectory directory = new();
        FrameMemory memory = context.Options.Memory == "cuda" ? FrameMemory.Cuda : FrameMemory.CudaIpc;
        string times = Path.Combine(directory.Path, "published.csv");
        using Peer publisher = Peer.Start(PeerRoles.LatencyPublisher, Key, directory.Path, memory, WarmUp, ticks, pause, times);
        string[] page = publisher.Expect("READY");
        string[] modes = [Complete, Event, EventOnHost, Wake];
        List<(Peer Peer, string[] Files)> peers = [];
        for (int reader = 0; reader < readers; reader++)
        {
            string[] files = [.. modes.Select(mode => Path.Combine(directory.Path, $"{mode}-{reader}.csv"))];
            peers.Add((Peer.Start(PeerRoles.LatencyReader, [Key, directory.Path, page[0], page[1], ticks, work, .. files]), files));
        }

        foreach ((Peer peer, _) in peers)
        {
            peer.Expect("READY");
        }

        publisher.Send("GO");
        publisher.Expect("DONE", seconds: 60 + (3 * (WarmUp + ticks) * (pause + 10) / 1000));
        Dictionary<string, List<double>> samples = modes.ToDictionary(mode => mode, _ => new List<double>());
        int launched = 0;
        foreach ((int reader, (Peer peer, string[] files)) in peers.Index())
        {
            launched += int.Parse(peer.Expect("DONE")[0], CultureInfo.InvariantCulture);
            foreach ((string mode, string file) in modes.Zip(files))
            {
                foreach (string line in File.ReadLines(file))
                {
                    table.WriteLine($"{mode},{readers},{work},{reader},{line}");
                    samples[mode].Add(double.Parse(line.Split(',')[1], CultureInfo.InvariantCulture) / 1000);
                }
            }
        }

        // Only now: a reader's context that ends disturbs the others, and the publisher's memory must outlive their mappings.
        foreach ((Peer peer, _) in peers)
        {
            peer.Send("END");
            peer.WaitForEnd();
            peer.Dispose();
        }

        publisher.Send("END");
        publisher.WaitForEnd();
        double[] published = [.. File.ReadLines(times).Select(line => double.Parse(line.Split(',')[1], CultureInfo.InvariantCulture) / 1000)];
        return (samples, (double)launched / readers / 2 / (ticks + WarmUp), Statistics.Median(published));
    }
}
