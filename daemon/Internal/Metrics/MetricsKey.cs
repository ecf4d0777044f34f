namespace CuFrames.Daemon.Internal.Metrics;

/// <summary>The keys that the section <c>metrics</c> may have.</summary>
internal static class MetricsKey
{
    /// <summary>Value of what is not wanted.</summary>
    internal const string Off = "off";

    internal const string Otlp = "otlp";

    /// <summary>Where a collector takes metrics, below the address that people name (OpenTelemetry Protocol Specification, OTLP/HTTP Request).</summary>
    private const string MetricsPath = "/v1/metrics";

    /// <summary>All keys, in the order in which they are shown.</summary>
    internal static IReadOnlyList<ConfigurationKey> All { get; } =
    [
        new(Otlp, Off, "off, or the address of a collector, such as http://127.0.0.1:4318", ParseAddress),
    ];

    /// <summary>Reads the section; what is wrong is reported.</summary>
    internal static MetricsConfiguration Read(ConfigurationValue section)
    {
        ConfigurationSettings settings = ConfigurationSettings.Read(section, All);
        return new MetricsConfiguration(settings.TryGet(Otlp, out object? address) ? address as Uri : null);
    }

    /// <summary>What holds, as YAML.</summary>
    internal static string Describe(MetricsConfiguration metrics) => $"{{{Otlp}: {(metrics.Otlp is null ? Off : $"'{metrics.Otlp.AbsoluteUri.Replace("'", "%27", StringComparison.Ordinal)}'")}}}";

    private static object? ParseAddress(ConfigurationValue value)
    {
        // What is said of a bad value must not show a password in it.
        value = value with { IsSecret = true };
        if (value.IsText(Off))
        {
            return Off;
        }

        if (value.Text() is not { } text)
        {
            return null;
        }

        bool isAddress = Uri.TryCreate(text, UriKind.Absolute, out Uri? address) && address.Scheme is "http" or "https" && address.Query.Length == 0 && address.Fragment.Length == 0;
        if (!isAddress || address!.UserInfo.Length > 0)
        {
            value.Report(isAddress ? "found an address with a user name, which would be sent in plain text and shown" : "found something else", value.Accepted);
            return null;
        }

        return address.AbsolutePath == "/" ? new Uri(address, MetricsPath) : address;
    }
}
