namespace CuFrames.Protocol;

/// <summary>Description of a track, as it travels (docs/protocol.md 14.3).</summary>
public static class TrackDescriptionLayout
{
    /// <summary>Size of the layout in bytes.</summary>
    public const int Size = 88;

    /// <summary>Offset of <c>track</c>: number of the track, from 0.</summary>
    [WireField("u32", 4)]
    public const int TrackOffset = 0;

    /// <summary>Offset of <c>kind</c>: a <see cref="TrackKind"/>.</summary>
    [WireField("u32", 4)]
    public const int KindOffset = 4;

    /// <summary>Offset of <c>codec</c>: a <see cref="Codec"/>.</summary>
    [WireField("u32", 4)]
    public const int CodecOffset = 8;

    /// <summary>Offset of <c>width</c>: visible columns.</summary>
    [WireField("u32", 4)]
    public const int WidthOffset = 12;

    /// <summary>Offset of <c>height</c>: visible rows.</summary>
    [WireField("u32", 4)]
    public const int HeightOffset = 16;

    /// <summary>Offset of <c>sample_rate</c>: samples per second and channel.</summary>
    [WireField("u32", 4)]
    public const int SampleRateOffset = 20;

    /// <summary>Offset of <c>channels</c>: channels of sound.</summary>
    [WireField("u32", 4)]
    public const int ChannelsOffset = 24;

    /// <summary>Offset of <c>frame_rate_numerator</c>: pictures per second.</summary>
    [WireField("u32", 4)]
    public const int FrameRateNumeratorOffset = 28;

    /// <summary>Offset of <c>frame_rate_denominator</c>: denominator of the frame rate.</summary>
    [WireField("u32", 4)]
    public const int FrameRateDenominatorOffset = 32;

    /// <summary>Offset of <c>reserved</c>: zero.</summary>
    [WireField("u32", 4)]
    public const int ReservedOffset = 36;

    /// <summary>Offset of <c>packets</c>: packets of this track so far.</summary>
    [WireField("u64", 8)]
    public const int PacketsOffset = 40;

    /// <summary>Offset of <c>language</c>: ISO 639-2 code in ASCII, zeros behind it.</summary>
    [WireField("bytes", 8)]
    public const int LanguageOffset = 48;

    /// <summary>Offset of <c>codec_name</c>: libavcodec's name of the codec in ASCII, zeros behind it.</summary>
    [WireField("bytes", 32)]
    public const int CodecNameOffset = 56;
}
