namespace CuFrames.Media;

/// <summary>What a <see cref="CameraPump"/> is doing.</summary>
public enum CameraState
{
    /// <summary>Not started yet.</summary>
    Starting,

    /// <summary>Opening the source for the first time.</summary>
    Connecting,

    /// <summary>Frames come.</summary>
    Live,

    /// <summary>The source is gone or cannot be opened. It is tried again, and stays in this state until it is live.</summary>
    SourceLost,

    /// <summary>The source came to its end, or the pump was stopped. Final.</summary>
    Ended,

    /// <summary>Given up; the reason says why. Final.</summary>
    Failed,
}
