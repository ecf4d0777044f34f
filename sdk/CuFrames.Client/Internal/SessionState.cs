namespace CuFrames.Client.Internal;

/// <summary>States of a connection as its publisher sees it (docs/protocol.md 13.1).</summary>
internal enum SessionState
{
    AwaitHello,

    /// <summary>HELLO came, and another process was asked for the user's quota. The peer sees no difference to the state before.</summary>
    AwaitQuota,

    Probing,
    Active,
    Closed,
}
