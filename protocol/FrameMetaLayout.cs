namespace CuFrames.Protocol;

/// <summary>What is known of a frame besides its pixels (docs/protocol.md 4.5).</summary>
public static class FrameMetaLayout
{
    /// <summary>Size of the layout in bytes.</summary>
    public const int Size = 64;

    /// <summary>Offset of <c>pts</c>: presentation time, ns.</summary>
    [WireField("i64", 8)]
    public const int PtsOffset = 0;

    /// <summary>Offset of <c>capture_time</c>: wall clock at the camera, ns since 1970.</summary>
    [WireField("i64", 8)]
    public const int CaptureTimeOffset = 8;

    /// <summary>Offset of <c>arrival_time</c>: monotonic clock at arrival, ns.</summary>
    [WireField("i64", 8)]
    public const int ArrivalTimeOffset = 16;

    /// <summary>Offset of <c>publish_time</c>: monotonic clock at publish, ns.</summary>
    [WireField("i64", 8)]
    public const int PublishTimeOffset = 24;

    /// <summary>Offset of <c>source_packet</c>: number of the packet it was decoded from.</summary>
    [WireField("u64", 8)]
    public const int SourcePacketOffset = 32;

    /// <summary>Offset of <c>duration</c>: ns.</summary>
    [WireField("i64", 8)]
    public const int DurationOffset = 40;

    /// <summary>Offset of <c>flags</c>: <see cref="FrameFlags"/>.</summary>
    [WireField("u32", 4)]
    public const int FlagsOffset = 48;

    /// <summary>Offset of <c>picture_type</c>: a <see cref="PictureType"/>.</summary>
    [WireField("u8", 1)]
    public const int PictureTypeOffset = 52;

    /// <summary>Offset of <c>colour_matrix</c>: ITU-T H.273 code point.</summary>
    [WireField("u8", 1)]
    public const int ColourMatrixOffset = 53;

    /// <summary>Offset of <c>colour_range</c>: 0 unknown, 1 limited, 2 full.</summary>
    [WireField("u8", 1)]
    public const int ColourRangeOffset = 54;

    /// <summary>Offset of <c>colour_primaries</c>: ITU-T H.273 code point.</summary>
    [WireField("u8", 1)]
    public const int ColourPrimariesOffset = 55;

    /// <summary>Offset of <c>colour_transfer</c>: ITU-T H.273 code point.</summary>
    [WireField("u8", 1)]
    public const int ColourTransferOffset = 56;

    /// <summary>Offset of <c>rotation</c>: clockwise quarter turns.</summary>
    [WireField("u8", 1)]
    public const int RotationOffset = 57;

    /// <summary>Offset of <c>chroma_location</c>: H.273 location plus 1.</summary>
    [WireField("u8", 1)]
    public const int ChromaLocationOffset = 58;

    /// <summary>Offset of <c>reserved</c>: zero.</summary>
    [WireField("u32", 4)]
    public const int ReservedOffset = 60;
}
