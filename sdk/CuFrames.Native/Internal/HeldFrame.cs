using CuFrames.Client;
using CuFrames.Interop;

namespace CuFrames.Native.Internal;

/// <summary>
/// One place for a frame that is held, with its owners. Used again and again: taking and releasing a frame allocates nothing.
/// </summary>
/// <remarks>
/// <para><c>_state</c> says all: the generation (bits 24 to 63) of the frame that is or was here, a lock (bit 16), and how many owners the frame has
/// (bits 0 to 15). The taking thread fills the place while there are no owners and no lock, then writes generation and one owner with release.
/// From there on any thread changes it by compare-and-exchange.</para>
/// <para>Whoever lets go as the last one writes no owners and the lock: from then on everybody else finds a frame that was released, and
/// the place is free only when the lock is gone. The other fields are touched by who has the lock, or by an owner, who cannot lose the frame.</para>
/// </remarks>
internal sealed class HeldFrame : IDisposable
{
    private const int GenerationShift = 24;
    private const ulong Locked = 1UL << 16;
    private const ulong OwnerMask = Locked - 1;

    private readonly FrameStreams _streams;
    private ulong _state;
    private Frame _frame;

    // The streams that owners before the last one named; an event stands behind the work of each. Under the lock.
    private StreamMark?[] _marks = [];
    private int _markCount;

    public HeldFrame(FrameStreams streams) => _streams = streams;

    /// <summary>Whether a frame can be put here. Taking thread.</summary>
    public bool IsFree => (Volatile.Read(ref _state) & (Locked | OwnerMask)) == 0;

    /// <summary>The context that the frame lies in; null in main memory. Of the current frame's owners only.</summary>
    public CudaContext? Context { get; private set; }

    /// <summary>The frame. Of its owners only.</summary>
    public Frame Frame => _frame;

    /// <summary>Puts a frame here, with one owner. Taking thread, when <see cref="IsFree"/>.</summary>
    /// <returns>The generation by which owners name it; never 0.</returns>
    public ulong Put(Frame frame, CudaContext? context)
    {
        ulong generation = (_state >> GenerationShift) + 1;
        _frame = frame;
        Context = context;
        Volatile.Write(ref _state, (generation << GenerationShift) | 1);
        return generation;
    }

