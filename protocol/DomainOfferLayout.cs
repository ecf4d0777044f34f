namespace CuFrames.Protocol;

/// <summary>One memory domain that a subscriber can map (docs/protocol.md 3.2).</summary>
public static class DomainOfferLayout
{
    /// <summary>Size of the layout in bytes.</summary>
    public const int Size = 24;

    /// <summary>Offset of <c>domain</c>: a <see cref="MemoryDomain"/>.</summary>
    [WireField("u32", 4)]
    public const int DomainOffset = 0;

    /// <summary>Offset of <c>handle_kinds</c>: bit mask of 1 shifted by <see cref="HandleKind"/>.</summary>
    [WireField("u32", 4)]
    public const int HandleKindsOffset = 4;

    /// <summary>Offset of <c>device_uuid</c>: the CUDA device, zeros for host.</summary>
    [WireField("bytes", 16)]
    public const int DeviceUuidOffset = 8;
}
