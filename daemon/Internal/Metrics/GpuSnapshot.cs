namespace CuFrames.Daemon.Internal.Metrics;

/// <summary>The GPU at one moment. What nobody can tell is null.</summary>
/// <param name="Name">The product's name.</param>
/// <param name="Uuid">The driver's name of the device: <c>GPU-...</c>.</param>
/// <param name="MemoryTotal">Bytes of the device.</param>
/// <param name="MemoryUsed">Bytes in use on the device, by whomever.</param>
/// <param name="RingMemory">Bytes of device memory of all rings of cameras.</param>
/// <param name="RingMemoryLimit">Bytes that they may have (gpu.memory_limit); null: no limit.</param>
/// <param name="Decoders">Cameras that NVDEC decodes.</param>
/// <param name="DecoderLimit">How many may be (gpu.max_decoders); null: no limit.</param>
/// <param name="DecoderUtilisation">Share of time in which NVDEC worked, 0 to 1, by whomever.</param>
/// <param name="Utilisation">Share of time in which a kernel ran, 0 to 1, by whomever.</param>
/// <param name="Obstacle">Why NVML tells no utilisation, for people; empty when it does.</param>
internal sealed record GpuSnapshot(
    string Name,
    string Uuid,
    long? MemoryTotal,
    long? MemoryUsed,
    long RingMemory,
    long? RingMemoryLimit,
    int Decoders,
    int? DecoderLimit,
    double? DecoderUtilisation,
    double? Utilisation,
    string Obstacle);
