namespace CuFrames.Cli.Internal;

/// <summary>What the process that tries a GPU found in one step of <see cref="GpuProbe"/>.</summary>
/// <param name="Step">Number of the step.</param>
/// <param name="Checks">One line or more.</param>
internal sealed record GpuAnswer(int Step, IReadOnlyList<Check> Checks);
