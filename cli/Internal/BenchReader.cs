namespace CuFrames.Cli.Internal;

/// <summary>What a reading process of <c>bench</c> measured.</summary>
/// <param name="Frames">Frames taken.</param>
/// <param name="Missed">Frames skipped.</param>
/// <param name="Maximum">Largest latency in nanoseconds.</param>
/// <param name="Latency">Pairs of <see cref="LatencyHistogram.ToPairs"/>.</param>
internal sealed record BenchReader(long Frames, ulong Missed, long Maximum, long[] Latency);
