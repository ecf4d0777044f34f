namespace CuFrames.Protocol;

/// <summary>Base of every error that CuFrames reports: a stable code for programs, a sentence for people.</summary>
/// <remarks>The text says what was tried, what was found and what to do. It never holds a secret.</remarks>
public class CuFramesException : Exception
{
    /// <summary>Makes an error.</summary>
    /// <param name="code">The code, the same in all languages (docs/protocol.md 12).</param>
    /// <param name="message">What was tried, what was found, what to do.</param>
    /// <param name="innerException">What caused it.</param>
    public CuFramesException(ErrorCode code, string message, Exception? innerException = null)
        : base(message, innerException) => Code = code;

    /// <summary>The stable code.</summary>
    public ErrorCode Code { get; }
}
