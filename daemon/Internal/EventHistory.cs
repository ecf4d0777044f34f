using System.Threading.Channels;

namespace CuFrames.Daemon.Internal;

/// <summary>
/// The newest events, and those who watch for more. Safe for any thread. Who adds never waits: a watcher that is too slow loses the newest, and can
/// tell from the sequence.
/// </summary>
internal sealed class EventHistory
{
    /// <summary>How many are kept (control.proto says so).</summary>
    internal const int Kept = 1000;

    /// <summary>How many may wait for one watcher.</summary>
    private const int MaxWaiting = 4096;

    private readonly Lock _gate = new();
    private readonly Queue<EventRecord> _past = new(Kept);
    private readonly List<Channel<EventRecord>> _watchers = [];
    private readonly Dictionary<LogEvent, long> _counts = [];
    private ulong _sequence;

    /// <summary>Adds an event.</summary>
    internal void Add(LogEvent kind, string text, string? stream)
    {
        lock (_gate)
        {
            _counts[kind] = _counts.GetValueOrDefault(kind) + 1;
            EventRecord next = new(++_sequence, DateTime.UtcNow, kind, text, stream);
            if (_past.Count == Kept)
            {
                _past.Dequeue();
            }

            _past.Enqueue(next);
            _watchers.ForEach(watcher => watcher.Writer.TryWrite(next));
        }
    }

    /// <summary>How often each event has happened that has.</summary>
    internal KeyValuePair<LogEvent, long>[] CountEach()
    {
        lock (_gate)
        {
            return [.. _counts];
        }
    }

    /// <summary>Begins to watch.</summary>
    /// <param name="past">The events that are kept.</param>
    /// <param name="next">Those to come, all after these; give it back to <see cref="Forget"/>.</param>
    internal void Watch(out EventRecord[] past, out Channel<EventRecord> next)
    {
        next = Channel.CreateBounded<EventRecord>(new BoundedChannelOptions(MaxWaiting) { SingleReader = true, FullMode = BoundedChannelFullMode.DropWrite });
        lock (_gate)
        {
            past = [.. _past];
            _watchers.Add(next);
        }
    }

    /// <summary>Ends to watch.</summary>
    internal void Forget(Channel<EventRecord> watcher)
    {
        lock (_gate)
        {
            _watchers.Remove(watcher);
        }
    }
}
