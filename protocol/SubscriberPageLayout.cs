namespace CuFrames.Protocol;

/// <summary>The page that a subscriber and the publisher share (docs/protocol.md 5.1).</summary>
public static class SubscriberPageLayout
{
    /// <summary>Size of the layout in bytes.</summary>
    public const int Size = 640;

    /// <summary>Size of the page's memfd in bytes.</summary>
    public const int FileSize = 4096;

    /// <summary>Bit of a lease word that says: released, once the subscriber's event has completed.</summary>
    public const ulong EventPending = 1UL << 63;

    /// <summary>Offset of a slot's lease word.</summary>
    /// <param name="slot">The slot, 0 to 63.</param>
    public static int LeaseOffset(int slot) => LeasesOffset + (slot * 8);

    /// <summary>Offset of <c>magic</c>: <see cref="Wire.SubscriberPageMagic"/>.</summary>
    [WireField("u64", 8)]
    public const int MagicOffset = 0;

    /// <summary>Offset of <c>subscriber_id</c>: as in WELCOME.</summary>
    [WireField("u64", 8)]
    public const int SubscriberIdOffset = 8;

    /// <summary>Offset of <c>waiting</c>: how the subscriber sleeps.</summary>
    [WireField("u32", 4)]
    public const int WaitingOffset = 16;

    /// <summary>Offset of <c>progress</c>: lossless: changes with every take and release.</summary>
    [WireField("u32", 4)]
    public const int ProgressOffset = 20;

    /// <summary>Offset of <c>cursor</c>: newest sequence taken or skipped.</summary>
    [WireField("u64", 8)]
    public const int CursorOffset = 24;

    /// <summary>Offset of <c>taken</c>: frames taken.</summary>
    [WireField("u64", 8)]
    public const int TakenOffset = 32;

    /// <summary>Offset of <c>missed</c>: frames skipped.</summary>
    [WireField("u64", 8)]
    public const int MissedOffset = 40;

    /// <summary>Offset of <c>released</c>: frames released.</summary>
    [WireField("u64", 8)]
    public const int ReleasedOffset = 48;

    /// <summary>Offset of <c>publisher_waiting</c>: lossless: 1 while the publisher waits.</summary>
    [WireField("u32", 4)]
    public const int PublisherWaitingOffset = 64;

    /// <summary>Offset of <c>leases</c>: a lease word for each slot.</summary>
    [WireField("words", 512)]
    public const int LeasesOffset = 128;
}
