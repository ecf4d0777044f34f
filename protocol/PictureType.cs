namespace CuFrames.Protocol;

/// <summary>How a picture was coded (docs/protocol.md 4.5).</summary>
public enum PictureType : byte
{
    /// <summary>Not known.</summary>
    Unknown = 0,

    /// <summary>I picture.</summary>
    Intra = 1,

    /// <summary>P picture.</summary>
    Predicted = 2,

    /// <summary>B picture.</summary>
    Bidirectional = 3,
}
