namespace CuFrames.Interop;

/// <summary>
/// A copy of rows, one plane of a picture as a rule. Either side is device memory of the stream's device or host memory; host memory
/// should be pinned (<see cref="CudaHostMemory"/>), else the driver stages it and the call may wait.
/// </summary>
public readonly record struct CudaCopy
{
    /// <summary>Address of the first byte to read.</summary>
    public ulong Source { get; init; }

    /// <summary>Bytes from one row to the next at the source, at least <see cref="RowBytes"/>.</summary>
    public long SourcePitch { get; init; }

    /// <summary>Whether <see cref="Source"/> is an address of device memory and not of host memory.</summary>
    public bool SourceIsDevice { get; init; }

    /// <summary>Address of the first byte to write.</summary>
    public ulong Destination { get; init; }

    /// <summary>Bytes from one row to the next at the destination, at least <see cref="RowBytes"/>.</summary>
    public long DestinationPitch { get; init; }

    /// <summary>Whether <see cref="Destination"/> is an address of device memory and not of host memory.</summary>
    public bool DestinationIsDevice { get; init; }

    /// <summary>Bytes to copy of each row.</summary>
    public long RowBytes { get; init; }

    /// <summary>Number of rows.</summary>
    public long Rows { get; init; }
}
