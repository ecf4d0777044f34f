using CuFrames.Interop.Internal;

namespace CuFrames.Interop;

/// <summary>CLOCK_REALTIME: the clock that people read. It may jump when it is set.</summary>
public static class WallClock
{
    /// <summary>The time now, in nanoseconds since 1970-01-01 00:00 UTC. No system call, no allocation.</summary>
    public static unsafe long NowNanoseconds
    {
        get
        {
            LibC.TimeSpecification now;
            _ = LibC.ClockGetTime(LibC.CLOCK_REALTIME, &now);
            return (now.Seconds * 1_000_000_000) + now.Nanoseconds;
        }
    }
}
