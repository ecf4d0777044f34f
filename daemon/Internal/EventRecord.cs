namespace CuFrames.Daemon.Internal;

/// <summary>Something that was logged.</summary>
/// <param name="Sequence">Grows by one with each.</param>
/// <param name="Time">When, UTC.</param>
/// <param name="Kind">What.</param>
/// <param name="Text">As it was logged.</param>
/// <param name="Stream">The stream that it is about; null: none.</param>
internal sealed record EventRecord(ulong Sequence, DateTime Time, LogEvent Kind, string Text, string? Stream);
