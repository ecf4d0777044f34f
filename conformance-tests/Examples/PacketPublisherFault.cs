namespace CuFrames.Conformance.Examples;

/// <summary>What an example publisher of packets does wrong.</summary>
internal enum PacketPublisherFault
{
    None,

    /// <summary>It lets everybody write the block.</summary>
    UnsealedBlock,

    /// <summary>It overwrites packets that oldest still names.</summary>
    NeverMovesOldest,

    /// <summary>The counts of all tracks are those of one.</summary>
    WrongCounts,

    /// <summary>What was in the ring before follows a packet.</summary>
    NoZeros,

    /// <summary>It leaves a gap between packets.</summary>
    Gaps,

    /// <summary>Its WELCOME does not demand that PACKETS is understood.</summary>
    OptionalPackets,

    /// <summary>It takes a HELLO for frames for one of its own.</summary>
    AcceptsFrames,

    /// <summary>It does not look at pages.</summary>
    NoPageCheck,

    /// <summary>It does not care what subscribers send.</summary>
    AcceptsMessages,

    /// <summary>Every packet is said to be a start.</summary>
    EveryPacketIsLastKey,

    /// <summary>A change of parameters is not marked.</summary>
    UnmarkedChange,

    /// <summary>It wakes nobody.</summary>
    NoFutexWake,
}
