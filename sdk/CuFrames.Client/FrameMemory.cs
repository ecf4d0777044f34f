namespace CuFrames.Client;

/// <summary>Where a stream's frames lie, and how their memory reaches the readers.</summary>
public enum FrameMemory
{
    /// <summary>Main memory, in sealed memory files. Every process can read it.</summary>
    Host = 0,

    /// <summary>Memory of a CUDA device, as file descriptors. Readers map it with read access only.</summary>
    Cuda = 1,

    /// <summary>Memory of a CUDA device, as legacy IPC handles: for devices without virtual memory management. Readers get a writable
    /// mapping, and two processes that have the same PID number in their own PID namespaces cannot share.</summary>
    CudaIpc = 2,
}
