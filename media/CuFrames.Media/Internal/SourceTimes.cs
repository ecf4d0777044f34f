namespace CuFrames.Media.Internal;

/// <summary>What a source says of a packet's times.</summary>
/// <param name="Pts">In units of the packet's time base; unknown as in the protocol.</param>
/// <param name="Dts">Likewise.</param>
/// <param name="Duration">Likewise; 0: not known.</param>
/// <param name="Arrival">CLOCK_MONOTONIC in nanoseconds.</param>
/// <param name="IsDiscontinuous">Whether the source was interrupted before the packet.</param>
internal readonly record struct SourceTimes(long Pts, long Dts, long Duration, long Arrival, bool IsDiscontinuous);
