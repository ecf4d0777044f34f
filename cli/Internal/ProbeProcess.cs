using System.Diagnostics;
using CuFrames.Client;

namespace CuFrames.Cli.Internal;

/// <summary>
/// A process of this program that tries what may hang or crash it, and answers in lines. Disposal ends it and what it started.
/// </summary>
internal sealed class ProbeProcess : IDisposable
{
    private readonly Process _process;
    private readonly Task<string> _errors;

    private ProbeProcess(Process process)
    {
        _process = process;
        _errors = process.StandardError.ReadToEndAsync();
    }

    /// <summary>Whether the process has ended by itself with the exit code of success.</summary>
    public bool HasEndedInOrder => _process.HasExited && _process.ExitCode == ExitCode.Success;

    /// <summary>Starts a process.</summary>
    /// <param name="arguments">A hidden command of this program that begins with <see cref="EndWithParent"/>.</param>
    public static ProbeProcess Start(params string[] arguments) => new(OwnProcess.Start(StreamDirectory.RuntimeDirectory, arguments));

    /// <summary>Lets this process end when the one that started it has: the driver may hang in it for ever.</summary>
    public static void EndWithParent()
    {
        Thread watch = new(() =>
        {
            // The parent writes nothing: the read ends with the parent.
            while (Console.In.Read() >= 0)
            {
            }

            Process.GetCurrentProcess().Kill();
        })
        {
            IsBackground = true,
        };
        watch.Start();
    }

    /// <summary>Waits for the next line.</summary>
    /// <param name="limit">Longest wait. A process that takes longer is ended.</param>
    /// <param name="failure">What became of the process instead, as the end of a sentence; empty with a line.</param>
    /// <returns>The line; null when there is none.</returns>
    public string? ReadLine(TimeSpan limit, out string failure)
    {
        failure = "";
        Task<string?> reading = _process.StandardOutput.ReadLineAsync();
        if (!reading.Wait(limit))
        {
            _process.Kill(entireProcessTree: true);
            failure = $"did not answer within {limit.TotalSeconds} s and was ended";
            return null;
        }

        if (reading.Result is { } line)
        {
            return line;
        }

        if (!_process.WaitForExit(limit))
        {
            _process.Kill(entireProcessTree: true);
            failure = $"closed its output without an answer, did not end within {limit.TotalSeconds} s and was ended";
            return null;
        }

        failure = _process.ExitCode > SignalBase
            ? $"was ended by {SignalName(_process.ExitCode - SignalBase)}"
            : $"ended with exit code {_process.ExitCode}";

        // A process that this one started may hold the stream open.
        string said = _errors.Wait(limit) ? _errors.Result.Split('\n', 2)[0].Trim() : "";
        if (said.Length > 0)
        {
            failure += $", saying '{said.TrimEnd('.')}'";
        }

        return null;
    }

    public void Dispose()
    {
        if (!_process.HasExited)
        {
            _process.Kill(entireProcessTree: true);
        }

        _process.Dispose();
    }

    /// <summary>The exit code of a process that a signal ended is this and the signal's number.</summary>
    private const int SignalBase = 128;

    private static string SignalName(int number) => number switch
    {
        4 => "SIGILL",
        5 => "SIGTRAP",
        6 => "SIGABRT",
        7 => "SIGBUS",
        8 => "SIGFPE",
        9 => "SIGKILL",
        11 => "SIGSEGV",
        15 => "SIGTERM",
        31 => "SIGSYS",
        _ => $"signal {number}",
    };
}
