using System.Globalization;
using CuFrames.Benchmarks.Report;
using CuFrames.Benchmarks.Running;
using CuFrames.TestKit;

namespace CuFrames.Benchmarks.Latency;

/// <summary>Publish to read, against a bare futex hand-over, tick by tick in turn.</summary>
internal sealed class LatencyBenchmark : IBenchmark
{
    private const string Key = "latency";
    private const string Samples = "latency.csv.gz";
    private const double Aim = 1.5;

    // Two hand-overs a tick of 2 × 3 ms: each mechanism runs at some 150 per second, and every reader sleeps in between.
    private const int PauseMilliseconds = 3;

    private static readonly int[] ReaderCounts = [1, 4, 8];

    public string Name => "latency";

    public string Title => "Publish-to-read latency against a bare futex hand-over";

    public void Run(RunContext context)
    {
        int warmUp = context.Pick(400, 200);
        int ticks = context.Pick(1500, 300);
        context.Note("warm-up ticks", warmUp);
        context.Note("ticks", ticks);
        context.Note("pause between hand-overs, ms", PauseMilliseconds);
        using StreamWriter table = context.CreateTable(Samples, "mechanism,readers,repetition,reader,tick,ns");
        for (int repetition = 1; repetition <= context.Repetitions; repetition++)
        {
            foreach (int readers in ReaderCounts)
            {
                Measure(context, table, readers, repetition, warmUp, ticks);
            }
        }
    }

    public void Report(RawData raw, Section section)
    {
        Dictionary<(string Mechanism, int Readers), Dictionary<int, List<double>>> samples = Read(raw);
        section.Text(
            "One publisher process hands a frame to all readers, pauses, rings a bare futex, pauses, and so on; both kinds of readers are processes " +
            "that sleep on a futex. The time is from the stamp right before the hand-over to the clock read right after it, in µs. " +
            "The ratio is taken within each repetition.");
        List<string[]> rows = [];
        TailChart chart = new("Publish to read: how many hand-overs take longer than x", "time from publish to read, µs");
        foreach (int readers in ReaderCounts)
        {
            Dictionary<int, List<double>> ours = samples[("cuframes", readers)];
            Dictionary<int, List<double>> floor = samples[("futex", readers)];
            string panel = readers == 1 ? "1 reader" : $"{readers} readers";
            foreach ((double share, string name) in new[] { (0.5, "p50"), (0.99, "p99"), (0.999, "p99.9") })
            {
                Figure frame = section.Add(new Figure($"{name} with {panel}", "µs", [.. ours.Values.Select(values => Statistics.Percentile(values, share) / 1000)]));
                Figure futex = section.Add(new Figure($"{name} of a bare futex with {panel}", "µs", [.. floor.Values.Select(values => Statistics.Percentile(values, share) / 1000)]));
                Figure ratio = new($"{name} over a bare futex, {panel}", "×", [.. ours.Select(pair =>
                    Statistics.Percentile(pair.Value, share) / Statistics.Percentile(floor[pair.Key], share))]);
                section.Add(readers == 1 && name == "p50" ? ratio with { Aim = Aim, AimIsUpperBound = true } : ratio);
                rows.Add([$"{readers}", name, frame.Range, futex.Range, ratio.Range]);
            }

            chart.Add(panel, "CuFrames", ours.Values.SelectMany(values => values).Select(value => value / 1000));
            chart.Add(panel, "bare futex", floor.Values.SelectMany(values => values).Select(value => value / 1000));
        }

        section.Table(["readers", "", "CuFrames, µs", "bare futex, µs", "ratio"], rows);
        Figure missed = section.Add(new Figure("hand-overs that a reader missed", "share", raw.Values("missed", "share")));
        section.Text($"Hand-overs that a reader did not see one by one, because it had not run before the next: {missed.Range} of all.");
        section.Chart("latency.svg", chart);
    }

    private static void Measure(RunContext context, StreamWriter table, int readers, int repetition, int warmUp, int ticks)
    {
        using TemporaryDirectory directory = new();
        using Peer publisher = Peer.Start(PeerRoles.LatencyPublisher, Key, directory.Path, warmUp, ticks, PauseMilliseconds);
        string[] floor = publisher.Expect("READY");
        List<(string Mechanism, int Reader, string File, Peer Peer)> peers = [];
        for (int reader = 0; reader < readers; reader++)
        {
            string ours = Path.Combine(directory.Path, $"cuframes-{reader}.csv");
            string futex = Path.Combine(directory.Path, $"futex-{reader}.csv");
            peers.Add(("cuframes", reader, ours, Peer.Start(PeerRoles.LatencyReader, Key, directory.Path, ticks, ours)));
            peers.Add(("futex", reader, futex, Peer.Start(PeerRoles.FutexReader, floor[0], floor[1], ticks, futex)));
        }

        foreach ((_, _, _, Peer peer) in peers)
        {
            peer.Expect("READY");
        }

        publisher.Send("GO");
        publisher.Expect("DONE", seconds: 120);
        int seen = 0;
        foreach ((string mechanism, int reader, string file, Peer peer) in peers)
        {
            peer.WaitForEnd();
            peer.Dispose();
            foreach (string line in File.ReadLines(file))
            {
                table.WriteLine($"{mechanism},{readers},{repetition},{reader},{line}");
                seen++;
            }
        }

        publisher.Send("END");
        publisher.WaitForEnd();
        context.Add("missed", repetition, ("share", 1 - ((double)seen / (ticks * peers.Count))), ("readers", readers));
    }

    private static Dictionary<(string Mechanism, int Readers), Dictionary<int, List<double>>> Read(RawData raw)
    {
        Dictionary<(string, int), Dictionary<int, List<double>>> samples = [];
        foreach (string[] row in raw.Table(Samples))
        {
            (string, int) key = (row[0], int.Parse(row[1], CultureInfo.InvariantCulture));
            int repetition = int.Parse(row[2], CultureInfo.InvariantCulture);
            if (!samples.TryGetValue(key, out Dictionary<int, List<double>>? repetitions))
            {
                samples[key] = repetitions = [];
            }

            if (!repetitions.TryGetValue(repetition, out List<double>? values))
            {
                repetitions[repetition] = values = [];
            }

            values.Add(double.Parse(row[5], CultureInfo.InvariantCulture));
        }

        return samples;
    }
}
