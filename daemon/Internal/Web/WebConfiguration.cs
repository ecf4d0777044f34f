using System.Net;

namespace CuFrames.Daemon.Internal.Web;

/// <summary>The key <c>web</c> of the configuration. Immutable; equal by value.</summary>
/// <param name="Listen">Address that the daemon's web server listens at; null: there is none.</param>
/// <param name="Dashboard">Whether it serves the dashboard.</param>
/// <param name="Metrics">Whether it serves metrics.</param>
/// <param name="Certificate">Path of a PEM file with the certificate and those that signed it; null: no TLS.</param>
/// <param name="Key">Path of a PEM file with the certificate's key; null: no TLS.</param>
internal sealed record WebConfiguration(IPEndPoint? Listen, bool Dashboard, bool Metrics, string? Certificate, string? Key)
{
    /// <summary>What holds where the key is missing.</summary>
    internal static WebConfiguration Default { get; } = new(new IPEndPoint(IPAddress.Loopback, 8476), true, true, null, null);

    /// <summary>No web server.</summary>
    internal static WebConfiguration Off { get; } = Default with { Listen = null };

    /// <summary>Where people find it; null: nowhere.</summary>
    internal string? Url => Listen is null ? null : $"http{(Certificate is null ? "" : "s")}://{Listen}/";
}
