namespace CuFrames.Daemon.Internal.Metrics;

/// <summary>Makes a rate of a counter that is looked at now and then: over the last one to two seconds, or since the last look before that.</summary>
internal struct Rate
{
    private const long Second = 1_000_000_000;

    private long _olderTime;
    private double _older;
    private long _newerTime;
    private double _newer;

    /// <summary>Looks at the counter.</summary>
    /// <param name="time">CLOCK_MONOTONIC in nanoseconds.</param>
    /// <param name="count">The counter. One that is lower than before has begun anew.</param>
    /// <returns>Counts per second; 0 at the first look.</returns>
    internal double Update(long time, double count)
    {
        if (_newerTime == 0 || count < _newer)
        {
            (_olderTime, _older, _newerTime, _newer) = (time, count, time, count);
            return 0;
        }

        if (time - _newerTime >= Second)
        {
            (_olderTime, _older, _newerTime, _newer) = (_newerTime, _newer, time, count);
        }

        return time == _olderTime ? 0 : (count - _older) * Second / (time - _olderTime);
    }
}
