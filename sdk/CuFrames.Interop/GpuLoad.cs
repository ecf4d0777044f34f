namespace CuFrames.Interop;

/// <summary>How a device is used by all programs together, as NVML tells. What it cannot tell is null.</summary>
/// <param name="MemoryUsed">Bytes in use.</param>
/// <param name="MemoryTotal">Bytes of the device.</param>
/// <param name="Utilisation">Share of the last sampling period in which a kernel ran, 0 to 1.</param>
/// <param name="DecoderUtilisation">Share of the last sampling period in which the video decoder worked, 0 to 1.</param>
/// <param name="Obstacle">Why something is not known, a sentence for people; empty if all is.</param>
public sealed record GpuLoad(long? MemoryUsed, long? MemoryTotal, double? Utilisation, double? DecoderUtilisation, string Obstacle);
