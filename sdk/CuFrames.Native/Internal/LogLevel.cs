namespace CuFrames.Native.Internal;

/// <summary>enum cuframes_log_level.</summary>
internal enum LogLevel : uint
{
    Error = 1,
    Warning = 2,
    Information = 3,
}
