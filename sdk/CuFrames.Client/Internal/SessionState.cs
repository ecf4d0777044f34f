namespace CuFrames.Client.Internal;

/// <summary>States of a connection as its publisher sees it (docs/protocol.md 13.1).</summary>
internal enum SessionState
{
    AwaitHello,
    Probing,
    Active,
    Closed,
}
