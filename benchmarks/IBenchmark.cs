using CuFrames.Benchmarks.Report;
using CuFrames.Benchmarks.Running;

namespace CuFrames.Benchmarks;

/// <summary>One measurement: takes raw data, and later reads nothing but that raw data to write its part of the summary.</summary>
internal interface IBenchmark
{
    /// <summary>Name for <c>--only</c> and for the raw files.</summary>
    string Name { get; }

    string Title { get; }

    /// <summary>Ending of a results' directory of its own; null: it is one of those that run when nothing is chosen, and shares their directory.</summary>
    string? OwnFolder => null;

    /// <summary>Measures. Throws when it cannot; a part that cannot be measured here is noted instead.</summary>
    void Run(RunContext context);

    /// <summary>Writes the figures, the text and the plots.</summary>
    void Report(RawData raw, Section section);
}
