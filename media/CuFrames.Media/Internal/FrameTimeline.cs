using CuFrames.Protocol;

namespace CuFrames.Media.Internal;

/// <summary>
/// Joins the time lines of one source's runs (loops, reconnects, clock jumps) into one whose pts always grow. The first run keeps
/// the source's own pts.
/// </summary>
internal sealed class FrameTimeline
{
    /// <summary>A larger step forward within a run is a jump of the source's clock, not a pause.</summary>
    private const long LargestStep = 10_000_000_000;

    private const long DefaultDuration = 40_000_000;

    private long _offset;
    private long _lastPts = FrameMetadata.UnknownPts;
    private long _lastDuration;
    private long _lastTime;
    private bool _isNewRun = true;
    private bool _isGap;
    private bool _needsOffset;
    private long _frameDuration = DefaultDuration;

    /// <summary>The next frame belongs to a new run.</summary>
    /// <param name="isGap">Whether time passed in between: the pts go on by that time, and the frame is marked. Else, in a loop, they go on seamlessly.</param>
    /// <param name="info">Tells the duration of frames that tell none.</param>
    internal void BeginRun(bool isGap, MediaInfo info)
    {
        _isNewRun = true;
        _isGap = isGap;
        _frameDuration = info.FrameRateNumerator > 0 ? (long)(1e9 / info.FrameRate) : DefaultDuration;
    }

    /// <summary>Sets the joined pts and, where the source's time line broke, the discontinuity flag.</summary>
    /// <param name="metadata">The frame's own; its pts are replaced.</param>
    /// <param name="now">CLOCK_MONOTONIC in nanoseconds.</param>
    /// <param name="isWaking">Whether it is a key frame of the past, shown again or for the first time after a sleep: it may be one of before the last frame.</param>
    internal void Place(ref FrameMetadata metadata, long now, bool isWaking = false)
    {
        // Marked already: pictures were left out, so a step forward is no jump of the clock.
        bool mayStep = (metadata.Flags & FrameFlags.Discontinuity) != 0;
        long duration = metadata.Duration > 0 ? metadata.Duration : _frameDuration;
        bool isFirst = _lastPts == FrameMetadata.UnknownPts;
        long expected = isFirst ? 0 : _lastPts + _lastDuration;
        if (_isNewRun)
        {
            _isNewRun = false;
            if (!isFirst)
            {
                _needsOffset = true;
                expected = _isGap ? Math.Max(expected, _lastPts + (now - _lastTime)) : expected;
                metadata.Flags |= _isGap ? FrameFlags.Discontinuity : 0;
            }
        }

        if (metadata.Pts == FrameMetadata.UnknownPts)
        {
            metadata.Pts = expected;
        }
        else if (_needsOffset)
        {
            // The first frame of this run whose pts is known; an RTSP session's very first frame has none.
            _needsOffset = false;
            _offset = expected - metadata.Pts;
            metadata.Pts = expected;
        }
        else
        {
            metadata.Pts += _offset;
            if (!isFirst && isWaking && metadata.Pts <= _lastPts)
            {
                metadata.Pts = _lastPts + 1;
            }
            else if (!isFirst && (metadata.Pts <= _lastPts || (metadata.Pts > expected + LargestStep && !mayStep)))
            {
                _offset += expected - metadata.Pts;
                metadata.Pts = expected;
                metadata.Flags |= FrameFlags.Discontinuity;
            }
        }

        _lastPts = metadata.Pts;
        _lastDuration = duration;
        _lastTime = now;
    }
}
