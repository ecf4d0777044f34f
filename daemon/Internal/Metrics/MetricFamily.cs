namespace CuFrames.Daemon.Internal.Metrics;

/// <summary>A metric with all its values of one moment.</summary>
/// <param name="Definition">What it is.</param>
/// <param name="Points">The values.</param>
internal sealed record MetricFamily(MetricDefinition Definition, IReadOnlyList<MetricPoint> Points);
