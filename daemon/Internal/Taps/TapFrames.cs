using CuFrames.Client;
using CuFrames.Protocol;

namespace CuFrames.Daemon.Internal.Taps;

/// <summary>The reader that a tap of frames is: it takes the newest frame each time, so that whoever is slow skips.</summary>
internal static class TapFrames
{
    /// <summary>How long HTTP waits for the first frame or packet before it answers that there is none.</summary>
    internal static readonly TimeSpan First = TimeSpan.FromSeconds(10);

    /// <summary>Begins to read. The subscriber stays with this run of the publisher: who reads a tap sees its end as the end of the bytes.</summary>
    internal static FrameSubscriber Connect(string directory, string key, string program)
    {
        try
        {
            return FrameSubscriber.Connect(key, new SubscriberOptions { Directory = directory, Leases = 1, Reconnect = false, Program = program });
        }
        catch (StreamUnavailableException error)
        {
            throw new TapException(TapException.Unavailable, error.Message);
        }
    }

    /// <summary>Waits for what a client gets first: for ever on a socket, for a while on HTTP, where the answer can still be an error.</summary>
    /// <param name="client">The client.</param>
    /// <param name="what">What it is.</param>
    /// <param name="wait">The wait.</param>
    /// <param name="gone">Ends it.</param>
    /// <exception cref="TapException">None came in time.</exception>
    internal static async ValueTask<T> FirstAsync<T>(TapClient client, string what, Func<CancellationToken, ValueTask<T>> wait, CancellationToken gone)
    {
        if (!client.IsHttp)
        {
            return await wait(gone).ConfigureAwait(false);
        }

        using CancellationTokenSource timer = CancellationTokenSource.CreateLinkedTokenSource(gone);
        timer.CancelAfter(First);
        try
        {
            return await wait(timer.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (!gone.IsCancellationRequested)
        {
            throw new TapException(TapException.Unavailable, $"no {what} of '{client.Key}' came within {First.TotalSeconds:0} s: {DescribeState(client)}");
        }
    }

    private static string DescribeState(TapClient client)
    {
        (StreamState? state, string text, string error) = (null, "", "");
        if (client.Kind is TapKind.Ts or TapKind.Mkv)
        {
            PacketStreamInfo stream = StreamDirectory.ProbePackets(client.Key, client.Directory);
            (state, text, error) = (stream.Description?.State, stream.StateText, stream.Error);
        }
        else
        {
            StreamInfo stream = StreamDirectory.Probe(client.Key, client.Directory);
            (state, text, error) = (stream.Description?.State, stream.StateText, stream.Error);
        }

        return state is { } known ? $"its state is {known.ToString().ToUpperInvariant()}{(text.Length > 0 ? $", {text}" : "")}" : error;
    }
}
