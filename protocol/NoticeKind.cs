namespace CuFrames.Protocol;

/// <summary>Kinds of NOTICE (docs/protocol.md 9.1).</summary>
public enum NoticeKind : uint
{
    /// <summary>The source is gone for now.</summary>
    SourceLost = 1,

    /// <summary>The source is back.</summary>
    SourceBack = 2,

    /// <summary>This subscriber is evicted.</summary>
    Evicted = 3,

    /// <summary>The publisher ends.</summary>
    ShuttingDown = 4,
}
