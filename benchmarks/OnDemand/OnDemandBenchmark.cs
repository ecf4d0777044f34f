using System.Globalization;
using System.Text;
using CuFrames.Benchmarks.Decode;
using CuFrames.Benchmarks.Report;
using CuFrames.Benchmarks.Running;
using CuFrames.TestKit;

namespace CuFrames.Benchmarks.OnDemand;

/// <summary>Cameras that decode while somebody reads: what they decode while nobody does, and how soon a reader has a frame.</summary>
internal sealed class OnDemandBenchmark : IBenchmark
{
    private const string Samples = "on-demand.csv";
    private const string OnDemand = "on-demand";
    private const string Always = "always";
    private const string Idle = "idle";
    private const double Aim = 150;

    // A camera is idle again 5 s after its reader has left; it is its turn again after more than that.
    private static readonly TimeSpan Turn = TimeSpan.FromSeconds(6.5);

    // Over which it is seen that idle cameras decode nothing.
    private static readonly TimeSpan IdleWindow = TimeSpan.FromSeconds(4);

    public string Name => "on-demand";

    public string Title => "Decoding on demand: from subscribe to the first frame";

    public void Run(RunContext context)
    {
        string clip = Clips.MakeWithKeyFrames(context);
        int cameras = context.Pick(12, 3);
        int count = context.Pick(40, 6);
        context.Note("cameras that decode on demand", cameras);
        context.Note("readers of each kind", count);
        using StreamWriter table = context.CreateTable(Samples, "repetition," + WakeSample.Header);
        for (int repetition = 1; repetition <= context.Repetitions; repetition++)
        {
            Measure(context, table, clip, cameras, count, repetition);
            table.Flush();
        }
    }

    public void Report(RawData raw, Section section)
    {
        section.Text(
            $"{raw.Parameters["cameras that decode on demand"]} cameras of 1080p at 25 frames per second with a key frame every 2 s and `decode: on-demand` in one cuframesd, and one that always decodes in " +
            "another, in software. A reader comes to one after the other, at any time between two key frames, when the camera has become idle, and right after that to the one that always decodes. " +
            $"The time runs from before it connects until it holds a frame. {raw.Parameters["readers of each kind"]} comings in each repetition; percentiles are of a repetition. \"Age\" is how old the picture " +
            "of that first frame is: on demand it is that of the newest key frame. \"Live\" is the time until it holds a frame whose packet arrived after its coming.");
        Row onDemand = Add(raw, section, OnDemand, "decode: on-demand", Aim);
        Row always = Add(raw, section, Always, "decode: always", null);
        section.Table(
            ["camera", "first frame p50, ms", "p99, ms", "most, ms", "its age p50, ms", "live p50, ms", "live p99, ms"],
            [onDemand.Texts("on demand, idle before"), always.Texts("always decoding")]);
        Figure open = section.Add(new Figure("decoders of idle cameras", "", raw.Values(Idle, "decoders")) { Aim = 0, AimIsUpperBound = true });
        Figure pictures = section.Add(new Figure("pictures decoded for idle cameras", "", raw.Values(Idle, "pictures")) { Aim = 0, AimIsUpperBound = true });
        Figure idle = section.Add(new Figure("CPU time of an idle camera", "ms per second", raw.Values(Idle, "cpu_ms_per_camera")));
        Figure busy = section.Add(new Figure("CPU time of a camera that decodes", "ms per second", raw.Values(Idle, "always_cpu_ms")));
        Figure missed = section.Add(new Figure("packets missed by a reader of all packets meanwhile", "", raw.Values(Idle, "packets_missed")) { Aim = 0, AimIsUpperBound = true });
        section.Text(
            $"While nobody reads: {open.Range} decoders open and {pictures.Range} pictures decoded for all of them in {IdleWindow.TotalSeconds} s, counted as the daemon calls libavcodec; CPU {idle.Range} ms per " +
            $"second and camera, where the daemon with one camera that decodes uses {busy.Range}. A reader of all packets of one of the cameras missed {missed.Range} of {raw.Values(Idle, "packets").Sum()}.");
    }

