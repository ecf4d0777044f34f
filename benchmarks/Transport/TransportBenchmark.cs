using System.Diagnostics;
using System.Globalization;
using CuFrames.Benchmarks.Report;
using CuFrames.Benchmarks.Running;
using CuFrames.TestKit;

namespace CuFrames.Benchmarks.Transport;

/// <summary>The same 1080p frames by CuFrames, through pipes, and through GStreamer's shared memory.</summary>
internal sealed class TransportBenchmark : IBenchmark
{
    private const double Aim = 10;
    private const int PacedRate = 100;

    private static readonly (string Transport, string Name)[] Transports =
        [(TransportPeers.CuFrames, "CuFrames"), (TransportPeers.Pipe, "rawvideo pipe"), (TransportPeers.GStreamer, "GStreamer shm")];

    private static readonly int[] ReaderCounts = [1, 4];

    // Without a reader: what the producer spends before there is any. A pipe without a reader costs nothing.
    private static readonly (int Readers, int Rate, bool Touch)[] Cases =
    [
        (0, PacedRate, false), (1, PacedRate, false), (4, PacedRate, false), (1, PacedRate, true), (4, PacedRate, true), (1, 0, true), (4, 0, true),
    ];

    public string Name => "transport";

    public string Title => "1080p frames to other processes: CuFrames, rawvideo pipes, GStreamer shmsink";

    public void Run(RunContext context)
    {
        int paced = context.Pick(300, 100);
        int flat = context.Pick(1000, 300);
        context.Note($"frames at {PacedRate} fps", paced);
        context.Note("frames as fast as possible", flat);
        bool hasGStreamer = GStreamerNative.IsInstalled;
        if (!hasGStreamer)
        {
            context.Miss("GStreamer: install gstreamer1.0-tools, gstreamer1.0-plugins-base and gstreamer1.0-plugins-bad.");
        }

        for (int repetition = 1; repetition <= context.Repetitions; repetition++)
        {
            foreach ((int readers, int rate, bool touch) in Cases)
            {
                // In turn, so that whatever the machine does besides hits all of them alike.
                foreach ((string transport, _) in Transports)
                {
                    bool isPossible = (hasGStreamer || transport != TransportPeers.GStreamer) && (readers > 0 || transport != TransportPeers.Pipe);
                    if (!isPossible)
                    {
                        continue;
                    }

                    try
                    {
                        Measure(context, transport, readers, rate, rate == 0 ? flat : paced, touch, repetition);
                    }
                    catch (InvalidOperationException error) when (transport != TransportPeers.CuFrames)
                    {
                        context.Miss($"{transport} with {readers} readers, repetition {repetition}: {error.Message}");
                        Peer.KillAll();
                    }
                }
            }
        }
    }

    public void Report(RawData raw, Section section)
    {
        section.Text(
            "A producer process has 1080p I420 frames (3,110,400 bytes) in its own memory and gives each of them to every reader process; no reader loses one. " +
            "CPU time is user and system time of whole processes (getrusage), per frame. " +
            "“Per reader” is the CPU time of a reader's process, plus what the producer spends more than without any reader, shared among the readers; all " +
            "that a producer spends on pipes is for its readers. " +
            "“Touched” readers add up one byte of each cache line and check the sum; others read the frame's number only.");
        foreach (bool touch in new[] { false, true })
        {
            List<string[]> rows = [];
            BarChart chart = new($"CPU time per 1080p frame, all processes, frames {(touch ? "touched" : "not touched")}", "µs");
            foreach (int readers in ReaderCounts)
            {
                foreach ((string transport, string name) in Transports)
                {
                    string @case = Case(transport, readers, PacedRate, touch);
                    string what = $"{name}, {readers} readers, {(touch ? "touched" : "not touched")}";
                    Figure producer = section.Add(new Figure($"CPU of the producer per frame: {what}", "µs", raw.Values(@case, "producer")));
                    Figure reader = section.Add(new Figure($"CPU of a reader per frame: {what}", "µs", raw.Values(@case, "reader")));
                    Figure total = section.Add(new Figure($"CPU of all per frame: {what}", "µs", raw.Values(@case, "total")));
                    double[] most = touch ? raw.Values(Case(transport, readers, 0, touch), "fps") : [];
                    Figure rate = new($"most frames per second: {what}", "fps", most);
                    string[] row = [$"{readers}", name, producer.Range, reader.Range, total.Range];
                    rows.Add(touch ? [.. row, section.Add(rate).Range] : row);
                    chart.Add(readers == 1 ? "1 reader" : $"{readers} readers", name, total);
                }
            }

            section.Text($"Frames {(touch ? "touched" : "not touched")}, {PacedRate} frames per second{(touch ? "; the last column as fast as it goes" : "")}:");
            string[] header = ["readers", "transport", "producer, µs", "each reader, µs", "all, µs"];
            section.Table(touch ? [.. header, "most frames per second"] : header, rows);
            section.Chart(touch ? "transport-touched.svg" : "transport.svg", chart);

            List<string[]> costs = [];
            foreach ((string transport, string name) in Transports)
            {
                List<string> row = [name];
                foreach (int readers in ReaderCounts)
                {
                    double[] theirs = PerReader(raw, transport, readers, touch);
                    string what = $"CPU per reader and frame, {readers} {(readers == 1 ? "reader" : "readers")}, {(touch ? "touched" : "not touched")}";
                    row.Add(section.Add(new Figure($"{name}: {what}", "µs", theirs)).Range);
                    if (transport != TransportPeers.CuFrames)
                    {
                        Figure ratio = new($"{name} over CuFrames: {what}", "×", Divide(theirs, PerReader(raw, TransportPeers.CuFrames, readers, touch)));
                        row.Add(section.Add(transport == TransportPeers.Pipe && readers == ReaderCounts[^1] ? ratio with { Aim = Aim } : ratio).Range);
                    }
                    else
                    {
                        row.Add("");
                    }
                }

                row.Add(transport == TransportPeers.CuFrames
                    ? ""
                    : section.Add(new Figure(
                        $"{name} over CuFrames: CPU of all with 4 readers, {(touch ? "touched" : "not touched")}", "×",
                        Divide(raw.Values(Case(transport, 4, PacedRate, touch), "total"), raw.Values(Case(TransportPeers.CuFrames, 4, PacedRate, touch), "total")))).Range);
                costs.Add([.. row]);
            }

            section.Text($"CPU per reader and frame, {(touch ? "touched" : "not touched")}, and how many times that of CuFrames it is:");
            section.Table(["", "1 reader, µs", "×", "4 readers, µs", "×", "all processes, 4 readers, ×"], costs);
        }

        Figure alone = section.Add(new Figure("CuFrames: CPU of the producer per frame, no reader", "µs", raw.Values(Case(TransportPeers.CuFrames, 0, PacedRate, false), "producer")));
        section.Text($"Without any reader the producer of CuFrames spends {alone.Range} µs on a frame, nearly all of it on the copy into the slot.");
    }

