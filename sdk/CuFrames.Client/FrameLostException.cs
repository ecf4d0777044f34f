using CuFrames.Protocol;

namespace CuFrames.Client;

/// <summary>A frame was released, or its lease was taken away: what was read of it is not to be trusted.</summary>
public sealed class FrameLostException : CuFramesException
{
    /// <summary>Makes an error with <see cref="ErrorCode.FrameLost"/>.</summary>
    /// <param name="message">What happened to the frame.</param>
    public FrameLostException(string message)
        : base(ErrorCode.FrameLost, message)
    {
    }
}
