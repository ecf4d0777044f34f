using System.Buffers.Binary;
using System.Runtime.InteropServices;
using CuFrames.Interop.Internal;

namespace CuFrames.Interop;

/// <summary>
/// Waits for many descriptors at once (<c>epoll(7)</c>), with a way to be woken by other threads. One thread waits;
/// any thread may add, modify, remove and wake.
/// </summary>
public sealed unsafe class EventLoop : IDisposable
{
    // What one call of Wait asks for at most; more is reported by the next call.
    private const int BatchSize = 64;

    // Not a number that callers use: tokens are indexes, ids or GCHandles.
    private const long WakeToken = long.MinValue;

    // struct epoll_event {u32 events; u64 data} is packed on x86-64 and nowhere else.
    private static readonly int EntrySize = LibC.IsArm64 ? 16 : 12;
    private static readonly int TokenOffset = EntrySize - sizeof(long);

    private readonly FileDescriptor _epoll;
    private readonly FileDescriptor _wake;

    /// <summary>Creates a loop without descriptors.</summary>
    /// <exception cref="LinuxException">No descriptor is left (EMFILE).</exception>
    public EventLoop()
    {
        _epoll = LibC.EpollCreate(LibC.EPOLL_CLOEXEC);
        if (_epoll.IsInvalid)
        {
            throw LinuxException.FromLastError("epoll_create1", "create an event loop");
        }

        _wake = LibC.EventFd(0, LibC.EFD_NONBLOCK | LibC.EFD_CLOEXEC);
        try
        {
            if (_wake.IsInvalid)
            {
                throw LinuxException.FromLastError("eventfd", "create an event loop");
            }

            Control(LibC.EPOLL_CTL_ADD, _wake, IoEvents.Readable, WakeToken);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>The loop's own descriptor: readable while <see cref="Wait"/> would report something. It belongs to the loop.</summary>
    public FileDescriptor Descriptor => _epoll;

    /// <summary>Begins to watch a descriptor.</summary>
    /// <param name="descriptor">The descriptor; it stays the caller's. Remove it before it is closed.</param>
    /// <param name="events">What to report. Errors and hang-up are reported anyway.</param>
    /// <param name="token">What <see cref="Wait"/> reports it by; any value but <see cref="nint.MinValue"/>.</param>
    /// <exception cref="LinuxException">EEXIST: it is watched already. EPERM: it is a file or directory.</exception>
    public void Add(FileDescriptor descriptor, IoEvents events, nint token)
    {
        ArgumentOutOfRangeException.ThrowIfEqual(token, nint.MinValue);
        Control(LibC.EPOLL_CTL_ADD, descriptor, events, token);
    }

    /// <summary>Begins to watch a socket.</summary>
    /// <param name="socket">The socket; it stays the caller's. Remove it before it is closed.</param>
    /// <param name="events">What to report. Errors and hang-up are reported anyway.</param>
    /// <param name="token">What <see cref="Wait"/> reports it by; any value but <see cref="nint.MinValue"/>.</param>
    /// <exception cref="LinuxException">EEXIST: it is watched already.</exception>
    public void Add(UnixSocket socket, IoEvents events, nint token)
    {
        ArgumentNullException.ThrowIfNull(socket);
        Add(socket.Descriptor, events, token);
    }

    /// <summary>Changes what is reported about a descriptor.</summary>
    /// <param name="descriptor">A descriptor that is watched.</param>
    /// <param name="events">What to report from now on.</param>
    /// <param name="token">What to report it by from now on.</param>
    /// <exception cref="LinuxException">ENOENT: it is not watched.</exception>
    public void Modify(FileDescriptor descriptor, IoEvents events, nint token)
    {
        ArgumentOutOfRangeException.ThrowIfEqual(token, nint.MinValue);
        Control(LibC.EPOLL_CTL_MOD, descriptor, events, token);
    }

    /// <summary>Ends the watch of a descriptor. An event that Wait has reported already stays reported.</summary>
    /// <param name="descriptor">A descriptor that is watched.</param>
    /// <exception cref="LinuxException">ENOENT: it is not watched.</exception>
    public void Remove(FileDescriptor descriptor) => Control(LibC.EPOLL_CTL_DEL, descriptor, IoEvents.None, 0);

    /// <summary>
    /// Waits until a descriptor is ready, somebody wakes the loop, or the time runs out. Allocates nothing.
    /// </summary>
    /// <param name="events">Where the ready ones go; at most 64 are reported by one call.</param>
    /// <param name="timeoutMilliseconds">Longest wait: 0 does not wait, -1 waits for ever.</param>
    /// <returns>How many are ready; 0 if the time ran out or the loop was woken.</returns>
    /// <exception cref="LinuxException">The kernel refused.</exception>
    public int Wait(Span<LoopEvent> events, int timeoutMilliseconds)
    {
        if (events.IsEmpty)
        {
            throw new ArgumentException("There is no room for an event.", nameof(events));
        }

        byte* entries = stackalloc byte[BatchSize * 16];
        Deadline deadline = Deadline.After(timeoutMilliseconds);
        int found;
        while ((found = LibC.EpollWait(
            _epoll, entries, Math.Min(events.Length, BatchSize), deadline.RemainingMilliseconds())) < 0)
        {
            if (Marshal.GetLastPInvokeError() != Errno.EINTR)
            {
                throw LinuxException.FromLastError("epoll_wait", "wait for events");
            }
        }

        int count = 0;
        for (int i = 0; i < found; i++)
        {
            byte* entry = entries + (i * EntrySize);
            long token = BinaryPrimitives.ReadInt64LittleEndian(new ReadOnlySpan<byte>(entry + TokenOffset, sizeof(long)));
            if (token == WakeToken)
            {
                // Reading sets the counter to 0: several wakes are one.
                ulong wakes;
                _ = LibC.Read(_wake, &wakes, sizeof(ulong));
                continue;
            }

            events[count++] = new LoopEvent((nint)token, *(IoEvents*)entry);
        }

        return count;
    }

    /// <summary>Makes the current or else the next <see cref="Wait"/> return. Any thread; never waits.</summary>
    /// <exception cref="ObjectDisposedException">The loop is gone.</exception>
    public void Wake()
    {
        // The only failure of an eventfd is a full counter, and then a wake is pending anyway.
        ulong one = 1;
        _ = LibC.Write(_wake, &one, sizeof(ulong));
    }

    /// <summary>Closes the loop. The descriptors that it watched stay open.</summary>
    public void Dispose()
    {
        _epoll.Dispose();
        _wake?.Dispose();
    }

    private void Control(int operation, FileDescriptor descriptor, IoEvents events, long token)
    {
        ArgumentNullException.ThrowIfNull(descriptor);
        byte* entry = stackalloc byte[16];
        *(IoEvents*)entry = events;
        BinaryPrimitives.WriteInt64LittleEndian(new Span<byte>(entry + TokenOffset, sizeof(long)), token);
        if (LibC.EpollControl(_epoll, operation, descriptor, entry) < 0)
        {
            throw LinuxException.FromLastError("epoll_ctl", $"watch descriptor {descriptor.Number} in an event loop");
        }
    }
}
