using CuFrames.Client;
using CuFrames.Interop;
using CuFrames.Protocol;

namespace CuFrames.Cli.Internal;

/// <summary>A subscriber that counts: takes frames, releases them at once, and keeps figures of the current interval and of all.</summary>
internal sealed class WatchSession : IDisposable
{
    private readonly FrameSubscriber _subscriber;
    private readonly LatencyHistogram _publish = new();
    private readonly LatencyHistogram _publishAll = new();
    private readonly LatencyHistogram _arrival = new();
    private readonly LatencyHistogram _arrivalAll = new();
    private long _intervalStarted;
    private ulong _intervalMissed;

    /// <summary>Written by the reading thread, read by the task that asks for the lag; each word stands for itself.</summary>
    private ulong _lastSequence;

    /// <summary>As <see cref="_lastSequence"/>.</summary>
    private ulong _lastEpoch;

    private ulong? _lag;
    private Task<ulong?> _asking = Task.FromResult<ulong?>(null);
    private string? _intervalEvent;

    /// <summary>A stream in the context of the current connection, behind whose work frames are released; null for main memory.</summary>
    private CudaStream? _releases;

    private int _intervalReconnects;
    private int _intervalEvictions;

    public WatchSession(string key, Delivery delivery)
    {
        Key = key;
        Started = _intervalStarted = MonotonicClock.NowNanoseconds;
        _subscriber = FrameSubscriber.Connect(key, new SubscriberOptions
        {
            Delivery = delivery,
            Program = "cuframes watch",
            OnEvent = happening =>
            {
                // The first connection is no news.
                if (happening.Kind != SubscriberEventKind.Connected || _lastEpoch != 0)
                {
                    LastEvent = _intervalEvent = happening.Text;
                }
            },
        });
    }

    public string Key { get; }

    /// <summary>CLOCK_MONOTONIC in nanoseconds.</summary>
    public long Started { get; }

    public string? LastEvent { get; private set; }

    public string StateText => _subscriber.IsConnected ? Words.Of(_subscriber.State) : "waiting";

    public string FormatText { get; private set; } = "";

    /// <summary>The device that frames lie on.</summary>
    public string DeviceText =>
        _subscriber.Cuda is { } cuda ? $"{cuda.Device.Name} ({cuda.Device.UuidText})" : Words.DeviceOf(_subscriber.Description?.Device ?? Guid.Empty) ?? "";

    /// <summary>Takes and releases one frame if one comes in time.</summary>
    public void TakeOne(TimeSpan timeout)
    {
        if (!_subscriber.TryNext(timeout, out Frame frame))
        {
            return;
        }

        long now = MonotonicClock.NowNanoseconds;
        using (frame)
        {
            FrameMetadata metadata = frame.Metadata;
            _publish.Add(now - metadata.PublishTime);
            if (metadata.ArrivalTime != 0)
            {
                _arrival.Add(now - metadata.ArrivalTime);
            }

            Volatile.Write(ref _lastSequence, frame.Sequence);
            Volatile.Write(ref _lastEpoch, frame.Epoch);
            FormatText = $"{PixelFormats.Name(frame.PixelFormat)} {frame.Width}x{frame.Height}";
            if (frame.Memory == MemoryDomain.Cuda)
            {
                // As a reader does that has queued work on the frame.
                frame.Release(StreamForReleases());
            }
        }
    }

    /// <summary>Ends the interval, adds it to the whole and says what was in it.</summary>
    public WatchReport EndInterval(long now)
    {
        UpdateLag();
        double seconds = (now - _intervalStarted) / 1e9;
        WatchReport report = Report(
            "interval", seconds, _publish, _arrival, _subscriber.Missed - _intervalMissed, _subscriber.Reconnects - _intervalReconnects,
            _subscriber.Evictions - _intervalEvictions, now, _intervalEvent);
        FoldInterval();
        _intervalStarted = now;
        return report;
    }

    /// <summary>All since the start.</summary>
    public WatchReport Total()
    {
        long now = MonotonicClock.NowNanoseconds;
        FoldInterval();
        return Report(
            "total", (now - Started) / 1e9, _publishAll, _arrivalAll, _subscriber.Missed, _subscriber.Reconnects, _subscriber.Evictions, now, LastEvent);
    }

    public void Dispose()
    {
        _subscriber.Dispose();
        _releases?.Dispose();
    }

    private WatchReport Report(
        string type, double seconds, LatencyHistogram publish, LatencyHistogram arrival, ulong missed, int reconnects, int evictions, long now, string? happening) => new(
        type,
        Key,
        StateText.Replace(' ', '_'),
        Math.Round((now - Started) / 1e9, 3),
        publish.Count,
        Math.Round(publish.Count / seconds, 1),
        missed,
        _lag,
        reconnects,
        evictions,
        new WatchLatency(publish.Figures(), arrival.Figures()),
        _subscriber.Description is { } description ? Words.CodeOf(description.Domain) : null,
        Words.DeviceOf(_subscriber.Description?.Device ?? Guid.Empty),
        _subscriber.IsConnected ? Words.Of(_subscriber.ReleaseFence) : null,
        _subscriber.ReleaseFenceReason,
        happening);

    private CudaStream StreamForReleases()
    {
        // Another connection may have another context.
        if (_releases is null || _releases.Context != _subscriber.Cuda)
        {
            _releases?.Dispose();
            _releases = CudaStream.Create(_subscriber.Cuda!);
        }

        return _releases;
    }

    private void FoldInterval()
    {
        _publishAll.Add(_publish);
        _arrivalAll.Add(_arrival);
        _publish.Clear();
        _arrival.Clear();
        _intervalMissed = _subscriber.Missed;
        _intervalReconnects = _subscriber.Reconnects;
        _intervalEvictions = _subscriber.Evictions;
        _intervalEvent = null;
    }

    /// <summary>Only the publisher says how far it is. It is asked in the background: one that hangs must not stop the reading.</summary>
    private void UpdateLag()
    {
        if (_asking.IsCompleted)
        {
            _lag = _asking.GetAwaiter().GetResult();
            _asking = Task.Run(AskLag);
        }
    }

    private ulong? AskLag()
    {
        ulong last = Volatile.Read(ref _lastSequence);
        StreamInfo info = StreamDirectory.Probe(Key);
        return info.Description is { } description && info.Epoch == Volatile.Read(ref _lastEpoch) && description.Head >= last
            ? description.Head - last
            : null;
    }
}
