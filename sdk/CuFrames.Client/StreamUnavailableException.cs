using CuFrames.Protocol;

namespace CuFrames.Client;

/// <summary>A stream cannot be published or read: nobody publishes it, somebody else does, or the publisher refused.</summary>
public sealed class StreamUnavailableException : CuFramesException
{
    /// <summary>Makes an error.</summary>
    /// <param name="code">Why.</param>
    /// <param name="message">What was tried, what was found, what to do.</param>
    /// <param name="innerException">What caused it.</param>
    public StreamUnavailableException(ErrorCode code, string message, Exception? innerException = null)
        : base(code, message, innerException)
    {
    }
}
