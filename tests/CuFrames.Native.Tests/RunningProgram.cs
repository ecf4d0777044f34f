using System.Diagnostics;
using System.Globalization;
using CuFrames.TestKit;

namespace CuFrames.Native.Tests;

/// <summary>A program whose lines are read while it runs. Killed when disposed.</summary>
internal sealed class RunningProgram : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly Process _process;
    private readonly Task<string> _errors;

    private RunningProgram(Process process)
    {
        _process = process;
        _errors = process.StandardError.ReadToEndAsync();
    }

    /// <summary>Starts a program whose runtime directory is the one given.</summary>
    public static RunningProgram Start(string directory, string file, params string[] arguments)
    {
        ProcessStartInfo start = new(file, arguments) { RedirectStandardOutput = true, RedirectStandardError = true };
        start.Environment["CUFRAMES_DIR"] = directory;
        foreach ((string name, string value) in TestCuda.ChildEnvironment)
        {
            start.Environment[name] = value;
        }

        return new RunningProgram(Process.Start(start) ?? throw new InvalidOperationException($"{file} did not start."));
    }

    /// <summary>The next line of standard output; null: there is none any more.</summary>
    public string? ReadLine()
    {
        Task<string?> line = _process.StandardOutput.ReadLineAsync();
        return line.Wait(Patience) ? line.Result : throw new TimeoutException($"{_process.ProcessName} wrote no line within {Patience.TotalSeconds} s.");
    }

    public void Signal(string name) => _ = Tool.Run("kill", $"-{name}", _process.Id.ToString(CultureInfo.InvariantCulture));

    /// <summary>Waits for its end.</summary>
    /// <returns>Exit status, what was left of standard output, and standard error.</returns>
    public ToolResult WaitForEnd()
    {
        Task<string> rest = _process.StandardOutput.ReadToEndAsync();
        if (!_process.WaitForExit(Patience))
        {
            throw new TimeoutException($"{_process.ProcessName} did not end within {Patience.TotalSeconds} s.");
        }

        return new ToolResult(_process.ExitCode, rest.Result, _errors.Result);
    }

    public void Dispose()
    {
        if (!_process.HasExited)
        {
            _process.Kill();
            _process.WaitForExit();
        }

        _process.Dispose();
    }
}
