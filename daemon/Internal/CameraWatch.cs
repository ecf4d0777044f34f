using CuFrames.Media;

namespace CuFrames.Daemon.Internal;

/// <summary>Finds out whether the thread that reads a camera is stuck. Only the control thread uses it.</summary>
/// <param name="limit">How long a thread may take over a step; zero: for ever.</param>
internal sealed class CameraWatch(TimeSpan limit)
{
    private readonly StuckWatch _watch = new();

    /// <summary>Looks at the thread's last sign of life.</summary>
    /// <param name="heartbeat">The sign; null: nothing runs.</param>
    /// <param name="now">CLOCK_MONOTONIC in nanoseconds.</param>
    /// <returns>What it is stuck in, for people; null: it is not stuck.</returns>
    internal string? FindStuck(CameraHeartbeat? heartbeat, long now)
    {
        // Two clocks are compared with themselves only, so a worker's heartbeat does as well.
        long unchanged = _watch.Look(heartbeat?.Time ?? now, now);
        if (limit == TimeSpan.Zero || unchanged <= limit.Ticks * 100 || heartbeat is not { Step: not CameraStep.Waiting and var step })
        {
            return null;
        }

        string doing = step switch
        {
            CameraStep.Opening => "opening its source (resolving the name, connecting, reading the first packets, opening the decoder)",
            CameraStep.Reading => "reading a packet or decoding",
            CameraStep.Publishing => "copying a frame, making renditions or publishing",
            _ => "closing its source and decoder",
        };
        return $"The camera's thread has been {doing} for {unchanged / 1_000_000_000} s without a step.";
    }
}
