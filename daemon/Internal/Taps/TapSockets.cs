using System.Net.Sockets;
using CuFrames.Client.Internal;
using CuFrames.Daemon.Internal.Limits;
using CuFrames.Interop;

namespace CuFrames.Daemon.Internal.Taps;

/// <summary>
/// The front door for local programs: a socket for each tap. Who may read is decided by the kernel's word on who connects, as for the streams
/// themselves. One thread accepts; each client is served by a task of its own. A tap takes no bytes: who sends some is disconnected.
/// </summary>
internal sealed class TapSockets : IDisposable
{
    private const int Backlog = 128;

    /// <summary>Everybody may knock.</summary>
    private const UnixFileMode Mode = (UnixFileMode)0b110_110_110;

    /// <summary>Pause after a connection could not be taken, for want of descriptors for example: it is reported again at once.</summary>
    private const int PauseMilliseconds = 100;

    /// <summary>How long clients may take to end when the taps do.</summary>
    private static readonly TimeSpan LastMoments = TimeSpan.FromMilliseconds(200);

    private readonly TapClients _clients;
    private readonly DescriptorGate _descriptors;
    private readonly Log _log;
    private readonly PeerCredentials _self = PeerCredentials.OfThisProcess();
    private readonly EventLoop _events = new();
    private readonly Lock _gate = new();
    private readonly Thread _thread;

    // Under the gate.
    private readonly Dictionary<nint, Listener> _listeners = [];
    private readonly HashSet<Task> _tasks = [];
    private nint _lastToken;

    // Written under the gate, read by the accepting thread.
    private volatile bool _isEnding;
    private string _trouble = "";

    /// <summary>Begins without a socket.</summary>
    /// <param name="clients">Serves the clients.</param>
    /// <param name="descriptors">Lets connections in while there are descriptors.</param>
    /// <param name="log">The log.</param>
    internal TapSockets(TapClients clients, DescriptorGate descriptors, Log log)
    {
        (_clients, _descriptors, _log) = (clients, descriptors, log);
        _thread = new Thread(Run) { IsBackground = true, Name = "taps" };
        _thread.Start();
    }

    /// <summary>Closes the sockets of taps that are not wanted any more, and those whose path is gone.</summary>
    /// <param name="wanted">Those that are, by path.</param>
    internal void Keep(IReadOnlyDictionary<string, (TapPoint Point, TapKind Kind)> wanted)
    {
        lock (_gate)
        {
            foreach ((nint token, Listener listener) in _listeners)
            {
                bool isWanted = wanted.TryGetValue(listener.Path, out (TapPoint Point, TapKind) tap) && ReferenceEquals(tap.Point, listener.Point);
                if (!isWanted || !File.Exists(listener.Path))
                {
                    Close(token, listener);
                }
            }
        }
    }

    /// <summary>Listens for a tap's clients, unless it does so already.</summary>
    /// <exception cref="LinuxException">The kernel refused.</exception>
    internal void Listen(string path, TapPoint point, TapKind kind)
    {
        lock (_gate)
        {
            if (_listeners.Values.Any(listener => listener.Path == path))
            {
                return;
            }

            UnixSocket socket = UnixSocket.Listen(path, Backlog, Mode, isByteStream: true);
            try
            {
                nint token = ++_lastToken;
                _listeners.Add(token, new Listener(path, point, kind, socket));
                _events.Add(socket, IoEvents.Readable, token);
            }
            catch
            {
                _listeners.Remove(_lastToken);
                socket.Dispose();
                throw;
            }
        }
    }

    /// <summary>Closes all sockets, and waits a moment for clients, which were told to end before.</summary>
    public void Dispose()
    {
        _isEnding = true;
        _events.Wake();
        _thread.Join();
        Task[] tasks;
        lock (_gate)
        {
            foreach ((nint token, Listener listener) in _listeners)
            {
                Close(token, listener);
            }

            tasks = [.. _tasks];
        }

        Task.WaitAll(tasks, LastMoments);
        _events.Dispose();
    }

