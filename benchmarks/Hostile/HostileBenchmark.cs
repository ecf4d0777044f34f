using System.Diagnostics;
using System.Globalization;
using CuFrames.Benchmarks.Report;
using CuFrames.Benchmarks.Running;
using CuFrames.Control;
using CuFrames.Interop;
using CuFrames.TestKit;

namespace CuFrames.Benchmarks.Hostile;

/// <summary>What attacks on the control socket and the web server do to frames: their latency at a reader before and during each attack, in one run.</summary>
internal sealed class HostileBenchmark : IBenchmark
{
    private const string Frames = "hostile-frames.csv";
    private const string Quiet = "quiet";
    private const string Key = "pattern";

    /// <summary>No attack: a program that computes, as much as an attacker does. On few cores that alone is felt.</summary>
    private const string Busy = "burn";

    private static readonly string[] Kinds = ["malformed", "huge", "half", "resets", "flood", "slow", "silent", "deaf"];

    public string Name => "hostile";

    public string Title => "Hostile: frames while the control socket and the web server are attacked";

    public string OwnFolder => Name;

    public void Run(RunContext context)
    {
        TimeSpan quiet = TimeSpan.FromSeconds(context.Pick(6, 1));
        TimeSpan duration = TimeSpan.FromSeconds(context.Pick(10, 2));
        context.Note("seconds before each attack", quiet.TotalSeconds);
        context.Note("seconds of each attack", duration.TotalSeconds);
        using TemporaryDirectory folder = new();
        string run = Path.Combine(folder.Path, "run");
        string socket = Path.Combine(run, ControlClient.SocketName);
        int port = Ports.Free();
        string file = Path.Combine(folder.Path, "cuframes.yaml");
        File.WriteAllText(file, $"directory: {run}\nweb: 127.0.0.1:{port}\ncameras:\n  {Key}: {{source: \"test:nv12@640x360@25\", slots: 24}}\n");
        using Peer daemon = Peer.Program("cuframesd", "env", $"STATE_DIRECTORY={folder.Path}/state", "JOURNAL_STREAM=", context.DaemonProgram, "--config", file);
        using Peer reader = Peer.Start(PeerRoles.HostileReader, run, Key, context.RawPath(Frames) + ".part");
        reader.Expect("READY");
        using ControlClient client = new(socket) { Timeout = TimeSpan.FromSeconds(30) };
        Pause(client, quiet);
        foreach ((string name, string kind, string target) in Attacks(socket, port))
        {
            Phase(reader, $"{Quiet} {name}");
            double[] before = Pause(client, quiet);
            ProcessMemory(context, daemon, name, out double memory);
            using Peer attacker = Peer.Program(
                kind, "/usr/bin/python3", Path.Combine(context.RepositoryFolder, "tests", "CuFrames.Hostile.Tests", "attack.py"), kind, target, "--user", "2993");
            attacker.Expect("ready");
            Phase(reader, name);
            double[] during = Pause(client, duration);
            ProcessMemory(context, daemon, name, out double most);
            Phase(reader, "between");
            attacker.CloseInput();
            Dictionary<string, double> done = Counts(attacker.ReadLine());
            attacker.WaitForEnd();
            context.Add(
                name, 1, ("connections", done["connections"]), ("sent_mib", done["sent"] / (1 << 20)), ("call_p99_before_ms", Statistics.Percentile(before, 0.99)),
                ("call_p99_during_ms", Statistics.Percentile(during, 0.99)), ("memory_before_mib", memory), ("memory_during_mib", most));
        }

        reader.Send("END");
        reader.WaitForEnd();
        File.Move(context.RawPath(Frames) + ".part", context.RawPath(Frames), overwrite: true);
        File.WriteAllText(context.RawPath(Frames), "phase,microseconds,missed,wrong\n" + File.ReadAllText(context.RawPath(Frames)));
        daemon.Signal(15);
        daemon.WaitForEnd();
    }

