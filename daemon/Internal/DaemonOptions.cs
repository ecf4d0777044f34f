namespace CuFrames.Daemon.Internal;

/// <summary>What the command line says.</summary>
/// <param name="ConfigurationPath">The configuration file, absolute.</param>
/// <param name="Directory">The runtime directory that takes precedence over the file's; null: none was named.</param>
/// <param name="LogLevel">The level that takes precedence over the file's; null: none was named.</param>
/// <param name="LogFormat">The format that takes precedence over the file's; null: none was named.</param>
internal sealed record DaemonOptions(string ConfigurationPath, string? Directory, LogLevel? LogLevel = null, LogFormat? LogFormat = null)
{
    /// <summary>What is logged, and how.</summary>
    /// <param name="configuration">What the file says; null: it cannot be used.</param>
    internal LogConfiguration Choose(LogConfiguration? configuration)
    {
        configuration ??= LogConfiguration.Default;
        return new LogConfiguration(LogLevel ?? configuration.Level, LogFormat ?? configuration.Format);
    }
}
