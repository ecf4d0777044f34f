using CuFrames.Client;
using CuFrames.Client.Internal;
using CuFrames.Interop;
using CuFrames.Protocol;

namespace CuFrames.Daemon.Internal.Taps;

/// <summary>Serves clients, whichever way they came, and keeps their number within the limits. Any thread.</summary>
/// <param name="log">The log.</param>
/// <param name="quotas">Quotas for each user, which taps share with all other readers.</param>
internal sealed class TapClients(Log log, ReaderQuotas quotas)
{
    private readonly Lock _gate = new();
    private readonly PeerCredentials _self = PeerCredentials.OfThisProcess();
    private readonly LimitedLog _log = new(log, LogEvents.TapsQuiet, "clients of taps");
    private int _clients;

    /// <summary>The limits. Written by the control thread, read by any: a reference, of which the newest is as good as the one before.</summary>
    internal TapConfiguration Limits { get; set; } = TapConfiguration.Off;

    /// <summary>Lets a client in if there is room, and its user's quota allows it.</summary>
    /// <param name="point">What it wants to read.</param>
    /// <param name="peer">The kernel's word on who it is; null: it came with a token.</param>
    /// <param name="share">What it takes from its user's quota.</param>
    /// <returns>Null, or why not. After null, <see cref="ServeAsync"/> follows.</returns>
    internal string? TryEnter(TapPoint point, PeerCredentials? peer, out ReaderShare? share)
    {
        share = null;
        TapConfiguration limits = Limits;
        lock (_gate)
        {
            string? obstacle = _clients >= limits.Clients ? $"{limits.Clients} clients are connected to taps, which is the limit (taps: clients)."
                : point.Clients >= limits.StreamClients ? $"{limits.StreamClients} clients are connected to taps of '{point.Stream.Key}', which is the limit (taps: stream_clients)."
                : null;
            int leases = 0;
            if (obstacle is null && peer is not null)
            {
                obstacle = quotas.Take(peer, _self, point.Stream.Key, ref leases, out share);
            }

            if (obstacle is null)
            {
                _clients++;
                point.Clients++;
            }

            return obstacle;
        }
    }

    /// <summary>Says that a client was turned away.</summary>
    internal void Refuse(string tap, string name, PeerCredentials? peer, string why, string key)
    {
        string text = $"{name} does not get {tap}: {why}";
        _log.Write(LogEvents.TapRefused, text, key);
        log.Audit.Write(LogEvents.TapRefused, text, key, name, peer?.UserId, peer?.ProcessId ?? 0);
    }

    /// <summary>Serves a client that was let in, to its end.</summary>
    /// <param name="client">The client.</param>
    /// <param name="stream">Where its bytes go; it stays the caller's.</param>
    /// <param name="gone">Says that it is gone, or has to be.</param>
    /// <param name="begin">Is told the length of what has one, before its first byte.</param>
    /// <returns>The error, where nothing was sent yet.</returns>
    internal async Task<TapException?> ServeAsync(TapClient client, Stream stream, CancellationToken gone, Action<int>? begin = null)
    {
        using TapOutput output = new(stream, TapOutput.Patience, gone);
        LogEvent kind = LogEvents.TapLeft;
        TapException? failure = null;
        string why;
        Tell(LogEvents.TapJoined, client, $"{client.Name} reads {client.Tap}.");
        try
        {
            why = client.Kind switch
            {
                TapKind.Ts or TapKind.Mkv => await PacketTap.ServeAsync(client, output).ConfigureAwait(false),
                TapKind.RawVideo or TapKind.Y4m => await FrameTap.ServeAsync(client, output).ConfigureAwait(false),
                _ => await JpegTap.ServeAsync(client, output, begin).ConfigureAwait(false),
            };
        }
        catch (Exception error) when (error is OperationCanceledException or IOException)
        {
            why = "it has gone";
        }
        catch (StreamUnavailableException error)
        {
            (why, failure) = (error.Message, new TapException(TapException.Unavailable, error.Message));
        }
        catch (TapException error)
        {
            (kind, why, failure) = (LogEvents.TapCut, error.Message, error);
        }
        catch (Exception error) when (error is CuFramesException or LinuxException)
        {
            (kind, why, failure) = (LogEvents.TapCut, error.Message, new TapException(TapException.Unavailable, error.Message));
        }
        catch (Exception error)
        {
            // One client's trouble must not end the service of the others.
            (kind, why, failure) = (LogEvents.InternalError, error.ToString(), new TapException(500, "an internal error; the log of cuframesd has more"));
        }
        finally
        {
            if (client.Share is { } share)
            {
                quotas.Give(share);
            }

            lock (_gate)
            {
                _clients--;
                client.Point.Clients--;
            }
        }

        client.WasCut = kind != LogEvents.TapLeft;
        string damaged = client.Damaged > 0 ? $", {client.Damaged} damaged ones left out" : "";
        string remark = client.Remark.Length > 0 ? $", {client.Remark}" : "";
        string what = client.Kind is TapKind.Ts or TapKind.Mkv ? "packets" : "frames";
        Tell(kind, client, $"{client.Name} has left {client.Tap} ({client.Pictures} {what}, {output.Bytes} bytes{damaged}{remark}): {why.TrimEnd('.')}.");
        return output.Bytes == 0 ? failure : null;
    }

    private void Tell(LogEvent kind, TapClient client, string text)
    {
        _log.Write(kind, text, client.Key);
        log.Audit.Write(kind, text, client.Key, client.Name, client.Peer?.UserId, client.Peer?.ProcessId ?? 0);
    }
}
