namespace CuFrames.Daemon.Internal;

/// <summary>The keys that the section <c>log</c> may have, and the names of their values, which the command line takes too.</summary>
internal static class LogKey
{
    internal const string Level = "level";
    internal const string Format = "format";

    /// <summary>Names of the levels: a line is written whose level is the one named or one that stands before it.</summary>
    internal static IReadOnlyList<(string Name, LogLevel Level)> Levels { get; } =
        [("error", LogLevel.Error), ("warning", LogLevel.Warning), ("info", LogLevel.Information)];

    /// <summary>Names of the formats.</summary>
    internal static IReadOnlyList<(string Name, LogFormat Format)> Formats { get; } = [("text", LogFormat.Text), ("json", LogFormat.Json)];

    /// <summary>All keys, in the order in which they are shown.</summary>
    internal static IReadOnlyList<ConfigurationKey> All { get; } =
    [
        new(Level, NameOf(LogConfiguration.Default.Level), "error, warning, info", value => value.Choice([.. Levels.Select(level => (level.Name, (object)level.Level))])),
        new(Format, NameOf(LogConfiguration.Default.Format), "text, json", value => value.Choice([.. Formats.Select(format => (format.Name, (object)format.Format))])),
    ];

    /// <summary>The name of a level.</summary>
    internal static string NameOf(LogLevel level) => Levels.First(named => named.Level == level).Name;

    /// <summary>The name of a format.</summary>
    internal static string NameOf(LogFormat format) => Formats.First(named => named.Format == format).Name;

    /// <summary>Reads the section; what is wrong is reported.</summary>
    internal static LogConfiguration Read(ConfigurationValue section)
    {
        ConfigurationSettings settings = ConfigurationSettings.Read(section, All);
        return new LogConfiguration(
            settings.TryGet(Level, out LogLevel level) ? level : LogConfiguration.Default.Level,
            settings.TryGet(Format, out LogFormat format) ? format : LogConfiguration.Default.Format);
    }

    /// <summary>What holds, as YAML.</summary>
    internal static string Describe(LogConfiguration log) => $"{{{Level}: {NameOf(log.Level)}, {Format}: {NameOf(log.Format)}}}";
}
