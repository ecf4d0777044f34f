using System.Runtime.InteropServices;
using CuFrames.Interop.Internal;

namespace CuFrames.Interop;

/// <summary>
/// Waiting for a 4-byte word in memory that processes share (<c>futex(2)</c>, not private). The word must be aligned
/// to 4 bytes; a read-only mapping is enough for both calls. Any thread may call.
/// </summary>
public static unsafe class Futex
{
    /// <summary>Sleeps until somebody wakes the word, if the word still has the expected value.</summary>
    /// <param name="word">The word, in a shared mapping that stays mapped during the call.</param>
    /// <param name="expected">The value that the caller has seen.</param>
    /// <param name="timeoutNanoseconds">Longest sleep on the monotonic clock; a negative number waits for ever.</param>
    /// <returns>Why it ended. Signals do not end it.</returns>
    /// <exception cref="LinuxException">EFAULT or EINVAL: not a readable, aligned word.</exception>
    public static FutexWaitResult Wait(uint* word, uint expected, long timeoutNanoseconds)
    {
        // FUTEX_WAIT_BITSET takes the end of the wait and not its length, so a signal does not prolong it.
        LibC.TimeSpecification end = default;
        LibC.TimeSpecification* timeout = null;
        if (timeoutNanoseconds >= 0)
        {
            long now = MonotonicClock.NowNanoseconds;
            long nanoseconds = timeoutNanoseconds > long.MaxValue - now ? long.MaxValue : now + timeoutNanoseconds;
            end.Seconds = nanoseconds / 1_000_000_000;
            end.Nanoseconds = nanoseconds % 1_000_000_000;
            timeout = &end;
        }

        while (true)
        {
            long result = LibC.SystemCall(
                LibC.SYS_futex, word, LibC.FUTEX_WAIT_BITSET, expected, timeout, null, LibC.FUTEX_BITSET_MATCH_ANY);
            if (result == 0)
            {
                return FutexWaitResult.Woken;
            }

            switch (Marshal.GetLastPInvokeError())
            {
                case Errno.EINTR:
                    break;
                case Errno.EAGAIN:
                    return FutexWaitResult.ValueChanged;
                case Errno.ETIMEDOUT:
                    return FutexWaitResult.TimedOut;
                default:
                    throw LinuxException.FromLastError("futex", $"wait for the word at 0x{(nuint)word:x}");
            }
        }
    }

    /// <summary>Wakes sleepers, of any process. One system call; no memory barrier is implied before it.</summary>
    /// <param name="word">The word, in a shared mapping.</param>
    /// <param name="count">The most to wake; <see cref="int.MaxValue"/> wakes all.</param>
    /// <returns>How many were woken.</returns>
    /// <exception cref="LinuxException">EFAULT or EINVAL: not a readable, aligned word.</exception>
    public static int Wake(uint* word, int count)
    {
        long woken = LibC.SystemCall(LibC.SYS_futex, word, LibC.FUTEX_WAKE, (uint)count, null, null, 0);
        return woken >= 0
            ? (int)woken
            : throw LinuxException.FromLastError("futex", $"wake the sleepers at 0x{(nuint)word:x}");
    }
}
