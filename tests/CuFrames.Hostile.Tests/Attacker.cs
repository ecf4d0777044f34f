using System.Diagnostics;
using System.Text.Json;

namespace CuFrames.Hostile.Tests;

/// <summary>attack.py in a process of its own, of another user.</summary>
internal sealed class Attacker : IDisposable
{
    /// <summary>A user that the daemon's machine does not know, and that may do nothing.</summary>
    private const int User = 2993;

    private readonly Process _process;

    /// <param name="kind">As attack.py has it.</param>
    /// <param name="target">unix:PATH or ADDRESS:PORT.</param>
    /// <param name="seed">The same seed gives the same bytes.</param>
    public Attacker(string kind, string target, int seed)
    {
        List<string> arguments = [Path.Combine(AppContext.BaseDirectory, "attack.py"), kind, target, "--seed", $"{seed}"];
        if (Environment.UserName == "root")
        {
            arguments.AddRange(["--user", $"{User}"]);
        }

        _process = Process.Start(new ProcessStartInfo("/usr/bin/python3", arguments) { RedirectStandardOutput = true, RedirectStandardInput = true })!;
        Assert.Equal("ready", _process.StandardOutput.ReadLine());
    }

    /// <summary>Ends the attack.</summary>
    /// <returns>What it has done: connections, refused, answers, sent, most_open.</returns>
    public IReadOnlyDictionary<string, long> End()
    {
        _process.StandardInput.Close();
        string line = _process.StandardOutput.ReadToEnd();
        _process.WaitForExit();
        Assert.Equal(0, _process.ExitCode);
        return JsonSerializer.Deserialize<Dictionary<string, long>>(line)!;
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
