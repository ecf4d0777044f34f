namespace CuFrames.Protocol;

/// <summary>A parameter set of a track (docs/protocol.md 14.7).</summary>
public static class TrackParametersLayout
{
    /// <summary>Size of the layout in bytes.</summary>
    public const int Size = 16384;

    /// <summary>Most bytes of extradata.</summary>
    public const int MaxExtradataSize = Size - ExtradataOffset;

    /// <summary>Offset of <c>number</c>: of this set.</summary>
    [WireField("u32", 4)]
    public const int NumberOffset = 0;

    /// <summary>Offset of <c>codec</c>: a <see cref="Codec"/>.</summary>
    [WireField("u32", 4)]
    public const int CodecOffset = 4;

    /// <summary>Offset of <c>time_base_numerator</c>: the unit of pts, dts and duration is numerator / denominator seconds; 1 to 2^31 - 1.</summary>
    [WireField("u32", 4)]
    public const int TimeBaseNumeratorOffset = 8;

    /// <summary>Offset of <c>time_base_denominator</c>: 1 to 2^31 - 1.</summary>
    [WireField("u32", 4)]
    public const int TimeBaseDenominatorOffset = 12;

    /// <summary>Offset of <c>width</c>: visible columns.</summary>
    [WireField("u32", 4)]
    public const int WidthOffset = 16;

    /// <summary>Offset of <c>height</c>: visible rows.</summary>
    [WireField("u32", 4)]
    public const int HeightOffset = 20;

    /// <summary>Offset of <c>frame_rate_numerator</c>: pictures per second as announced by the source; zero while not known.</summary>
    [WireField("u32", 4)]
    public const int FrameRateNumeratorOffset = 24;

    /// <summary>Offset of <c>frame_rate_denominator</c>: denominator of the frame rate.</summary>
    [WireField("u32", 4)]
    public const int FrameRateDenominatorOffset = 28;

    /// <summary>Offset of <c>sample_aspect_numerator</c>: width of a sample by its height; zero while not known.</summary>
    [WireField("u32", 4)]
    public const int SampleAspectNumeratorOffset = 32;

    /// <summary>Offset of <c>sample_aspect_denominator</c>: denominator of the sample aspect ratio.</summary>
    [WireField("u32", 4)]
    public const int SampleAspectDenominatorOffset = 36;

    /// <summary>Offset of <c>sample_rate</c>: samples per second and channel.</summary>
    [WireField("u32", 4)]
    public const int SampleRateOffset = 40;

    /// <summary>Offset of <c>channels</c>: at most 255.</summary>
    [WireField("u32", 4)]
    public const int ChannelsOffset = 44;

    /// <summary>Offset of <c>channel_layout</c>: bit mask of speakers as in WAVEFORMATEXTENSIBLE; zero: not known.</summary>
    [WireField("u64", 8)]
    public const int ChannelLayoutOffset = 48;

    /// <summary>Offset of <c>samples_per_packet</c>: samples per channel in each packet; zero: it changes, or is not known.</summary>
    [WireField("u32", 4)]
    public const int SamplesPerPacketOffset = 56;

    /// <summary>Offset of <c>bits_per_sample</c>: bits per coded sample; zero where that says nothing.</summary>
    [WireField("u32", 4)]
    public const int BitsPerSampleOffset = 60;

    /// <summary>Offset of <c>block_align</c>: bytes of a block of coded samples; zero where that says nothing.</summary>
    [WireField("u32", 4)]
    public const int BlockAlignOffset = 64;

    /// <summary>Offset of <c>initial_padding</c>: samples to drop at the beginning of the sound.</summary>
    [WireField("u32", 4)]
    public const int InitialPaddingOffset = 68;

    /// <summary>Offset of <c>seek_preroll</c>: samples to decode and drop after a jump.</summary>
    [WireField("u32", 4)]
    public const int SeekPrerollOffset = 72;

    /// <summary>Offset of <c>reorder_delay</c>: pictures by which output may lag behind input.</summary>
    [WireField("u32", 4)]
    public const int ReorderDelayOffset = 76;

    /// <summary>Offset of <c>colour_matrix</c>: matrix coefficients of ITU-T H.273.</summary>
    [WireField("u8", 1)]
    public const int ColourMatrixOffset = 80;

    /// <summary>Offset of <c>colour_range</c>: a <see cref="ColourRange"/>.</summary>
    [WireField("u8", 1)]
    public const int ColourRangeOffset = 81;

    /// <summary>Offset of <c>colour_primaries</c>: colour primaries of ITU-T H.273.</summary>
    [WireField("u8", 1)]
    public const int ColourPrimariesOffset = 82;

    /// <summary>Offset of <c>colour_transfer</c>: transfer characteristics of ITU-T H.273.</summary>
    [WireField("u8", 1)]
    public const int ColourTransferOffset = 83;

    /// <summary>Offset of <c>chroma_location</c>: ITU-T H.273 chroma sample location type plus 1.</summary>
    [WireField("u8", 1)]
    public const int ChromaLocationOffset = 84;

    /// <summary>Offset of <c>field_order</c>: 0 unknown, 1 progressive, 2 top field first, 3 bottom field first.</summary>
    [WireField("u8", 1)]
    public const int FieldOrderOffset = 85;

    /// <summary>Offset of <c>rotation</c>: clockwise quarter turns to apply for display.</summary>
    [WireField("u8", 1)]
    public const int RotationOffset = 86;

    /// <summary>Offset of <c>codec_name</c>: libavcodec's name of the codec in ASCII, zeros behind it.</summary>
    [WireField("bytes", 32)]
    public const int CodecNameOffset = 88;

    /// <summary>Offset of <c>extradata_size</c>: bytes of extradata, at most 16,128.</summary>
    [WireField("u32", 4)]
    public const int ExtradataSizeOffset = 120;

    /// <summary>Offset of <c>extradata</c>: what libavcodec calls extradata.</summary>
    [WireField("bytes", 16128)]
    public const int ExtradataOffset = 256;
}
