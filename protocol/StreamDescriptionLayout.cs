namespace CuFrames.Protocol;

/// <summary>The description of a stream (docs/protocol.md 3.7).</summary>
public static class StreamDescriptionLayout
{
    /// <summary>Size of the layout in bytes.</summary>
    public const int Size = 96;

    /// <summary>Offset of <c>pixel_format</c>: a <see cref="PixelFormat"/>, zero while not known.</summary>
    [WireField("u32", 4)]
    public const int PixelFormatOffset = 0;

    /// <summary>Offset of <c>width</c>: visible columns.</summary>
    [WireField("u32", 4)]
    public const int WidthOffset = 4;

    /// <summary>Offset of <c>height</c>: visible rows.</summary>
    [WireField("u32", 4)]
    public const int HeightOffset = 8;

    /// <summary>Offset of <c>state</c>: a <see cref="StreamState"/>.</summary>
    [WireField("u32", 4)]
    public const int StateOffset = 12;

    /// <summary>Offset of <c>frame_rate_numerator</c>: frames per second, numerator.</summary>
    [WireField("u32", 4)]
    public const int FrameRateNumeratorOffset = 16;

    /// <summary>Offset of <c>frame_rate_denominator</c>: frames per second, denominator.</summary>
    [WireField("u32", 4)]
    public const int FrameRateDenominatorOffset = 20;

    /// <summary>Offset of <c>domain</c>: a <see cref="MemoryDomain"/>.</summary>
    [WireField("u32", 4)]
    public const int DomainOffset = 24;

    /// <summary>Offset of <c>slots</c>: slots in use.</summary>
    [WireField("u32", 4)]
    public const int SlotsOffset = 28;

    /// <summary>Offset of <c>max_slots</c>: limit of growth.</summary>
    [WireField("u32", 4)]
    public const int MaxSlotsOffset = 32;

    /// <summary>Offset of <c>subscribers</c>: subscribers now.</summary>
    [WireField("u32", 4)]
    public const int SubscribersOffset = 36;

    /// <summary>Offset of <c>head</c>: newest sequence.</summary>
    [WireField("u64", 8)]
    public const int HeadOffset = 40;

    /// <summary>Offset of <c>dropped</c>: frames dropped because every slot was held.</summary>
    [WireField("u64", 8)]
    public const int DroppedOffset = 48;

    /// <summary>Offset of <c>memory_bytes</c>: memory of all segments.</summary>
    [WireField("u64", 8)]
    public const int MemoryBytesOffset = 56;

    /// <summary>Offset of <c>device_uuid</c>: the CUDA device, zeros for host.</summary>
    [WireField("bytes", 16)]
    public const int DeviceUuidOffset = 64;

    /// <summary>Offset of <c>colour_matrix</c>: ITU-T H.273 code point.</summary>
    [WireField("u8", 1)]
    public const int ColourMatrixOffset = 80;

    /// <summary>Offset of <c>colour_range</c>: 0 unknown, 1 limited, 2 full.</summary>
    [WireField("u8", 1)]
    public const int ColourRangeOffset = 81;

    /// <summary>Offset of <c>colour_primaries</c>: ITU-T H.273 code point.</summary>
    [WireField("u8", 1)]
    public const int ColourPrimariesOffset = 82;

    /// <summary>Offset of <c>colour_transfer</c>: ITU-T H.273 code point.</summary>
    [WireField("u8", 1)]
    public const int ColourTransferOffset = 83;

    /// <summary>Offset of <c>lease_timeout_ms</c>: milliseconds for which a lease is safe while others starve.</summary>
    [WireField("u32", 4)]
    public const int LeaseTimeoutMsOffset = 84;

    /// <summary>Offset of <c>evicted</c>: subscribers evicted in this epoch.</summary>
    [WireField("u64", 8)]
    public const int EvictedOffset = 88;
}
