using System.Security.Cryptography.X509Certificates;

namespace CuFrames.Control;

/// <summary>A cuframesd that serves its control API by TCP: with TLS, and to those who send a token.</summary>
/// <param name="Host">Name or address. The daemon's certificate must be for it.</param>
/// <param name="Port">TCP port.</param>
/// <param name="Token">The token, 32 characters or more. Whoever knows it may do what it may do: keep it in a file that nobody else may read.</param>
public sealed record ControlServer(string Host, int Port, string Token)
{
    /// <summary>Certificates that may sign the daemon's, or that one itself; null: those that the system trusts.</summary>
    public X509Certificate2Collection? Authorities { get; init; }

    /// <summary>The server without its token.</summary>
    public override string ToString() => Host.Contains(':', StringComparison.Ordinal) ? $"[{Host}]:{Port}" : $"{Host}:{Port}";
}
