namespace CuFrames.Daemon.Internal;

/// <summary>
/// Tells how long a sign of life has stayed the same while somebody looked. Time in which nobody looked does not count: a process that was stopped, or a
/// machine that was, has not made a camera stuck. Only the control thread uses it.
/// </summary>
internal sealed class StuckWatch
{
    /// <summary>Most of the time between two looks that counts. The control thread looks once a second at least.</summary>
    private const long LongestPause = 2_000_000_000;

    private long _sign;
    private long _lookedAt;
    private long _unchanged;

    /// <summary>Looks.</summary>
    /// <param name="sign">The sign: any number that changes.</param>
    /// <param name="now">CLOCK_MONOTONIC in nanoseconds.</param>
    /// <returns>Nanoseconds that it has been the same.</returns>
    internal long Look(long sign, long now)
    {
        _unchanged = sign == _sign ? _unchanged + Math.Min(now - _lookedAt, LongestPause) : 0;
        (_sign, _lookedAt) = (sign, now);
        return _unchanged;
    }
}
