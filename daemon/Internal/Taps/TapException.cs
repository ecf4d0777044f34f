namespace CuFrames.Daemon.Internal.Taps;

/// <summary>A client cannot be served, or not any longer.</summary>
/// <param name="status">Status of HTTP, where nothing was sent yet.</param>
/// <param name="message">Why, for people.</param>
internal sealed class TapException(int status, string message) : Exception(message)
{
    /// <summary>The request is good, and the stream cannot give this kind.</summary>
    internal const int Conflict = 409;

    /// <summary>Not now.</summary>
    internal const int Unavailable = 503;

    /// <summary>Status of HTTP.</summary>
    internal int Status { get; } = status;
}
