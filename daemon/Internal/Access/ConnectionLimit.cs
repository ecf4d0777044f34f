using System.Net;
using CuFrames.Interop;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace CuFrames.Daemon.Internal.Access;

/// <summary>Lets each peer of a server have only a part of all connections. Any thread.</summary>
/// <param name="most">Connections that one peer may have at once.</param>
/// <param name="asksKernel">Whether a peer on this machine is its user, whom requests are then known to come from. Else it is its address.</param>
/// <param name="refused">Is told of a connection that was one too many: whose it is.</param>
internal sealed class ConnectionLimit(int most, bool asksKernel, Action<string> refused)
{
    private readonly Lock _gate = new();

    // Connections by peer; who has none is not in it. Under the gate.
    private readonly Dictionary<string, int> _counts = [];

    /// <summary>Applies it to the connections of an address. Before TLS, which costs.</summary>
    internal void ApplyTo(ListenOptions listen) => listen.Use(next => connection => ServeAsync(connection, next));

    private async Task ServeAsync(ConnectionContext connection, ConnectionDelegate next)
    {
        PeerCredentials? user = null;
        if (asksKernel && connection.Features.Get<IConnectionSocketFeature>() is { } place && LoopbackPeer.TryIdentify(place.Socket, out user, out _))
        {
            // Now, while the other end is open: of a socket that was closed the kernel knows nothing any more.
            connection.Features.Set(user);
        }

        string peer = FailedAttempts.PlaceOf(user, (connection.RemoteEndPoint as IPEndPoint)?.Address);
        if (!TryEnter(peer))
        {
            refused(peer);
            return;
        }

        try
        {
            await next(connection).ConfigureAwait(false);
        }
        finally
        {
            Leave(peer);
        }
    }

    private bool TryEnter(string peer)
    {
        lock (_gate)
        {
            int count = _counts.GetValueOrDefault(peer);
            if (count >= most)
            {
                return false;
            }

            _counts[peer] = count + 1;
            return true;
        }
    }

    private void Leave(string peer)
    {
        lock (_gate)
        {
            if (--_counts[peer] == 0)
            {
                _counts.Remove(peer);
            }
        }
    }
}
