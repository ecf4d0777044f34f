using System.Globalization;
using System.Net;
using CuFrames.Interop;

namespace CuFrames.Daemon.Internal.Access;

/// <summary>The keys that the section <c>control</c> may have.</summary>
internal static class ControlKey
{
    internal const string Tcp = "tcp";
    internal const string Certificate = "certificate";
    internal const string Key = "key";

    /// <summary>Value of what is not wanted.</summary>
    internal const string Off = "off";

    /// <summary>All keys, in the order in which they are shown.</summary>
    internal static IReadOnlyList<ConfigurationKey> All { get; } =
    [
        new(Tcp, Off, "off, or an address with a port, such as 192.0.2.7:8477 or [::]:8477", ParseAddress),
        new(Certificate, "-", "the path of a PEM file with the certificate and those that signed it", value => value.Text()),
        new(Key, "-", "the path of a PEM file with the certificate's key, which nobody else may read", value => value.Text()),
    ];

    /// <summary>Reads the section; what is wrong is reported.</summary>
    /// <param name="section">The section.</param>
    /// <param name="folder">Where relative paths begin.</param>
    /// <param name="own">This daemon.</param>
    internal static ControlConfiguration Read(ConfigurationValue section, string folder, PeerCredentials own)
    {
        ConfigurationSettings settings = ConfigurationSettings.Read(section, All);
        IPEndPoint? tcp = settings.TryGet(Tcp, out object? address) ? address as IPEndPoint : null;
        bool hasCertificate = settings.TryGet(Certificate, out string? file), hasKey = settings.TryGet(Key, out string? keyFile);
        if (settings.IsBad(Tcp) || settings.IsBad(Certificate) || settings.IsBad(Key))
        {
            return ControlConfiguration.Default;
        }

        if (hasCertificate != hasKey || (tcp is not null && !hasCertificate))
        {
            string name = hasCertificate ? Certificate : hasKey ? Key : Tcp;
            settings.PlaceOf(name).Report(
                $"'{(hasCertificate ? Key : Certificate)}' is not named", "tcp together with certificate and key: tokens do not travel in the clear");
            return ControlConfiguration.Default;
        }

        if (!hasCertificate)
        {
            return ControlConfiguration.Default;
        }

        // A certificate that is named is read, also while tcp is off: a fault shows now and not when it is needed.
        TlsCertificate? certificate = TlsCertificate.Load(Path.Combine(folder, file!), Path.Combine(folder, keyFile!), own, out bool isKey, out string problem);
        if (certificate is null)
        {
            ConfigurationValue place = settings.PlaceOf(isKey ? Key : Certificate);
            place.Report(problem, place.Accepted);
        }

        return tcp is null ? ControlConfiguration.Default : new ControlConfiguration(tcp, certificate);
    }

    /// <summary>What holds, as YAML.</summary>
    internal static string Describe(ControlConfiguration control) => control is { Tcp: { } tcp, Certificate: { } certificate }
        ? string.Create(CultureInfo.InvariantCulture, $"{{{Tcp}: '{tcp}', {Certificate}: {DaemonConfiguration.Quote(certificate.File)}, {Key}: {DaemonConfiguration.Quote(certificate.KeyFile)}}}")
        : $"{{{Tcp}: {Off}}}";

    private static object? ParseAddress(ConfigurationValue value) => value.IsText(Off) ? Off : value.Address();
}
