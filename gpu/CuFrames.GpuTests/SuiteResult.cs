namespace CuFrames.GpuTests;

/// <summary>What one suite gave.</summary>
/// <param name="Suite">Name of the test executable.</param>
/// <param name="Passed">Tests that passed.</param>
/// <param name="Seconds">Time of the whole process.</param>
/// <param name="Failures">Tests that failed, and one entry for a suite that did not end in order or ran nothing.</param>
/// <param name="Skipped">Tests that were skipped, with the reason.</param>
/// <param name="TestSeconds">Seconds of each test that ended.</param>
internal sealed record SuiteResult(
    string Suite, int Passed, double Seconds, IReadOnlyList<Failure> Failures, IReadOnlyList<Failure> Skipped, IReadOnlyDictionary<string, double> TestSeconds)
{
    public bool IsOk => Failures.Count == 0 && Skipped.Count == 0;
}
