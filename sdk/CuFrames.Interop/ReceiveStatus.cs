namespace CuFrames.Interop;

/// <summary>What a receive call found. Descriptors are handed over with <see cref="Received"/> only.</summary>
public enum ReceiveStatus
{
    /// <summary>A whole packet with all of its descriptors.</summary>
    Received,

    /// <summary>No packet was there within the time.</summary>
    WouldBlock,

    /// <summary>The peer has closed the connection and everything it sent before has been read.</summary>
    PeerGone,

    /// <summary>
    /// The packet was longer than the buffer (MSG_TRUNC). Its rest is lost, its descriptors are closed.
    /// </summary>
    Truncated,

    /// <summary>
    /// The packet carried more than <see cref="DescriptorSet.Capacity"/> descriptors, or this process has no room for
    /// them (MSG_CTRUNC). Every descriptor of the packet is closed.
    /// </summary>
    ControlTruncated,
}
