using System.Text.Json;
using CuFrames.Client;
using CuFrames.Daemon.Tests;

namespace CuFrames.Control.Tests;

/// <summary>A daemon and somebody who calls it.</summary>
internal sealed class ControlScenario : IDisposable
{
    private readonly string _kind;

    public ControlScenario(string kind, string configuration, Action<DaemonProcess>? prepare = null)
    {
        _kind = kind;
        Daemon = new DaemonProcess(configuration);
        try
        {
            prepare?.Invoke(Daemon);
            Daemon.Start();
            Daemon.WaitForLog("[700 control-ready]");
            Caller = ControlCaller.Create(kind, SocketPath);
        }
        catch
        {
            Daemon.Dispose();
            throw;
        }
    }

    public DaemonProcess Daemon { get; }

    public ControlCaller Caller { get; private set; }

    public string SocketPath => Path.Combine(Daemon.RuntimeDirectory, ControlClient.SocketName);

    /// <summary>Where added cameras are kept.</summary>
    public string StatePath => Path.Combine(Daemon.StateDirectory, "cameras.yaml");

    /// <summary>Makes a call with a request whose fields are all texts.</summary>
    public Task<CallResult> CallAsync(string method, params (string Name, object Value)[] fields) =>
        Caller.CallAsync(method, JsonSerializer.Serialize(fields.ToDictionary(field => field.Name, field => field.Value)));

    public Task<CallResult> AddAsync(string key, string settings) => CallAsync("AddCamera", ("key", key), ("settings", settings));

    public Task<CallResult> UpdateAsync(string key, string settings) => CallAsync("UpdateCamera", ("key", key), ("settings", settings));

    /// <summary>Checks that a call fails.</summary>
    /// <param name="call">The call.</param>
    /// <param name="status">How.</param>
    /// <param name="texts">What its text has in it.</param>
    public static async Task RequireAsync(Task<CallResult> call, RpcStatus status, params string[] texts)
    {
        CallResult result = await call;
        Assert.True(status == result.Status, $"{result.Status} and not {status}: {result.Text}");
        Assert.All(texts, text => Assert.Contains(text, result.Text, StringComparison.Ordinal));
    }

    /// <summary>Kills the daemon and starts it again.</summary>
    public void KillAndStart()
    {
        const int Kill = 9;
        Daemon.End(Kill);
        StartAgain();
    }

    /// <summary>Starts the daemon, which was killed, again.</summary>
    public void StartAgain()
    {
        int seen = Daemon.Log.Count;
        Daemon.Start();
        Daemon.WaitForLog("[700 control-ready]", seen: seen);

        // Google's client waits before it connects again.
        Caller.Dispose();
        Caller = ControlCaller.Create(_kind, SocketPath);
    }

    /// <summary>Reads one frame of a stream.</summary>
    /// <returns>The run of the stream, which another start of the camera changes.</returns>
    public ulong RequireFrame(string stream)
    {
        using FrameSubscriber subscriber = Daemon.Subscribe(stream);
        Assert.True(subscriber.TryNext(DaemonProcess.Patience, out Frame frame), $"no frame of {stream}:\n{Daemon.LogText}");
        using (frame)
        {
            return frame.Epoch;
        }
    }

    public async Task<string[]> KeysAsync() =>
        [.. (await CallAsync("ListCameras")).Message.GetProperty("cameras").EnumerateArray().Select(camera => camera.GetProperty("key").GetString()!)];

    public void Dispose()
    {
        Caller.Dispose();
        Daemon.Dispose();
    }
}
