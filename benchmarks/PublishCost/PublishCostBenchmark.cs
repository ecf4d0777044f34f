using System.Globalization;
using CuFrames.Benchmarks.Report;
using CuFrames.Benchmarks.Running;
using CuFrames.TestKit;

namespace CuFrames.Benchmarks.PublishCost;

/// <summary>What a publish costs the publishing thread, in time, system calls and allocated bytes.</summary>
internal sealed class PublishCostBenchmark : IBenchmark
{
    private const string Key = "cost";
    private const string Batches = "publish-batches.csv";
    private const string Calls = "publish-system-calls.csv";

    private static readonly (string State, int[] Readers)[] Cases = [("busy", [0, 1, 8, 32]), ("polling", [1]), ("asleep", [1, 8, 32])];

    public string Name => "publish";

    public string Title => "Cost of a publish";

    public void Run(RunContext context)
    {
        int batches = context.Pick(40, 10);
        int frames = context.Pick(50_000, 10_000);
        int paced = context.Pick(400, 100);
        int traced = context.Pick(400, 100);
        context.Note("batches of frames, readers busy or polling", $"{batches} x {frames}");
        context.Note("frames, readers asleep", paced);
        context.Note("frames traced", traced);
        using StreamWriter table = context.CreateTable(Batches, "state,readers,repetition,ns");
        using StreamWriter calls = context.CreateTable(Calls, "state,readers,frames,call,count");
        for (int repetition = 1; repetition <= context.Repetitions; repetition++)
        {
            foreach ((string state, int[] counts) in Cases)
            {
                foreach (int readers in counts)
                {
                    using TemporaryDirectory directory = new();
                    using Peer publisher = Peer.Start(PeerRoles.CostPublisher, Key, directory.Path);
                    string thread = publisher.Expect("READY")[0];
                    Peer[] peers = [.. Enumerable.Range(0, readers).Select(_ => Peer.Start(PeerRoles.CostReader, Key, directory.Path, state))];
                    foreach (Peer peer in peers)
                    {
                        peer.Expect("READY");
                    }

                    publisher.Send(state == "asleep" ? $"paced {paced} 6" : $"flat {batches} {frames}");
                    string[] costs = publisher.Expect("COSTS", seconds: 120);
                    foreach (string cost in costs[1..])
                    {
                        table.WriteLine($"{state},{readers},{repetition},{cost}");
                    }

                    int published = state == "asleep" ? paced : batches * frames;
                    context.Add($"{state} {readers}", repetition, ("bytes allocated per frame", double.Parse(costs[0], CultureInfo.InvariantCulture) / published));
                    if (repetition == 1)
                    {
                        CountCalls(context, calls, publisher, thread, state, readers, traced);
                    }

                    foreach (Peer peer in peers)
                    {
                        peer.Send("END");
                    }

                    foreach (Peer peer in peers)
                    {
                        peer.WaitForEnd();
                        peer.Dispose();
                    }

                    publisher.Send("END");
                    publisher.WaitForEnd();
                }
            }
        }

        RunLoop(context);
    }

