using System.Diagnostics;
using System.Text;

namespace CuFrames.Acceptance.Tests;

/// <summary>A program as it stands, which knows nothing of the test. Killed at the end if it still runs.</summary>
internal sealed class StockProgram : IDisposable
{
    private readonly string _line;
    private readonly Process _process;
    private readonly StringBuilder _said = new();

    private StockProgram(string file, string[] arguments)
    {
        _line = string.Join(' ', [file, .. arguments]);
        _process = new Process
        {
            StartInfo = new ProcessStartInfo(file, arguments) { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true },
        };
        _process.OutputDataReceived += (_, line) => Take(line.Data);
        _process.ErrorDataReceived += (_, line) => Take(line.Data);
        _process.Start();
        _process.StandardInput.Close();
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
    }

    public bool HasExited => _process.HasExited;

    /// <summary>What it printed so far.</summary>
    public string Said
    {
        get
        {
            lock (_said)
            {
                return $"{_line}\n{_said}";
            }
        }
    }

    public static StockProgram Start(string file, params string[] arguments) => new(file, arguments);

    /// <summary>Runs a program to its end.</summary>
    /// <returns>What it printed on standard output and standard error.</returns>
    public static string Run(TimeSpan limit, string file, params string[] arguments)
    {
        using StockProgram program = new(file, arguments);
        program.End(limit);
        return program.Said[(program._line.Length + 1)..];
    }

    /// <summary>Waits for its end, which must be a success.</summary>
    public void End(TimeSpan limit)
    {
        if (!_process.WaitForExit(limit))
        {
            throw new TimeoutException($"It does not end within {limit.TotalSeconds} s: {Said}");
        }

        // Without a limit it also waits for the last lines.
        _process.WaitForExit();
        if (_process.ExitCode != 0)
        {
            throw new InvalidOperationException($"It ended with {_process.ExitCode}: {Said}");
        }
    }

    public void Dispose()
    {
        if (!_process.HasExited)
        {
            _process.Kill(entireProcessTree: true);
        }

        _process.WaitForExit();
        _process.Dispose();
    }

    private void Take(string? line)
    {
        if (line is not null)
        {
            lock (_said)
            {
                _said.AppendLine(line);
            }
        }
    }
}
