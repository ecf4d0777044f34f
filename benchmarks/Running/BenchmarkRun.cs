using System.Globalization;
using CuFrames.Benchmarks.Dashboard;
using CuFrames.Benchmarks.Decode;
using CuFrames.Benchmarks.Hostile;
using CuFrames.Benchmarks.Languages;
using CuFrames.Benchmarks.Latency;
using CuFrames.Benchmarks.OnDemand;
using CuFrames.Benchmarks.Operate;
using CuFrames.Benchmarks.PublishCost;
using CuFrames.Benchmarks.Reclaim;
using CuFrames.Benchmarks.Renditions;
using CuFrames.Benchmarks.Report;
using CuFrames.Benchmarks.Transport;

namespace CuFrames.Benchmarks.Running;

/// <summary>Runs the benchmarks one after the other and writes the results' directory.</summary>
internal static class BenchmarkRun
{
    private static readonly IBenchmark[] All =
    [
        new LatencyBenchmark(), new PublishCostBenchmark(), new LanguagesBenchmark(), new TransportBenchmark(), new ReclaimBenchmark(), new DecodeBenchmark(),
        new OnDemandBenchmark(), new RenditionsBenchmark(), new OperateBenchmark(), new DashboardBenchmark(), new HostileBenchmark(),
    ];

    public static int Start(string[] arguments)
    {
        RunOptions? options = RunOptions.Parse(arguments, All.Select(benchmark => benchmark.Name));
        if (options is null)
        {
            return 64;
        }

        if (options.ReportDirectory is { } directory)
        {
            Summary.Write(directory, All);
            return 0;
        }

        AppDomain.CurrentDomain.ProcessExit += (_, _) => Peer.KillAll();
        Console.CancelKeyPress += (_, _) => Peer.KillAll();
        string repository = FindRepository();
        IBenchmark[] wanted = [.. All.Where(benchmark => options.Only.Count == 0 ? benchmark.OwnFolder is null : options.Only.Contains(benchmark.Name))];
        string ending = wanted is [{ OwnFolder: { } own }] ? $"-{own}" : "";
        string results = options.Output is { } output ? Path.GetFullPath(output) : Path.Combine(
            repository, "benchmarks", "results",
            $"{DateTime.UtcNow.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture)}-{Machine.Slug}{ending}{(options.IsQuick ? "-quick" : "")}");
        string raw = Path.Combine(results, "raw");
        Directory.CreateDirectory(raw);
        JsonText.Write(Path.Combine(results, "machine.json"), Machine.Describe(repository));

        bool hasFailed = false;
        foreach (IBenchmark benchmark in wanted)
        {
            if (options.Resume && File.Exists(RawData.PathOf(raw, benchmark.Name)))
            {
                continue;
            }

            Console.Error.WriteLine(benchmark.Title);
            RunContext context = new(benchmark.Name, raw, repository, options.IsQuick, options.Minutes);
            Directory.CreateDirectory(context.WorkFolder);
            try
            {
                Measure(benchmark, context, raw, repository);
            }
            catch (Exception error)
            {
                // The others are worth having all the same; the exit code tells.
                hasFailed = true;
                Console.Error.WriteLine($"{benchmark.Name} failed: {error}");
            }
            finally
            {
                Peer.KillAll();
            }
        }

        IReadOnlyDictionary<string, bool> verdicts = Summary.Write(results, All);
        Console.Out.WriteLine(File.ReadAllText(Path.Combine(results, options.IsJson ? "summary.json" : "summary.md")));
        Console.Error.WriteLine($"Results are in {Path.GetRelativePath(Environment.CurrentDirectory, results)}.");

        // Aims of speed are the machine's affair too; what has a directory of its own says whether the program is right.
        bool isRight = wanted.All(benchmark => benchmark.OwnFolder is null || (verdicts.TryGetValue(benchmark.Name, out bool isMet) && isMet));
        return hasFailed || !isRight ? 1 : 0;
    }

    private static void Measure(IBenchmark benchmark, RunContext context, string raw, string repository)
    {
        File.Delete(RawData.PathOf(raw, benchmark.Name));
        CpuTimes first = CpuTimes.Read();

        // How busy the machine is without us can only be seen while we do nothing.
        Thread.Sleep(1000);
        CpuTimes before = CpuTimes.Read();
        double load = Machine.Load;
        DateTime started = DateTime.UtcNow;
        long own = CpuTimes.ReadOwn();
        benchmark.Run(context);
        own = CpuTimes.ReadOwn() - own;
        CpuTimes during = CpuTimes.Read() - before;
        context.Raw.Conditions = new Conditions(
            started, (DateTime.UtcNow - started).TotalSeconds, Machine.Commit(repository), load, (before - first).BusyShare,
            Math.Max(0, (double)(during.Busy - during.Stolen - own) / during.Total), during.StolenShare);
        context.Raw.Write(raw);
    }

    private static string FindRepository()
    {
        for (DirectoryInfo? folder = new(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "CuFrames.sln")))
            {
                return folder.FullName;
            }
        }

        throw new InvalidOperationException("The benchmarks run from the repository: CuFrames.sln was not found above the program.");
    }
}
