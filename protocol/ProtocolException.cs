namespace CuFrames.Protocol;

/// <summary>A peer's bytes break docs/protocol.md.</summary>
public sealed class ProtocolException : CuFramesException
{
    /// <summary>Makes an error.</summary>
    /// <param name="code">The code that the peer is told.</param>
    /// <param name="message">Which rule is broken and what was found.</param>
    public ProtocolException(ErrorCode code, string message)
        : base(code, message)
    {
    }
}
