namespace CuFrames.Daemon.Internal.Web;

/// <summary>A request that is answered with an error.</summary>
/// <param name="status">Status of HTTP.</param>
/// <param name="message">What was tried, what was found, what to do. The caller is told.</param>
internal sealed class WebException(int status, string message) : Exception(message)
{
    /// <summary>Status of HTTP.</summary>
    internal int Status { get; } = status;
}
