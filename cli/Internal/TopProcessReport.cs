namespace CuFrames.Cli.Internal;

/// <summary>The daemon's process. CpuLoad counts cores: 1 is one whole core; null: not known yet.</summary>
internal sealed record TopProcessReport(int ProcessId, double CpuSeconds, double? CpuLoad, ulong ResidentBytes, uint Descriptors, uint Threads);
