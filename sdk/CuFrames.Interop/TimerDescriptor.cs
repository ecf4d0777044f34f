using CuFrames.Interop.Internal;

namespace CuFrames.Interop;

/// <summary>
/// A timer that is a descriptor (<c>timerfd_create(2)</c>, CLOCK_MONOTONIC): readable once its time has come, until it is set anew or stopped.
/// Nobody reads it. Any thread; never waits.
/// </summary>
public sealed unsafe class TimerDescriptor : IDisposable
{
    /// <summary>Creates a timer that is stopped.</summary>
    /// <exception cref="LinuxException">No descriptor is left (EMFILE).</exception>
    public TimerDescriptor()
    {
        Descriptor = LibC.TimerCreate(LibC.CLOCK_MONOTONIC, LibC.TFD_NONBLOCK | LibC.TFD_CLOEXEC);
        if (Descriptor.IsInvalid)
        {
            throw LinuxException.FromLastError("timerfd_create", "create a timer");
        }
    }

    /// <summary>For poll(2) and <see cref="EventLoop"/>. It belongs to the timer.</summary>
    public FileDescriptor Descriptor { get; }

    /// <summary>Lets the timer expire once, so long from now. Forgets what was set before.</summary>
    /// <param name="nanoseconds">Greater than zero.</param>
    /// <exception cref="LinuxException">The kernel refused.</exception>
    public void Set(long nanoseconds)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(nanoseconds);
        Write(nanoseconds);
    }

    /// <summary>Stops the timer; it is not readable any more.</summary>
    /// <exception cref="LinuxException">The kernel refused.</exception>
    public void Stop() => Write(0);

    /// <summary>Closes the timer.</summary>
    public void Dispose() => Descriptor.Dispose();

    private void Write(long nanoseconds)
    {
        LibC.TimerSpecification value = default;
        value.Value.Seconds = nanoseconds / 1_000_000_000;
        value.Value.Nanoseconds = nanoseconds % 1_000_000_000;
        if (LibC.TimerSet(Descriptor, 0, &value, null) < 0)
        {
            throw LinuxException.FromLastError("timerfd_settime", "set a timer");
        }
    }
}
