using CuFrames.Protocol;

namespace CuFrames.Client;

/// <summary>How a stream is read.</summary>
public sealed record SubscriberOptions
{
    /// <summary>Directory of the sockets; null: <see cref="StreamDirectory.RuntimeDirectory"/>.</summary>
    public string? Directory { get; init; }

    /// <summary>Which frames a take gives.</summary>
    public Delivery Delivery { get; init; } = Delivery.Newest;

    /// <summary>How many frames are to be held at once, 1 to 64. The publisher may grant fewer.</summary>
    public int Leases { get; init; } = 2;

    /// <summary>Whether to connect again, in the call that waits for a frame, when the publisher is gone or has evicted this subscriber.</summary>
    public bool Reconnect { get; init; } = true;

    /// <summary>Whether a stream that nobody publishes yet is waited for, instead of being an error.</summary>
    public bool WaitForStream { get; init; }

    /// <summary>Program name that the publisher is told; null: the name of this process.</summary>
    public string? Program { get; init; }

    /// <summary>Is told what happens to the connection, on the thread that waits for frames, inside that call.</summary>
    public Action<SubscriberEvent>? OnEvent { get; init; }
}
