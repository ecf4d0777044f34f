using System.Net;
using System.Net.Sockets;

namespace CuFrames.Daemon.Tests;

/// <summary>A camera that takes connections and says nothing.</summary>
internal sealed class SilentServer : IDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);

    public SilentServer() => _listener.Start(16);

    public string Url => $"rtsp://127.0.0.1:{((IPEndPoint)_listener.LocalEndpoint).Port}/camera";

    /// <summary>Waits until somebody has connected.</summary>
    public TcpClient Accept() => _listener.AcceptTcpClientAsync().WaitAsync(DaemonProcess.Patience).GetAwaiter().GetResult();

    public void Dispose() => _listener.Dispose();
}
