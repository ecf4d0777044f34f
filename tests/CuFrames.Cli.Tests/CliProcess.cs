using System.Collections.Concurrent;
using System.Diagnostics;
using System.Text;
using System.Text.Json;

namespace CuFrames.Cli.Tests;

/// <summary>The program cuframes, started as a user does.</summary>
internal sealed class CliProcess : IDisposable
{
    /// <summary>No command of the tests takes nearly as long: who waits longer waits for ever.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(180);

    private readonly Process _process;
    private readonly BlockingCollection<string> _lines = [];
    private readonly StringBuilder _output = new();
    private readonly Task<string> _errors;

    /// <summary>Guarded by the lock of <see cref="_output"/>.</summary>
    private bool _isDisposed;

    private CliProcess(ProcessStartInfo start)
    {
        _process = Process.Start(start)!;
        _process.StandardInput.Close();
        _errors = _process.StandardError.ReadToEndAsync();
        _process.OutputDataReceived += (_, line) =>
        {
            // A program that is killed when a test ends may say its last words while its lines are given up here.
            lock (_output)
            {
                if (_isDisposed)
                {
                    return;
                }

                if (line.Data is null)
                {
                    _lines.CompleteAdding();
                    return;
                }

                _output.Append(line.Data).Append('\n');
                _lines.Add(line.Data);
            }
        };
        _process.BeginOutputReadLine();
    }

    /// <summary>The program's number: what starts it becomes it.</summary>
    public int Id => _process.Id;

    public static string Program { get; } = Path.Combine(AppContext.BaseDirectory, "cuframes");

    /// <summary>Runs the program to its end.</summary>
    /// <param name="directory">The runtime directory.</param>
    /// <param name="arguments">The command line.</param>
    public static CliResult Run(string directory, params string[] arguments)
    {
        using CliProcess process = Start(directory, arguments);
        return process.WaitForEnd();
    }

    /// <summary>Starts the program. SIGINT has its usual effect, also when the tests run in the background of a shell.</summary>
    public static CliProcess Start(string directory, params string[] arguments) =>
        StartOther(directory, "env", ["--default-signal=INT", Program, .. arguments]);

    /// <summary>Starts another program that starts cuframes.</summary>
    public static CliProcess StartOther(string directory, string program, params string[] arguments)
    {
        ProcessStartInfo start = new(program) { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (string argument in arguments)
        {
            start.ArgumentList.Add(argument);
        }

        start.Environment["CUFRAMES_DIR"] = directory;
        return new CliProcess(start);
    }

    /// <summary>Runs the program to its end, with variables in its environment.</summary>
    public static CliResult RunWith(IEnumerable<string> variables, string directory, params string[] arguments)
    {
        using CliProcess process = StartWith(variables, directory, arguments);
        return process.WaitForEnd();
    }

    /// <summary>Starts the program with variables in its environment, each as <c>name=value</c>.</summary>
    public static CliProcess StartWith(IEnumerable<string> variables, string directory, params string[] arguments) =>
        StartOther(directory, "env", ["--default-signal=INT", .. variables, Program, .. arguments]);

    /// <summary>Waits for a line of standard output that fits, and skips those before it.</summary>
    public string WaitForLine(Predicate<string> fits)
    {
        using CancellationTokenSource source = new(Patience);
        foreach (string line in _lines.GetConsumingEnumerable(source.Token))
        {
            if (fits(line))
            {
                return line;
            }
        }

        throw new InvalidOperationException($"cuframes ended without the line that was waited for. {_errors.Result}");
    }

    /// <summary>The same for an object of JSON.</summary>
    public JsonElement WaitForObject(Predicate<JsonElement> fits) =>
        JsonDocument.Parse(WaitForLine(line => fits(JsonDocument.Parse(line).RootElement))).RootElement;

    public void Signal(string name)
    {
        // The shell's own kill: the program of that name is not part of a minimal system.
        using Process kill = Process.Start("sh", ["-c", $"kill -{name} {_process.Id}"]);
        kill.WaitForExit();
    }

    public CliResult WaitForEnd()
    {
        if (!_process.WaitForExit(Patience))
        {
            throw new TimeoutException($"cuframes did not end within {Patience.TotalSeconds} s.");
        }

        // Without a time-out it also waits until all output has been read.
        _process.WaitForExit();
        lock (_output)
        {
            return new CliResult(_process.ExitCode, _output.ToString(), _errors.GetAwaiter().GetResult());
        }
    }

    public void Dispose()
    {
        if (!_process.HasExited)
        {
            _process.Kill(entireProcessTree: true);
        }

        _process.Dispose();
        lock (_output)
        {
            _isDisposed = true;
            _lines.Dispose();
        }
    }
}
