namespace CuFrames.Protocol;

/// <summary>Description of a stream of packets, as it travels (docs/protocol.md 14.3).</summary>
public static class PacketStreamDescriptionLayout
{
    /// <summary>Size of the layout in bytes.</summary>
    public const int Size = 64;

    /// <summary>Offset of <c>state</c>: a <see cref="StreamState"/>.</summary>
    [WireField("u32", 4)]
    public const int StateOffset = 0;

    /// <summary>Offset of <c>tracks</c>: tracks so far, at most 8.</summary>
    [WireField("u32", 4)]
    public const int TracksOffset = 4;

    /// <summary>Offset of <c>subscribers</c>: subscribers now, probes not counted; below 2^31.</summary>
    [WireField("u32", 4)]
    public const int SubscribersOffset = 8;

    /// <summary>Offset of <c>reserved</c>: zero.</summary>
    [WireField("u32", 4)]
    public const int ReservedOffset = 12;

    /// <summary>Offset of <c>head</c>: newest sequence.</summary>
    [WireField("u64", 8)]
    public const int HeadOffset = 16;

    /// <summary>Offset of <c>oldest</c>: oldest sequence that is still there; head plus 1: none.</summary>
    [WireField("u64", 8)]
    public const int OldestOffset = 24;

    /// <summary>Offset of <c>byte_capacity</c>: bytes of the byte ring.</summary>
    [WireField("u64", 8)]
    public const int ByteCapacityOffset = 32;

    /// <summary>Offset of <c>buffered_time</c>: ns between the arrivals of the oldest and the newest packet.</summary>
    [WireField("u64", 8)]
    public const int BufferedTimeOffset = 40;

    /// <summary>Offset of <c>refused</c>: packets that were too large.</summary>
    [WireField("u64", 8)]
    public const int RefusedOffset = 48;

    /// <summary>Offset of <c>evicted</c>: subscribers evicted.</summary>
    [WireField("u64", 8)]
    public const int EvictedOffset = 56;
}
