namespace CuFrames.Cli.Internal;

/// <summary>Percentiles of a latency in microseconds.</summary>
internal sealed record LatencyFigures(double P50, double P99, double P999, double Max);
