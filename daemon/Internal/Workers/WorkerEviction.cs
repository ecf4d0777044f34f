namespace CuFrames.Daemon.Internal.Workers;

/// <summary>An order to disconnect a reader.</summary>
/// <param name="Number">Number of the order, which the answer repeats.</param>
/// <param name="Stream">Key of the stream.</param>
/// <param name="ReadsPackets">Whether it reads packets.</param>
/// <param name="Id">Its number in this run of the stream.</param>
/// <param name="Reason">What it is told.</param>
internal sealed record WorkerEviction(ulong Number, string Stream, bool ReadsPackets, ulong Id, string Reason);
