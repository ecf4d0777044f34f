using CuFrames.Protocol;

namespace CuFrames.Client;

/// <summary>Figures of one subscriber as its publisher sees them. Counters come from the subscriber's own page: it may lie.</summary>
public sealed record SubscriberStatistics
{
    /// <summary>Its number in this epoch.</summary>
    public ulong SubscriberId { get; init; }

    /// <summary>Its program name, as it told.</summary>
    public string Program { get; init; } = "";

    /// <summary>Its process in the publisher's PID namespace, as the kernel told when it connected; 0: not visible.</summary>
    public int ProcessId { get; init; }

    /// <summary>Its user.</summary>
    public uint UserId { get; init; }

    /// <summary>Its delivery.</summary>
    public Delivery Delivery { get; init; }

    /// <summary>Frames it may hold.</summary>
    public int GrantedLeases { get; init; }

    /// <summary>Frames it holds.</summary>
    public int HeldLeases { get; init; }

    /// <summary>Frames between the newest and the last one it took.</summary>
    public ulong Lag { get; init; }

    /// <summary>Frames it took.</summary>
    public ulong Taken { get; init; }

    /// <summary>Frames it skipped.</summary>
    public ulong Missed { get; init; }
}
