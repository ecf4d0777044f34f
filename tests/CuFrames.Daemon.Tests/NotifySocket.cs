using System.Diagnostics;
using System.Net.Sockets;
using System.Text;
using CuFrames.TestKit;

namespace CuFrames.Daemon.Tests;

/// <summary>Stands where systemd's socket would be, and notes the messages.</summary>
internal sealed class NotifySocket : IDisposable
{
    private readonly TemporaryDirectory _folder = new();
    private readonly Socket _socket = new(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified);
    private readonly List<string> _messages = [];

    public NotifySocket()
    {
        Path = System.IO.Path.Combine(_folder.Path, "notify");
        _socket.Bind(new UnixDomainSocketEndPoint(Path));
        _socket.ReceiveTimeout = (int)DaemonProcess.Patience.TotalMilliseconds;
    }

    public string Path { get; }

    public IReadOnlyList<string> Messages => _messages;

    /// <summary>Takes messages until one begins with the text.</summary>
    public string WaitFor(string text)
    {
        byte[] buffer = new byte[4096];
        Stopwatch time = Stopwatch.StartNew();
        while (time.Elapsed < DaemonProcess.Patience)
        {
            string message = Encoding.UTF8.GetString(buffer, 0, _socket.Receive(buffer));
            _messages.Add(message);
            if (message.StartsWith(text, StringComparison.Ordinal))
            {
                return message;
            }
        }

        throw new TimeoutException($"no message begins with '{text}': {string.Join(" | ", _messages)}");
    }

    /// <summary>Takes what came up to now, then waits for one more message.</summary>
    /// <returns>That message, or null if none came in time.</returns>
    public string? TryTake(TimeSpan timeout)
    {
        byte[] buffer = new byte[4096];
        while (_socket.Available > 0)
        {
            _messages.Add(Encoding.UTF8.GetString(buffer, 0, _socket.Receive(buffer)));
        }

        return _socket.Poll(timeout, SelectMode.SelectRead) ? Encoding.UTF8.GetString(buffer, 0, _socket.Receive(buffer)) : null;
    }

    public void Dispose()
    {
        _socket.Dispose();
        _folder.Dispose();
    }
}
