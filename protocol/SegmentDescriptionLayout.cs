namespace CuFrames.Protocol;

/// <summary>A segment of memory that frames lie in (docs/protocol.md 6.3).</summary>
public static class SegmentDescriptionLayout
{
    /// <summary>Size of the layout in bytes.</summary>
    public const int Size = 48;

    /// <summary>Offset of <c>segment_id</c>: never used twice in an epoch.</summary>
    [WireField("u32", 4)]
    public const int SegmentIdOffset = 0;

    /// <summary>Offset of <c>domain</c>: a <see cref="MemoryDomain"/>.</summary>
    [WireField("u32", 4)]
    public const int DomainOffset = 4;

    /// <summary>Offset of <c>handle_kind</c>: a <see cref="HandleKind"/>.</summary>
    [WireField("u32", 4)]
    public const int HandleKindOffset = 8;

    /// <summary>Offset of <c>segment_generation</c>: the generation it was made for.</summary>
    [WireField("u32", 4)]
    public const int SegmentGenerationOffset = 12;

    /// <summary>Offset of <c>size</c>: bytes.</summary>
    [WireField("u64", 8)]
    public const int SizeOffset = 16;

    /// <summary>Offset of <c>device_uuid</c>: the CUDA device, zeros for host.</summary>
    [WireField("bytes", 16)]
    public const int DeviceUuidOffset = 24;

    /// <summary>Offset of <c>slots</c>: slots it was made for.</summary>
    [WireField("u32", 4)]
    public const int SlotsOffset = 40;

    /// <summary>Offset of <c>reserved</c>: zero.</summary>
    [WireField("u32", 4)]
    public const int ReservedOffset = 44;
}
