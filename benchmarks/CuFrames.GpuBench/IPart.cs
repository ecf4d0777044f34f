using CuFrames.Benchmarks.Gpu.Running;

namespace CuFrames.Benchmarks.Gpu;

/// <summary>One measurement of the bench.</summary>
internal interface IPart
{
    /// <summary>Name for <c>--only</c>.</summary>
    string Name { get; }

    /// <summary>Measures, and puts the figures into the report and the single samples into the raw folder.</summary>
    void Run(PartContext context);

    /// <summary>Prints the figures that the report holds, beside what was aimed at.</summary>
    void Print(BenchReport report, TextWriter output);
}
