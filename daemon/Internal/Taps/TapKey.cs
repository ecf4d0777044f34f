using System.Globalization;
using System.Net;

namespace CuFrames.Daemon.Internal.Taps;

/// <summary>The keys that the section <c>taps</c> may have.</summary>
internal static class TapKey
{
    /// <summary>Value of what is not wanted.</summary>
    internal const string Off = "off";

    internal const string Http = "http";
    internal const string Clients = "clients";
    internal const string StreamClients = "stream_clients";

    private const int MostClients = 1024;

    /// <summary>A stream takes 64 subscribers (docs/protocol.md 5); some of them are to be others.</summary>
    private const int MostStreamClients = 48;

    /// <summary>All keys, in the order in which they are shown.</summary>
    internal static IReadOnlyList<ConfigurationKey> All { get; } =
    [
        new(Http, Off, "off, or a loopback address with a port, such as 127.0.0.1:8475 or [::1]:8475", ParseAddress),
        new(Clients, $"{TapConfiguration.Default.Clients}", $"a whole number from 1 to {MostClients}", value => value.Integer(1, MostClients)),
        new(StreamClients, $"{TapConfiguration.Default.StreamClients}", $"a whole number from 1 to {MostStreamClients}", value => value.Integer(1, MostStreamClients)),
    ];

    /// <summary>Reads the section; what is wrong is reported.</summary>
    internal static TapConfiguration Read(ConfigurationValue section)
    {
        if (section.IsText(Off))
        {
            return TapConfiguration.Off;
        }

        if (section.Node.Kind == ConfigurationNodeKind.Scalar)
        {
            section.Report($"found {section.Found}", $"off, or a mapping with the keys {string.Join(", ", All.Select(key => key.Name))}");
            return TapConfiguration.Default;
        }

        ConfigurationSettings settings = ConfigurationSettings.Read(section, All);
        return new TapConfiguration(
            true,
            settings.TryGet(Http, out object? address) ? address as IPEndPoint : null,
            settings.TryGet(Clients, out int clients) ? clients : TapConfiguration.Default.Clients,
            settings.TryGet(StreamClients, out int streamClients) ? streamClients : TapConfiguration.Default.StreamClients);
    }

    /// <summary>What holds, as YAML.</summary>
    internal static string Describe(TapConfiguration taps) => taps.IsEnabled
        ? string.Create(CultureInfo.InvariantCulture, $"{{{Http}: {(taps.Http is null ? Off : $"'{taps.Http}'")}, {Clients}: {taps.Clients}, {StreamClients}: {taps.StreamClients}}}")
        : Off;

    private static object? ParseAddress(ConfigurationValue value) =>
        value.IsText(Off) ? Off : value.Address() is { } address && value.IsLoopback(address) ? address : null;
}
