namespace CuFrames.Conformance.Wire;

/// <summary>What a receive call found.</summary>
internal enum PacketKind
{
    /// <summary>A packet.</summary>
    Packet,

    /// <summary>Nothing in the time given.</summary>
    Nothing,

    /// <summary>The peer hung up.</summary>
    HangUp,

    /// <summary>A packet that was cut off (MSG_TRUNC).</summary>
    Truncated,

    /// <summary>A packet whose descriptors were cut off (MSG_CTRUNC).</summary>
    ControlTruncated,
}
