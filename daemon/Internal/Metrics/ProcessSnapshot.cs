namespace CuFrames.Daemon.Internal.Metrics;

/// <summary>The daemon's process at one moment.</summary>
/// <param name="CpuSeconds">Time of all CPUs that it has used.</param>
/// <param name="CpuLoad">CPUs in use over the last seconds: 1 is one whole core.</param>
/// <param name="ResidentBytes">Resident memory, shared pages included.</param>
/// <param name="Descriptors">Open descriptors.</param>
/// <param name="Threads">Threads.</param>
/// <param name="UptimeSeconds">Seconds since the daemon started.</param>
/// <param name="Heap">Its managed heap.</param>
internal sealed record ProcessSnapshot(double CpuSeconds, double CpuLoad, long ResidentBytes, int Descriptors, int Threads, double UptimeSeconds, HeapSnapshot Heap);
