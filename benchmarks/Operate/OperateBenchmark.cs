using System.Diagnostics;
using System.Globalization;
using System.Text;
using CuFrames.Benchmarks.Report;
using CuFrames.Benchmarks.Running;
using CuFrames.Control;
using CuFrames.Interop;
using CuFrames.TestKit;

namespace CuFrames.Benchmarks.Operate;

/// <summary>A day's work of an operator in half an hour: many cameras and readers, somebody who asks all the time, and 1,000 cameras that come and go.</summary>
internal sealed class OperateBenchmark : IBenchmark
{
    private const string StateTable = "operate-state.csv";
    private const string CallTable = "operate-calls.csv.gz";
    private const string Steady = "steady";
    private const string Changes = "changes";
    private const string Frames = "frames";

    private const int Cameras = 100;
    private const int Processes = 3;
    private const string Source = "test:nv12@160x120@5";

    /// <summary>Cameras that are there at once beside the others while cameras come and go.</summary>
    private const int Batch = 20;

    /// <summary>Share of the time that is not judged: code is compiled, and the heap finds its size.</summary>
    private const double WarmingUp = 1.0 / 6;

    // Bounds of the verdict. Memory breathes with the garbage collector and with the C library's arenas; threads with .NET's pool.
    private const double MostListMilliseconds = 100;
    private const double MostGrowthPercent = 3;
    private const double MostMemoryLeftMiB = 16;
    private const double MostThreadsLeft = 3;
    private const double MostDescriptorsLeft = 3;

    private static readonly TimeSpan SampleInterval = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(3);

    public string Name => "operate";

    public string Title => "Operate: 100 cameras, 300 readers, and 1,000 cameras that come and go";

    public string OwnFolder => Name;

    public void Run(RunContext context)
    {
        double minutes = context.Minutes;
        int comings = context.Pick(1000, 100);
        context.Note("cameras", Cameras);
        context.Note("source of each camera", Source);
        context.Note("readers", Cameras * Processes);
        context.Note("processes of readers", Processes);
        context.Note("minutes", minutes);
        context.Note("cameras added and removed", comings);
        using TemporaryDirectory folder = new();
        string run = Path.Combine(folder.Path, "run");
        string state = Path.Combine(folder.Path, "state");
        Directory.CreateDirectory(state);
        string file = Path.Combine(folder.Path, "cuframes.yaml");
        string socket = Path.Combine(run, ControlClient.SocketName);
        string[] keys = [.. Enumerable.Range(1, Cameras).Select(number => string.Create(CultureInfo.InvariantCulture, $"camera-{number:000}"))];
        int port = Ports.Free();
        string head = $"directory: {run}\nweb: 127.0.0.1:{port}\n";
        Write(file, head, []);
        using Peer daemon = Peer.Program("cuframesd", "env", $"STATE_DIRECTORY={state}", "JOURNAL_STREAM=", context.DaemonProgram, "--config", file);
        using ControlClient client = new(socket) { Timeout = TimeSpan.FromSeconds(30) };
        int process = WaitForDaemon(client, socket).ProcessId;

        // What the daemon has of itself, with its cameras, and with their readers too.
        using StreamWriter table = context.CreateTable(StateTable, "phase,seconds,pss_kib,rss_kib,anonymous_kib,descriptors,threads,cpu_ms");
        ProcessState empty = Settle(process);
        Add(context, "no camera", empty);
        Write(file, head, keys);
        Until(() => client.ListCamerasAsync().Result.Count(camera => camera.State == Control.V1.CameraState.Live) == Cameras, "all cameras are live");
        Add(context, "cameras", Settle(process));
        Peer[] readers = [.. Enumerable.Range(0, Processes).Select(_ => Peer.Start(PeerRoles.OperateReaders, [run, .. keys]))];
        Array.ForEach(readers, reader => reader.Expect("READY", (int)Patience.TotalSeconds));
        Add(context, "cameras and readers", Settle(process));

        using StreamWriter calls = context.CreateTable(CallTable, CallSamples.Header);
        using CallSamples samples = new(socket, port, Cameras, calls, Steady);
        using EventWatch events = new(socket);
        Watch(context, process, TimeSpan.FromMinutes(minutes), samples, table);
        samples.Phase = Changes;
        int first = context.Pick(200, 40);
        context.Note("cameras that came and went before the count", first);
        ComeAndGo(context, process, client, first, 0, samples, table);
        Compare(context, process, client, run, state, comings, first, samples, table);
        samples.Dispose();
        Report(context, readers);
        events.ThrowIfLost();
        daemon.Signal(15);
        foreach (Peer reader in readers)
        {
            reader.Send("END");
            reader.WaitForEnd();
            reader.Dispose();
        }

        daemon.WaitForEnd();
        string[] left = [.. Directory.GetFiles(run).Select(Path.GetFileName).OfType<string>().Where(name => !name.EndsWith(".lock", StringComparison.Ordinal))];
        context.Add("end", 1, ("files", left.Length));
    }

