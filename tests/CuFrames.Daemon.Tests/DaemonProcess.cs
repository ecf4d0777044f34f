using System.Diagnostics;
using CuFrames.Client;
using CuFrames.Protocol;
using CuFrames.TestKit;

namespace CuFrames.Daemon.Tests;

/// <summary>A real cuframesd with a configuration file and a runtime directory of its own. Killed at the end if it still runs.</summary>
internal sealed class DaemonProcess : IDisposable
{
    /// <summary>No guarantee, only when a test gives up: the machine may be busy.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(120);

    private readonly TemporaryDirectory _folder = new();
    private readonly List<string> _log = [];
    private readonly object _lock = new();
    private Process? _process;

    /// <summary>Makes the files; the process is started by <see cref="Start"/>.</summary>
    /// <param name="configuration">Content of the configuration file. <c>{run}</c> stands for the runtime directory.</param>
    public DaemonProcess(string configuration)
    {
        RuntimeDirectory = Path.Combine(Folder, "run");
        ConfigurationPath = Path.Combine(Folder, "etc", "cuframes.yaml");
        Directory.CreateDirectory(Path.GetDirectoryName(ConfigurationPath)!);
        Write(configuration);
        Environment = new Dictionary<string, string?>
        {
            ["JOURNAL_STREAM"] = null,
            ["NOTIFY_SOCKET"] = null,
            ["WATCHDOG_USEC"] = null,
            ["WATCHDOG_PID"] = null,
            ["CUFRAMES_CONFIG"] = ConfigurationPath,
            ["CUFRAMES_DIR"] = RuntimeDirectory,
            ["STATE_DIRECTORY"] = StateDirectory,
        };
    }

    /// <summary>The program that the build put beside the tests.</summary>
    public static string Program { get; } = Path.Combine(AppContext.BaseDirectory, "cuframesd");

    public string Folder => _folder.Path;

    public string RuntimeDirectory { get; set; }

    public string ConfigurationPath { get; }

    /// <summary>Where cameras added by the control API are kept; made by the daemon.</summary>
    public string StateDirectory => Path.Combine(Folder, "state");

    /// <summary>What differs from the environment of the tests.</summary>
    public Dictionary<string, string?> Environment { get; }

    /// <summary>Command that the program is started through, such as setpriv.</summary>
    public string[] Prefix { get; init; } = [];

    public int ProcessId => _process!.Id;

    /// <summary>Lines of standard error so far.</summary>
    public IReadOnlyList<string> Log
    {
        get
        {
            lock (_lock)
            {
                return [.. _log];
            }
        }
    }

    public string LogText => string.Join('\n', Log);

    /// <summary>Starts with a configuration and waits until it is ready.</summary>
    public static DaemonProcess Run(string configuration)
    {
        DaemonProcess daemon = new(configuration);
        try
        {
            daemon.Start();
            daemon.WaitForLog("[101 ready]");
            return daemon;
        }
        catch
        {
            daemon.Dispose();
            throw;
        }
    }

    /// <summary>Runs the program to its end.</summary>
    public static (int ExitCode, string Output, string Errors) Execute(IReadOnlyDictionary<string, string?> environment, params string[] arguments)
    {
        using Process process = Process.Start(StartInfo([], arguments, environment))!;
        Task<string> output = process.StandardOutput.ReadToEndAsync();
        Task<string> errors = process.StandardError.ReadToEndAsync();
        if (!process.WaitForExit(Patience))
        {
            process.Kill();
            throw new TimeoutException($"cuframesd {string.Join(' ', arguments)} does not end");
        }

        return (process.ExitCode, output.Result, errors.Result);
    }

    public void Start(params string[] arguments)
    {
        _process = Process.Start(StartInfo(Prefix, arguments, Environment))!;
        _process.ErrorDataReceived += (_, line) =>
        {
            lock (_lock)
            {
                if (line.Data is not null)
                {
                    _log.Add(line.Data);
                }

                Monitor.PulseAll(_lock);
            }
        };
        _process.BeginErrorReadLine();
    }

    /// <summary>Writes the configuration file in place. What says nothing of the web server gets none: many daemons run side by side, and its port is one.</summary>
    public void Write(string configuration)
    {
        bool isSilent = !configuration.Split('\n').Any(line => line.StartsWith("web:", StringComparison.Ordinal));
        string text = configuration.Replace("{run}", RuntimeDirectory, StringComparison.Ordinal);
        text = isSilent ? text.TrimEnd('\n') + "\nweb: off\n" : text;
        if (!File.Exists(ConfigurationPath))
        {
            File.WriteAllText(ConfigurationPath, text);
            return;
        }

        // In one piece: a file that is written in place is empty for a moment, which the daemon may see on a busy machine.
        string beside = Path.Combine(Folder, "cuframes.yaml.new");
        File.WriteAllText(beside, text);
        File.SetUnixFileMode(beside, File.GetUnixFileMode(ConfigurationPath));
        File.Move(beside, ConfigurationPath, overwrite: true);
    }

