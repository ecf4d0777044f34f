using System.Net;

namespace CuFrames.Daemon.Internal.Access;

/// <summary>The section <c>control</c> of the configuration: the control API by TCP. Immutable.</summary>
/// <param name="Tcp">Where it is served by TCP, with TLS; null: nowhere.</param>
/// <param name="Certificate">What it is served with; null if it is not.</param>
internal sealed record ControlConfiguration(IPEndPoint? Tcp, TlsCertificate? Certificate)
{
    /// <summary>Only on the Unix socket.</summary>
    internal static ControlConfiguration Default { get; } = new(null, null);
}
