namespace CuFrames.Media;

/// <summary>What was found when a source was opened. A frame's own size and format are what counts, they may change.</summary>
/// <param name="Container">libav's name of the demuxer, for example <c>rtsp</c>.</param>
/// <param name="Codec">libav's name of the codec, for example <c>h264</c>.</param>
/// <param name="Profile">The codec's profile; empty if not known.</param>
/// <param name="PixelFormat">libav's name of the decoder's pixel format, for example <c>yuv420p</c>; empty if not known.</param>
/// <param name="Width">Visible columns.</param>
/// <param name="Height">Visible rows.</param>
/// <param name="FrameRateNumerator">Frames per <paramref name="FrameRateDenominator"/> seconds; 0: not known.</param>
/// <param name="FrameRateDenominator">Seconds, never 0.</param>
/// <param name="Duration">Length of the source; null: not known or endless.</param>
/// <param name="IsLive">Whether the source sets the pace itself.</param>
public sealed record MediaInfo(
    string Container,
    string Codec,
    string Profile,
    string PixelFormat,
    int Width,
    int Height,
    int FrameRateNumerator,
    int FrameRateDenominator,
    TimeSpan? Duration,
    bool IsLive)
{
    /// <summary>What decodes: <c>nvdec</c>, <c>software</c>, or empty for a source that decodes nothing.</summary>
    public string Decoder { get; init; } = string.Empty;

    /// <summary>Why that decodes, a sentence for people; empty when <see cref="Decoder"/> is.</summary>
    public string DecoderReason { get; init; } = string.Empty;

    /// <summary>Frames per second; 0: not known.</summary>
    public double FrameRate => FrameRateNumerator / (double)FrameRateDenominator;
}
