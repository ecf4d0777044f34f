namespace CuFrames.Daemon.Internal.Access;

/// <summary>A caller is not let in. The text names the rule and how to change it, and never a token.</summary>
/// <param name="status">The status of HTTP.</param>
/// <param name="message">Why, as sentences.</param>
internal sealed class AccessException(int status, string message) : Exception(message)
{
    /// <summary>Nobody known: no token, or a wrong one.</summary>
    internal const int Unauthenticated = 401;

    /// <summary>Known, and may not.</summary>
    internal const int Forbidden = 403;

    /// <summary>Too many wrong tokens came from there.</summary>
    internal const int TooManyAttempts = 429;

    /// <summary>The status of HTTP.</summary>
    internal int Status { get; } = status;
}
