namespace CuFrames.Protocol;

/// <summary>How a segment travels (docs/protocol.md 6.2).</summary>
public enum HandleKind : uint
{
    /// <summary>A sealed memfd.</summary>
    HostMemfd = 1,

    /// <summary>Descriptor of a VMM allocation.</summary>
    CudaVmm = 2,

    /// <summary>Legacy 64-byte handle.</summary>
    CudaIpc = 3,
}
