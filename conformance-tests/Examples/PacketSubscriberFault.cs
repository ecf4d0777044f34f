namespace CuFrames.Conformance.Examples;

/// <summary>What an example subscriber of packets does wrong.</summary>
internal enum PacketSubscriberFault
{
    None,

    /// <summary>It maps a block that its publisher may let others write.</summary>
    NoFutureWriteCheck,

    /// <summary>It does not look at TRACKs.</summary>
    IgnoresTracks,

    /// <summary>It does not look at the counts of a descriptor.</summary>
    IgnoresCounts,

    /// <summary>It does not look whether a packet names a parameter set that is there, nor at the set.</summary>
    IgnoresSets,

    /// <summary>It does not look at oldest again after it has read.</summary>
    NoRecheck,

    /// <summary>It starts with the oldest packet that is there.</summary>
    StartsAtOldest,

    /// <summary>It goes on behind a loss with whatever is there.</summary>
    GoesOnAnywhere,

    /// <summary>It says that nothing is ever missed.</summary>
    NothingMissed,

    /// <summary>It does not keep its page.</summary>
    NoPage,

    /// <summary>It leases packets.</summary>
    Leases,

    /// <summary>It accepts messages that packets do not have.</summary>
    AcceptsMessages,

    /// <summary>It believes whatever oldest says.</summary>
    TrustsOldest,
}
