using CuFrames.Protocol;

namespace CuFrames.Cli.Internal;

/// <summary>A track of a stream's packets, as it goes to JSON.</summary>
/// <param name="Track">Its number.</param>
/// <param name="Kind">video, audio or data.</param>
/// <param name="Codec">libavcodec's name.</param>
/// <param name="Language">ISO 639-2; null: not known.</param>
/// <param name="Width">Columns of video; null: not known, or another kind.</param>
/// <param name="Height">Rows, likewise.</param>
/// <param name="SampleRate">Samples per second of audio; null: not known, or another kind.</param>
/// <param name="Channels">Channels, likewise.</param>
/// <param name="FpsAnnounced">Pictures per second as the source announces them; null when it does not.</param>
/// <param name="Packets">Packets of the track so far.</param>
internal sealed record PacketTrackReport(
    int Track, string Kind, string Codec, string? Language, int? Width, int? Height, int? SampleRate, int? Channels, double? FpsAnnounced, ulong Packets)
{
    public static PacketTrackReport From(TrackDescription track) => new(
        track.Track,
        JsonLine.SnakeCase(track.Kind.ToString()),
        track.CodecName.Length > 0 ? track.CodecName : Codecs.NameOf(track.Codec),
        track.Language.Length > 0 ? track.Language : null,
        track.Width > 0 ? track.Width : null,
        track.Height > 0 ? track.Height : null,
        track.SampleRate > 0 ? track.SampleRate : null,
        track.Channels > 0 ? track.Channels : null,
        track.FrameRateNumerator > 0 && track.FrameRateDenominator > 0 ? Math.Round((double)track.FrameRateNumerator / track.FrameRateDenominator, 3) : null,
        track.Packets);
}
