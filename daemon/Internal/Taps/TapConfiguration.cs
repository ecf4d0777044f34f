using System.Net;

namespace CuFrames.Daemon.Internal.Taps;

/// <summary>The section <c>taps</c> of the configuration. Immutable.</summary>
/// <param name="IsEnabled">Whether there are any taps.</param>
/// <param name="Http">Loopback address that HTTP is served at; null: nowhere.</param>
/// <param name="Clients">Most clients at once, of sockets and HTTP together.</param>
/// <param name="StreamClients">Most clients of one stream at once.</param>
internal sealed record TapConfiguration(bool IsEnabled, IPEndPoint? Http, int Clients, int StreamClients)
{
    /// <summary>What holds where the section is missing.</summary>
    internal static TapConfiguration Default { get; } = new(true, null, 64, 16);

    /// <summary>No taps at all.</summary>
    internal static TapConfiguration Off { get; } = Default with { IsEnabled = false };
}
