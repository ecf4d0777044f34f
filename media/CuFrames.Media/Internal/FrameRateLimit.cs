namespace CuFrames.Media.Internal;

/// <summary>Chooses frames by their pts so that on average not more than a rate of them is chosen. Not thread-safe.</summary>
/// <param name="rate">Most frames per second; null: every frame is chosen.</param>
internal sealed class FrameRateLimit(double? rate)
{
    private readonly double _interval = 1e9 / (rate ?? double.PositiveInfinity);
    private bool _hasBegun;

    // Frame n after the beginning is due at _begin + n * _interval: so the average does not drift.
    private long _begin;
    private long _due;
    private long _count;
    private long _lastPts;

    /// <summary>The next frame is the first one again, and chosen.</summary>
    internal void Reset() => _hasBegun = false;

    /// <summary>Whether a frame is chosen. Asked once for each frame, in order.</summary>
    /// <param name="pts">Its pts in nanoseconds.</param>
    /// <param name="duration">How long it is shown, in nanoseconds; 0: not known.</param>
    internal bool IsChosen(long pts, long duration)
    {
        if (rate is null)
        {
            return true;
        }

        long shown = duration > 0 ? duration : Math.Max(0, pts - _lastPts);
        bool isBack = pts < _lastPts;
        _lastPts = pts;
        if (!_hasBegun || isBack)
        {
            _hasBegun = true;
            Begin(pts);
            return true;
        }

        // The frame whose time is nearest: half a frame early is nearer than half a frame late.
        if (pts < _due - (long)(Math.Min(shown, _interval) / 2))
        {
            return false;
        }

        if (pts - _due > _interval)
        {
            // After a gap, or where the source is slower than the limit, there is nothing to make up for.
            Begin(pts);
        }
        else
        {
            _due = _begin + (long)(++_count * _interval);
        }

        return true;
    }

    private void Begin(long pts)
    {
        (_begin, _count) = (pts, 1);
        _due = pts + (long)_interval;
    }
}
