namespace CuFrames.Daemon.Internal.Control;

/// <summary>How a connection was counted in <see cref="PeerConnections"/>: the rules may have changed by the time that it ends.</summary>
/// <param name="IsCaller">Whether its user might call when it came.</param>
internal sealed record CountedPeer(bool IsCaller);
