namespace CuFrames.Client;

/// <summary>How a stream's packets are read.</summary>
public sealed record PacketSubscriberOptions
{
    /// <summary>Directory of the sockets; null: <see cref="StreamDirectory.RuntimeDirectory"/>.</summary>
    public string? Directory { get; init; }

    /// <summary>Where to start, also when the publisher was started anew.</summary>
    public PacketStart Start { get; init; }

    /// <summary>The last packet that was taken in an earlier connection: if the publisher's run is still the same, reading goes on behind it.
    /// Null: <see cref="Start"/> says where. A reconnection of the same subscriber goes on by itself.</summary>
    public PacketPosition? StartAfter { get; init; }

    /// <summary>Whether to connect again, in the call that waits for a packet, when the publisher is gone or has evicted this subscriber.</summary>
    public bool Reconnect { get; init; } = true;

    /// <summary>Whether a stream that nobody publishes yet is waited for, instead of being an error.</summary>
    public bool WaitForStream { get; init; }

    /// <summary>Program name that the publisher is told; null: the name of this process.</summary>
    public string? Program { get; init; }

    /// <summary>Is told what happens to the connection, on the thread that waits for packets, inside that call.</summary>
    public Action<SubscriberEvent>? OnEvent { get; init; }

    /// <summary>Whether a call that waits for a publisher's answer is to end with <see cref="OperationCanceledException"/>. For libcuframes, whose
    /// waits another thread can end.</summary>
    internal Func<bool>? IsInterrupted { get; init; }
}
