namespace CuFrames.Client;

/// <summary>Kinds of <see cref="StreamChange"/>.</summary>
public enum StreamChangeKind
{
    /// <summary>A stream is there that was not.</summary>
    Added,

    /// <summary>A stream's run, format, state or reason changed.</summary>
    Changed,

    /// <summary>A stream is gone.</summary>
    Removed,
}
