namespace CuFrames.Protocol;

/// <summary>Range of the samples (docs/protocol.md 4.7).</summary>
public enum ColourRange : byte
{
    /// <summary>Not known.</summary>
    Unknown = 0,

    /// <summary>16 to 235 in 8 bits.</summary>
    Limited = 1,

    /// <summary>0 to 255 in 8 bits.</summary>
    Full = 2,
}
