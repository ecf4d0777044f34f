using System.Net;
using System.Net.Sockets;
using CuFrames.Daemon.Internal.Access;
using CuFrames.Interop;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Extensions.Logging.Abstractions;

namespace CuFrames.Daemon.Internal.Control;

/// <summary>
/// Takes connections for Kestrel from a Unix socket, one after the other, and closes those of a user who has too many before Kestrel makes anything for
/// them. Kestrel's own limits come later: a flood of connections would have cost hundreds of megabytes by then.
/// </summary>
/// <param name="path">The socket.</param>
/// <param name="users">Counts connections; <see cref="PeerConnections.Remove"/> is called when one is gone.</param>
/// <param name="access">Who may call.</param>
/// <param name="admits">Whether there are descriptors for a connection, of which it gets the number.</param>
/// <param name="refused">Is told whose connection was closed.</param>
internal sealed class UnixListenerFactory(string path, PeerConnections users, Func<AccessControl> access, Func<nint, bool> admits, Action<PeerCredentials> refused) : IConnectionListenerFactory, IConnectionListenerFactorySelector
{
    /// <summary>Everybody may knock: who may not call hears why.</summary>
    private const UnixFileMode Mode = (UnixFileMode)0b110_110_110;

    /// <summary>Connections that wait to be taken. Whoever finds the queue full has to try again; who is behind a flood in a long one waits for all of it.</summary>
    private const int Backlog = 512;

    /// <summary>The socket, as Kestrel names it. Not .NET's own: the paths of that one may have 107 bytes only.</summary>
    internal EndPoint Address { get; } = new UnixEndPoint();

    /// <inheritdoc/>
    public bool CanBind(EndPoint endpoint) => endpoint == Address;

    /// <inheritdoc/>
    public ValueTask<IConnectionListener> BindAsync(EndPoint endpoint, CancellationToken cancellationToken = default)
    {
        FileLock owner = FileLock.TryAcquire(path + ".lock") ?? throw new IOException("another cuframesd serves it");
        try
        {
            return new(new Listener(this, owner, UnixSocket.Listen(path, Backlog, Mode, isByteStream: true)));
        }
        catch
        {
            owner.Dispose();
            throw;
        }
    }

    private sealed class UnixEndPoint : EndPoint;

    private sealed class Listener(UnixListenerFactory factory, FileLock owner, UnixSocket listener) : IConnectionListener
    {
        private readonly Socket _socket = Copy(listener);
        private readonly SocketConnectionContextFactory _connections = new(new SocketConnectionFactoryOptions(), NullLogger.Instance);

        /// <inheritdoc/>
        public EndPoint EndPoint => factory.Address;

        /// <inheritdoc/>
        public async ValueTask<ConnectionContext?> AcceptAsync(CancellationToken cancellationToken = default)
        {
            while (true)
            {
                Socket socket;
                try
                {
                    socket = await _socket.AcceptAsync(cancellationToken).ConfigureAwait(false);
                }
                catch (Exception error) when (error is ObjectDisposedException or OperationCanceledException or SocketException { SocketErrorCode: SocketError.OperationAborted })
                {
                    // The end, as Kestrel wants to be told.
                    return null;
                }
                catch (SocketException)
                {
                    // This connection was gone before it was taken, or there is no descriptor for it: the next one may do better.
                    await Task.Delay(1, CancellationToken.None).ConfigureAwait(false);
                    continue;
                }

                if (!factory.Admits(socket.Handle))
                {
                    // Here and not later: connections that Kestrel has not come to would take what is left.
                    socket.Dispose();
                    continue;
                }

                PeerCredentials peer;
                try
                {
                    peer = PeerCredentials.Of(socket);
                }
                catch (SocketException)
                {
                    // Nobody knows who it is. What is thrown here would end the server for all.
                    socket.Dispose();
                    continue;
                }

                bool isCaller = factory.Access.Of(peer).May(Permission.View);
                if (factory.Users.TryAdd(peer, isCaller))
                {
                    ConnectionContext connection = _connections.Create(socket);
                    connection.Features.Set(peer);
                    connection.Features.Set(new CountedPeer(isCaller));
                    return connection;
                }

                socket.Dispose();
                factory.Refused(peer);
            }
        }

        /// <inheritdoc/>
        public ValueTask UnbindAsync(CancellationToken cancellationToken = default)
        {
            _socket.Dispose();
            return default;
        }

        /// <inheritdoc/>
        public ValueTask DisposeAsync()
        {
            _socket.Dispose();
            _connections.Dispose();
            listener.Dispose();
            owner.Dispose();
            return default;
        }

        /// <summary>The socket as .NET wants it, with a descriptor of its own.</summary>
        private static Socket Copy(UnixSocket listener)
        {
            FileDescriptor copy = listener.Descriptor.Duplicate();
            nint number = copy.Number;
            copy.SetHandleAsInvalid();
            return new Socket(new SafeSocketHandle(number, ownsHandle: true));
        }
    }

    private PeerConnections Users => users;

    private AccessControl Access => access();

    private Func<nint, bool> Admits => admits;

    private Action<PeerCredentials> Refused => refused;
}
