namespace CuFrames.Protocol;

/// <summary>A descriptor of a packet, an entry of the index (docs/protocol.md 14.8).</summary>
public static class PacketDescriptorLayout
{
    /// <summary>Size of the layout in bytes.</summary>
    public const int Size = 192;

    /// <summary>Offset of the index's entry for a sequence.</summary>
    /// <param name="sequence">The sequence.</param>
    /// <param name="indexCapacity">Entries of the index, a power of two.</param>
    public static long EntryOffset(ulong sequence, int indexCapacity) =>
        PacketBlockLayout.IndexStart + ((long)(sequence & (ulong)(indexCapacity - 1)) * Size);

    /// <summary>Offset of <c>sequence</c>: of the packet that the entry describes.</summary>
    [WireField("u64", 8)]
    public const int SequenceOffset = 0;

    /// <summary>Offset of <c>position</c>: bytes of the ring from the beginning of the epoch to the packet's first byte, a multiple of 64.</summary>
    [WireField("u64", 8)]
    public const int PositionOffset = 8;

    /// <summary>Offset of <c>size</c>: bytes of the packet, at most half of byte_capacity.</summary>
    [WireField("u32", 4)]
    public const int SizeOffset = 16;

    /// <summary>Offset of <c>track</c>: number of the track.</summary>
    [WireField("u32", 4)]
    public const int TrackOffset = 20;

    /// <summary>Offset of <c>parameters</c>: number of the parameter set.</summary>
    [WireField("u32", 4)]
    public const int ParametersOffset = 24;

    /// <summary>Offset of <c>flags</c>: <see cref="PacketFlags"/>.</summary>
    [WireField("u32", 4)]
    public const int FlagsOffset = 28;

    /// <summary>Offset of <c>pts</c>: presentation time in units of the set's time base, or <see cref="FrameMetadata.UnknownPts"/>.</summary>
    [WireField("i64", 8)]
    public const int PtsOffset = 32;

    /// <summary>Offset of <c>dts</c>: decoding time, likewise.</summary>
    [WireField("i64", 8)]
    public const int DtsOffset = 40;

    /// <summary>Offset of <c>duration</c>: in units of the set's time base; 0: unknown.</summary>
    [WireField("i64", 8)]
    public const int DurationOffset = 48;

    /// <summary>Offset of <c>arrival_time</c>: CLOCK_MONOTONIC in ns when the packet had arrived.</summary>
    [WireField("i64", 8)]
    public const int ArrivalTimeOffset = 56;

    /// <summary>Offset of <c>capture_time</c>: wall clock at the camera, ns since 1970-01-01 UTC; 0: unknown.</summary>
    [WireField("i64", 8)]
    public const int CaptureTimeOffset = 64;

    /// <summary>Offset of <c>publish_time</c>: CLOCK_MONOTONIC in ns at publish.</summary>
    [WireField("i64", 8)]
    public const int PublishTimeOffset = 72;

    /// <summary>Offset of <c>reserved</c>: zero.</summary>
    [WireField("u64", 8)]
    public const int ReservedOffset = 80;

    /// <summary>Offset of <c>counts</c>: 8 words, one per track: packets of the track up to this one, itself included.</summary>
    [WireField("words", 64)]
    public const int CountsOffset = 128;
}
