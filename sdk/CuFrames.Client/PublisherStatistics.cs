using CuFrames.Protocol;

namespace CuFrames.Client;

/// <summary>Figures of a publisher, as they were when they were asked for.</summary>
public sealed record PublisherStatistics
{
    /// <summary>Frames published in this epoch.</summary>
    public ulong Published { get; init; }

    /// <summary>Frames dropped because every slot was held.</summary>
    public ulong Dropped { get; init; }

    /// <summary>Subscribers evicted.</summary>
    public ulong Evicted { get; init; }

    /// <summary>Subscribers that left or died without a BYE.</summary>
    public ulong HungUp { get; init; }

    /// <summary>Connections refused.</summary>
    public ulong Refused { get; init; }

    /// <summary>Slots in use now.</summary>
    public int Slots { get; init; }

    /// <summary>Slots that are held by at least one subscriber.</summary>
    public int HeldSlots { get; init; }

    /// <summary>Bytes of all live segments.</summary>
    public long SegmentBytes { get; init; }

    /// <summary>Bytes of retired segments that some subscriber has not given back.</summary>
    public long UnansweredBytes { get; init; }

    /// <summary>State of the stream.</summary>
    public StreamState State { get; init; }

    /// <summary>The subscribers.</summary>
    public IReadOnlyList<SubscriberStatistics> Subscribers { get; init; } = [];
}
