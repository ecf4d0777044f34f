using System.Diagnostics;
using System.Reflection;
using System.Text;

namespace CuFrames.Benchmarks.Running;

/// <summary>This program in a second process, steered by lines on its standard input and output.</summary>
internal sealed class Peer : IDisposable
{
    private static readonly List<Peer> Running = [];

    private readonly Process _process;
    private readonly StringBuilder _errors = new();
    private readonly string _name;

    private Peer(string name, ProcessStartInfo start)
    {
        _name = name;
        _process = new Process { StartInfo = start };
        _process.ErrorDataReceived += (_, line) =>
        {
            lock (_errors)
            {
                _errors.AppendLine(line.Data);
            }
        };
        _process.Start();
        _process.BeginErrorReadLine();
        lock (Running)
        {
            Running.Add(this);
        }
    }

    public int ProcessId => _process.Id;

    public bool HasExited => _process.HasExited;

    /// <summary>Starts this program in one of its roles.</summary>
    public static Peer Start(string role, params object[] arguments)
    {
        List<string> line = ["peer", role, .. arguments.Select(argument => FormattableString.Invariant($"{argument}"))];
        string host = Environment.ProcessPath!;
        if (Path.GetFileNameWithoutExtension(host) == "dotnet")
        {
            line.Insert(0, Assembly.GetExecutingAssembly().Location);
        }

        return Program(role, host, [.. line]);
    }

    /// <summary>Starts any program.</summary>
    public static Peer Program(string name, string file, params string[] arguments) => new(name, new ProcessStartInfo(file, arguments)
    {
        RedirectStandardInput = true,
        RedirectStandardOutput = true,
        RedirectStandardError = true,
        UseShellExecute = false,
    });

    /// <summary>Kills what still runs; for the end of the run, whatever ends it.</summary>
    public static void KillAll()
    {
        Peer[] left;
        lock (Running)
        {
            left = [.. Running];
        }

        foreach (Peer peer in left)
        {
            peer.Dispose();
        }
    }

    public void Send(string line)
    {
        _process.StandardInput.WriteLine(line);
        _process.StandardInput.Flush();
    }

    /// <summary>Ends its standard input, which tells some programs to end.</summary>
    public void CloseInput() => _process.StandardInput.Close();

    /// <summary>Waits for a line that begins with the given word.</summary>
    /// <returns>The words after it.</returns>
    /// <exception cref="InvalidOperationException">Another line came, or the process ended, or the time is over.</exception>
    public string[] Expect(string word, int seconds = 60)
    {
        Task<string?> reading = _process.StandardOutput.ReadLineAsync();
        if (!reading.Wait(TimeSpan.FromSeconds(seconds)))
        {
            throw Failure($"said nothing for {seconds} s; '{word}' was expected");
        }

        string[] words = (reading.Result ?? throw Failure($"ended; '{word}' was expected")).Split(' ');
        return words[0] == word ? words[1..] : throw Failure($"said '{reading.Result}'; '{word}' was expected");
    }

    /// <summary>The next line, or null at the end of the output.</summary>
    public string? ReadLine() => _process.StandardOutput.ReadLine();

    /// <summary>Waits until standard error holds a text.</summary>
    public bool WaitForError(string text, int seconds)
    {
        long end = Environment.TickCount64 + (seconds * 1000L);
        while (Environment.TickCount64 < end && !_process.HasExited)
        {
            if (Errors.Contains(text, StringComparison.Ordinal))
            {
                return true;
            }

            // There is no event for a text on standard error; 10 ms are short beside a process's start.
            Thread.Sleep(10);
        }

        return Errors.Contains(text, StringComparison.Ordinal);
    }

    public string Errors
    {
        get
        {
            lock (_errors)
            {
                return _errors.ToString();
            }
        }
    }

    public void WaitForEnd(int seconds = 30)
    {
        if (!_process.WaitForExit(seconds * 1000))
        {
            throw Failure($"did not end within {seconds} s");
        }

        if (_process.ExitCode != 0)
        {
            throw Failure($"ended with {_process.ExitCode}");
        }
    }

    /// <summary>SIGKILL, at once.</summary>
    public void Kill() => _process.Kill();

    public void WaitForDeath() => _process.WaitForExit();

    public void Signal(int number)
    {
        using Process kill = Process.Start("kill", [$"-{number}", $"{_process.Id}"]);
        kill.WaitForExit();
    }

    public void Dispose()
    {
        lock (Running)
        {
            if (!Running.Remove(this))
            {
                return;
            }
        }

        if (!_process.HasExited)
        {
            _process.Kill(entireProcessTree: true);
            _process.WaitForExit();
        }

        _process.Dispose();
    }

    private InvalidOperationException Failure(string what) => new($"The process {_name} {what}. {Errors.Trim()}");
}
