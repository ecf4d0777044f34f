namespace CuFrames.Daemon.Internal.Metrics;

/// <summary>Percentiles of the time from a frame's arrival to its publication, over the last minute.</summary>
/// <param name="Frames">Frames that they are of.</param>
/// <param name="P50">Nanoseconds; half of the frames took no longer.</param>
/// <param name="P95">Nanoseconds.</param>
/// <param name="P99">Nanoseconds.</param>
internal sealed record LatencySnapshot(long Frames, long P50, long P95, long P99);
