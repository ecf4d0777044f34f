namespace CuFrames.Protocol;

/// <summary>Where frames lie (docs/protocol.md 6.1).</summary>
public enum MemoryDomain : uint
{
    /// <summary>Main memory.</summary>
    Host = 1,

    /// <summary>Memory of a CUDA device.</summary>
    Cuda = 2,
}
