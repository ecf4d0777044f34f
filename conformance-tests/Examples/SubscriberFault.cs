namespace CuFrames.Conformance.Examples;

/// <summary>What an example subscriber can be told to do wrong.</summary>
internal enum SubscriberFault
{
    /// <summary>Nothing.</summary>
    None,

    /// <summary>The slot's state is not read again after the lease was set.</summary>
    NoStateCheck,

    /// <summary>No lease word is ever set.</summary>
    NoLease,

    /// <summary>Lease words stay set.</summary>
    NeverReleases,

    /// <summary>A second lease is held beside the first, whatever was granted.</summary>
    ExceedsQuota,

    /// <summary>F_SEAL_FUTURE_WRITE is not asked for.</summary>
    NoFutureWriteCheck,

    /// <summary>A pitch may be shorter than a row.</summary>
    NoPitchCheck,

    /// <summary>Descriptors of refused messages stay open.</summary>
    LeaksDescriptors,

    /// <summary>Unknown TLVs with must-understand are skipped like others.</summary>
    IgnoresMustUnderstand,

    /// <summary>Missed frames are not counted.</summary>
    NothingMissed,

    /// <summary>SEGMENT is not answered.</summary>
    NoSegmentReady,

    /// <summary>RETIRE is not answered.</summary>
    NoRetired,

    /// <summary>The cursor goes back to zero with the second frame.</summary>
    CursorGoesBack,

    /// <summary>Crop is ignored: the picture begins at the planes' first byte.</summary>
    IgnoresCrop,

    /// <summary>The socket is not read before a frame in a new segment.</summary>
    IgnoresControlMessages,

    /// <summary>START is read and not heeded.</summary>
    IgnoresStart,

    /// <summary>BYE is answered with BYE.</summary>
    AnswersBye,
}