    private static string Case(string transport, int readers, int rate, bool touch) =>
        $"{transport} {readers} {(rate == 0 ? "flat out" : "paced")} {(touch ? "touched" : "untouched")}";

    private static double[] PerReader(RawData raw, string transport, int readers, bool touch)
    {
        Dictionary<int, Measurement> alone = raw.Measurements.Where(measurement => measurement.Case == Case(transport, 0, PacedRate, false))
            .ToDictionary(measurement => measurement.Repetition);
        return [.. raw.Measurements.Where(measurement => measurement.Case == Case(transport, readers, PacedRate, touch)).Select(measurement =>
        {
            double before = alone.TryGetValue(measurement.Repetition, out Measurement? found) ? found.Values["producer"] : 0;
            return measurement.Values["reader"] + (Math.Max(0, measurement.Values["producer"] - before) / readers);
        })];
    }

    private static double[] Divide(double[] numerators, double[] denominators) => [.. numerators.Zip(denominators, (numerator, denominator) => numerator / denominator)];

    private static void Measure(RunContext context, string transport, int readers, int rate, int frames, bool touch, int repetition)
    {
        using TemporaryDirectory directory = new();
        if (transport == TransportPeers.Pipe)
        {
            for (int reader = 0; reader < readers; reader++)
            {
                using Process fifo = Process.Start("mkfifo", [PipeTransport.PathOf(directory.Path, reader)]);
                fifo.WaitForExit();
            }
        }

        using Peer writer = Peer.Start(PeerRoles.TransportWriter, transport, directory.Path, readers, frames, rate);
        writer.Expect("READY");
        Peer[] peers = [.. Enumerable.Range(0, readers).Select(reader => Peer.Start(PeerRoles.TransportReader, transport, directory.Path, reader, frames, touch))];
        foreach (Peer peer in peers)
        {
            peer.Expect("READY");
        }

        writer.Send("GO");
        double[] produced = Used(writer);
        double[][] read = [.. peers.Select(Used)];
        foreach (Peer peer in peers)
        {
            peer.Send("END");
            peer.WaitForEnd();
            peer.Dispose();
        }

        writer.Send("END");
        writer.WaitForEnd();
        double total = produced[0] + read.Sum(used => used[0]);
        context.Add(
            Case(transport, readers, rate, touch),
            repetition,
            ("producer", produced[0] / frames),
            ("reader", readers == 0 ? 0 : read.Average(used => used[0]) / frames),
            ("total", total / frames),
            ("fps", frames / (read.Append(produced).Max(used => used[1]) / 1e6)));
    }

    private static double[] Used(Peer peer) => [.. peer.Expect("USED", seconds: 90).Select(word => double.Parse(word, CultureInfo.InvariantCulture))];
}
