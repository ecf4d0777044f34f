using CuFrames.Client;
using CuFrames.Media;
using CuFrames.Protocol;

namespace CuFrames.Daemon.Internal.Taps;

/// <summary>
/// Gives a client the packets of a stream in a container, byte for byte as the source sent them, from the newest key frame on. A client that is slower
/// than the ring goes on at the next key frame: what it gets is a good container at any time.
/// </summary>
internal static class PacketTap
{
    /// <summary>What is put together at most before it is sent. A packet may exceed it.</summary>
    private const int Batch = 1 << 20;

    /// <summary>Serves a client until it is gone or the stream ends.</summary>
    /// <param name="client">The client.</param>
    /// <param name="output">Where its bytes go.</param>
    /// <returns>Why it ended.</returns>
    internal static async Task<string> ServeAsync(TapClient client, TapOutput output)
    {
        PacketContainer container = client.Kind == TapKind.Ts ? PacketContainer.MpegTs : PacketContainer.Matroska;
        using PacketSubscriber subscriber = Connect(client);
        Packet packet = await TapFrames.FirstAsync(client, "key frame", subscriber.NextAsync, output.Gone).ConfigureAwait(false);
        HashSet<int> tracks = [];
        using ForwardBuffer buffer = new();
        using PacketMuxer muxer = Begin(client, container, subscriber.Tracks, buffer, tracks);
        try
        {
            while (true)
            {
                do
                {
                    Write(client, muxer, packet, tracks);
                }
                while (buffer.Length < Batch && subscriber.TryTake(out packet));

                muxer.Flush();
                await output.WriteAsync(buffer.Take()).ConfigureAwait(false);
                packet = await subscriber.NextAsync(output.Gone).ConfigureAwait(false);
            }
        }
        catch (MediaException error) when (error.Error == MediaError.ParametersChanged)
        {
            await FinishAsync(muxer, buffer, output).ConfigureAwait(false);
            return $"the camera's video or sound has changed: {error.Message}";
        }
        catch (StreamUnavailableException error)
        {
            await FinishAsync(muxer, buffer, output).ConfigureAwait(false);
            return error.Message;
        }
    }

    private static PacketSubscriber Connect(TapClient client)
    {
        try
        {
            return PacketSubscriber.Connect(client.Key, new PacketSubscriberOptions { Directory = client.Directory, Reconnect = false, Program = client.Program });
        }
        catch (StreamUnavailableException error)
        {
            throw new TapException(TapException.Unavailable, error.Message);
        }
    }

    /// <summary>Makes a muxer for the tracks that the container can carry. The first video track must be among them, where there is one.</summary>
    private static PacketMuxer Begin(TapClient client, PacketContainer container, IReadOnlyList<PacketTrack> all, Stream buffer, HashSet<int> numbers)
    {
        List<PacketTrack> tracks = [.. all.Where(track => PacketMuxer.CanCarry(container, track.Parameters))];
        List<PacketTrack> others = [.. all.Except(tracks)];
        if (tracks.Count == 0 || others.Exists(track => track.Kind == TrackKind.Video))
        {
            throw new TapException(
                TapException.Conflict,
                $"{TapKinds.NameOf(client.Kind)} cannot carry {string.Join(" and ", others.Select(Describe))} of '{client.Key}'{(client.Kind == TapKind.Ts ? ": take mkv" : "")}");
        }

        numbers.UnionWith(tracks.Select(track => track.Number));
        if (others.Count > 0)
        {
            client.Remark = $"without {string.Join(" and ", others.Select(Describe))}, which {TapKinds.NameOf(client.Kind)} cannot carry";
        }

        return new PacketMuxer(buffer, container, tracks);
    }

    private static string Describe(PacketTrack track) =>
        $"{track.Kind.ToString().ToLowerInvariant()} ({(track.Parameters.CodecName.Length > 0 ? track.Parameters.CodecName : Codecs.NameOf(track.Parameters.Codec))})";

    private static void Write(TapClient client, PacketMuxer muxer, in Packet packet, HashSet<int> tracks)
    {
        if (!tracks.Contains(packet.Track.Number))
        {
            return;
        }

        try
        {
            muxer.Write(packet);
            client.Pictures++;
        }
        catch (PacketLostException)
        {
            // The publisher has come round: the next packet that the subscriber gives is a key frame.
        }
        catch (MediaException error) when (error.Error == MediaError.InvalidData)
        {
            client.Damaged++;
        }
    }

    private static async Task FinishAsync(PacketMuxer muxer, ForwardBuffer buffer, TapOutput output)
    {
        muxer.Finish();
        await output.WriteAsync(buffer.Take()).ConfigureAwait(false);
    }
}
