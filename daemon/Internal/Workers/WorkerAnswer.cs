namespace CuFrames.Daemon.Internal.Workers;

/// <summary>The answer to a <see cref="WorkerEviction"/>.</summary>
/// <param name="Number">Number of the order.</param>
/// <param name="IsDone">Whether the reader was there.</param>
internal sealed record WorkerAnswer(ulong Number, bool IsDone);
