using CuFrames.Interop;

namespace CuFrames.Client.Internal;

/// <summary>A reader that is about to join, where another process counts.</summary>
/// <param name="Peer">Who it is.</param>
/// <param name="Stream">The stream's key.</param>
/// <param name="Leases">Leases that it would be granted.</param>
/// <param name="Answer">Is told once, on any thread, what the reader has, with a number; or the sentences that say why it has nothing.</param>
internal sealed record ReaderClaim(PeerCredentials Peer, string Stream, int Leases, Action<ReaderShare?, string?> Answer);
