namespace CuFrames.Protocol;

/// <summary>States of a stream (docs/protocol.md 4.4).</summary>
public enum StreamState : uint
{
    /// <summary>No frame yet.</summary>
    Starting = 0,

    /// <summary>Frames come.</summary>
    Live = 1,

    /// <summary>The source is gone for now.</summary>
    SourceLost = 2,

    /// <summary>No frame will come in this epoch.</summary>
    Ended = 3,
}
