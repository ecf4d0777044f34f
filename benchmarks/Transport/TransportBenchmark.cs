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
            foreach (int readers in ReaderCounts)
            {
                foreach ((int rate, int frames, bool touch) in new[] { (PacedRate, paced, false), (PacedRate, paced, true), (0, flat, true) })
                {
                    // In turn, so that whatever the machine does besides hits all of them alike.
                    foreach ((string transport, _) in Transports.Where(transport => hasGStreamer || transport.Transport != TransportPeers.GStreamer))
                    {
                        try
                        {
                            Measure(context, transport, readers, rate, frames, touch, repetition);
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
    }

    public void Report(RawData raw, Section section)
    {
        section.Text(
            "A producer process has 1080p I420 frames (3,110,400 bytes) in its own memory and gives each of them to every reader process; no reader loses one. " +
            "CPU time is user and system time of whole processes (getrusage), per frame. " +
            "“Per added reader” is the difference between 4 readers and 1, divided by 3: it holds what the producer spends on a reader too. " +
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

            List<string[]> ratios = [];
            double[] ours = AddedReader(raw, TransportPeers.CuFrames, touch);
            foreach ((string transport, string name) in Transports.Skip(1))
            {
                double[] theirs = AddedReader(raw, transport, touch);
                Figure added = section.Add(new Figure($"{name} over CuFrames: CPU per added reader, {(touch ? "touched" : "not touched")}", "×", Divide(theirs, ours)) with
                {
                    Aim = transport == TransportPeers.Pipe ? Aim : null,
                });
                Figure alone = section.Add(new Figure(
                    $"{name} over CuFrames: CPU of one reader process, {(touch ? "touched" : "not touched")}", "×",
                    Divide(raw.Values(Case(transport, 1, PacedRate, touch), "reader"), raw.Values(Case(TransportPeers.CuFrames, 1, PacedRate, touch), "reader"))));
                Figure all = section.Add(new Figure(
                    $"{name} over CuFrames: CPU of all with 4 readers, {(touch ? "touched" : "not touched")}", "×",
                    Divide(raw.Values(Case(transport, 4, PacedRate, touch), "total"), raw.Values(Case(TransportPeers.CuFrames, 4, PacedRate, touch), "total"))));
                ratios.Add([name, added.Range, alone.Range, all.Range]);
            }

            Figure each = section.Add(new Figure($"CuFrames: CPU per added reader, {(touch ? "touched" : "not touched")}", "µs", ours));
            section.Text($"How many times the CPU of CuFrames the others take ({(touch ? "touched" : "not touched")}); an added reader costs CuFrames {each.Range} µs a frame:");
            section.Table(["", "per added reader", "one reader process", "all processes, 4 readers"], ratios);
        }
    }

    private static string Case(string transport, int readers, int rate, bool touch) =>
        $"{transport} {readers} {(rate == 0 ? "flat out" : "paced")} {(touch ? "touched" : "untouched")}";

    private static double[] AddedReader(RawData raw, string transport, bool touch)
    {
        double[] one = raw.Values(Case(transport, ReaderCounts[0], PacedRate, touch), "total");
        double[] many = raw.Values(Case(transport, ReaderCounts[^1], PacedRate, touch), "total");
        return [.. many.Zip(one, (most, least) => (most - least) / (ReaderCounts[^1] - ReaderCounts[0]))];
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
            ("reader", read.Average(used => used[0]) / frames),
            ("total", total / frames),
            ("fps", frames / (read.Max(used => used[1]) / 1e6)));
    }

    private static double[] Used(Peer peer) => [.. peer.Expect("USED", seconds: 90).Select(word => double.Parse(word, CultureInfo.InvariantCulture))];
}
