namespace CuFrames.Protocol;

/// <summary>Flags of a frame (docs/protocol.md 4.6).</summary>
[Flags]
public enum FrameFlags : uint
{
    /// <summary>No flag.</summary>
    None = 0,

    /// <summary>Decoded from a key frame.</summary>
    Key = 1,

    /// <summary>The source was interrupted before this frame.</summary>
    Discontinuity = 2,

    /// <summary>The decoder reported errors in this picture.</summary>
    Corrupt = 4,

    /// <summary>Two fields.</summary>
    Interlaced = 8,

    /// <summary>With <see cref="Interlaced"/>: the top field comes first.</summary>
    TopFieldFirst = 16,

    /// <summary>The last frame of a file source.</summary>
    EndOfStream = 32,
}
