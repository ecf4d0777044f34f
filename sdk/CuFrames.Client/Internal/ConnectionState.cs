namespace CuFrames.Client.Internal;

/// <summary>States of a connection as its subscriber sees it, after the handshake (docs/protocol.md 13.2).</summary>
internal enum ConnectionState
{
    Active,
    Disconnected,
    Evicted,
}
