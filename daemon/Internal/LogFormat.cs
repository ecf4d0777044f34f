namespace CuFrames.Daemon.Internal;

/// <summary>How lines of the log are written.</summary>
internal enum LogFormat
{
    /// <summary>For people: time, level, event, stream, text.</summary>
    Text,

    /// <summary>For programs: one JSON object per line.</summary>
    Json,
}
