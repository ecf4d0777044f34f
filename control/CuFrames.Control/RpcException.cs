namespace CuFrames.Control;

/// <summary>A call ended with another status than <see cref="RpcStatus.Ok"/>.</summary>
/// <param name="status">How it ended.</param>
/// <param name="text">What was tried, what was found, what to do.</param>
/// <param name="inner">The cause, if it lies on this side.</param>
public sealed class RpcException(RpcStatus status, string text, Exception? inner = null) : Exception(text, inner)
{
    /// <summary>How the call ended.</summary>
    public RpcStatus Status { get; } = status;
}
