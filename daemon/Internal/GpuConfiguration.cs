namespace CuFrames.Daemon.Internal;

/// <summary>What the file says about the GPU, defaults included. Immutable, compared by value.</summary>
/// <param name="Device">The device of all cameras that use one.</param>
/// <param name="MemoryLimit">Limit of the device memory of all rings together, bytes; 0: none.</param>
/// <param name="MaxDecoders">Limit of NVDEC decoders at once; 0: none.</param>
internal sealed record GpuConfiguration(GpuSelection Device, long MemoryLimit, int MaxDecoders);
