using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;

namespace CuFrames.TestKit;

/// <summary>
/// A publisher or reader in a process of its own: CuFrames.TestPeer, which lies beside the test executable. It takes commands as lines and
/// answers with lines of JSON, each with a "kind". Killed and reaped when disposed.
/// </summary>
public sealed partial class PeerProcess : IDisposable
{
    public const int SigStop = 19;
    public const int SigContinue = 18;

    // For what hangs. Who does much says "progress" in the meantime, because how long it takes is the machine's affair.
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(5);

    private readonly Process _process;
    private readonly StringBuilder _errors = new();

    private PeerProcess(Process process)
    {
        _process = process;
        _process.ErrorDataReceived += (_, line) =>
        {
            lock (_errors)
            {
                _errors.AppendLine(line.Data);
            }
        };
        _process.BeginErrorReadLine();
    }

    /// <summary>The executable.</summary>
    public static string ExecutablePath { get; } = Path.Combine(AppContext.BaseDirectory, "CuFrames.TestPeer");

    public int Id => _process.Id;

    public static PeerProcess Start(params string[] arguments) => Start([ExecutablePath], null, arguments);

    /// <summary>Starts the peer, under other programs if there are any, with more in its environment.</summary>
    public static PeerProcess StartWith(IEnumerable<KeyValuePair<string, string>> environment, IReadOnlyList<string> wrapper, params string[] arguments) =>
        Start([.. wrapper, ExecutablePath], null, arguments, environment);

    /// <summary>Starts the peer with a fault of <c>FaultInjection</c>.</summary>
    public static PeerProcess StartWithFault(string fault, params string[] arguments) => Start([ExecutablePath], fault, arguments);

    /// <summary>Starts the peer under other programs, for example strace or unshare.</summary>
    public static PeerProcess StartUnder(IReadOnlyList<string> wrapper, params string[] arguments) =>
        Start([.. wrapper, ExecutablePath], null, arguments);

    /// <summary>Starts a peer that is another program: <paramref name="command"/> is its path and what comes before the arguments.</summary>
    public static PeerProcess StartCommand(
        IReadOnlyList<string> command, IEnumerable<KeyValuePair<string, string>> environment, params string[] arguments) =>
        Start(command, null, arguments, environment);

    /// <summary>Sends a command.</summary>
    public void Send(string line)
    {
        try
        {
            _process.StandardInput.WriteLine(line);
            _process.StandardInput.Flush();
        }
        catch (IOException error)
        {
            _process.WaitForExit();
            throw new InvalidOperationException($"The peer ended before '{line}' was sent. {Errors()}", error);
        }
    }

    /// <summary>Waits for the next line of a kind; lines of other kinds are passed over. A peer that tells its progress is waited for as long as it does.</summary>
    public JsonElement Expect(string kind)
    {
        Stopwatch silence = Stopwatch.StartNew();
        while (true)
        {
            JsonElement answer = Read($"'{kind}'", Patience - silence.Elapsed);
            string? said = answer.GetProperty("kind").GetString();
            if (said == kind)
            {
                return answer;
            }

            if (said == "failed")
            {
                throw new InvalidOperationException($"The peer did not say '{kind}' but: {answer}");
            }

            if (said == "progress")
            {
                silence.Restart();
            }
        }
    }

    /// <summary>Sends a command and waits for the next line, of whatever kind.</summary>
    public JsonElement Ask(string command)
    {
        Send(command);
        return Read($"what comes of '{command}'", Patience);
    }

    public JsonElement Ask(string command, string kind)
    {
        Send(command);
        return Expect(kind);
    }

    /// <summary>Tells the peer to end, and waits until it has.</summary>
    /// <returns>Its exit code.</returns>
    public int Exit()
    {
        Send("exit");
        if (!_process.WaitForExit(Patience))
        {
            throw new TimeoutException($"The peer did not end. {Errors()}");
        }

        return _process.ExitCode;
    }

    /// <summary>Waits until a peer that ends by itself has ended.</summary>
    /// <returns>What it wrote to standard error.</returns>
    public string WaitForEnd()
    {
        if (!_process.WaitForExit(Patience))
        {
            throw new TimeoutException($"The peer did not end. {Errors()}");
        }

        // Waits for the rest of standard error, too.
        _process.WaitForExit();
        return Errors();
    }

    public void Signal(int signal)
    {
        if (SendSignal(_process.Id, signal) < 0)
        {
            throw new InvalidOperationException($"Signal {signal} could not be sent: {Marshal.GetLastPInvokeErrorMessage()}");
        }
    }

    /// <summary>SIGKILL, without waiting.</summary>
    public void KillNow() => Signal(9);

    /// <summary>SIGKILL, and wait until the kernel has cleaned up.</summary>
    public void Kill()
    {
        _process.Kill(entireProcessTree: true);
        _process.WaitForExit();
    }

    /// <summary>SIGKILL, and what the peer had still said.</summary>
    public string KillAndReadRest()
    {
        Kill();
        return _process.StandardOutput.ReadToEnd();
    }

    /// <summary>What the peer wrote to standard error.</summary>
    public string Errors()
    {
        lock (_errors)
        {
            return _errors.ToString();
        }
    }

    public void Dispose()
    {
        if (!_process.HasExited)
        {
            Kill();
        }

        _process.Dispose();
    }

    private JsonElement Read(string wanted, TimeSpan patience)
    {
        Task<string?> line = _process.StandardOutput.ReadLineAsync();
        if (patience <= TimeSpan.Zero || !line.Wait(patience))
        {
            throw new TimeoutException($"The peer did not say {wanted} within {Patience.TotalSeconds} s, nor any progress. {Errors()}");
        }

        if (line.Result is null)
        {
            _process.WaitForExit();
            throw new InvalidOperationException($"The peer ended before it said {wanted}. {Errors()}");
        }

        return JsonDocument.Parse(line.Result).RootElement;
    }

    private static PeerProcess Start(
        IReadOnlyList<string> command, string? fault, string[] arguments, IEnumerable<KeyValuePair<string, string>>? environment = null)
    {
        ProcessStartInfo start = new(command[0])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach (string argument in command.Skip(1).Concat(arguments))
        {
            start.ArgumentList.Add(argument);
        }

        // The diagnostics port is a socket in /tmp that a killed process leaves behind.
        start.Environment["DOTNET_EnableDiagnostics"] = "0";
        start.Environment["CUFRAMES_FAULT"] = fault ?? "";
        foreach ((string name, string value) in environment ?? [])
        {
            start.Environment[name] = value;
        }

        return new PeerProcess(Process.Start(start) ?? throw new InvalidOperationException(
            string.Create(CultureInfo.InvariantCulture, $"{command[0]} cannot be started.")));
    }

    [LibraryImport("libc", EntryPoint = "kill", SetLastError = true)]
    private static partial int SendSignal(int process, int signal);
}
