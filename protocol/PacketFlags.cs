namespace CuFrames.Protocol;

/// <summary>Flags of a packet (docs/protocol.md 14.9).</summary>
[Flags]
public enum PacketFlags : uint
{
    /// <summary>No flag.</summary>
    None = 0,

    /// <summary>Decoding may begin here.</summary>
    Key = 1,

    /// <summary>The source was interrupted before this packet; times may jump.</summary>
    Discontinuity = 2,

    /// <summary>The source or the demuxer reported an error in it.</summary>
    Corrupt = 4,

    /// <summary>Its parameter set is another one than that of the track's packet before. Set by the publisher itself.</summary>
    ParametersChanged = 8,

    /// <summary>No other packet needs it to be decoded.</summary>
    Disposable = 16,
}
