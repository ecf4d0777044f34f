using CuFrames.Control;
using CuFrames.Control.V1;

namespace CuFrames.Benchmarks.Operate;

/// <summary>Watches all events of a daemon, as an operator's window does, and sees that none is lost.</summary>
internal sealed class EventWatch : IDisposable
{
    private readonly ControlClient _client;
    private readonly CancellationTokenSource _end = new();
    private readonly Task _task;
    private ulong _missed;

    /// <param name="socket">The daemon's control socket.</param>
    public EventWatch(string socket)
    {
        _client = new ControlClient(socket);
        _task = Task.Run(WatchAsync);
    }

    /// <exception cref="InvalidOperationException">The daemon had to drop events, or the watch broke off.</exception>
    public void ThrowIfLost()
    {
        if (Interlocked.Read(ref _missed) is > 0 and var missed)
        {
            throw new InvalidOperationException($"{missed} events were lost.");
        }

        if (_task.IsFaulted)
        {
            throw new InvalidOperationException("The watch of events broke off.", _task.Exception);
        }
    }

    public void Dispose()
    {
        _end.Cancel();
        ((IAsyncResult)_task).AsyncWaitHandle.WaitOne();
        _client.Dispose();
        _end.Dispose();
    }

    private async Task WatchAsync()
    {
        try
        {
            await foreach (Event happening in _client.WatchEventsAsync(cancellation: _end.Token).ConfigureAwait(false))
            {
                Interlocked.Add(ref _missed, happening.Missed);
            }
        }
        catch (RpcException) when (_end.IsCancellationRequested)
        {
            // As meant: the watch was ended.
        }
    }
}
