namespace CuFrames.Benchmarks.Report;

/// <summary>Values measured in one repetition of one case.</summary>
internal sealed record Measurement(string Case, int Repetition, Dictionary<string, double> Values);
