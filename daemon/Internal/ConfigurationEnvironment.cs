using System.Collections.Concurrent;

namespace CuFrames.Daemon.Internal;

/// <summary>The variables that configuration files refer to. They hold passwords as a rule, so worker processes do not get them. Any thread.</summary>
internal static class ConfigurationEnvironment
{
    private static readonly ConcurrentDictionary<string, bool> Used = [];

    /// <summary>Names of variables that a worker must not have: those of the configuration, and those that a service manager gives to the daemon alone.</summary>
    internal static IEnumerable<string> HiddenNames =>
        [.. Used.Keys, "NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES", "JOURNAL_STREAM", "CREDENTIALS_DIRECTORY"];

    /// <summary>The value of a variable that a configuration refers to; null: there is none.</summary>
    /// <param name="name">Its name.</param>
    internal static string? Get(string name)
    {
        Used.TryAdd(name, true);
        return Environment.GetEnvironmentVariable(name);
    }
}
