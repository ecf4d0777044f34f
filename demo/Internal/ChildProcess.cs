using System.Collections.Concurrent;
using System.Diagnostics;

namespace CuFrames.Demo.Internal;

/// <summary>
/// A program that the demo started. It runs in a session of its own, so that Ctrl-C in the terminal reaches the demo alone, which then ends
/// everything in order.
/// </summary>
internal sealed class ChildProcess : IDisposable
{
    private const int KeptErrorLines = 20;

    private readonly Process _process;
    private readonly ConcurrentQueue<string> _errors = new();
    private readonly BlockingCollection<string> _lines = [];
    private volatile string? _lastLine;

    public ChildProcess(string name, string directory, string program, params string[] arguments)
    {
        Name = name;
        ProcessStartInfo start = new("setsid")
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.ArgumentList.Add(program);
        foreach (string argument in arguments)
        {
            start.ArgumentList.Add(argument);
        }

        start.Environment["CUFRAMES_DIR"] = directory;
        // What a child leaves when it is killed goes away with the demo's folder.
        start.Environment["TMPDIR"] = Path.GetDirectoryName(directory);
        _process = Process.Start(start) ?? throw new InvalidOperationException($"{program} could not be started.");
        _process.OutputDataReceived += (_, line) => OnLine(line.Data);
        _process.ErrorDataReceived += (_, line) => OnError(line.Data);
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
    }

    public string Name { get; }

    public bool HasEnded => _process.HasExited;

    /// <summary>The newest line of standard output; null before the first.</summary>
    public string? LastLine => _lastLine;

    /// <summary>The last lines of standard error.</summary>
    public string Errors => string.Join('\n', _errors);

    /// <summary>Takes the next line of standard output.</summary>
    /// <exception cref="InvalidOperationException">The program ended, or wrote no line in time.</exception>
    public string NextLine(TimeSpan timeout, CancellationToken cancellation)
    {
        if (_lines.TryTake(out string? line, (int)timeout.TotalMilliseconds, cancellation))
        {
            return line;
        }

        throw new InvalidOperationException(HasEnded
            ? $"{Name} ended with {_process.ExitCode}: {Errors}"
            : $"{Name} did not answer within {timeout.TotalSeconds} s. {Errors}");
    }

    /// <summary>Takes the lines of standard output that have come and were not taken yet.</summary>
    public IEnumerable<string> TakeLines()
    {
        while (_lines.TryTake(out string? line))
        {
            yield return line;
        }
    }

    /// <summary>Ends it with SIGKILL.</summary>
    public void Kill() => _process.Kill();

    /// <summary>Closes its standard input, which our readers take for the end, and waits.</summary>
    /// <returns>Whether it ended by itself, without an error.</returns>
    public bool Finish(TimeSpan timeout)
    {
        _process.StandardInput.Close();
        return WaitForExit(timeout) && _process.ExitCode == 0;
    }

    /// <summary>Asks it to end with SIGTERM and waits.</summary>
    /// <inheritdoc cref="Finish" path="/returns"/>
    public bool Terminate(TimeSpan timeout)
    {
        if (!_process.HasExited)
        {
            // The shell's own kill: the program of that name is not part of a minimal system.
            using Process kill = Process.Start("sh", ["-c", $"kill -TERM {_process.Id}"]);
            kill.WaitForExit();
        }

        return WaitForExit(timeout) && _process.ExitCode == 0;
    }

    public void Dispose()
    {
        if (!_process.HasExited)
        {
            _process.Kill(entireProcessTree: true);
            _process.WaitForExit();
        }

        _process.Dispose();
        _lines.Dispose();
    }

    private bool WaitForExit(TimeSpan timeout)
    {
        if (!_process.WaitForExit(timeout))
        {
            return false;
        }

        // Without a time-out it also waits until the last lines have been read.
        _process.WaitForExit();
        return true;
    }

    private void OnLine(string? line)
    {
        if (line is not null)
        {
            _lastLine = line;
            _lines.Add(line);
        }
        else
        {
            _lines.CompleteAdding();
        }
    }

    private void OnError(string? line)
    {
        if (!string.IsNullOrEmpty(line))
        {
            _errors.Enqueue(line);
            while (_errors.Count > KeptErrorLines)
            {
                _errors.TryDequeue(out _);
            }
        }
    }
}