    private static Row Add(RawData raw, Section section, string camera, string name, double? aim)
    {
        string[][] rows = [.. raw.Table(Samples).Where(row => row[1] == camera)];
        Figure Of(string what, int column, Func<double[], double> choose, double? bound = null) => section.Add(new Figure(
            $"{what}, {name}", "ms",
            [.. rows.GroupBy(row => row[0]).Select(group => choose([.. group.Select(row => double.Parse(row[column], CultureInfo.InvariantCulture) / 1e6)]))])
        {
            Aim = bound,
            AimIsUpperBound = true,
        });
        double Middle(double[] values) => Statistics.Percentile(values, 0.5);
        double High(double[] values) => Statistics.Percentile(values, 0.99);
        return new Row(
            Of("subscribe to first frame p50", 3, Middle, aim), Of("subscribe to first frame p99", 3, High, aim), Of("subscribe to first frame, most", 3, values => values.Max()),
            Of("age of the first frame p50", 4, Middle), Of("subscribe to a frame of after that p50", 5, Middle), Of("subscribe to a frame of after that p99", 5, High));
    }

    private static void Measure(RunContext context, StreamWriter table, string clip, int cameras, int count, int repetition)
    {
        using TemporaryDirectory directory = new();
        DecoderAudit audit = new(directory.Path);
        string[] keys = [.. Enumerable.Range(1, cameras).Select(camera => $"camera-{camera}")];

        // Two daemons, so that each one's CPU time and decoders are known.
        using Peer daemon = StartDaemon(context, directory.Path, clip, OnDemand, keys, audit.Environment);
        using Peer busy = StartDaemon(context, directory.Path, clip, Always, [Always], new Dictionary<string, string?>());
        using Peer reader = Peer.Start(PeerRoles.FirstFrameReader, directory.Path);
        reader.Expect("READY");
        using PacketWatch packets = new(keys[0], directory.Path);
        WakeRounds rounds = new(directory.Path, keys, Always, reader);
        rounds.WaitUntilIdle();
        rounds.WarmUp();
        rounds.WaitUntilIdle();
        (DecoderCounts Decoders, double Idle, double Busy) first = Look();
        Thread.Sleep(IdleWindow);
        (DecoderCounts Decoders, double Idle, double Busy) last = Look();
        foreach (WakeSample sample in rounds.Take(count, Turn / cameras))
        {
            table.WriteLine($"{repetition},{sample}");
        }

        packets.Dispose();
        context.Add(
            Idle, repetition, ("decoders", last.Decoders.Open), ("pictures", last.Decoders.Pictures - first.Decoders.Pictures),
            ("cpu_ms_per_camera", (last.Idle - first.Idle) / IdleWindow.TotalSeconds / cameras), ("always_cpu_ms", (last.Busy - first.Busy) / IdleWindow.TotalSeconds),
            ("packets", packets.Taken), ("packets_missed", packets.Missed));
        reader.Send("END");
        reader.WaitForEnd();
        foreach (Peer ending in (Peer[])[daemon, busy])
        {
            ending.Signal(15);
            ending.WaitForEnd();
        }

        (DecoderCounts, double, double) Look() => (audit.Read(), CpuTimes.ReadMilliseconds(daemon.ProcessId), CpuTimes.ReadMilliseconds(busy.ProcessId));
    }

    private static Peer StartDaemon(RunContext context, string directory, string clip, string mode, IEnumerable<string> keys, IReadOnlyDictionary<string, string?> environment)
    {
        StringBuilder configuration = new($"directory: {directory}\ndefaults: {{decode: [software, {mode}], decode_threads: 1, loop: true}}\ncameras:\n");
        foreach (string key in keys)
        {
            configuration.Append(CultureInfo.InvariantCulture, $"  {key}: {{source: {clip}}}\n");
        }

        string file = Path.Combine(directory, mode + ".yaml");
        File.WriteAllText(file, configuration.ToString());

        // The daemon does not watch its standard input: this ends it if the benchmark itself is killed.
        return Peer.Program("cuframesd", "timeout", ["300", "env", .. environment.Select(variable => $"{variable.Key}={variable.Value}"), context.DaemonProgram, "--config", file]);
    }

    /// <summary>Figures of one kind of camera.</summary>
    private sealed record Row(Figure First, Figure FirstHigh, Figure Most, Figure Age, Figure Live, Figure LiveHigh)
    {
        public string[] Texts(string name) => [name, First.Range, FirstHigh.Range, Most.Range, Age.Range, Live.Range, LiveHigh.Range];
    }
}
