using CuFrames.Protocol;

namespace CuFrames.Client;

/// <summary>A packet was overwritten, or its connection has ended: what was read of it is not to be trusted.</summary>
public sealed class PacketLostException : CuFramesException
{
    /// <summary>Makes an error with <see cref="ErrorCode.PacketLost"/>.</summary>
    /// <param name="message">What happened to the packet.</param>
    public PacketLostException(string message)
        : base(ErrorCode.PacketLost, message)
    {
    }
}