    public void Report(RawData raw, Section section)
    {
        (string Phase, double Seconds, double[] Values)[] rows =
        [
            .. raw.Table(StateTable).Select(row => (row[0], Number(row[1]), row[2..].Select(Number).ToArray())),
        ];
        section.Text(
            $"{raw.Parameters["cameras"]} cameras of `{raw.Parameters["source of each camera"]}` and {raw.Parameters["readers"]} readers of all their frames in {raw.Parameters["processes of readers"]} processes, in one " +
            $"cuframesd, for {raw.Parameters["minutes"]} minutes. Readers compare every sample of every frame. Meanwhile a client of the control API calls `ListCameras`, `GetStatistics` and `ListReaders` one after the other and reads `/metrics`, " +
            "five times a second, and another one watches all events. What the process has is read from `/proc` every 10 s. Then cameras are added and removed by the API, 20 at a time: each becomes live before it is removed.");

        section.Table(
            ["calls", "number", "p50, ms", "p99, ms", "most, ms"],
            [.. new[] { Steady, Changes }.SelectMany(phase => new[] { "ListCameras", "GetStatistics", "ListReaders", CallSamples.Metrics }.Select(method => Calls(raw, section, phase, method)))]);

        // The beginning is left out: code is compiled, and heap and arenas find their size.
        (string Phase, double Seconds, double[] Values)[] whole = [.. rows.Where(row => row.Phase == Steady)];
        (string Phase, double Seconds, double[] Values)[] Without(double share) =>
            [.. whole.Where(row => row.Seconds >= whole[0].Seconds + ((whole[^1].Seconds - whole[0].Seconds) * share))];
        double Growth(double share) => Trend.Of([.. Without(share).Select(row => row.Seconds)], [.. Without(share).Select(row => row.Values[0] / 1024)]).Growth;
        (string Phase, double Seconds, double[] Values)[] steady = Without(WarmingUp);
        section.Table(
            ["of the daemon", "level", "slope, per hour", "grew by the slope", "floor of the first third, and of the last", "bound", "flat"],
            [
                Flat(raw, section, steady, "memory, PSS", "MiB", 0, 1024, MostGrowthPercent / 100, isHeap: true),
                Flat(raw, section, steady, "memory, RSS", "MiB", 1, 1024, MostGrowthPercent / 100, isHeap: true),
                Flat(raw, section, steady, "anonymous memory", "MiB", 2, 1024, MostGrowthPercent / 100, isHeap: true),
                Flat(raw, section, steady, "descriptors", "", 3, 1, 0.001, isHeap: false),
                Flat(raw, section, steady, "threads", "", 4, 1, 0.02, isHeap: false),
            ]);
        section.Text(
            $"The first sixth is left out. Memory (PSS) over all of the time: {Figure.Text(Growth(0))} MiB more; over the last five sixths {Figure.Text(Growth(WarmingUp))}, over the last two thirds " +
            $"{Figure.Text(Growth(1.0 / 3))}, over the last half {Figure.Text(Growth(0.5))}.");
        section.Chart("operate-memory.svg", Chart(rows));
        double cpu = (steady[^1].Values[5] - steady[0].Values[5]) / (steady[^1].Seconds - steady[0].Seconds) / 10;
        Figure busy = section.Add(new Figure("CPU of the daemon with 100 cameras, 300 readers and 20 calls a second", "% of a core", [cpu]));
        Figure memory = PerCamera(raw, section, "memory (PSS) of a camera", "MiB", "pss_mib");
        Figure threads = PerCamera(raw, section, "threads of a camera", "", "threads");
        Figure descriptors = PerCamera(raw, section, "descriptors of a camera", "", "descriptors");
        double Of(string @case, string name) => raw.Values(@case, name).Single();
        double perReader = (Of("cameras and readers", "descriptors") - Of("cameras", "descriptors")) / (Cameras * Processes);
        section.Text(
            $"What a camera costs: {threads.Range} thread, {descriptors.Range} descriptors, {memory.Range} MiB with its ring. A reader costs {Figure.Text(perReader)} descriptors and no thread. The daemon without a camera has " +
            $"{Figure.Text(Of("no camera", "threads"))} threads, {Figure.Text(Of("no camera", "descriptors"))} descriptors and {Figure.Text(Of("no camera", "pss_mib"))} MiB. " +
            $"With all of it and 20 calls a second it uses {busy.Range} % of a core.");

        Figure wrong = section.Add(Zero("frames that were wrong, out of order or lost with their stream", raw.Values(Frames, "wrong")));
        Figure missed = section.Add(new Figure("frames that a reader missed", "", raw.Values(Frames, "missed")) { Aim = raw.IsQuick ? null : 0, AimIsUpperBound = true });
        section.Text($"Frames: {raw.Values(Frames, "right").Sum().ToString("N0", CultureInfo.InvariantCulture)} looked at whole, {wrong.Range} wrong, {missed.Range} missed.");

        section.Table(
            ["left after cameras have come and gone", "found", "bound"],
            [
                Left(raw, section, "files in the runtime directory", "files", 0, ""),
                Left(raw, section, "cameras in the state", "state", 0, ""),
                Left(raw, section, "sockets", "sockets", 0, ""),
                Left(raw, section, "descriptors", "descriptors", MostDescriptorsLeft, ""),
                Left(raw, section, "threads", "threads", MostThreadsLeft, ""),
                Left(raw, section, "memory (PSS)", "pss_mib", raw.IsQuick ? null : MostMemoryLeftMiB, "MiB"),
            ]);
        section.Text(
            $"Adding a camera took p50 {Figure.Text(Of(Changes, "add_p50_ms"))} ms, p99 {Figure.Text(Of(Changes, "add_p99_ms"))} ms; removing p50 {Figure.Text(Of(Changes, "remove_p50_ms"))} ms, " +
            $"p99 {Figure.Text(Of(Changes, "remove_p99_ms"))} ms. Over the second half of the comings and goings memory grew by {Figure.Text(Of(Changes, "second_half_mib"))} MiB.");
    }