    public void Report(RawData raw, Section section)
    {
        section.Text(
            "Time that the publishing thread spends in TryBeginFrame and Publish, for a frame of 1 KiB that nobody writes to. Each reader is a process. " +
            "Busy: it works on something else; polling: it takes frames in a loop; asleep: it waits for the next frame and has to be woken.");
        Dictionary<(string State, int Readers), double[]> costs = raw.Table(Batches)
            .GroupBy(row => (row[0], int.Parse(row[1], CultureInfo.InvariantCulture)))
            .ToDictionary(
                group => group.Key,
                group => group.GroupBy(row => row[2])
                    .Select(repetition => Statistics.Median([.. repetition.Select(row => double.Parse(row[3], CultureInfo.InvariantCulture))])).ToArray());
        ILookup<(string State, int Readers), string[]> calls = raw.Table(Calls).ToLookup(row => (row[0], int.Parse(row[1], CultureInfo.InvariantCulture)));
        List<string[]> rows = [];
        BarChart awake = new("Time of one publish, nobody has to be woken", "ns");
        BarChart asleep = new("Time of one publish that wakes sleeping readers", "ns");
        foreach ((string state, int[] counts) in Cases)
        {
            foreach (int readers in counts)
            {
                string who = readers == 0 ? "no reader" : $"{readers} {state}";
                Figure cost = section.Add(new Figure($"publish, {who}", "ns", costs.GetValueOrDefault((state, readers)) ?? []));
                Figure bytes = section.Add(new Figure($"allocated per publish, {who}", "B", raw.Values($"{state} {readers}", "bytes allocated per frame")) with
                {
                    Aim = readers is 0 or 32 && state == "busy" ? 0 : null,
                    AimIsUpperBound = true,
                });
                double[] perFrame = [.. calls[(state, readers)].Where(row => row[3] == "all")
                    .Select(row => double.Parse(row[4], CultureInfo.InvariantCulture) / double.Parse(row[2], CultureInfo.InvariantCulture))];
                Figure systemCalls = section.Add(new Figure($"system calls per publish, {who}", "calls", perFrame) with
                {
                    Aim = state == "busy" && readers == 32 ? 0 : null,
                    AimIsUpperBound = true,
                });
                string names = string.Join(", ", calls[(state, readers)].Where(row => row[3] != "all").Select(row => row[3]));
                rows.Add([$"{readers}", readers == 0 ? "" : state, cost.Range, systemCalls.Range + (names.Length > 0 ? $" ({names})" : ""), bytes.Range]);
                (state == "asleep" ? asleep : awake).Add(who, "CuFrames", cost);
            }
        }

        section.Table(["readers", "which are", "ns", "system calls", "bytes allocated"], rows);
        section.Chart("publish.svg", awake);
        section.Chart("publish-wakes.svg", asleep);

        section.Text("In one process and one thread, by BenchmarkDotNet (short job, in process, raw/publish-benchmarkdotnet.json):");
        List<string[]> loop = [];
        foreach (Measurement measurement in raw.Measurements.Where(measurement => measurement.Case.StartsWith("loop ", StringComparison.Ordinal)))
        {
            string name = measurement.Case[5..];
            Figure time = section.Add(new Figure($"{name} in one process", "ns", [measurement.Values["min"], measurement.Values["median"], measurement.Values["max"]]));
            Figure bytes = section.Add(new Figure($"allocated by {name} in one process", "B", [measurement.Values["bytes"]]));
            loop.Add([name, time.Range, bytes.Range]);
        }

        section.Table(["operation", "ns", "bytes allocated"], loop);
    }

    /// <summary>Attaches strace to the publishing thread and counts what stands between the last two marks.</summary>
    private static void CountCalls(RunContext context, StreamWriter calls, Peer publisher, string thread, string state, int readers, int frames)
    {
        if (Machine.FirstLine("strace", "-V") is null)
        {
            context.Miss("system calls per publish: strace is not installed.");
            return;
        }

        string log = Path.Combine(Path.GetTempPath(), $"cuframes-strace-{Environment.ProcessId}");
        try
        {
            using Peer strace = Peer.Program("strace", "strace", "-p", thread, "-o", log);
            if (!strace.WaitForError("attached", 10))
            {
                context.Miss($"system calls per publish with {readers} readers: strace could not attach. {strace.Errors.Trim()}");
                return;
            }

            publisher.Send($"trace {frames} {(state == "asleep" ? 6000 : 50)}");
            publisher.Expect("TRACED", seconds: 120);

            // SIGINT: strace detaches and writes its log out.
            strace.Signal(2);
            strace.WaitForDeath();
            string[] lines = File.ReadAllLines(log);
            int[] marks = [.. lines.Index().Where(line => line.Item.Contains(CostPeers.Mark, StringComparison.Ordinal)).Select(line => line.Index)];
            if (marks.Length != 3)
            {
                context.Miss($"system calls per publish with {readers} readers: the trace holds {marks.Length} marks instead of 3.");
                return;
            }

            // A line is "name(arguments) = result", or a call that another line resumes, or a signal.
            string[] names = [.. lines[(marks[1] + 1)..marks[2]].Where(line => line.Contains('(', StringComparison.Ordinal) && char.IsAsciiLetter(line[0]))
                .Select(line => line[..line.IndexOf('(', StringComparison.Ordinal)])];
            calls.WriteLine($"{state},{readers},{frames},all,{names.Length}");
            foreach (IGrouping<string, string> name in names.GroupBy(name => name))
            {
                calls.WriteLine($"{state},{readers},{frames},{name.Key},{name.Count()}");
            }
        }
        finally
        {
            File.Delete(log);
        }
    }

    private static void RunLoop(RunContext context)
    {
        using TemporaryDirectory artifacts = new();
        using Peer loop = Peer.Start(PeerRoles.PublishLoop, artifacts.Path);
        while (loop.ReadLine() is { } line && line != "END")
        {
            string[] words = line.Split(' ');
            if (words[0] == "RESULT")
            {
                double[] values = [.. words[2..].Select(word => double.Parse(word, CultureInfo.InvariantCulture))];
                context.Add($"loop {words[1]}", 1, ("min", values[0]), ("median", values[1]), ("max", values[2]), ("bytes", values[3]));
            }
        }

        loop.WaitForEnd(60);
        foreach (string json in Directory.EnumerateFiles(artifacts.Path, "*.json", SearchOption.AllDirectories))
        {
            File.Copy(json, context.RawPath("publish-benchmarkdotnet.json"), overwrite: true);
        }
    }
}
