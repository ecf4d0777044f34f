namespace CuFrames.Interop;

/// <summary>
/// What a descriptor is ready for: the bits of <c>poll(2)</c> and <c>epoll(7)</c>, which have the same values.
/// </summary>
[Flags]
public enum IoEvents : uint
{
    /// <summary>Nothing; from a wait: the time ran out.</summary>
    None = 0,

    /// <summary>Something can be received or accepted, or the peer is gone.</summary>
    Readable = 0x1,

    /// <summary>Something can be sent.</summary>
    Writable = 0x4,

    /// <summary>An error is pending. Always reported, need not be asked for.</summary>
    Error = 0x8,

    /// <summary>The peer is gone. Always reported, need not be asked for.</summary>
    HangUp = 0x10,

    /// <summary>The peer has closed, or shut down its sending side (<c>POLLRDHUP</c>).</summary>
    PeerClosed = 0x2000,

    /// <summary>For <see cref="EventLoop"/> only: report changes, not states (<c>EPOLLET</c>).</summary>
    EdgeTriggered = 0x8000_0000,
}