    private static Figure Zero(string name, double[] values) => new(name, "", values) { Aim = 0, AimIsUpperBound = true };

    private static string[] Calls(RawData raw, Section section, string phase, string method)
    {
        double[] times = [.. raw.Table(CallTable).Where(row => row[0] == phase && row[2] == method).Select(row => Number(row[3]))];
        string when = phase == Steady ? method : $"{method}, while cameras come and go";
        Figure Of(string what, double value, double? aim = null) => section.Add(new Figure($"{when} {what}", "ms", [value]) { Aim = aim, AimIsUpperBound = true });
        return
        [
            when, times.Length.ToString("N0", CultureInfo.InvariantCulture), Of("p50", Statistics.Percentile(times, 0.5)).Range,
            Of("p99", Statistics.Percentile(times, 0.99), raw.IsQuick ? null : MostListMilliseconds).Range, Of("most", times.Max()).Range,
        ];
    }

    /// <summary>
    /// A row that says whether a value stayed where it was. Of a heap, garbage collections make a saw: what a leak leaves is still there after a collection, so
    /// it is judged by its floor, and its slope depends on where the teeth happen to be. What is no saw is judged by its slope.
    /// </summary>
    private static string[] Flat(
        RawData raw, Section section, (string Phase, double Seconds, double[] Values)[] rows, string name, string unit, int column, double scale, double share, bool isHeap)
    {
        double[] values = [.. rows.Select(row => row.Values[column] / scale)];
        Trend trend = Trend.Of([.. rows.Select(row => row.Seconds)], values);
        int third = Math.Max(1, values.Length / 3);
        double first = values[..third].Min(), last = values[^third..].Min();
        double bound = trend.Level * share;
        string what = isHeap ? $"growth of the floor of {name}" : $"growth of {name}";
        Figure growth = section.Add(new Figure($"{what} while nothing changes", unit, [isHeap ? last - first : trend.Growth]) { Aim = raw.IsQuick ? null : bound, AimIsUpperBound = true });
        return
        [
            name, $"{Figure.Text(trend.Level)} {unit}", $"{Figure.Text(trend.PerHour)} {unit}", $"{Figure.Text(trend.Growth)} {unit}", $"{Figure.Text(first)}, {Figure.Text(last)} {unit}",
            $"{Figure.Text(bound)} {unit}", growth.IsMet switch { true => "yes", false => "no", null => "not judged" },
        ];
    }

    private static Figure PerCamera(RawData raw, Section section, string name, string unit, string value) =>
        section.Add(new Figure(name, unit, [(raw.Values("cameras", value).Single() - raw.Values("no camera", value).Single()) / Cameras]));

