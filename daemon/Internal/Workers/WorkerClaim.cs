namespace CuFrames.Daemon.Internal.Workers;

/// <summary>A worker's question whether a user's quota lets a reader in.</summary>
/// <param name="Number">Number of the claim, which the answer repeats, and the worker when it gives back.</param>
/// <param name="Stream">Key of the stream.</param>
/// <param name="UserId">The reader's user.</param>
/// <param name="ProcessId">The reader's process; 0: not known.</param>
/// <param name="Leases">Leases that it would be granted.</param>
internal sealed record WorkerClaim(ulong Number, string Stream, uint UserId, int ProcessId, int Leases);
