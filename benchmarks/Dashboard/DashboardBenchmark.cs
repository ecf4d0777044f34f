using System.Diagnostics;
using System.Globalization;
using System.Text;
using CuFrames.Benchmarks.Report;
using CuFrames.Benchmarks.Running;
using CuFrames.TestKit;

namespace CuFrames.Benchmarks.Dashboard;

/// <summary>What the dashboard costs the daemon: two daemons of the same cameras side by side, one without a web server.</summary>
internal sealed class DashboardBenchmark : IBenchmark
{
    private const int Cameras = 16;
    private const double Aim = 2;

    /// <summary>What "nothing" is allowed to be: the two daemons' own difference from window to window.</summary>
    private const double Nothing = 0.3;

    private static readonly string[] Sizes = ["640x360", "1280x720"];

    public string Name => "dashboard";

    public string Title => "The dashboard's cost: the daemon's CPU with nobody who looks, and with one who sees 16 tiles";

    public string OwnFolder => Name;

    public void Run(RunContext context)
    {
        TimeSpan window = TimeSpan.FromSeconds(context.Pick(20, 5));
        context.Note("cameras", Cameras);
        context.Note("frames per second of each", 10);
        context.Note("seconds of each window", window.TotalSeconds);
        foreach (string size in Sizes)
        {
            Measure(context, size, window);
        }
    }

    public void Report(RawData raw, Section section)
    {
        section.Text(
            $"Two cuframesd with the same {raw.Parameters["cameras"]} test patterns run at the same time, one with `web: off`. Figures are CPU time of the daemon with the dashboard less that of the one " +
            $"without, over the same {raw.Parameters["seconds of each window"]} s, in percent of one core. Whoever looks takes the events and a picture of each tile once a second; his own CPU time is not counted.");
        List<string[]> rows = [];
        foreach (string size in Sizes)
        {
            Figure off = section.Add(new Figure($"daemon without a web server, {size}", "% of a core", raw.Values(size, "off_percent")));
            Figure none = section.Add(new Figure($"dashboard that nobody looks at, {size}", "% of a core", raw.Values(size, "none_percent")) { Aim = Nothing, AimIsUpperBound = true });
            Figure one = section.Add(new Figure($"dashboard with one viewer of 16 tiles, {size}", "% of a core", raw.Values(size, "viewer_percent")) { Aim = Aim, AimIsUpperBound = true });
            Figure pictures = section.Add(new Figure($"pictures per second, {size}", "", raw.Values(size, "pictures_per_second")));
            Figure bytes = section.Add(new Figure($"sent to the viewer, {size}", "KiB/s", raw.Values(size, "kib_per_second")));
            rows.Add([size, off.Range, none.Range, one.Range, pictures.Range, bytes.Range]);
        }

        section.Table(["cameras", "daemon, `web: off`, %", "dashboard, nobody looks, %", "dashboard, one viewer, %", "pictures per second", "KiB/s"], rows);
    }

    private static void Measure(RunContext context, string size, TimeSpan window)
    {
        using TemporaryDirectory folder = new();
        int port = Ports.Free();
        using Peer without = Start(context, folder.Path, "without", "off", size);
        using Peer with = Start(context, folder.Path, "with", string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{port}"), size);
        string[] tiles = [.. Enumerable.Range(0, Cameras).Select(camera => string.Create(CultureInfo.InvariantCulture, $"c{camera:00}@tile"))];

        // Code is compiled before anything counts.
        string url = string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{port}/");
        WaitFor(url);
        using (DashboardViewer warm = new(url, tiles))
        {
            Thread.Sleep(window);
        }

        for (int repetition = 1; repetition <= context.Repetitions; repetition++)
        {
            // Feeds linger for three seconds after the last viewer.
            Thread.Sleep(TimeSpan.FromSeconds(5));
            (double off, double none) = Watch(without, with, window);
            using DashboardViewer viewer = new(url, tiles);
            Thread.Sleep(TimeSpan.FromSeconds(3));
            long pictures = viewer.Pictures, bytes = viewer.Bytes;
            (double offThen, double one) = Watch(without, with, window);
            double perSecond = (viewer.Pictures - pictures) / window.TotalSeconds;
            if (perSecond < Cameras * 0.8)
            {
                throw new InvalidOperationException($"the viewer got {perSecond:0.0} pictures per second");
            }

            context.Add(
                size, repetition, ("off_percent", off), ("none_percent", none - off), ("viewer_percent", one - offThen), ("pictures_per_second", perSecond),
                ("kib_per_second", (viewer.Bytes - bytes) / window.TotalSeconds / 1024));
        }

        foreach (Peer daemon in (Peer[])[without, with])
        {
            daemon.Signal(15);
            daemon.WaitForEnd();
        }
    }

    /// <summary>Percent of a core that each of them used in the same time.</summary>
    private static (double Without, double With) Watch(Peer without, Peer with, TimeSpan window)
    {
        (double First, double Second) before = (CpuTimes.ReadMilliseconds(without.ProcessId), CpuTimes.ReadMilliseconds(with.ProcessId));
        Stopwatch time = Stopwatch.StartNew();
        Thread.Sleep(window);
        (double First, double Second) after = (CpuTimes.ReadMilliseconds(without.ProcessId), CpuTimes.ReadMilliseconds(with.ProcessId));
        return ((after.First - before.First) / time.Elapsed.TotalMilliseconds * 100, (after.Second - before.Second) / time.Elapsed.TotalMilliseconds * 100);
    }

    private static Peer Start(RunContext context, string folder, string name, string web, string size)
    {
        StringBuilder configuration = new($"directory: {folder}/{name}\nstate: {folder}/state-{name}\nweb: {web}\ncameras:\n");
        for (int camera = 0; camera < Cameras; camera++)
        {
            configuration.Append(CultureInfo.InvariantCulture, $"  c{camera:00}: {{source: \"test:nv12@{size}@10\"}}\n");
        }

        string file = Path.Combine(folder, name + ".yaml");
        File.WriteAllText(file, configuration.ToString());
        return Peer.Program("cuframesd", "env", "JOURNAL_STREAM=", context.DaemonProgram, "--config", file);
    }

    private static void WaitFor(string url)
    {
        using HttpClient client = new();
        Stopwatch time = Stopwatch.StartNew();
        while (true)
        {
            try
            {
                using HttpResponseMessage answer = client.GetAsync(new Uri(url)).Result;
                answer.EnsureSuccessStatusCode();
                return;
            }
            catch (AggregateException) when (time.Elapsed < TimeSpan.FromMinutes(1))
            {
                // It is not there yet, and there is no event for it.
                Thread.Sleep(100);
            }
        }
    }
}
