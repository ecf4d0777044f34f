using CuFrames.Client.Internal;
using CuFrames.Protocol;

namespace CuFrames.Client;

/// <summary>How a stream's packets are published.</summary>
public sealed record PacketPublisherOptions
{
    /// <summary>Directory for socket and lock; null: <see cref="StreamDirectory.RuntimeDirectory"/>.</summary>
    public string? Directory { get; init; }

    /// <summary>Bytes of the ring, a multiple of 4,096 from 65,536 to 2^32. Memory is used as packets are written, up to this; a packet of more
    /// than half of it is refused. The default, 32 MiB, holds a minute of a camera that sends 4 Mbit/s.</summary>
    public long ByteCapacity { get; init; } = 32L << 20;

    /// <summary>Most packets in the ring, of all tracks together: a power of two from 16 to 65,536.</summary>
    public int MaxPackets { get; init; } = 8192;

    /// <summary>Packets that arrived longer ago than this are let go when a new one comes. Zero: no bound but the others.</summary>
    public TimeSpan MaxAge { get; init; }

    /// <summary>Most subscribers at once.</summary>
    public int MaxSubscribers { get; init; } = 64;

    /// <summary>A limit that the ring shares with others; null: none. All of the ring counts from the beginning.</summary>
    public MemoryBudget? Budget { get; init; }

    /// <summary>A limit of descriptors: subscribers that would go beyond are refused; null: none.</summary>
    public DescriptorLimit? Descriptors { get; init; }

    /// <summary>Who may read.</summary>
    public ReaderAccess Readers { get; init; } = ReaderAccess.OwnUserAndGroup;

    /// <summary>Quotas for each user, shared with other publishers; null: none. What they refuse is TOO_MANY_SUBSCRIBERS.</summary>
    public ReaderQuotas? Quotas { get; init; }

    /// <summary>Program name that readers are told; null: the name of this process.</summary>
    public string? Program { get; init; }

    /// <summary>Where packets come from, told to readers. Must not hold secrets.</summary>
    public string Source { get; init; } = "";

    /// <summary>Is told of joins, departures and evictions, on the thread where they happen: it must return soon, must not
    /// throw and must not call the publisher.</summary>
    public Action<PublisherEvent>? OnEvent { get; init; }

    internal void Validate()
    {
        if (PacketBlock.FindCapacityFault(MaxPackets < 0 ? 0 : (ulong)MaxPackets, ByteCapacity < 0 ? 0 : (ulong)ByteCapacity) is { } fault)
        {
            throw new CuFramesException(ErrorCode.ConfigurationInvalid, $"A packet ring cannot be made: {fault}.");
        }

        if (MaxSubscribers < 1 || MaxAge < TimeSpan.Zero)
        {
            throw new CuFramesException(ErrorCode.ConfigurationInvalid,
                "A packet publisher's options are out of range: MaxSubscribers is at least 1, MaxAge is not negative.");
        }
    }
}
