using System.Diagnostics;
using System.Text.Json;

namespace CuFrames.GpuTests;

/// <summary>
/// Runs the tests of one executable that need a GPU, or those in Python. xunit.v3's json reporter prints a line for each event, and
/// run_python_tests.py prints the same, so what passed is known even if the suite has to be killed.
/// </summary>
internal sealed class Suite
{
    /// <summary>Environment variable with the Python that runs what is written in it.</summary>
    public const string PythonVariable = "CUFRAMES_PYTHON";

    /// <summary>Environment variable with the LD_LIBRARY_PATH that the archive's programs have more in front of.</summary>
    public const string HostLibraryPathVariable = "CUFRAMES_HOST_LIBRARY_PATH";

    private const string PythonName = "python";
    private const string LibraryPathVariable = "LD_LIBRARY_PATH";

    // What a failed test shows in the table's place for it.
    private const int MostText = 4000;

    // A runtime that gives up prints the stacks of all threads after the reason.
    private const int MostLines = 400;
    private const int FewLines = 20;

    private readonly string _folder;
    private readonly string[] _command;
    private readonly Dictionary<string, string> _running = [];
    private readonly Dictionary<string, double> _seconds = [];
    private readonly List<Failure> _failures = [];
    private readonly List<Failure> _skipped = [];
    private readonly Queue<string> _lastOutput = [];
    private int _passed;

    private Suite(string name, string folder, params string[] command)
    {
        Name = name;
        _folder = folder;
        _command = command;
    }

    /// <summary>Name of the test executable.</summary>
    public string Name { get; }

    /// <summary>The part of the name that is not in all of them, in lower case.</summary>
    public string ShortName => Name.Replace("CuFrames.", "", StringComparison.Ordinal).Replace(".Tests", "", StringComparison.Ordinal).ToLowerInvariant();

    /// <summary>The suite of an executable.</summary>
    /// <param name="folder">Where it lies; it has the folder's name.</param>
    public static Suite OfExecutable(string folder)
    {
        // Rows of a theory have traits of their own: some need a GPU and others do not.
        string name = Path.GetFileName(folder);
        return new Suite(name, folder, Path.Combine(folder, name), "-noColor", "-reporter", "json", "-trait", "needs=gpu", "-explicit", "on", "-preEnumerateTheories");
    }

    /// <summary>All tests in Python.</summary>
    /// <param name="folder">Where they lie, as unittest finds them.</param>
    /// <param name="runner">run_python_tests.py.</param>
    public static Suite OfPython(string folder, string runner) => new(
        PythonName, folder, Environment.GetEnvironmentVariable(PythonVariable) is { Length: > 0 } python ? python : "python3", "-u", runner, folder);

    /// <summary>Whether a word of the command line means this suite.</summary>
    public bool IsCalled(string word) => word == Name || word == ShortName;

    public SuiteResult Run(RunOptions options)
    {
        ProcessStartInfo start = new(_command[0])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = _folder,
        };
        if (Name == PythonName && Environment.GetEnvironmentVariable(HostLibraryPathVariable) is { } path)
        {
            // The host's Python and frameworks want the host's libraries, which may be newer than those in the archive.
            start.Environment[LibraryPathVariable] = path;
        }

        foreach (string argument in (string[])[.. _command[1..], .. options.SuiteOptions])
        {
            start.ArgumentList.Add(argument);
        }

        Stopwatch watch = Stopwatch.StartNew();
        using StreamWriter log = new(Path.Combine(options.LogFolder, Name + ".log")) { AutoFlush = true };
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
            Fail(Name, "A process that a test started outlives the suite and holds its output open.");
        }

        lock (_failures)
        {
            if (!hasEnded)
            {
                Fail(Name, $"The suite did not end within {options.Limit.TotalSeconds} s. Tests in progress: {string.Join(", ", _running.Values)}.");
            }
            else if (process.ExitCode != 0 && _failures.Count == 0)
            {
                Fail(Name, $"The suite ended with status {process.ExitCode}. Tests in progress: {string.Join(", ", _running.Values)}.\n{LastWords()}");
            }
            else if (_passed + _failures.Count + _skipped.Count == 0)
            {
                Fail(Name, "The suite ran no test.");
            }

            return new SuiteResult(Name, _passed, watch.Elapsed.TotalSeconds, [.. _failures], [.. _skipped], new Dictionary<string, double>(_seconds));
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
        string test = happened.TryGetProperty("TestUniqueID", out JsonElement id) ? _running.GetValueOrDefault(id.GetString()!, Name) : Name;
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
