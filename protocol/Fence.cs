namespace CuFrames.Protocol;

/// <summary>How a lease is released (docs/protocol.md 7.1).</summary>
[Flags]
public enum Fence : uint
{
    /// <summary>No fence.</summary>
    None = 0,

    /// <summary>The subscriber writes zero.</summary>
    Cpu = 1,

    /// <summary>Its GPU stream writes zero behind its work.</summary>
    Stream = 2,

    /// <summary>It records an event and sets the lease word's top bit.</summary>
    Event = 4,
}
