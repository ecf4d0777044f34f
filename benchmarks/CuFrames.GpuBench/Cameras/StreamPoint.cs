namespace CuFrames.Benchmarks.Gpu.Cameras;

/// <summary>Where a reader is in a stream.</summary>
/// <param name="Sequence">Number of the last frame taken: counts what was published.</param>
/// <param name="PublishTime">When that frame was published, in nanoseconds of CLOCK_MONOTONIC.</param>
/// <param name="Taken">Frames taken by this reader.</param>
internal readonly record struct StreamPoint(ulong Sequence, long PublishTime, long Taken);
