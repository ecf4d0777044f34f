namespace CuFrames.Daemon.Internal;

/// <summary>Where a stream's ring lies.</summary>
internal enum FrameMemory
{
    /// <summary>Main memory.</summary>
    Host,

    /// <summary>Device memory, shared as file descriptors.</summary>
    Cuda,

    /// <summary>Device memory, shared as legacy IPC handles.</summary>
    CudaIpc,
}
