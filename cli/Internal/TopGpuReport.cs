namespace CuFrames.Cli.Internal;

/// <summary>The GPU that cameras use. DecoderUtilization is from 0 to 1; null: the driver does not say.</summary>
internal sealed record TopGpuReport(string Device, string Name, ulong MemoryUsedBytes, ulong MemoryTotalBytes, uint Decoders, double? DecoderUtilization);