    /// <summary>Replaces the configuration, has it read by SIGHUP, and waits until it was.</summary>
    /// <returns>
    /// What the log has said meanwhile. The daemon looks by itself 300 ms after a change: when the machine is busy, it may have done so before the signal,
    /// and then it is not the signal's line that says what was changed.
    /// </returns>
    public string Reload(string configuration)
    {
        int seen = Log.Count;
        Write(configuration);
        Signal(Signals.HangUp);
        WaitForLog("(SIGHUP)", seen: seen);
        return string.Join('\n', Log.Skip(seen));
    }

    public void Signal(int signal) => Signals.Send(_process!.Id, signal);

    /// <summary>Waits for a line that holds all the texts, among those after the first <paramref name="seen"/>.</summary>
    public string WaitForLog(string text, string more = "", int seen = 0)
    {
        long end = Stopwatch.GetTimestamp() + (long)(Patience.TotalSeconds * Stopwatch.Frequency);
        lock (_lock)
        {
            while (true)
            {
                string? line = _log.Skip(seen).FirstOrDefault(line => line.Contains(text, StringComparison.Ordinal) && line.Contains(more, StringComparison.Ordinal));
                if (line is not null)
                {
                    return line;
                }

                TimeSpan rest = Stopwatch.GetElapsedTime(Stopwatch.GetTimestamp(), end);
                if (rest <= TimeSpan.Zero || !Monitor.Wait(_lock, rest))
                {
                    throw new TimeoutException($"no line with '{text}' and '{more}' came after {seen} lines:\n{string.Join('\n', _log)}");
                }
            }
        }
    }

    public FrameSubscriber Subscribe(string key, Delivery delivery = Delivery.Newest, Action<SubscriberEvent>? onEvent = null, bool reconnect = true) =>
        FrameSubscriber.Connect(key, new SubscriberOptions
        {
            Directory = RuntimeDirectory,
            Delivery = delivery,
            WaitForStream = true,
            Reconnect = reconnect,
            OnEvent = onEvent,
        });

    public StreamInfo Probe(string key) => StreamDirectory.Probe(key, RuntimeDirectory);

    /// <summary>Waits until the stream's description is as wanted.</summary>
    public StreamInfo WaitFor(string key, Func<StreamInfo, bool> condition)
    {
        StreamInfo info;
        Stopwatch time = Stopwatch.StartNew();
        while (!condition(info = Probe(key)))
        {
            if (time.Elapsed > Patience)
            {
                throw new TimeoutException($"stream '{key}' stays {info} {info.Description}:\n{LogText}");
            }

            // The description has to be asked for; there is no event for it here.
            Thread.Sleep(30);
        }

        return info;
    }

    /// <summary>Sends a signal and waits for the end.</summary>
    /// <returns>The exit code and the time that it took.</returns>
    public (int ExitCode, TimeSpan Time) End(int signal = Signals.Terminate)
    {
        Stopwatch time = Stopwatch.StartNew();
        Signal(signal);
        int exitCode = WaitForExit();
        return (exitCode, time.Elapsed);
    }

    public int WaitForExit()
    {
        if (!_process!.WaitForExit(Patience))
        {
            throw new TimeoutException($"cuframesd does not end:\n{LogText}");
        }

        // Without a limit it also waits for the last lines of the log.
        _process.WaitForExit();
        return _process.ExitCode;
    }

    public void Dispose()
    {
        if (_process is not null)
        {
            if (!_process.HasExited)
            {
                _process.Kill(entireProcessTree: true);
            }

            _process.WaitForExit();
            _process.Dispose();
        }

        _folder.Dispose();
    }

    private static ProcessStartInfo StartInfo(string[] prefix, string[] arguments, IReadOnlyDictionary<string, string?> environment)
    {
        string[] command = [.. prefix, Program, .. arguments];
        ProcessStartInfo start = new(command[0], command[1..]) { RedirectStandardError = true, RedirectStandardOutput = true };
        foreach ((string name, string? value) in environment)
        {
            start.Environment[name] = value;
        }

        return start;
    }
}
