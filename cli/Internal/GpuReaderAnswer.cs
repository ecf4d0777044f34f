namespace CuFrames.Cli.Internal;

/// <summary>What the second process of <see cref="GpuProbe"/> found.</summary>
/// <param name="Error">Why it could not open or read what it was given; null when it could.</param>
/// <param name="Write">What became of a write through a mapping for reading; null when none was tried.</param>
internal sealed record GpuReaderAnswer(string? Error, string? Write);
