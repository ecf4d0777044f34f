namespace CuFrames.Daemon.Internal.Workers;

/// <summary>The answer to a <see cref="WorkerClaim"/>.</summary>
/// <param name="Number">Number of the claim.</param>
/// <param name="Leases">Leases that are granted.</param>
/// <param name="Obstacle">Why the reader is refused; null: it is let in.</param>
internal sealed record WorkerGrant(ulong Number, int Leases, string? Obstacle);
