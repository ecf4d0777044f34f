namespace CuFrames.Daemon.Internal.Workers;

/// <summary>An event of a worker, which the daemon logs.</summary>
/// <param name="Id">Id of its kind.</param>
/// <param name="Text">As it would have been logged.</param>
/// <param name="Stream">Key of the stream; null: none.</param>
internal sealed record WorkerEvent(int Id, string Text, string? Stream);