    private static string[] Left(RawData raw, Section section, string what, string value, double? bound, string unit)
    {
        Figure figure = section.Add(new Figure($"{what}, left after cameras have come and gone", unit, raw.Values("left", value)) { Aim = bound, AimIsUpperBound = true });
        return [what, $"{figure.Range} {unit}", bound is { } most ? $"{Figure.Text(most)} {unit}" : "not judged"];
    }

    private static TimeChart Chart((string Phase, double Seconds, double[] Values)[] rows)
    {
        TimeChart chart = new("Memory of the daemon over time", "MiB");
        chart.Add("PSS", rows.Select(row => (row.Seconds, row.Values[0] / 1024)));
        chart.Add("anonymous", rows.Select(row => (row.Seconds, row.Values[2] / 1024)));
        return chart;
    }

    private static double Number(string text) => double.Parse(text, CultureInfo.InvariantCulture);

    private static void Write(string file, string head, IEnumerable<string> keys)
    {
        StringBuilder text = new(head);
        string[] cameras = [.. keys.Select(key => $"  {key}: {{source: \"{Source}\"}}\n")];
        text.Append(cameras.Length == 0 ? "cameras: {}\n" : "cameras:\n" + string.Concat(cameras));
        // In one step, as a good editor does: the daemon reads it when it changes.
        File.WriteAllText(file + ".new", text.ToString());
        File.Move(file + ".new", file, overwrite: true);
    }

    private static Control.V1.Daemon WaitForDaemon(ControlClient client, string socket)
    {
        Until(() => File.Exists(socket), "the control API is served");
        return client.GetDaemonAsync().GetAwaiter().GetResult();
    }

    private static void Until(Func<bool> condition, string what)
    {
        Stopwatch time = Stopwatch.StartNew();
        while (!condition())
        {
            if (time.Elapsed > Patience)
            {
                throw new InvalidOperationException($"It was waited {Patience.TotalMinutes} minutes until {what}.");
            }

            // What is waited for has no event.
            Thread.Sleep(100);
        }
    }

    /// <summary>The state when memory has come to rest: the least of what is seen over some seconds, as of the moments after garbage collections.</summary>
    private static ProcessState Settle(int process)
    {
        List<ProcessState> seen = [];
        for (int i = 0; i < 20; i++)
        {
            // The window over which the least is taken.
            Thread.Sleep(250);
            seen.Add(ProcessState.Of(process));
        }

        return seen.MinBy(state => state.PssKiB);
    }

    private static void Add(RunContext context, string @case, ProcessState state) => context.Add(
        @case, 1, ("pss_mib", state.PssKiB / 1024.0), ("rss_mib", state.RssKiB / 1024.0), ("anonymous_mib", state.AnonymousKiB / 1024.0), ("descriptors", state.Descriptors), ("threads", state.Threads));

    private static void Row(StreamWriter table, string phase, long begin, int process, ProcessState state)
    {
        table.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{phase},{(MonotonicClock.NowNanoseconds - begin) / 1e9:0.0},{state.PssKiB},{state.RssKiB},{state.AnonymousKiB},{state.Descriptors},{state.Threads},{CpuTimes.ReadMilliseconds(process):0}"));
        table.Flush();
    }

    private static readonly long Begin = MonotonicClock.NowNanoseconds;

    private static void Watch(RunContext context, int process, TimeSpan duration, CallSamples samples, StreamWriter table)
    {
        Stopwatch time = Stopwatch.StartNew();
        int count = 0;
        while (time.Elapsed < duration)
        {
            ProcessState state = ProcessState.Of(process);
            Row(table, Steady, Begin, process, state);
            samples.ThrowIfFailed();
            if (count++ % 6 == 0)
            {
                double[] lists = samples.Of(Steady, "ListCameras");
                context.Log(string.Create(
                    CultureInfo.InvariantCulture,
                    $"{time.Elapsed.TotalMinutes:0} of {duration.TotalMinutes:0.#} min: PSS {state.PssKiB / 1024.0:0.0} MiB, {state.Descriptors} descriptors, {state.Threads} threads, list p99 {Statistics.Percentile(lists, 0.99):0.0} ms"));
            }

            // The interval of the samples; a short run has at least a dozen.
            Thread.Sleep(duration / 12 < SampleInterval ? duration / 12 : SampleInterval);
        }
    }

