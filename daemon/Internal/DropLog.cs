using CuFrames.Client;

namespace CuFrames.Daemon.Internal;

/// <summary>Logs that a stream drops frames: the first ones within a second, and while it goes on how many there were, once a minute. Only the control thread uses it.</summary>
/// <param name="log">The log.</param>
/// <param name="stream">The stream's key.</param>
internal sealed class DropLog(Log log, string stream)
{
    private const long Pause = 60_000_000_000;

    private FramePublisher? _publisher;
    private ulong _told;
    private long _quietUntil;

    /// <summary>Looks at the stream. Cheap enough for every second.</summary>
    /// <param name="publisher">What publishes it now; null: nothing.</param>
    /// <param name="now">CLOCK_MONOTONIC in nanoseconds.</param>
    internal void Look(FramePublisher? publisher, long now)
    {
        if (!ReferenceEquals(publisher, _publisher))
        {
            // Counts of a new run begin with 0.
            (_publisher, _told) = (publisher, 0);
        }

        if (publisher is null || publisher.Dropped == _told || now < _quietUntil)
        {
            return;
        }

        PublisherStatistics figures = publisher.GetStatistics();
        string holders = string.Join(", ", figures.Subscribers.Where(reader => reader.HeldLeases > 0).Select(reader => $"{reader.Program} ({reader.HeldLeases})"));
        log.Write(
            LogEvents.FramesDropped,
            $"{figures.Dropped - _told} frames were not published, because readers held all {figures.Slots} slots of the ring. " +
                $"Frames held now: {(holders.Length > 0 ? holders : "none")}. More slots (max_slots, memory_limit) or quicker readers help.",
            stream);
        (_told, _quietUntil) = (figures.Dropped, now + Pause);
    }
}
