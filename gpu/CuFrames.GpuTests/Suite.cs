using System.Diagnostics;
using System.Text.Json;

namespace CuFrames.GpuTests;

/// <summary>
/// Runs the tests of one executable that need a GPU. xunit.v3's json reporter prints a line for each event, so what passed is known
/// even if the suite has to be killed.
/// </summary>
internal sealed class Suite(string name, string executable)
{
    // What a failed test shows in the table's place for it.
    private const int MostText = 4000;

    // A runtime that gives up prints the stacks of all threads after the reason.
    private const int MostLines = 400;
    private const int FewLines = 20;

    private readonly Dictionary<string, string> _running = [];
    private readonly Dictionary<string, double> _seconds = [];
    private readonly List<Failure> _failures = [];
    private readonly List<Failure> _skipped = [];
    private readonly Queue<string> _lastOutput = [];
    private int _passed;

    public SuiteResult Run(RunOptions options)
    {
        ProcessStartInfo start = new(executable)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = Path.GetDirectoryName(executable)!,
        };
        foreach (string argument in (string[])["-noColor", "-reporter", "json", "-trait", "needs=gpu", "-explicit", "on", .. options.SuiteOptions])
        {
            start.ArgumentList.Add(argument);
        }

        Stopwatch watch = Stopwatch.StartNew();
        using StreamWriter log = new(Path.Combine(options.LogFolder, name + ".log")) { AutoFlush = true };
        using Process process = Process.Start(start)!;
        process.StandardInput.Close();
        process.OutputDataReceived += (_, line) => Take(line.Data, log, watch, isEvent: true);
        process.ErrorDataReceived += (_, line) => Take(line.Data, log, watch, isEvent: false);
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        bool hasEnded = process.WaitForExit(options.Limit);
        if (!hasEnded)
        {
            process.Kill(entireProcessTree: true);
        }

        // Also waits for the rest of the output; what a test left running must not hold it open for ever.
        using CancellationTokenSource patience = new(TimeSpan.FromSeconds(10));
        try
        {
            process.WaitForExitAsync(patience.Token).GetAwaiter().GetResult();
        }
        catch (OperationCanceledException)
        {
            Fail(name, "A process that a test started outlives the suite and holds its output open.");
        }

        lock (_failures)
        {
            if (!hasEnded)
            {
                Fail(name, $"The suite did not end within {options.Limit.TotalSeconds} s. Tests in progress: {string.Join(", ", _running.Values)}.");
            }
            else if (process.ExitCode != 0 && _failures.Count == 0)
            {
                Fail(name, $"The suite ended with status {process.ExitCode}. Tests in progress: {string.Join(", ", _running.Values)}.\n{LastWords()}");
            }
            else if (_passed + _failures.Count + _skipped.Count == 0)
            {
                Fail(name, "The suite ran no test.");
            }

            return new SuiteResult(name, _passed, watch.Elapsed.TotalSeconds, [.. _failures], [.. _skipped], new Dictionary<string, double>(_seconds));
        }
    }

    private void Take(string? line, StreamWriter log, Stopwatch watch, bool isEvent)
    {
        if (line is null)
        {
            return;
        }

        lock (_failures)
        {
            if (isEvent && line.StartsWith("{\"$type\":", StringComparison.Ordinal))
            {
                using JsonDocument happened = JsonDocument.Parse(line);
                Take(happened.RootElement, log, watch);
                return;
            }

            log.WriteLine(line);

            _lastOutput.Enqueue(line);
            if (_lastOutput.Count > MostLines)
            {
                _lastOutput.Dequeue();
            }
        }
    }

    private void Take(JsonElement happened, StreamWriter log, Stopwatch watch)
    {
        string kind = happened.GetProperty("$type").GetString()!;
        string test = happened.TryGetProperty("TestUniqueID", out JsonElement id) ? _running.GetValueOrDefault(id.GetString()!, name) : name;
        switch (kind)
        {
            case "test-starting":
                _running[id.GetString()!] = happened.GetProperty("TestDisplayName").GetString()!;
                return;
            case "test-passed":
                _passed++;
                Say("ok");
                return;
            case "test-failed":
                Say("FAIL");
                Fail(test, TextOf(happened));
                log.WriteLine(_failures[^1].Text);
                return;
            case "test-skipped":
                Say("skip");
                _skipped.Add(new Failure(test, happened.GetProperty("Reason").GetString() ?? ""));
                return;
            case "test-finished":
                _seconds[test] = happened.GetProperty("ExecutionTime").GetDouble();
                _running.Remove(id.GetString()!);
                if (happened.TryGetProperty("Output", out JsonElement output) && output.GetString() is { Length: > 0 } text)
                {
                    log.WriteLine(text);
                }

                return;
        }

        // The cleanup of a class or a fixture, or an error of the runner itself.
        if (kind.EndsWith("-failure", StringComparison.Ordinal) || kind == "error-message")
        {
            Say("FAIL");
            Fail(test, TextOf(happened));
            log.WriteLine(_failures[^1].Text);
        }

        void Say(string result)
        {
            string text = FormattableString.Invariant($"{watch.Elapsed.TotalSeconds,6:0.0} s  {result,-4}  {test}");
            Console.Out.WriteLine(text);
            log.WriteLine(text);
        }
    }

    /// <summary>Why a process gave up, if it said so, else the last lines that it printed.</summary>
    private string LastWords()
    {
        string[] lines = [.. _lastOutput];
        int reason = Array.FindIndex(lines, line =>
            line.StartsWith("Unhandled exception", StringComparison.Ordinal) || line.StartsWith("Process terminated", StringComparison.Ordinal) ||
            line.StartsWith("Fatal error", StringComparison.Ordinal));
        return string.Join('\n', reason >= 0 ? lines[reason..] : lines[Math.Max(0, lines.Length - FewLines)..]);
    }

    private void Fail(string test, string text) => _failures.Add(new Failure(test, text.Length > MostText ? text[..MostText] + " ..." : text));

    private static string TextOf(JsonElement failure)
    {
        IEnumerable<string> Texts(string property) => failure.TryGetProperty(property, out JsonElement texts) && texts.ValueKind == JsonValueKind.Array
            ? texts.EnumerateArray().Select(text => text.GetString() ?? "")
            : [];
        return string.Join('\n', Texts("ExceptionTypes").Zip(Texts("Messages"), (type, message) => $"{type}: {message}").Concat(Texts("StackTraces")));
    }
}
