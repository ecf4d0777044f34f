namespace CuFrames.Demo.Internal;

/// <summary>Latency from publish to take in microseconds.</summary>
internal sealed record ReaderLatency(double P50, double P99);
