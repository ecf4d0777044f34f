using System.Collections.Concurrent;
using System.Diagnostics;

namespace CuFrames.Conformance.SubscriberChecks;

/// <summary>A running instance of the command under test.</summary>
internal sealed class Subject : IDisposable
{
    private const int ErrorLinesKept = 5;

    private readonly Process _process;
    private readonly BlockingCollection<SubjectLine> _lines = [];
    private readonly ConcurrentQueue<string> _unreadable = new();
    private readonly ConcurrentQueue<string> _errors = new();

    public Subject(IReadOnlyList<string> command, string directory)
    {
        var start = new ProcessStartInfo(command[0])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            UseShellExecute = false,
        };
        foreach (string argument in command.Skip(1))
        {
            start.ArgumentList.Add(argument);
        }

        start.Environment["CUFRAMES_DIR"] = directory;
        _process = new Process { StartInfo = start };
        _process.OutputDataReceived += (_, received) => Add(received.Data);
        _process.ErrorDataReceived += (_, received) => AddError(received.Data);
        _process.Start();
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
    }

    public bool HasExited => _process.HasExited;

    /// <summary>The last lines of the command's error output.</summary>
    public string Errors => string.Join(" / ", _errors);

    /// <summary>A line that is neither a frame nor an event; null if there was none.</summary>
    public string? Unreadable => _unreadable.TryPeek(out string? line) ? line : null;

    /// <summary>The next line; null if none comes in time.</summary>
    public SubjectLine? Next(int timeoutMilliseconds) =>
        _lines.TryTake(out SubjectLine? line, Math.Max(0, timeoutMilliseconds)) ? line : null;

    public void Forget()
    {
        while (_lines.TryTake(out _))
        {
        }
    }

    /// <summary>Ends the command and what it started.</summary>
    public void Kill()
    {
        if (!_process.HasExited)
        {
            _process.Kill(entireProcessTree: true);
        }
    }

    public void Dispose()
    {
        Kill();
        _process.WaitForExit();
        _process.Dispose();
        _lines.Dispose();
    }

    private void Add(string? text)
    {
        if (string.IsNullOrWhiteSpace(text))
        {
            return;
        }

        if (SubjectLine.Parse(text) is { } line)
        {
            _lines.Add(line);
        }
        else
        {
            _unreadable.Enqueue(text);
        }
    }

    private void AddError(string? text)
    {
        if (!string.IsNullOrWhiteSpace(text))
        {
            _errors.Enqueue(text);
            while (_errors.Count > ErrorLinesKept)
            {
                _errors.TryDequeue(out _);
            }
        }
    }
}
