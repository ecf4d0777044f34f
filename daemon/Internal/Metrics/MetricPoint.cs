namespace CuFrames.Daemon.Internal.Metrics;

/// <summary>One value of a metric.</summary>
/// <param name="Attributes">Names and values, in the order of the definition.</param>
/// <param name="Value">The value; of a histogram the sum of all values.</param>
/// <param name="Buckets">Of a histogram: values in each bucket, each without those of the others; else null.</param>
internal sealed record MetricPoint(IReadOnlyList<KeyValuePair<string, string>> Attributes, double Value, IReadOnlyList<long>? Buckets = null);
