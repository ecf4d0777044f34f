using CuFrames.Interop.Internal;

namespace CuFrames.Interop;

/// <summary>
/// CLOCK_MONOTONIC: the clock of all stamps in shared memory. It is the same for every process of the machine
/// (outside of time namespaces), never goes back and does not run while the machine is suspended.
/// </summary>
public static class MonotonicClock
{
    /// <summary>The time now, in nanoseconds since some moment before boot. No system call, no allocation.</summary>
    public static unsafe long NowNanoseconds
    {
        get
        {
            LibC.TimeSpecification now;
            _ = LibC.ClockGetTime(LibC.CLOCK_MONOTONIC, &now);
            return (now.Seconds * 1_000_000_000) + now.Nanoseconds;
        }
    }
}
