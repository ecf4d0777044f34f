using CuFrames.Interop;

namespace CuFrames.Daemon.Internal.Taps;

/// <summary>Logs what happens to clients of taps, but not more than some lines in ten seconds: whoever may connect could fill the disk otherwise. Any thread.</summary>
/// <param name="log">The log.</param>
internal sealed class TapLog(Log log)
{
    private const int MaxLines = 40;
    private const long Window = 10_000_000_000;

    private readonly Lock _gate = new();
    private long _windowEnd;
    private int _lines;
    private int _leftOut;

    /// <summary>Logs an event.</summary>
    /// <param name="kind">What.</param>
    /// <param name="text">A sentence.</param>
    /// <param name="key">The stream.</param>
    internal void Write(LogEvent kind, string text, string key)
    {
        int leftOut = 0;
        lock (_gate)
        {
            long now = MonotonicClock.NowNanoseconds;
            if (now >= _windowEnd)
            {
                (_windowEnd, _lines, leftOut, _leftOut) = (now + Window, 0, _leftOut, 0);
            }

            if (++_lines > MaxLines)
            {
                _leftOut++;
                return;
            }
        }

        if (leftOut > 0)
        {
            log.Write(LogEvents.TapsQuiet, $"{leftOut} lines about clients of taps were left out.");
        }

        log.Write(kind, text, key);
    }
}
