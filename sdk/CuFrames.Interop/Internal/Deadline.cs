namespace CuFrames.Interop.Internal;

/// <summary>The end of a wait that may have to be taken up again after a signal.</summary>
internal readonly struct Deadline
{
    private readonly long _nanoseconds;

    private Deadline(long nanoseconds) => _nanoseconds = nanoseconds;

    /// <summary>A time-out in milliseconds from now: 0 is at once, -1 (any negative number) is never.</summary>
    internal static Deadline After(int milliseconds) => new(milliseconds switch
    {
        < 0 => long.MaxValue,
        0 => 0,
        _ => MonotonicClock.NowNanoseconds + (milliseconds * 1_000_000L),
    });

    /// <summary>Milliseconds left, as poll(2) takes them: rounded up, 0 if over, -1 for ever.</summary>
    internal int RemainingMilliseconds()
    {
        if (_nanoseconds is long.MaxValue or 0)
        {
            return _nanoseconds == 0 ? 0 : -1;
        }

        long left = _nanoseconds - MonotonicClock.NowNanoseconds;
        return left <= 0 ? 0 : (int)((left + 999_999) / 1_000_000);
    }
}