    private void Close(nint token, Listener listener)
    {
        _listeners.Remove(token);
        _events.Remove(listener.Socket.Descriptor);
        listener.Socket.Dispose();
    }

    private void Run()
    {
        Span<LoopEvent> ready = stackalloc LoopEvent[64];
        while (!_isEnding)
        {
            int count = _events.Wait(ready, -1);
            for (int i = 0; i < count && !_isEnding; i++)
            {
                try
                {
                    AcceptAll(ready[i].Token);
                    _trouble = "";
                }
                catch (Exception error) when (error is LinuxException or SocketException)
                {
                    if (error.Message != _trouble)
                    {
                        _trouble = error.Message;
                        _log.Write(LogEvents.TapsUnavailable, $"{error.Message} The client waits.");
                    }

                    Thread.Sleep(PauseMilliseconds);
                }
            }
        }
    }

    private void AcceptAll(nint token)
    {
        // Under the gate, so that the socket is not closed meanwhile; nothing here waits.
        lock (_gate)
        {
            while (_listeners.TryGetValue(token, out Listener? listener) && listener.Socket.TryAccept(out UnixSocket? connection))
            {
                using (connection)
                {
                    Accept(listener, connection);
                }
            }
        }
    }

    private void Accept(Listener listener, UnixSocket connection)
    {
        TapPoint point = listener.Point;
        if (!_descriptors.Admits($"A client of the tap {point.Stream.Key}.{TapKinds.NameOf(listener.Kind)}", connection.Descriptor.Number))
        {
            return;
        }

        PeerCredentials peer = connection.GetPeerCredentials();
        string name = $"process {peer.ProcessId} (user {peer.UserId})";
        ReaderShare? share = null;
        string? obstacle = point.Stream.ReadersOf(listener.Kind).FindObstacle(peer, _self) ?? _clients.TryEnter(point, peer, out share);
        if (obstacle is not null)
        {
            // Closing is all the answer that there is here: whatever is sent would be taken for video.
            _clients.Refuse($"{point.Stream.Key}.{TapKinds.NameOf(listener.Kind)}", name, peer, obstacle, point.Stream.Key);
            return;
        }

        NetworkStream stream = connection.ToStream();
        TapClient client = new(point, listener.Kind, IsHttp: false, name) { Peer = peer, Share = share };
        Task task = Task.Run(() => ServeAsync(client, stream));
        _tasks.Add(task);
        _ = task.ContinueWith(Forget, CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default);
    }

    private void Forget(Task task)
    {
        lock (_gate)
        {
            _tasks.Remove(task);
        }
    }

    private async Task ServeAsync(TapClient client, NetworkStream stream)
    {
        using CancellationTokenSource gone = CancellationTokenSource.CreateLinkedTokenSource(client.Point.Ending.Token);
        await using (stream.ConfigureAwait(false))
        {
            Task watch = WatchAsync(client, stream, gone);
            await _clients.ServeAsync(client, stream, gone.Token).ConfigureAwait(false);
            await gone.CancelAsync().ConfigureAwait(false);
            await watch.ConfigureAwait(false);
        }
    }

    /// <summary>Waits for the client's end of the connection to be closed, or for bytes, which no tap takes.</summary>
    private static async Task WatchAsync(TapClient client, NetworkStream stream, CancellationTokenSource gone)
    {
        byte[] buffer = new byte[1];
        try
        {
            if (await stream.ReadAsync(buffer, gone.Token).ConfigureAwait(false) > 0)
            {
                client.Remark = "which sent bytes that no tap takes";
            }
        }
        catch (Exception error) when (error is IOException or OperationCanceledException)
        {
            // Either way there is nobody any more, or nobody to watch.
        }

        await gone.CancelAsync().ConfigureAwait(false);
    }

    private sealed record Listener(string Path, TapPoint Point, TapKind Kind, UnixSocket Socket);
}
