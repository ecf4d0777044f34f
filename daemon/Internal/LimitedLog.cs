using CuFrames.Interop;

namespace CuFrames.Daemon.Internal;

/// <summary>Logs what strangers bring about, but not more than some lines in ten seconds: whoever may connect could fill the disk otherwise. Any thread.</summary>
/// <param name="log">The log.</param>
/// <param name="quiet">The event that says how many lines were left out.</param>
/// <param name="what">What they were about.</param>
internal sealed class LimitedLog(Log log, LogEvent quiet, string what)
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
    /// <param name="key">The stream that it is about; null: none.</param>
    internal void Write(LogEvent kind, string text, string? key = null)
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
            log.Write(quiet, $"{leftOut} lines about {what} were left out.");
        }

        log.Write(kind, text, key);
    }
}
