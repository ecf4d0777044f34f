namespace CuFrames.Daemon.Internal;

/// <summary>What the command line says.</summary>
/// <param name="ConfigurationPath">The configuration file, absolute.</param>
/// <param name="Directory">The runtime directory that takes precedence over the file's; null: none was named.</param>
internal sealed record DaemonOptions(string ConfigurationPath, string? Directory);
