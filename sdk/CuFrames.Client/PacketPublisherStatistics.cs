using CuFrames.Protocol;

namespace CuFrames.Client;

/// <summary>Figures of a publisher of packets, as they were when they were asked for.</summary>
public sealed record PacketPublisherStatistics
{
    /// <summary>Packets published in this epoch; the newest sequence.</summary>
    public ulong Published { get; init; }

    /// <summary>Sequence of the oldest packet that is still there; <see cref="Published"/> plus 1: none.</summary>
    public ulong Oldest { get; init; }

    /// <summary>Time between the arrivals of the oldest and the newest packet.</summary>
    public TimeSpan BufferedTime { get; init; }

    /// <summary>Bytes of the ring.</summary>
    public long ByteCapacity { get; init; }

    /// <summary>Packets that were refused because they are larger than half of the ring.</summary>
    public ulong TooLarge { get; init; }

    /// <summary>Subscribers evicted.</summary>
    public ulong Evicted { get; init; }

    /// <summary>Subscribers that left or died without a BYE.</summary>
    public ulong HungUp { get; init; }

    /// <summary>Connections refused.</summary>
    public ulong Refused { get; init; }

    /// <summary>State of the stream.</summary>
    public StreamState State { get; init; }

    /// <summary>The tracks.</summary>
    public IReadOnlyList<TrackDescription> Tracks { get; init; } = [];

    /// <summary>The subscribers.</summary>
    public IReadOnlyList<SubscriberStatistics> Subscribers { get; init; } = [];
}
