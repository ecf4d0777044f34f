namespace CuFrames.Protocol;

/// <summary>What a track carries (docs/protocol.md 14.6).</summary>
public enum TrackKind : uint
{
    /// <summary>Coded pictures.</summary>
    Video = 1,

    /// <summary>Coded sound.</summary>
    Audio = 2,

    /// <summary>Anything else that the source sends with times.</summary>
    Data = 3,
}
