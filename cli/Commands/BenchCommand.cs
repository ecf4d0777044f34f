using System.CommandLine;
using System.Diagnostics;
using CuFrames.Cli.Internal;
using CuFrames.Protocol;

namespace CuFrames.Cli.Commands;

/// <summary><c>cuframes bench</c>: measures this machine with one publisher and some readers, each a process of its own.</summary>
internal static class BenchCommand
{
    public static Command Create()
    {
        Option<int> readers = Options.Number("--readers", "Reading processes, 0 to 32.", standard: 4, least: 0, most: 32);
        Option<int> seconds = Options.Number("--seconds", "How long to measure, 1 to 3600.", standard: 5, least: 1, most: 3600);
        Option<int> rate = Options.Number("--fps", "Frames per second, 1 to 1000.", standard: 100, least: 1, most: 1000);
        Option<bool> json = Options.Json("One JSON object.");
        Command command = new("bench", "Measure the latency from publish to take, and the cost of a publish, in a runtime directory of its own.")
        {
            readers, seconds, rate, json,
        };
        command.SetAction(parse => Run(parse.GetValue(readers), parse.GetValue(seconds), parse.GetValue(rate), parse.GetValue(json)));
        return command;
    }

    private static int Run(int readers, int seconds, int rate, bool json)
    {
        using Interruption interruption = new();
        string directory = Directory.CreateTempSubdirectory("cuframes-bench-").FullName;
        List<Process> processes = [];
        try
        {
            // Ends our waits for lines of the processes, on the thread of the signal.
            using CancellationTokenRegistration _ = interruption.Token.Register(() => Kill(processes));
            Process publisher = Start(processes, directory, ["bench-publisher", "--seconds", $"{seconds}", "--fps", $"{rate}"], interruption.Token);
            RequireReady(publisher);
            for (int i = 0; i < readers; i++)
            {
                Start(processes, directory, ["bench-reader"], interruption.Token);
            }

            List<Process> reading = processes[1..];
            reading.ForEach(RequireReady);
            publisher.StandardInput.WriteLine("go");
            publisher.StandardInput.Flush();
            List<BenchReader> results = [.. reading.Select(Result<BenchReader>)];
            BenchPublisher published = Result<BenchPublisher>(publisher);
            interruption.Token.ThrowIfCancellationRequested();
            Report(published, results, rate, json);
            return ExitCode.Success;
        }
        catch (Exception error) when (error is CuFramesException or IOException && interruption.Token.IsCancellationRequested)
        {
            // The processes did not end early by themselves: we ended them.
            return ExitCode.Interrupted;
        }
        finally
        {
            Kill(processes);
            processes.ForEach(process => process.Dispose());
            Directory.Delete(directory, recursive: true);
        }
    }

    private static void Report(BenchPublisher published, List<BenchReader> results, int rate, bool json)
    {
        LatencyHistogram all = new();
        List<LatencyFigures?> figures = [];
        foreach (BenchReader result in results)
        {
            LatencyHistogram histogram = LatencyHistogram.FromPairs(result.Latency, result.Maximum);
            figures.Add(histogram.Figures());
            all.Add(histogram);
        }

        if (json)
        {
            JsonLine.Write(new
            {
                published.Format,
                Fps = rate,
                published.Frames,
                published.Dropped,
                Readers = results.Count,
                LatencyUs = all.Figures(),
                ReaderLatencyUs = figures,
                Missed = results.Sum(result => (decimal)result.Missed),
                PublishNs = new { P50 = published.CostP50, P99 = published.CostP99 },
                AllocatedBytesPerFrame = published.AllocatedBytesPerFrame,
                Machine = new { Kernel = Environment.OSVersion.Version.ToString(), Cores = Environment.ProcessorCount },
            });
            return;
        }

        TextTable table = new("", "#P50", "#P99", "#P99.9", "#MAX", "#FRAMES", "#MISSED");
        for (int i = 0; i < results.Count; i++)
        {
            Add(table, $"reader {i + 1}, publish to take", figures[i], results[i].Frames, results[i].Missed);
        }

        if (results.Count > 1)
        {
            Add(table, "all readers", all.Figures(), results.Aggregate(0L, (sum, result) => sum + result.Frames), results.Aggregate(0UL, (sum, result) => sum + result.Missed));
        }

        table.Add("cost of a publish", $"{published.CostP50} ns", $"{published.CostP99} ns", "", "", $"{published.Frames}", "");
        table.Write();
        Output.Line(
            $"{published.Format} at {rate} frames per second, {published.Dropped} dropped, {published.AllocatedBytesPerFrame} bytes allocated per frame, " +
            $"{Environment.ProcessorCount} cores, Linux {Environment.OSVersion.Version}.");
    }

    private static void Add(TextTable table, string name, LatencyFigures? figures, long frames, ulong missed) => table.Add(
        name, Words.Microseconds(figures?.P50), Words.Microseconds(figures?.P99), Words.Microseconds(figures?.P999), Words.Microseconds(figures?.Max),
        $"{frames}", $"{missed}");

    private static void RequireReady(Process process)
    {
        if (process.StandardOutput.ReadLine() != "ready")
        {
            throw Failed(process);
        }
    }

    private static T Result<T>(Process process) => process.StandardOutput.ReadLine() is { } line ? JsonLine.Read<T>(line) : throw Failed(process);

    private static CuFramesException Failed(Process process) => new(
        ErrorCode.Disconnected, $"A process of the measurement ended early: {process.StandardError.ReadToEnd().Trim()}");

    /// <summary>Starts a process. After an interruption none is started any more, so none can be overlooked.</summary>
    private static Process Start(List<Process> processes, string directory, string[] arguments, CancellationToken cancellation)
    {
        lock (processes)
        {
            cancellation.ThrowIfCancellationRequested();
            Process process = OwnProcess.Start(directory, arguments);
            processes.Add(process);
            return process;
        }
    }

    private static void Kill(List<Process> processes)
    {
        lock (processes)
        {
            foreach (Process process in processes.Where(process => !process.HasExited))
            {
                process.Kill();
            }
        }
    }
}
