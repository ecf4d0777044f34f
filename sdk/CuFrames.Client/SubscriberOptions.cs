using CuFrames.Interop;
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

    /// <summary>Release fences that may be used for frames in device memory (docs/protocol.md 7); CPU always may. Of those that both sides can do
    /// the first of STREAM, EVENT, CPU is taken: <see cref="FrameSubscriber.ReleaseFence"/>.</summary>
    public Fence Fences { get; init; } = Fence.Cpu | Fence.Stream | Fence.Event;

    /// <summary>Context in which frames in device memory are mapped; it stays the caller's. Null: the primary context of the device that the
    /// stream lies on, which is the one that CUDA's runtime and the frameworks use.</summary>
    public CudaContext? Cuda { get; init; }

    /// <summary>Whether to connect again, in the call that waits for a frame, when the publisher is gone or has evicted this subscriber.</summary>
    public bool Reconnect { get; init; } = true;

    /// <summary>Whether a stream that nobody publishes yet is waited for, instead of being an error.</summary>
    public bool WaitForStream { get; init; }

    /// <summary>Program name that the publisher is told; null: the name of this process.</summary>
    public string? Program { get; init; }

    /// <summary>Is told what happens to the connection, on the thread that waits for frames, inside that call.</summary>
    public Action<SubscriberEvent>? OnEvent { get; init; }

    /// <summary>Whether a call that waits for a publisher's answer is to end with <see cref="OperationCanceledException"/>. For libcuframes, whose
    /// waits another thread can end.</summary>
    internal Func<bool>? IsInterrupted { get; init; }
}
