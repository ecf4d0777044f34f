using System.Threading.Tasks.Sources;
using CuFrames.Interop;

namespace CuFrames.Client.Internal;

/// <summary>Lets an asynchronous reader wait for its socket, without an allocation for each wait.</summary>
/// <remarks>One waiter at a time. The loop's thread or a cancellation completes the wait; the exchange of <c>_isWaiting</c> decides which.</remarks>
internal sealed class ReadySignal : LoopSource, IValueTaskSource, IThreadPoolWorkItem
{
    private readonly UnixSocket _socket;
    private readonly nint _token;
    private ManualResetValueTaskSourceCore<bool> _core;

    // 1 while somebody waits. Set by the waiter; taken by whoever completes the wait.
    private int _isWaiting;

    public ReadySignal(UnixSocket socket)
    {
        _socket = socket;
        _token = ControlLoop.Shared.Add(socket.Descriptor, IoEvents.Readable | IoEvents.PeerClosed | IoEvents.EdgeTriggered, this);
    }

    public override void OnReady(IoEvents events) => Complete();

    public override void OnError(Exception error) => Complete();

    /// <summary>Begins a wait. What arrives from now on completes it.</summary>
    public ValueTask Arm()
    {
        _core.Reset();
        Interlocked.Exchange(ref _isWaiting, 1);
        return new ValueTask(this, _core.Version);
    }

    /// <summary>Ends the wait, if it has not ended. Any thread.</summary>
    public void Complete()
    {
        if (Interlocked.Exchange(ref _isWaiting, 0) == 1)
        {
            // The waiter goes on in the pool, never on the loop's thread. This object is the work item: the core's own way of doing the
            // same allocates one each time.
            ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
        }
    }

    /// <summary>Ends the wait on the waiter's own thread, if it has not ended.</summary>
    public void Cancel()
    {
        if (Interlocked.Exchange(ref _isWaiting, 0) == 1)
        {
            _core.SetResult(true);
        }
    }

    void IThreadPoolWorkItem.Execute() => _core.SetResult(true);

    public void Close() => ControlLoop.Shared.Remove(_socket.Descriptor, _token);

    void IValueTaskSource.GetResult(short token) => _core.GetResult(token);

    ValueTaskSourceStatus IValueTaskSource.GetStatus(short token) => _core.GetStatus(token);

    void IValueTaskSource.OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _core.OnCompleted(continuation, state, token, flags);
}
