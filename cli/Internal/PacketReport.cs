using System.Globalization;
using CuFrames.Client;

namespace CuFrames.Cli.Internal;

/// <summary>What <c>ls</c> says of a stream's packets, as it goes to JSON.</summary>
/// <param name="State">As of a stream of frames; <c>unavailable</c> when the publisher did not answer.</param>
/// <param name="Tracks">The tracks, by number.</param>
/// <param name="BufferedSeconds">Between the arrivals of the oldest and the newest packet that are there.</param>
/// <param name="ByteCapacity">Bytes of the ring.</param>
/// <param name="Subscribers">Readers now.</param>
/// <param name="Oldest">Sequence of the oldest packet that is there; above <paramref name="Head"/>: none is.</param>
/// <param name="Head">Sequence of the newest packet.</param>
/// <param name="Refused">Packets that were too large for the ring.</param>
/// <param name="Evicted">Readers evicted in this run.</param>
/// <param name="Epoch">The publisher's run.</param>
/// <param name="Reason">Why it is in its state.</param>
internal sealed record PacketReport(
    string State,
    IReadOnlyList<PacketTrackReport> Tracks,
    double BufferedSeconds,
    ulong ByteCapacity,
    int Subscribers,
    ulong Oldest,
    ulong Head,
    ulong Refused,
    ulong Evicted,
    string Epoch,
    string Reason)
{
    /// <summary>Codecs and seconds, for people: <c>h264+aac 58 s</c>.</summary>
    public string Text => State == "unavailable"
        ? State
        : string.Create(CultureInfo.InvariantCulture, $"{string.Join('+', Tracks.Select(track => track.Codec))} {BufferedSeconds:0} s");

    /// <returns>Null when nobody publishes packets of the key.</returns>
    public static PacketReport? From(PacketStreamInfo? info)
    {
        if (info is null || info.ErrorCode == Protocol.ErrorCode.StreamNotFound)
        {
            return null;
        }

        return info.Description is { } description
            ? new PacketReport(
                Words.CodeOf(description.State), [.. info.Tracks.Select(PacketTrackReport.From)], Math.Round(description.BufferedTime / 1e9, 3), description.ByteCapacity,
                description.Subscribers, description.Oldest, description.Head, description.Refused, description.Evicted,
                info.Epoch.ToString("x16", CultureInfo.InvariantCulture), info.StateText)
            : new PacketReport("unavailable", [], 0, 0, 0, 0, 0, 0, 0, "", info.Error);
    }
}
