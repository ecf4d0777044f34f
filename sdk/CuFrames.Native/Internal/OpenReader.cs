using CuFrames.Interop;
using CuFrames.Protocol;

namespace CuFrames.Native.Internal;

/// <summary>What the handles of subscribers have in common, be it frames or packets that they take: who may be inside, how a call waits, how it ends early.</summary>
/// <remarks>
/// One thread at a time is in a call that takes or reads figures: <c>_isTaken</c> sees to it, and a second one is told BUSY. Any thread may interrupt and
/// close.
/// </remarks>
/// <typeparam name="TItem">What is taken.</typeparam>
internal abstract unsafe class OpenReader<TItem>
    where TItem : struct
{
    // A wait is cut so that an interruption and a close are seen in time: 50 ms is what cuframes.h says.
    private const long SliceNanoseconds = 40_000_000;

    // 1 while a thread is in a call that takes; every change is an exchange. Whoever closes keeps it.
    private int _isTaken;

    // The thread that is in such a call. Written by itself, read by a close inside its callback.
    private int _takingThread;

    // 1 from the first close on. Exchanged by closers, read by the taking thread.
    private int _isClosed;

    // 1 when the close was called by the callback of a call that takes: that call carries it out. Taking thread.
    private bool _closesOnLeave;

    // 1 from an interruption until the wait that it ends. Any thread sets, the taking thread takes it back.
    private int _isInterrupted;

    /// <summary>Whether the handle was closed. Any thread.</summary>
    public bool IsClosed => Volatile.Read(ref _isClosed) != 0;

    /// <summary>Whether a wait is to end before its time. Any thread.</summary>
    protected bool IsWaitOver => IsClosed || Volatile.Read(ref _isInterrupted) != 0;

    /// <summary>cuframes_subscriber_interrupt and its twin.</summary>
    public void Interrupt() => Interlocked.Exchange(ref _isInterrupted, 1);

    /// <summary>cuframes_subscriber_close and its twin.</summary>
    public void Close()
    {
        if (Interlocked.Exchange(ref _isClosed, 1) != 0)
        {
            return;
        }

        while (Interlocked.CompareExchange(ref _isTaken, 1, 0) != 0)
        {
            if (Volatile.Read(ref _takingThread) == Environment.CurrentManagedThreadId)
            {
                _closesOnLeave = true;
                return;
            }

            // The call that waits sees the close after a slice of its wait: there is nothing that would tell us sooner.
            Thread.Sleep(1);
        }

        Finish();
    }

    /// <summary>Takes what comes next, waiting for it if need be, and gives it to the caller.</summary>
    /// <param name="timeout">Nanoseconds; 0: does not wait; -1: no limit.</param>
    /// <param name="place">The caller's structure.</param>
    /// <returns>What the export returns.</returns>
    protected int Take(long timeout, void* place)
    {
        if (timeout < -1)
        {
            throw new LibraryException(LibraryError.InvalidArgument,
                $"The time-out is {timeout} ns; it must be 0, more, or CUFRAMES_FOREVER.");
        }

        if (!TryEnter(out int obstacle))
        {
            return obstacle;
        }

        try
        {
            return TakeUntil(timeout, place);
        }
        finally
        {
            Leave();
        }
    }

    protected bool TryEnter(out int obstacle)
    {
        if (!IsClosed)
        {
            if (Interlocked.CompareExchange(ref _isTaken, 1, 0) != 0)
            {
                obstacle = Failure.Because(LibraryError.Busy, "Another thread is in a call of this subscriber: one thread at a time takes."u8);
                return false;
            }

            _takingThread = Environment.CurrentManagedThreadId;
            if (!IsClosed)
            {
                obstacle = Failure.Ok;
                return true;
            }

            Leave();
        }

        obstacle = Failure.Because(LibraryError.InvalidHandle, "This subscriber was closed."u8);
        return false;
    }

    protected void Leave()
    {
        _takingThread = 0;
        if (_closesOnLeave)
        {
            Finish();
        }
        else
        {
            Volatile.Write(ref _isTaken, 0);
        }
    }

    /// <summary>Why nothing can be taken; OK when something can.</summary>
    protected virtual int FindObstacle() => Failure.Ok;

    protected abstract bool TryTake(out TItem taken);

    protected abstract bool TryPoll(out TItem taken);

    protected abstract bool TryNext(TimeSpan timeout, out TItem taken);

    /// <summary>Fills in the caller's structure.</summary>
    /// <returns>False when what was taken was lost since.</returns>
    protected abstract bool TryGive(in TItem taken, void* place);

    /// <summary>Leaves the stream. Nobody is in a call that takes.</summary>
    protected abstract void Finish();

    private int TakeUntil(long timeout, void* place)
    {
        if (timeout != 0 && Interlocked.Exchange(ref _isInterrupted, 0) != 0)
        {
            return Interrupted();
        }

        if (FindObstacle() is not Failure.Ok and var cause)
        {
            return cause;
        }

        long deadline = 0;
        while (true)
        {
            if (TryTake(out TItem taken) || TryWait(timeout, ref deadline, out taken, out int obstacle))
            {
                if (TryGive(taken, place))
                {
                    return Failure.Ok;
                }
            }
            else if (obstacle != Failure.Ok)
            {
                return obstacle;
            }
        }
    }

    /// <summary>Waits for a slice of the time.</summary>
    /// <param name="timeout">Of the call.</param>
    /// <param name="deadline">Its end, CLOCK_MONOTONIC; 0 before the first slice.</param>
    /// <param name="taken">What came.</param>
    /// <param name="obstacle">Why the call ends; OK when the next slice is due.</param>
    private bool TryWait(long timeout, ref long deadline, out TItem taken, out int obstacle)
    {
        obstacle = Failure.Ok;
        long remaining = SliceNanoseconds;
        if (timeout >= 0)
        {
            long now = MonotonicClock.NowNanoseconds;
            deadline = deadline == 0 ? (long)Math.Min((ulong)now + (ulong)timeout, long.MaxValue) : deadline;
            remaining = Math.Max(deadline - now, 0);
        }

        try
        {
            bool isTaken = timeout == 0
                ? TryPoll(out taken)
                : TryNext(TimeSpan.FromTicks((Math.Min(remaining, SliceNanoseconds) + 99) / 100), out taken);
            if (isTaken)
            {
                return true;
            }
        }
        catch (OperationCanceledException)
        {
            // While it waited for a publisher's answer, which even a call without a time-out does.
            Interlocked.Exchange(ref _isInterrupted, 0);
            taken = default;
            obstacle = Interrupted();
            return false;
        }

        if (IsClosed || (timeout != 0 && Interlocked.Exchange(ref _isInterrupted, 0) != 0))
        {
            obstacle = Interrupted();
        }
        else if (timeout >= 0 && remaining <= SliceNanoseconds)
        {
            obstacle = Failure.Because(ErrorCode.TimedOut, "Nothing came in the time that was given."u8);
        }

        return false;
    }

    private static int Interrupted() =>
        Failure.Because(LibraryError.Interrupted, "The wait was ended by an interruption or a close of the subscriber, in another thread."u8);
}