    public void Report(RawData raw, Section section)
    {
        ILookup<string, (double Microseconds, double Missed, double Wrong)> frames = raw.Table(Frames).ToLookup(row => row[0], row => (Number(row[1]), Number(row[2]), Number(row[3])));
        section.Text(
            $"One camera of `test:nv12@640x360@25` and one reader of all its frames, a process of its own, which compares every sample. Before each attack {raw.Parameters["seconds before each attack"]} s of rest, " +
            $"then {raw.Parameters["seconds of each attack"]} s of attack by a process of another user. Latency runs from publish to take. Beside the attacker a client of the daemon's user calls `ListCameras` " +
            "fifty times a second. `burn` is no attack: a process that computes, because on two cores that alone is felt. `slow` sends a byte now and then on hundreds of connections, `silent` none, `deaf` takes no answer, " +
            "`resets` takes calls back as soon as they are made, `half` breaks requests off, `huge` sends heads and bodies of up to a megabyte, `malformed` wrong frames and heads, `flood` nothing but connections.");
        List<string[]> rows = [];
        foreach (Measurement measurement in raw.Measurements)
        {
            string name = measurement.Case;
            double[] before = [.. frames[PhaseOf($"{Quiet} {name}")].Select(frame => frame.Microseconds)];
            double[] during = [.. frames[PhaseOf(name)].Select(frame => frame.Microseconds)];
            Figure Of(string what, double[] values, double share) => section.Add(new Figure($"latency {what} {name}, p{share * 100:0}", "µs", [Statistics.Percentile(values, share)]));
            rows.Add(
            [
                name, $"{measurement.Values["connections"]:N0}", Of("before", before, 0.5).Range, Of("during", during, 0.5).Range, Of("before", before, 0.99).Range, Of("during", during, 0.99).Range,
                Figure.Text(measurement.Values["call_p99_before_ms"]), Figure.Text(measurement.Values["call_p99_during_ms"]), Figure.Text(measurement.Values["memory_during_mib"]),
            ]);
        }

        section.Table(
            ["attack", "connections", "p50 before, µs", "p50 during, µs", "p99 before, µs", "p99 during, µs", "call p99 before, ms", "call p99 during, ms", "memory (PSS), MiB"], rows);
        section.Add(new Figure("frames missed during attacks", "", [frames.Sum(phase => phase.Sum(frame => frame.Missed))]) { Aim = raw.IsQuick ? null : 0, AimIsUpperBound = true });
        section.Add(new Figure("frames wrong during attacks", "", [frames.Sum(phase => phase.Sum(frame => frame.Wrong))]) { Aim = 0, AimIsUpperBound = true });
        section.Text($"{frames.Sum(phase => phase.Count()):N0} frames, of which {frames.Sum(phase => phase.Sum(frame => frame.Wrong))} were wrong and {frames.Sum(phase => phase.Sum(frame => frame.Missed))} missed.");
    }

    private static IEnumerable<(string Name, string Kind, string Target)> Attacks(string socket, int port)
    {
        yield return (Busy, Busy, "unix:" + socket);
        foreach (string kind in Kinds)
        {
            yield return ($"control {kind}", kind, "unix:" + socket);
        }

        // Resets are of HTTP/2 only, which the web server speaks with TLS.
        foreach (string kind in Kinds.Where(kind => kind != "resets"))
        {
            yield return ($"web {kind}", kind, $"127.0.0.1:{port}");
        }
    }

    /// <summary>One word, as lines between processes are words.</summary>
    private static string PhaseOf(string name) => name.Replace(' ', '_');

    private static void Phase(Peer reader, string name)
    {
        reader.Send("PHASE " + PhaseOf(name));
        reader.Expect("NOTED");
    }

    /// <summary>Lets time go by, with calls that an operator's programs make.</summary>
    private static double[] Pause(ControlClient client, TimeSpan duration)
    {
        List<double> times = [];
        Stopwatch time = Stopwatch.StartNew();
        while (time.Elapsed < duration)
        {
            long before = MonotonicClock.NowNanoseconds;
            client.ListCamerasAsync().GetAwaiter().GetResult();
            times.Add((MonotonicClock.NowNanoseconds - before) / 1e6);
            // The pace of the calls.
            Thread.Sleep(20);
        }

        return [.. times];
    }

    private static void ProcessMemory(RunContext context, Peer daemon, string name, out double memory)
    {
        memory = Operate.ProcessState.Of(daemon.ProcessId).PssKiB / 1024.0;
        context.Log(string.Create(CultureInfo.InvariantCulture, $"{name}: {memory:0.0} MiB"));
    }

    private static Dictionary<string, double> Counts(string? line) => System.Text.Json.JsonSerializer.Deserialize<Dictionary<string, double>>(line ?? "{}")!;

    private static double Number(string text) => double.Parse(text, CultureInfo.InvariantCulture);
}
