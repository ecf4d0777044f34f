namespace CuFrames.Daemon.Internal.Workers;

/// <summary>What a worker's process takes up, as it says itself: the kernel does not tell everything of a process that nobody may trace.</summary>
/// <param name="CpuSeconds">Time of all CPUs that it has used.</param>
/// <param name="ResidentBytes">Resident memory, shared pages included.</param>
/// <param name="Descriptors">Open descriptors.</param>
/// <param name="Threads">Threads.</param>
internal sealed record WorkerFigures(double CpuSeconds, long ResidentBytes, int Descriptors, int Threads)
{
    /// <summary>More seconds than any process has, and about 30 years.</summary>
    private const double MostSeconds = 1e9;

    /// <summary>The same, with numbers that can be: a worker that a hostile stream has taken over says any.</summary>
    internal WorkerFigures Clamped => new(
        CpuSeconds >= 0 ? Math.Min(CpuSeconds, MostSeconds) : 0, Math.Clamp(ResidentBytes, 0, 1L << 48), Math.Max(0, Descriptors), Math.Max(0, Threads));
}
