namespace CuFrames.Operations.Tests;

/// <summary>One value that a collector got.</summary>
/// <param name="Metric">Name.</param>
/// <param name="Unit">Unit.</param>
/// <param name="Kind">gauge, sum, counter (a monotonic sum) or histogram.</param>
/// <param name="Temporality">0: none; 1: delta; 2: cumulative.</param>
/// <param name="Attributes">Attributes.</param>
/// <param name="Start">Nanoseconds since 1970; 0: none.</param>
/// <param name="Time">Nanoseconds since 1970.</param>
/// <param name="Value">The value; of a histogram the sum.</param>
/// <param name="Count">Of a histogram: how many values.</param>
/// <param name="Buckets">Of a histogram: values in each bucket.</param>
/// <param name="Bounds">Of a histogram: upper bounds.</param>
internal sealed record OtlpPoint(
    string Metric,
    string Unit,
    string Kind,
    int Temporality,
    IReadOnlyDictionary<string, string> Attributes,
    ulong Start,
    ulong Time,
    double Value,
    ulong Count,
    IReadOnlyList<ulong> Buckets,
    IReadOnlyList<double> Bounds);
