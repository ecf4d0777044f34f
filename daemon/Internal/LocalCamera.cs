using CuFrames.Client;
using CuFrames.Daemon.Internal.Limits;
using CuFrames.Daemon.Internal.Taps;
using CuFrames.Interop;
using CuFrames.Media;
using CuFrames.Protocol;
using ReportedState = CuFrames.Control.V1.CameraState;

namespace CuFrames.Daemon.Internal;

/// <summary>A camera that runs in this process.</summary>
/// <param name="configuration">What to run.</param>
/// <param name="directory">The runtime directory.</param>
/// <param name="gpu">The GPU, for a camera that needs it.</param>
/// <param name="ceilings">What all cameras may take.</param>
/// <param name="log">The log.</param>
/// <param name="post">Hands work to the control thread, from any thread.</param>
internal sealed class LocalCamera(CameraConfiguration configuration, string directory, Gpu gpu, Ceilings ceilings, Log log, Action<Action> post)
    : Camera(configuration, directory)
{
    private const long Second = 1_000_000_000;

    /// <summary>How long a new run leaves the source to the one before it: many cameras serve a single connection.</summary>
    private const long HandOver = 2 * Second;

    /// <summary>The same trouble is logged again after that long.</summary>
    private const long RepeatAfter = 600 * Second;

    /// <summary>Threads that are stuck and have not ended by themselves; with so many the camera is given up, because each keeps memory and descriptors.</summary>
    private const int MaxAbandoned = 3;

    private readonly ReaderLog _readers = new(log, configuration.Key);
    private readonly DropLog _drops = new(log, configuration.Key);
    private readonly RetryDelay _restartDelay = new();
    private readonly List<RenditionStream> _renditions =
        [.. configuration.Renditions.Select(rendition => new RenditionStream(configuration, rendition, directory, log, post))];
    private readonly CameraWatch _watch = new(configuration.StuckTimeout);

    /// <summary>Runs whose thread was stuck and has not ended yet.</summary>
    private readonly List<CameraRun> _abandoned = [];
    private CameraRun? _run;
    private IEndingRun? _previous;
    private long _previousUntil;
    private long _nextAttempt;
    private long _restartAt = long.MaxValue;
    private long _startedAt;
    private FramePublisher? _notice;
    private bool _isGivenUp;

    /// <summary>Attempts to open the GPU that were over when this camera began to wait for the next one; null: it does not wait.</summary>
    private int? _gpuAttempts;
    private string? _trouble;
    private long _troubleSince;
    private long _troubleAt;

    /// <inheritdoc/>
    internal override string? Concern => _run switch
    {
        null when _isGivenUp => "stuck",
        null when _notice is not null => "no GPU",
        null => NotAvailable,
        { Status: { } status } when CameraChoice.IsNotAdmitted(status) => "not admitted",
        _ => _run.Status?.State switch
        {
            CameraState.Live => null,
            CameraState.SourceLost => "source lost",
            CameraState.Ended => "ended",
            CameraState.Failed => "failed",
            _ => "starting",
        },
    };

    /// <inheritdoc/>
    internal override CameraFacts Facts
    {
        get
        {
            long now = MonotonicClock.NowNanoseconds;
            (ReportedState state, string reason, long since) = _run switch
            {
                null when _trouble is not null => (
                    _isGivenUp ? ReportedState.Failed : _notice is null ? ReportedState.Unavailable : ReportedState.SourceLost, _trouble, _troubleSince),
                null or { Status: null } => (ReportedState.Starting, "", now),
                { Status: { } status } => (StateOf(status), status.Reason, status.Since),
            };
            long[] latency = _run is null ? [] : new long[LatencyHistogram.BucketCount];
            _run?.Pump.Latency.CopyTo(latency);
            return new CameraFacts
            {
                State = state,
                Concern = Concern,
                Reason = Configuration.Redact(reason),
                Since = since,
                Streams = [.. Publishers.Select(StreamFacts.Of)],
                Packets = _run?.Packets is { } packets ? new PacketFacts(packets.Key, packets.GetStatistics()) : null,
                Source = _run?.Pump.Statistics,
                Heartbeat = _run is { IsStarted: true } run ? run.Pump.Heartbeat : null,
                AbandonedThreads = _abandoned.Count,
                Latency = latency,
                LatencySum = _run?.Pump.Latency.Sum ?? 0,
                Decoder = _run?.Status?.Info?.Decoder ?? "",
            };
        }
    }

    /// <summary>Its streams of frames that are published now: its own first.</summary>
    private IEnumerable<FramePublisher> Publishers
    {
        get
        {
            if ((_run?.Publisher ?? _notice) is { } own)
            {
                yield return own;
            }

            foreach (RenditionStream rendition in _renditions)
            {
                if (rendition.Publisher is { } publisher)
                {
                    yield return publisher;
                }
            }
        }
    }

    /// <inheritdoc/>
    internal override IEnumerable<TapStream> TapStreams
    {
        get
        {
            if (_run is not null || _notice is not null)
            {
                yield return new TapStream(
                    Configuration.Key, Configuration.Memory, Configuration.Readers, _run?.Packets is null ? null : Configuration.Packets?.Readers ?? Configuration.Readers);
            }

            foreach (RenditionStream rendition in _renditions.Where(rendition => rendition.IsPublished))
            {
                yield return new TapStream(rendition.Key, Configuration.MemoryOf(rendition.Configuration), rendition.Configuration.Readers ?? Configuration.Readers, PacketReaders: null);
            }
        }
    }

    /// <inheritdoc/>
    internal override bool IsDue(long now) =>
        _run is null && (now >= _nextAttempt || (_gpuAttempts is { } seen && gpu.Attempts != seen)) && !(_previous is { HoldsKey: true } && now < _previousUntil);

    /// <inheritdoc/>
    internal override long NextDue
    {
        get
        {
            long due = _run is null ? _nextAttempt : _run.IsStarted ? _restartAt : 0;
            if (_run is not null)
            {
                _renditions.ForEach(rendition => due = Math.Min(due, rendition.NextDue));
            }

            return due;
        }
    }

    /// <inheritdoc/>
    internal override void Follow(IEndingRun? previous, long now) => (_previous, _previousUntil) = (previous, now + HandOver);

    /// <inheritdoc/>
    internal override IEndingRun? Advance(long now)
    {
        _readers.Tick(now);
        IEndingRun? stopped = now >= _restartAt ? Restart(now) : LookAfterThread(now);
        if (IsDue(now))
        {
            Create(now);
        }

        // What the last run had of shared limits is given back by then.
        if (_run is { IsStarted: false } && (_previous is null || now >= _previousUntil || _previous.TryDispose(TimeSpan.Zero)))
        {
            _previous = null;
            _startedAt = now;
            _run.Start();
            string packets = _run.Packets is { } ring ? $", its packets at {ring.SocketPath}" : "";
            log.Write(LogEvents.CameraStarted, $"The stream is published at {_run.Publisher.SocketPath}{packets}; frames are to come from {Configuration.SourceText}.", Configuration.Key);
        }

        if (_run is { } run)
        {
            _renditions.ForEach(rendition => rendition.Advance(run, now));
        }

        return stopped;
    }

    /// <inheritdoc/>
    internal override void SetRenditions(IReadOnlyList<RenditionConfiguration> wanted, List<string> added, List<string> changed, List<string> removed)
    {
        foreach (RenditionStream rendition in _renditions.ToArray())
        {
            RenditionConfiguration? match = wanted.FirstOrDefault(candidate => candidate.Name == rendition.Configuration.Name);
            if (match != rendition.Configuration)
            {
                rendition.Stop(isRemoved: match is null);
                _renditions.Remove(rendition);
                (match is null ? removed : changed).Add(rendition.Key);
            }
        }

        foreach (RenditionConfiguration next in wanted.Where(next => !_renditions.Exists(rendition => rendition.Configuration == next)))
        {
            RenditionStream rendition = new(Configuration, next, Directory, log, post);
            _renditions.Add(rendition);
            if (!changed.Contains(rendition.Key))
            {
                added.Add(rendition.Key);
            }
        }
    }

    /// <inheritdoc/>
    internal override void Postpone(long now) => (_nextAttempt, _gpuAttempts) = (now + Second, null);

    /// <inheritdoc/>
    internal override IEndingRun? CheckSocket(long now)
    {
        _drops.Look(_run?.Publisher, now);
        _renditions.ForEach(rendition => rendition.CheckSocket(now));
        string?[] paths = [_run?.Publisher.SocketPath ?? _notice?.SocketPath, _run?.Packets?.SocketPath];
        string? path = Array.Find(paths, path => path is not null && !File.Exists(path));
        if (path is null)
        {
            return null;
        }

        log.Write(LogEvents.CameraSocketGone, $"{path} was removed; the stream is started again.", Configuration.Key);
        if (_run is null)
        {
            EndNotice();
            _nextAttempt = now;
            return null;
        }

        return Restart(now);
    }

    /// <inheritdoc/>
    internal override IEndingRun? Stop()
    {
        CameraRun? run = _run;
        _run = null;
        (_nextAttempt, _gpuAttempts) = (long.MaxValue, null);
        _restartAt = long.MaxValue;
        EndNotice();
        if (run is not null)
        {
            _renditions.ForEach(rendition => rendition.Stop(isRemoved: false));
            run.Stop();
            log.Write(LogEvents.CameraStopped, "The stream has ended.", Configuration.Key);
        }

        return run;
    }

    /// <summary>Takes note of what the pump says.</summary>
    /// <param name="run">Whose pump.</param>
    /// <param name="status">What it says.</param>
    /// <param name="now">CLOCK_MONOTONIC in nanoseconds.</param>
    internal void OnStatus(CameraRun run, CameraStatus status, long now)
    {
        if (!ReferenceEquals(run, _run))
        {
            return;
        }

        run.Status = status;
        switch (status.State)
        {
            case CameraState.Live when status.IsIdle:
                _trouble = null;
                log.Write(LogEvents.CameraIdle, status.Reason, Configuration.Key);
                break;
            case CameraState.Live:
                _trouble = null;
                log.Write(LogEvents.CameraLive, status.Reason, Configuration.Key);
                log.Write(
                    CameraChoice.IsFallback(Configuration, status) ? LogEvents.CameraFallback : LogEvents.CameraDecoder,
                    CameraChoice.Describe(Configuration, run.Gpu, status),
                    Configuration.Key);
                break;
            case CameraState.SourceLost when CameraChoice.IsNotAdmitted(status):
                // Figures in the text change from attempt to attempt.
                ReportTrouble(LogEvents.CameraNotAdmitted, CameraChoice.WithNextAttempt(status), now, "", $"{status.Code} {status.Error}");
                break;
            case CameraState.SourceLost:
                ReportTrouble(LogEvents.CameraLost, status.Reason, now, $" Next attempt in {status.RetryDelay.TotalSeconds:0.0} s.");
                break;
            case CameraState.Ended:
                log.Write(LogEvents.CameraEnded, status.Reason, Configuration.Key);
                break;
            case CameraState.Failed when status.Error is null && status.Code == ErrorCode.None:
                // Until then the stream stays and its state says what happened.
                if (now - _startedAt > 2 * RetryDelay.Longest.Ticks * 100)
                {
                    _restartDelay.Reset();
                }

                TimeSpan delay = _restartDelay.Next();
                _restartAt = now + (delay.Ticks * 100);
                log.Write(LogEvents.CameraFault, $"{Configuration.Redact(status.Reason)} Starting again in {delay.TotalSeconds:0} s.", Configuration.Key);
                break;
            case CameraState.Failed:
                log.Write(LogEvents.CameraFailed, status.Reason, Configuration.Key);
                break;
        }
    }

    /// <inheritdoc/>
    internal override Task<bool> EvictAsync(string stream, bool readsPackets, ulong id, string reason) => Task.FromResult(
        readsPackets
            ? _run?.Packets is { } packets && packets.Key == stream && packets.Evict(id, reason)
            : Publishers.FirstOrDefault(publisher => publisher.Key == stream)?.Evict(id, reason) == true);

    private static ReportedState StateOf(CameraStatus status) => status switch
    {
        { IsIdle: true } => ReportedState.Idle,
        { State: CameraState.Live } => ReportedState.Live,
        { State: CameraState.SourceLost } => ReportedState.SourceLost,
        { State: CameraState.Ended } => ReportedState.Ended,
        { State: CameraState.Failed } => ReportedState.Failed,
        _ => ReportedState.Starting,
    };

    /// <summary>A thread that is stuck is left to end by itself, which nobody can make it do, and another one takes its place.</summary>
    /// <returns>The run that was stopped, if so.</returns>
    private CameraRun? LookAfterThread(long now)
    {
        _abandoned.RemoveAll(run => run.HasEnded);
        if (_isGivenUp && _abandoned.Count < MaxAbandoned)
        {
            (_isGivenUp, _nextAttempt) = (false, now);
        }

        if (_watch.FindStuck(_run is { IsStarted: true } run ? run.Pump.Heartbeat : null, now) is not { } text)
        {
            return null;
        }

        log.Write(LogEvents.CameraStuck, $"{text} The stream is started again with another thread; the stuck one is left to end by itself.", Configuration.Key);
        CameraRun stuck = Restart(now);
        _abandoned.Add(stuck);
        if (_abandoned.Count >= MaxAbandoned)
        {
            string advice =
                $"{_abandoned.Count} threads of this camera are stuck. It is given up until one of them ends. Make it 'isolated: true': its process can be ended when it is stuck.";
            (_isGivenUp, _nextAttempt) = (true, long.MaxValue);
            Announce(StreamState.SourceLost, advice, now);
            ReportTrouble(LogEvents.CameraGivenUp, advice, now, "");
        }

        return stuck;
    }

    private CameraRun Restart(long now)
    {
        CameraRun run = _run!;
        _run = null;
        _renditions.ForEach(rendition => rendition.Stop(isRemoved: false));
        run.Stop();
        _nextAttempt = now;
        _restartAt = long.MaxValue;
        Follow(run, now);
        return run;
    }

    private void Create(long now)
    {
        if (Configuration.NeedsGpu && gpu.Context is null)
        {
            gpu.Open(now);
            string? obstacle = gpu.FindObstacle(now);
            (_nextAttempt, _gpuAttempts) = (now + Second, gpu.Attempts);
            if (obstacle is not null)
            {
                Announce(StreamState.SourceLost, obstacle, now);
                ReportTrouble(LogEvents.CameraWithoutGpu, obstacle, now, " The camera is started when the GPU can be used.");
            }

            return;
        }

        _gpuAttempts = null;
        EndNotice();
        try
        {
            _run = CameraRun.Create(
                Configuration,
                Directory,
                gpu,
                ceilings,
                happening => post(() => _readers.Write(happening, MonotonicClock.NowNanoseconds)),
                (run, status) => post(() => StatusReceived?.Invoke(this, run, status)));
            _trouble = null;
        }
        catch (CuFramesException error) when (Configuration.NeedsGpu && error is CudaException or { Code: ErrorCode.ConfigurationInvalid })
        {
            // What the device lacks it will lack tomorrow; what a call of the driver refused may be granted at another time.
            bool isFinal = error is not CudaException;
            TimeSpan delay = _restartDelay.Next();
            _nextAttempt = isFinal ? long.MaxValue : now + (delay.Ticks * 100);
            Announce(isFinal ? StreamState.Ended : StreamState.SourceLost, error.Message, now);
            ReportTrouble(
                isFinal ? LogEvents.CameraFailed : LogEvents.CameraWithoutGpu, error.Message, now, isFinal ? "" : $" Next attempt in {delay.TotalSeconds:0} s.");
        }
        catch (CuFramesException error) when (error.Code == ErrorCode.OutOfResources)
        {
            // Figures in the text change from attempt to attempt.
            ReportTrouble(LogEvents.CameraNotAdmitted, Configuration.Redact(error.Message), now, " Tried again every second.", $"{error.Code}");
            Postpone(now);
        }
        catch (Exception error) when (error is CuFramesException or IOException)
        {
            string advice = error is CuFramesException { Code: ErrorCode.AccessDenied } ? " " + RuntimeDirectory.AdviceFor(Directory) : "";
            ReportTrouble(LogEvents.CameraUnavailable, Configuration.Redact(error.Message) + advice, now, " Tried again every second.");
            Postpone(now);
        }
    }

    /// <summary>Is told, on the control thread, what a pump says.</summary>
    internal Action<LocalCamera, CameraRun, CameraStatus>? StatusReceived { get; init; }

    /// <summary>Publishes a stream that has no frames and says why, so that readers and operators see it.</summary>
    private void Announce(StreamState state, string text, long now)
    {
        try
        {
            _notice ??= FramePublisher.Create(
                Configuration.Key,
                Configuration.ToPublisherOptions(Directory, happening => post(() => _readers.Write(happening, MonotonicClock.NowNanoseconds)), null));
            _notice.SetState(state, text);
        }
        catch (Exception error) when (error is CuFramesException or IOException)
        {
            ReportTrouble(LogEvents.CameraUnavailable, Configuration.Redact(error.Message), now, " Tried again every second.");
        }
    }

    private void EndNotice()
    {
        _notice?.Dispose();
        _notice = null;
    }

    /// <summary>Logs a trouble once, not at every attempt.</summary>
    private void ReportTrouble(LogEvent kind, string text, long now, string more, string? identity = null)
    {
        identity ??= text;
        if (identity != _trouble || now - _troubleAt > RepeatAfter)
        {
            _troubleSince = identity == _trouble ? _troubleSince : now;
            (_trouble, _troubleAt) = (identity, now);
            log.Write(kind, text + more, Configuration.Key);
        }
    }
}
