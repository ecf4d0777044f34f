namespace CuFrames.Interop;

/// <summary>What became of a packet that was to be sent.</summary>
public enum SendStatus
{
    /// <summary>The packet and its descriptors are in the peer's queue.</summary>
    Sent,

    /// <summary>The peer reads too slowly: the send buffer is full, nothing was sent.</summary>
    WouldBlock,

    /// <summary>The peer has closed the connection; nothing was sent.</summary>
    PeerGone,
}
