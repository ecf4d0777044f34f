using CuFrames.Interop;

namespace CuFrames.Client.Internal;

/// <summary>The descriptor of a subscriber that is read by an event loop: readable when its connection's socket is, or when a timer has expired. The socket
/// changes with each connection, the descriptor does not. Used by the taking thread.</summary>
internal sealed class PollSignal : IDisposable
{
    // Nobody asks the loop which of the two it was.
    private const nint Token = 1;

    private readonly EventLoop _events;
    private readonly TimerDescriptor _timer;
    private FileDescriptor? _watched;
    private bool _isTimerSet;

    private PollSignal()
    {
        _events = new EventLoop();
        try
        {
            _timer = new TimerDescriptor();
        }
        catch
        {
            _events.Dispose();
            throw;
        }
    }

    /// <summary>For those who wait.</summary>
    public FileDescriptor Descriptor => _events.Descriptor;

    /// <param name="socket">Socket of the connection that there is; null: none.</param>
    /// <returns>A descriptor that is readable, so that its first user looks for what has come before.</returns>
    /// <exception cref="LinuxException">No descriptor is left.</exception>
    public static PollSignal Open(UnixSocket? socket)
    {
        PollSignal signal = new();
        try
        {
            signal._events.Add(signal._timer.Descriptor, IoEvents.Readable, Token);
            if (socket is not null)
            {
                signal.Watch(socket);
            }

            signal._timer.Set(1);
            signal._isTimerSet = true;
            return signal;
        }
        catch
        {
            signal.Dispose();
            throw;
        }
    }

    /// <summary>Makes the descriptor readable whenever the socket is: while something can be received, or the publisher is gone.</summary>
    public void Watch(UnixSocket socket)
    {
        _events.Add(socket, IoEvents.Readable | IoEvents.PeerClosed, Token);
        _watched = socket.Descriptor;
    }

    /// <summary>Ends <see cref="Watch"/>, before the socket is closed.</summary>
    public void Unwatch()
    {
        if (_watched is not null)
        {
            _events.Remove(_watched);
            _watched = null;
        }
    }

    /// <summary>Makes the descriptor readable after so many milliseconds.</summary>
    public void SetTimer(int milliseconds)
    {
        _timer.Set(milliseconds * 1_000_000L);
        _isTimerSet = true;
    }

    /// <summary>Leaves the descriptor to the socket. A system call only if the timer was set.</summary>
    public void StopTimer()
    {
        if (_isTimerSet)
        {
            _timer.Stop();
            _isTimerSet = false;
        }
    }

    public void Dispose()
    {
        _timer.Dispose();
        _events.Dispose();
    }
}