    /// <summary>Adds and removes cameras by the API.</summary>
    /// <returns>How long the calls took in milliseconds, and the memory after half of the cameras in MiB.</returns>
    private static (List<double> Adds, List<double> Removes, double Middle) ComeAndGo(
        RunContext context, int process, ControlClient client, int count, int start, CallSamples samples, StreamWriter table)
    {
        List<double> adds = [];
        List<double> removes = [];
        double middle = 0;
        for (int begin = 0; begin < count; begin += Batch)
        {
            string[] keys = [.. Enumerable.Range(start + begin, Batch).Select(number => string.Create(CultureInfo.InvariantCulture, $"guest-{number:0000}"))];
            foreach (string key in keys)
            {
                adds.Add(Time(() => client.AddCameraAsync(key, $"{{source: \"{Source}\"}}")));
            }

            Until(
                () => client.ListCamerasAsync().Result.Count(camera => camera.Key.StartsWith("guest-", StringComparison.Ordinal) && camera.State == Control.V1.CameraState.Live) == Batch,
                "added cameras are live");
            foreach (string key in keys)
            {
                removes.Add(Time(() => client.RemoveCameraAsync(key)));
            }

            samples.ThrowIfFailed();
            Row(table, Changes, Begin, process, ProcessState.Of(process));
            if (begin + Batch == count / 2 / Batch * Batch)
            {
                middle = Settle(process).PssKiB / 1024.0;
            }

            if (begin / Batch % 10 == 9)
            {
                context.Log($"{begin + Batch} of {count} cameras have come and gone");
            }
        }

        return (adds, removes, middle);
    }

    /// <summary>Lets cameras come and go, and sees what is left of them. Those that came before have loaded all code.</summary>
    private static void Compare(
        RunContext context, int process, ControlClient client, string run, string state, int count, int start, CallSamples samples, StreamWriter table)
    {
        ProcessState before = Settle(process);
        string[] files = FilesOf(run);
        int sockets = SocketsIn(run);
        (List<double> adds, List<double> removes, double middle) = ComeAndGo(context, process, client, count, start, samples, table);

        // A thread that ends, memory that the collector gives back: some of it takes a moment.
        Stopwatch time = Stopwatch.StartNew();
        ProcessState after;
        do
        {
            after = Settle(process);
            Row(table, Changes, Begin, process, after);
        }
        while (!IsBack(before, after) && time.Elapsed < (context.IsQuick ? Patience / 6 : Patience));
        context.Add(
            Changes, 1, ("add_p50_ms", Statistics.Percentile(adds, 0.5)), ("add_p99_ms", Statistics.Percentile(adds, 0.99)), ("remove_p50_ms", Statistics.Percentile(removes, 0.5)),
            ("remove_p99_ms", Statistics.Percentile(removes, 0.99)), ("second_half_mib", (after.PssKiB / 1024.0) - middle), ("settled_s", time.Elapsed.TotalSeconds));
        string kept = Path.Combine(state, "cameras.yaml");
        context.Add(
            "left", 1, ("files", FilesOf(run).Except(files).Count()), ("sockets", SocketsIn(run) - sockets),
            ("state", File.Exists(kept) ? File.ReadLines(kept).Count(line => line.Contains("guest-", StringComparison.Ordinal)) : 0),
            ("descriptors", after.Descriptors - before.Descriptors), ("threads", after.Threads - before.Threads), ("pss_mib", (after.PssKiB - before.PssKiB) / 1024.0));
    }

    private static bool IsBack(ProcessState before, ProcessState after) =>
        after.Descriptors - before.Descriptors <= 0 && after.Threads - before.Threads <= 0 && (after.PssKiB - before.PssKiB) / 1024.0 <= MostMemoryLeftMiB / 2;

    private static double Time(Func<Task> call)
    {
        long before = MonotonicClock.NowNanoseconds;
        call().GetAwaiter().GetResult();
        return (MonotonicClock.NowNanoseconds - before) / 1e6;
    }

    private static string[] FilesOf(string directory) => [.. Directory.GetFileSystemEntries(directory).Order(StringComparer.Ordinal)];

    /// <summary>Listening sockets and connections of a folder, as the kernel has them.</summary>
    private static int SocketsIn(string directory) => File.ReadLines("/proc/net/unix").Count(line => line.Contains(directory + "/", StringComparison.Ordinal));

    private static void Report(RunContext context, Peer[] readers)
    {
        for (int i = 0; i < readers.Length; i++)
        {
            readers[i].Send("MARK");
            string[] words = readers[i].Expect("STATE");
            double[] figures = [.. words.Take(5).Select(Number)];
            context.Add(Frames, i + 1, ("right", figures[0]), ("wrong", figures[1] + figures[3] + figures[4]), ("missed", figures[2]));
            if (words.Length > 5 && words[5].Length > 0)
            {
                context.Miss($"the content of all frames is right: {string.Join(' ', words[5..])}");
            }
        }
    }
}
