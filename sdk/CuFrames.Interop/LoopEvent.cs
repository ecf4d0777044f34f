namespace CuFrames.Interop;

/// <summary>One descriptor of an <see cref="EventLoop"/> that became ready.</summary>
public readonly struct LoopEvent
{
    internal LoopEvent(nint token, IoEvents events)
    {
        Token = token;
        Events = events;
    }

    /// <summary>The token that the descriptor was added with.</summary>
    public nint Token { get; }

    /// <summary>What it is ready for.</summary>
    public IoEvents Events { get; }
}
