namespace CuFrames.Cli.Internal;

/// <summary>What the publishing process of <c>bench</c> measured; costs in nanoseconds.</summary>
internal sealed record BenchPublisher(string Format, long Frames, ulong Dropped, long CostP50, long CostP99, double AllocatedBytesPerFrame);
