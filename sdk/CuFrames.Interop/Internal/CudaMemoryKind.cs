namespace CuFrames.Interop.Internal;

/// <summary>Where device memory comes from, and so how it is let go.</summary>
internal enum CudaMemoryKind
{
    /// <summary>Made here with virtual memory management; exported as a descriptor.</summary>
    Shareable,

    /// <summary>Allocated here in the plain way; shared with a legacy handle.</summary>
    Allocated,

    /// <summary>Another process's, from a descriptor.</summary>
    Imported,

    /// <summary>Another process's, from a legacy handle.</summary>
    Opened,
}