    /// <summary>One more owner. Any thread.</summary>
    /// <returns>False when this frame is not held.</returns>
    /// <exception cref="LibraryException">WRONG_STATE: there are 65,535 owners.</exception>
    public bool TryRetain(ulong generation)
    {
        while (TryRead(generation, out ulong state))
        {
            if ((state & OwnerMask) == OwnerMask)
            {
                throw new LibraryException(LibraryError.WrongState, "The frame has 65,535 owners, and more are not counted.");
            }

            if (Interlocked.CompareExchange(ref _state, state + 1, state) == state)
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>Whether this frame is held. Any thread.</summary>
    public bool Holds(ulong generation)
    {
        ulong state = Volatile.Read(ref _state);
        return state >> GenerationShift == generation && (state & OwnerMask) != 0;
    }

    /// <summary>One owner less. Any thread.</summary>
    /// <param name="generation">Which frame.</param>
    /// <param name="wasLast">Whether the lease has ended.</param>
    /// <returns>False when this frame is not held.</returns>
    /// <exception cref="CudaException">The driver refused; the owner still owns the frame.</exception>
    public bool TryRelease(ulong generation, out bool wasLast)
    {
        while (TryRead(generation, out ulong state))
        {
            wasLast = (state & OwnerMask) == 1;
            ulong next = wasLast ? (state & ~OwnerMask) | Locked : state - 1;
            if (Interlocked.CompareExchange(ref _state, next, state) != state)
            {
                continue;
            }

            if (wasLast)
            {
                End(generation);
            }

            return true;
        }

        wasLast = false;
        return false;
    }

    /// <summary>One owner less, whose work in a stream still reads the frame. Any thread.</summary>
    /// <param name="generation">Which frame.</param>
    /// <param name="stream">The stream; of a frame in main memory it is not looked at.</param>
    /// <param name="wasLast">Whether the lease has ended, or will when the streams have come to it.</param>
    /// <returns>False when this frame is not held.</returns>
    /// <exception cref="CudaException">The driver refused; the owner still owns the frame.</exception>
    public bool TryRelease(ulong generation, nint stream, out bool wasLast)
    {
        if (Context is not { } context)
        {
            return TryRelease(generation, out wasLast);
        }

        while (TryRead(generation, out ulong state))
        {
            ulong owners = state & OwnerMask;
            wasLast = owners == 1;
            if (Interlocked.CompareExchange(ref _state, (wasLast ? state & ~OwnerMask : state) | Locked, state) != state)
            {
                continue;
            }

            try
            {
                CudaStream named = _streams.Find(context, stream);
                if (wasLast && IsOnlyMark(stream))
                {
                    _frame.Release(named);
                }
                else
                {
                    Mark(stream, named);
                    if (wasLast)
                    {
                        ReleaseBehindMarks(context);
                    }
                }
            }
            catch
            {
                Unlock(generation, owners);
                throw;
            }

            if (wasLast)
            {
                Free(generation);
            }
            else
            {
                Unlock(generation, owners - 1);
            }

            return true;
        }

        wasLast = false;
        return false;
    }

    /// <summary>Gives the events back. When nobody uses the subscriber any more.</summary>
    public void Dispose()
    {
        foreach (StreamMark? mark in _marks)
        {
            mark?.Event.Dispose();
        }
    }

    /// <summary>The state, with this generation, at least one owner and no lock.</summary>
    private bool TryRead(ulong generation, out ulong state)
    {
        SpinWait spin = default;
        while (true)
        {
            state = Volatile.Read(ref _state);
            if (state >> GenerationShift != generation || (state & OwnerMask) == 0)
            {
                return false;
            }

            if ((state & Locked) == 0)
            {
                return true;
            }

            // Another owner queues an event, which takes microseconds.
            spin.SpinOnce();
        }
    }

    private void End(ulong generation)
    {
        if (_markCount == 0)
        {
            _frame.Dispose();
        }
        else
        {
            try
            {
                ReleaseBehindMarks(Context!);
            }
            catch
            {
                Unlock(generation, owners: 1);
                throw;
            }
        }

        Free(generation);
    }

    /// <summary>Whether no owner has named another stream.</summary>
    private bool IsOnlyMark(nint stream)
    {
        for (int index = 0; index < _markCount; index++)
        {
            if (_marks[index]!.Stream != stream)
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>Puts an event behind what is in a stream now. The stream may be destroyed afterwards, the event stands.</summary>
    private void Mark(nint stream, CudaStream named)
    {
        int index = 0;
        while (index < _markCount && _marks[index]!.Stream != stream)
        {
            index++;
        }

        if (index == _marks.Length)
        {
            Array.Resize(ref _marks, Math.Max(2, index * 2));
        }

        if (_marks[index] is not { } mark || !ReferenceEquals(mark.Event.Context, named.Context))
        {
            _marks[index]?.Event.Dispose();
            _marks[index] = mark = new StreamMark(CudaEvent.Create(named.Context));
        }

        named.Record(mark.Event);
        mark.Stream = stream;
        _markCount = Math.Max(_markCount, index + 1);
    }

    /// <summary>Ends the lease behind all streams that were named, in a stream of our own: no consumer waits for another one's work.</summary>
    private void ReleaseBehindMarks(CudaContext context)
    {
        CudaStream own = _streams.Own(context);
        for (int index = 0; index < _markCount; index++)
        {
            own.WaitFor(_marks[index]!.Event);
        }

        _frame.Release(own);
    }

    private void Unlock(ulong generation, ulong owners) => Volatile.Write(ref _state, (generation << GenerationShift) | owners);

    private void Free(ulong generation)
    {
        _frame = default;
        Context = null;
        _markCount = 0;
        Unlock(generation, owners: 0);
    }
}
