using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Text.Json;

namespace CuFrames.TestKit;

/// <summary>A real RTSP server in a process of its own: <c>rtsp_server.py</c>, which stands beside the test program.</summary>
/// <remarks>The process ends with this object, and with the test program however that ends: it watches its standard input.</remarks>
public sealed class RtspServer : IDisposable
{
    private readonly Process _process;
    private readonly ConcurrentQueue<string> _errors = new();
    private readonly object _lock = new();
    private readonly List<string> _transports = [];
    private readonly TaskCompletionSource<(string Url, int Port)> _ready = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _connections;
    private int _open;
    private bool _isDisposed;

    /// <summary>Starts a server and waits until it listens.</summary>
    public RtspServer(RtspServerOptions options)
    {
        string script = Path.Combine(AppContext.BaseDirectory, "rtsp_server.py");
        // Debian's own interpreter: python3-gi belongs to it, not to whatever python3 comes first in PATH.
        ProcessStartInfo start = new("/usr/bin/python3")
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        string[] arguments =
        [
            script, options.File, "--codec", options.IsH265 ? "h265" : "h264", "--port", (options.Port == 0 ? Ports.Free() : options.Port).ToString(CultureInfo.InvariantCulture),
            "--repeat-seconds", options.Repeat.TotalSeconds.ToString(CultureInfo.InvariantCulture),
            .. options.User is null ? Array.Empty<string>() : ["--user", options.User, "--password", options.Password],
            .. options.Audio is { } audio ? (string[])["--audio", audio] : [],
            .. options.Digest ? (string[])["--digest"] : [],
        ];
        foreach (string argument in arguments)
        {
            start.ArgumentList.Add(argument);
        }

        _process = Process.Start(start)!;
        _process.OutputDataReceived += (_, line) => OnLine(line.Data);
        _process.ErrorDataReceived += (_, line) => _errors.Enqueue(line.Data ?? "");
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
        if (!_ready.Task.Wait(TimeSpan.FromSeconds(90)))
        {
            Dispose();
            throw new InvalidOperationException($"rtsp_server.py did not start: {string.Join('\n', _errors)}");
        }
    }

    /// <summary>URL of the stream, without credentials.</summary>
    public string Url => _ready.Task.Result.Url;

    /// <summary>Port that it listens on.</summary>
    public int Port => _ready.Task.Result.Port;

    /// <summary>Connections since the start.</summary>
    public int Connections
    {
        get
        {
            lock (_lock)
            {
                return _connections;
            }
        }
    }

    /// <summary>Connections open now.</summary>
    public int OpenConnections
    {
        get
        {
            lock (_lock)
            {
                return _open;
            }
        }
    }

    /// <summary>Transports that clients asked for, in order: tcp or udp.</summary>
    public IReadOnlyList<string> Transports
    {
        get
        {
            lock (_lock)
            {
                return [.. _transports];
            }
        }
    }

    /// <summary>The URL with credentials.</summary>
    public string UrlFor(string user, string password) =>
        Url.Replace("rtsp://", $"rtsp://{Uri.EscapeDataString(user)}:{Uri.EscapeDataString(password)}@", StringComparison.Ordinal);

    /// <summary>Stops the streams; connections stay open.</summary>
    public void Hang() => Command("hang");

    /// <summary>Lets the streams go on.</summary>
    public void Resume() => Command("resume");

    /// <summary>Closes every connection.</summary>
    public void DropConnections() => Command("drop");

    /// <summary>Ends the server.</summary>
    public void Dispose()
    {
        if (_isDisposed)
        {
            return;
        }

        _isDisposed = true;

        // The server deletes its own files when it is told to end. One that does not hear is killed.
        _process.StandardInput.Close();
        if (!_process.WaitForExit(5000))
        {
            _process.Kill();
        }

        _process.WaitForExit();
        _process.Dispose();
    }

    private void Command(string command)
    {
        _process.StandardInput.WriteLine(command);
        _process.StandardInput.Flush();
    }

    private void OnLine(string? line)
    {
        if (string.IsNullOrEmpty(line))
        {
            return;
        }

        using JsonDocument document = JsonDocument.Parse(line);
        JsonElement fields = document.RootElement;
        lock (_lock)
        {
            switch (fields.GetProperty("event").GetString())
            {
                case "ready":
                    _ready.SetResult((fields.GetProperty("url").GetString()!, fields.GetProperty("port").GetInt32()));
                    break;
                case "connected" or "closed":
                    _connections = fields.GetProperty("connections").GetInt32();
                    _open = fields.GetProperty("open").GetInt32();
                    break;
                case "setup":
                    _transports.Add(fields.GetProperty("transport").GetString()!);
                    break;
            }
        }
    }
}
