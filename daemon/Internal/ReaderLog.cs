using CuFrames.Client;
using CuFrames.Protocol;

namespace CuFrames.Daemon.Internal;

/// <summary>
/// Logs what happens to one stream's readers, but not more than some lines in ten seconds: whoever may connect could fill the disk otherwise.
/// Only the control thread uses it.
/// </summary>
/// <param name="log">The log.</param>
/// <param name="camera">The stream's key.</param>
internal sealed class ReaderLog(Log log, string camera)
{
    private const int MaxLines = 20;
    private const long Window = 10_000_000_000;

    private long _windowEnd;
    private int _lines;
    private int _leftOut;

    /// <summary>Logs an event of the publisher.</summary>
    /// <param name="happening">The event.</param>
    /// <param name="now">CLOCK_MONOTONIC in nanoseconds.</param>
    internal void Write(PublisherEvent happening, long now)
    {
        LogEvent kind = KindOf(happening.Kind);
        if (happening.UserId is { } user)
        {
            log.Audit.Write(
                kind, happening.Text, camera, null, user, happening.ProcessId, happening.Program, happening.SubscriberId, happening.Code == ErrorCode.None ? null : $"{happening.Code}");
        }

        Tick(now);
        if (_lines >= MaxLines)
        {
            _leftOut++;
            return;
        }

        _lines++;
        log.Write(kind, happening.Text, camera);
    }

    private static LogEvent KindOf(PublisherEventKind kind) => kind switch
    {
        PublisherEventKind.SubscriberJoined => LogEvents.ReaderJoined,
        PublisherEventKind.SubscriberLeft => LogEvents.ReaderLeft,
        PublisherEventKind.SubscriberEvicted => LogEvents.ReaderEvicted,
        PublisherEventKind.SubscriberRefused => LogEvents.ReaderRefused,
        PublisherEventKind.RingGrown or PublisherEventKind.RingShrunk => LogEvents.RingResized,
        PublisherEventKind.GrowthFailed => LogEvents.RingStarved,
        _ => LogEvents.PublisherError,
    };

    /// <summary>Says how many lines were left out, when the ten seconds are over.</summary>
    /// <param name="now">CLOCK_MONOTONIC in nanoseconds.</param>
    internal void Tick(long now)
    {
        if (now < _windowEnd)
        {
            return;
        }

        if (_leftOut > 0)
        {
            log.Write(LogEvents.ReadersQuiet, $"{_leftOut} more lines about readers were left out.", camera);
        }

        _windowEnd = now + Window;
        _lines = 0;
        _leftOut = 0;
    }
}
