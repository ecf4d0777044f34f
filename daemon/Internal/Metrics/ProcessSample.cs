namespace CuFrames.Daemon.Internal.Metrics;

/// <summary>The process and the GPU during ten seconds of the past.</summary>
/// <param name="Time">The end of them, UTC, in milliseconds since 1970.</param>
/// <param name="CpuLoad">CPUs in use: 1 is one whole core.</param>
/// <param name="ResidentBytes">Resident memory, shared pages included.</param>
/// <param name="Descriptors">Open descriptors.</param>
/// <param name="GpuMemoryUsed">Bytes in use on the GPU, by whomever; -1: not known.</param>
/// <param name="DecoderUtilisation">Share of time in which NVDEC worked; NaN: not known.</param>
internal readonly record struct ProcessSample(long Time, float CpuLoad, long ResidentBytes, int Descriptors, long GpuMemoryUsed, float DecoderUtilisation);
