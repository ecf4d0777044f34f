namespace CuFrames.Conformance.Examples;

/// <summary>What an example publisher can be told to do wrong.</summary>
internal enum PublisherFault
{
    /// <summary>Nothing.</summary>
    None,

    /// <summary>The control block is not sealed.</summary>
    UnsealedControlBlock,

    /// <summary>Segments are not sealed.</summary>
    UnsealedSegment,

    /// <summary>Slots are chosen without a look at leases.</summary>
    NoLeaseCheck,

    /// <summary>Every fifth sequence is left out.</summary>
    SequenceGap,

    /// <summary>A DOORBELL with every frame while somebody waits.</summary>
    DoorbellPerFrame,

    /// <summary>Sleepers on the futex are not woken.</summary>
    NoFutexWake,

    /// <summary>Pages are not looked at.</summary>
    NoPageCheck,

    /// <summary>Leases never time out.</summary>
    NoLeaseTimeout,

    /// <summary>Unknown TLVs with must-understand are skipped like others.</summary>
    IgnoresMustUnderstand,

    /// <summary>Descriptors of refused messages stay open.</summary>
    LeaksDescriptors,

    /// <summary>Silent connections stay.</summary>
    NoHandshakeTimeout,

    /// <summary>The head is announced a moment before slot and index.</summary>
    HeadFirst,

    /// <summary>Answers carry a correlation_id of zero.</summary>
    NoCorrelation,

    /// <summary>A publisher that has rested does not say START.</summary>
    NoStart,

    /// <summary>Frames of a new segment are published before the segment is announced.</summary>
    LateSegment,
}
