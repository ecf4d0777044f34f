using System.Net;

namespace CuFrames.Daemon.Internal.Web;

/// <summary>The keys that the section <c>web</c> may have.</summary>
internal static class WebKey
{
    /// <summary>Value of what is not wanted.</summary>
    internal const string Off = "off";

    internal const string On = "on";
    internal const string Listen = "listen";
    internal const string Dashboard = "dashboard";
    internal const string Metrics = "metrics";
    internal const string Certificate = "certificate";
    internal const string Key = "key";

    private const string Addresses = "off, or an address with a port, such as 127.0.0.1:8476 or [::1]:8476; one that is not a loopback address only together with certificate and key";
    private const string PemFile = "the absolute path of a PEM file";

    /// <summary>All keys, in the order in which they are shown.</summary>
    internal static IReadOnlyList<ConfigurationKey> All { get; } =
    [
        new(Listen, $"{WebConfiguration.Default.Listen}", Addresses, ParseAddress),
        new(Dashboard, On, "on, off", Switch),
        new(Metrics, On, "on, off", Switch),
        new(Certificate, "-", PemFile, ParsePath),
        new(Key, "-", PemFile, ParsePath),
    ];

    /// <summary>Reads the section; what is wrong is reported.</summary>
    internal static WebConfiguration Read(ConfigurationValue section)
    {
        WebConfiguration otherwise = WebConfiguration.Default;
        if (section.Node.Kind == ConfigurationNodeKind.Scalar)
        {
            ConfigurationValue value = section with { Accepted = $"off, a loopback address with a port, such as 127.0.0.1:8476, or a mapping with the keys {string.Join(", ", All.Select(key => key.Name))}" };
            object? only = ParseAddress(value);
            return otherwise with { Listen = only is IPEndPoint place && value.IsLoopback(place) ? place : null };
        }

        ConfigurationSettings settings = ConfigurationSettings.Read(section, All);
        IPEndPoint? address = settings.TryGet(Listen, out object? given) ? given as IPEndPoint : otherwise.Listen;
        bool hasCertificate = settings.TryGet(Certificate, out string? certificate), hasKey = settings.TryGet(Key, out string? key);
        if (hasCertificate != hasKey && !settings.IsBad(Certificate) && !settings.IsBad(Key))
        {
            settings.PlaceOf(hasCertificate ? Certificate : Key).Report(
                $"the key stands without '{(hasCertificate ? Key : Certificate)}'", "certificate and key together, or none of them");
        }

        if (settings.Has(Listen) && address is not null && !(hasCertificate && hasKey))
        {
            settings.PlaceOf(Listen).IsLoopback(address);
        }

        return new WebConfiguration(address, IsOn(Dashboard), IsOn(Metrics), certificate, key);

        bool IsOn(string name) => !settings.TryGet(name, out object? value) || value is true;
    }

    /// <summary>What holds, as YAML.</summary>
    internal static string Describe(WebConfiguration web) => web.Listen is null
        ? Off
        : $"{{{Listen}: '{web.Listen}', {Dashboard}: {(web.Dashboard ? On : Off)}, {Metrics}: {(web.Metrics ? On : Off)}" +
            $"{(web.Certificate is null ? "" : $", {Certificate}: '{Escape(web.Certificate)}', {Key}: '{Escape(web.Key!)}'")}}}";

    private static string Escape(string text) => text.Replace("'", "''", StringComparison.Ordinal);

    private static object? Switch(ConfigurationValue value) => value.Choice((On, true), (Off, false));

    private static string? ParsePath(ConfigurationValue value) => value.Text(text => Path.IsPathFullyQualified(text) ? null : "a relative path");

    private static object? ParseAddress(ConfigurationValue value) => value.IsText(Off) ? Off : value.Address();
}
