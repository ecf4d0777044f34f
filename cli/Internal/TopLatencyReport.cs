namespace CuFrames.Cli.Internal;

/// <summary>From a packet's arrival to the published frame, over the last minute, in microseconds.</summary>
internal sealed record TopLatencyReport(double P50Us, double P95Us, double P99Us, ulong Frames);
