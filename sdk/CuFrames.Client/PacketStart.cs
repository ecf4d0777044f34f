namespace CuFrames.Client;

/// <summary>Where a subscriber starts in a stream of packets. In a stream without video every packet counts as a key frame.</summary>
public enum PacketStart
{
    /// <summary>At the newest key frame of the video track; at the next one when none is there. For whoever wants pictures soon.</summary>
    NewestKey,

    /// <summary>At the oldest key frame that is there; at the next one when none is. For whoever wants all that the ring has.</summary>
    OldestKey,

    /// <summary>At the next packet that comes, of whatever kind.</summary>
    Next,
}
