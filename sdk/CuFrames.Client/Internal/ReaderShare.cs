namespace CuFrames.Client.Internal;

/// <summary>What one reader has of its user's quota.</summary>
/// <param name="UserId">The user.</param>
/// <param name="Stream">The stream's key.</param>
/// <param name="Leases">Leases that it was granted.</param>
/// <param name="Number">Its number where another process counts; 0: this one does.</param>
internal sealed record ReaderShare(uint UserId, string Stream, int Leases, ulong Number = 0);
