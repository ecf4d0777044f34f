namespace CuFrames.Daemon.Internal;

/// <summary>Weight of a log line; the values are syslog's, which journald takes as a prefix.</summary>
internal enum LogLevel
{
    /// <summary>Somebody has to do something.</summary>
    Error = 3,

    /// <summary>Something is not as it should be; the daemon deals with it.</summary>
    Warning = 4,

    /// <summary>What happens.</summary>
    Information = 6,
}
