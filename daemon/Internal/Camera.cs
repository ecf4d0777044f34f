using CuFrames.Client;
using CuFrames.Daemon.Internal.Taps;
using CuFrames.Interop;
using CuFrames.Media;
using CuFrames.Protocol;

namespace CuFrames.Daemon.Internal;

/// <summary>One camera of the configuration, kept running. Only the control thread uses it.</summary>
/// <param name="configuration">What to run.</param>
/// <param name="directory">The runtime directory.</param>
/// <param name="gpu">The GPU, for a camera that needs it.</param>
/// <param name="log">The log.</param>
/// <param name="post">Hands work to the control thread, from any thread.</param>
internal sealed class Camera(CameraConfiguration configuration, string directory, Gpu gpu, Log log, Action<Action> post)
{
    private const long Second = 1_000_000_000;

    /// <summary>How long a new run leaves the source to the one before it: many cameras serve a single connection.</summary>
    private const long HandOver = 2 * Second;

    /// <summary>The same trouble is logged again after that long.</summary>
    private const long RepeatAfter = 600 * Second;

    private readonly ReaderLog _readers = new(log, configuration.Key);
    private readonly RetryDelay _restartDelay = new();
    private readonly List<RenditionStream> _renditions =
        [.. configuration.Renditions.Select(rendition => new RenditionStream(configuration, rendition, directory, log, post))];
    private CameraRun? _run;
    private CameraRun? _previous;
    private long _previousUntil;
    private long _nextAttempt;
    private long _restartAt = long.MaxValue;
    private long _startedAt;
    private FramePublisher? _notice;

    /// <summary>Attempts to open the GPU that were over when this camera began to wait for the next one; null: it does not wait.</summary>
    private int? _gpuAttempts;
    private string? _trouble;
    private long _troubleAt;

    internal CameraConfiguration Configuration => configuration;

    /// <summary>The runtime directory that it publishes in.</summary>
    internal string Directory => directory;

    /// <summary><see cref="Concern"/> of a camera that could not take its key.</summary>
    internal const string NotAvailable = "not available";

    /// <summary>Why it is not live, in two words; null if it is.</summary>
    internal string? Concern => _run switch
    {
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

    /// <summary>The streams of it that are published now, for taps.</summary>
    internal IEnumerable<TapStream> TapStreams
    {
        get
        {
            if (_run is not null || _notice is not null)
            {
                yield return new TapStream(
                    configuration.Key, configuration.Memory, configuration.Readers, _run?.Packets is null ? null : configuration.Packets?.Readers ?? configuration.Readers);
            }

            foreach (RenditionStream rendition in _renditions.Where(rendition => rendition.IsPublished))
            {
                yield return new TapStream(rendition.Key, configuration.MemoryOf(rendition.Configuration), configuration.Readers, PacketReaders: null);
            }
        }
    }

    /// <summary>Whether a run should begin now.</summary>
    /// <param name="now">CLOCK_MONOTONIC in nanoseconds.</param>
    internal bool IsDue(long now) => _run is null && (now >= _nextAttempt || (_gpuAttempts is { } seen && gpu.Attempts != seen));

    /// <summary>When <see cref="Advance"/> has something to do next, CLOCK_MONOTONIC in nanoseconds.</summary>
    internal long NextDue
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

    /// <summary>Leaves the source to another camera's last run for a while.</summary>
    /// <param name="previous">That run, which was stopped.</param>
    /// <param name="now">CLOCK_MONOTONIC in nanoseconds.</param>
    internal void Follow(CameraRun? previous, long now) => (_previous, _previousUntil) = (previous, now + HandOver);

    /// <summary>Does what is due: takes the key, starts the camera's thread.</summary>
    /// <param name="now">CLOCK_MONOTONIC in nanoseconds.</param>
    /// <returns>The run that was stopped, if the camera is started again.</returns>
    internal CameraRun? Advance(long now)
    {
        _readers.Tick(now);
        CameraRun? stopped = now >= _restartAt ? Restart(now) : null;
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
            log.Write(LogEvents.CameraStarted, $"The stream is published at {_run.Publisher.SocketPath}{packets}; frames are to come from {configuration.SourceText}.", configuration.Key);
        }

        if (_run is { } run)
        {
            _renditions.ForEach(rendition => rendition.Advance(run, now));
        }

        return stopped;
    }

    /// <summary>Makes the renditions those of another configuration that is the same otherwise. The others are not touched.</summary>
    /// <param name="wanted">The renditions.</param>
    /// <param name="added">Keys of new ones are added here.</param>
    /// <param name="changed">Keys of those that differ are added here.</param>
    /// <param name="removed">Keys of those that are gone are added here.</param>
    internal void SetRenditions(IReadOnlyList<RenditionConfiguration> wanted, List<string> added, List<string> changed, List<string> removed)
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
            RenditionStream rendition = new(configuration, next, directory, log, post);
            _renditions.Add(rendition);
            if (!changed.Contains(rendition.Key))
            {
                added.Add(rendition.Key);
            }
        }
    }

    /// <summary>Says why no attempt is made now.</summary>
    internal void Postpone(long now) => (_nextAttempt, _gpuAttempts) = (now + Second, null);

    /// <summary>Starts the stream anew if its socket is gone.</summary>
    /// <returns>The run that was stopped, if so.</returns>
    internal CameraRun? CheckSocket(long now)
    {
        _renditions.ForEach(rendition => rendition.CheckSocket(now));
        string?[] paths = [_run?.Publisher.SocketPath ?? _notice?.SocketPath, _run?.Packets?.SocketPath];
        string? path = Array.Find(paths, path => path is not null && !File.Exists(path));
        if (path is null)
        {
            return null;
        }

        log.Write(LogEvents.CameraSocketGone, $"{path} was removed; the stream is started again.", configuration.Key);
        if (_run is null)
        {
            EndNotice();
            _nextAttempt = now;
            return null;
        }

        return Restart(now);
    }

    /// <summary>Ends the stream.</summary>
    /// <returns>The run, to be disposed of when its thread has ended; null if there was none.</returns>
    internal CameraRun? Stop()
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
            log.Write(LogEvents.CameraStopped, "The stream has ended.", configuration.Key);
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
                log.Write(LogEvents.CameraIdle, status.Reason, configuration.Key);
                break;
            case CameraState.Live:
                _trouble = null;
                log.Write(LogEvents.CameraLive, status.Reason, configuration.Key);
                log.Write(
                    CameraChoice.IsFallback(configuration, status) ? LogEvents.CameraFallback : LogEvents.CameraDecoder,
                    CameraChoice.Describe(configuration, run.Gpu, status),
                    configuration.Key);
                break;
            case CameraState.SourceLost when CameraChoice.IsNotAdmitted(status):
                // Figures in the text change from attempt to attempt.
                ReportTrouble(LogEvents.CameraNotAdmitted, CameraChoice.WithNextAttempt(status), now, "", $"{status.Code} {status.Error}");
                break;
            case CameraState.SourceLost:
                ReportTrouble(LogEvents.CameraLost, status.Reason, now, $" Next attempt in {status.RetryDelay.TotalSeconds:0.0} s.");
                break;
            case CameraState.Ended:
                log.Write(LogEvents.CameraEnded, status.Reason, configuration.Key);
                break;
            case CameraState.Failed when status.Error is null && status.Code == ErrorCode.None:
                // Until then the stream stays and its state says what happened.
                if (now - _startedAt > 2 * RetryDelay.Longest.Ticks * 100)
                {
                    _restartDelay.Reset();
                }

                TimeSpan delay = _restartDelay.Next();
                _restartAt = now + (delay.Ticks * 100);
                log.Write(LogEvents.CameraFault, $"{configuration.Redact(status.Reason)} Starting again in {delay.TotalSeconds:0} s.", configuration.Key);
                break;
            case CameraState.Failed:
                log.Write(LogEvents.CameraFailed, status.Reason, configuration.Key);
                break;
        }
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
        if (configuration.NeedsGpu && gpu.Context is null)
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
                configuration,
                directory,
                gpu,
                happening => post(() => _readers.Write(happening, MonotonicClock.NowNanoseconds)),
                (run, status) => post(() => StatusReceived?.Invoke(this, run, status)));
            _trouble = null;
        }
        catch (CuFramesException error) when (configuration.NeedsGpu && error is CudaException or { Code: ErrorCode.ConfigurationInvalid })
        {
            // What the device lacks it will lack tomorrow; what a call of the driver refused may be granted at another time.
            bool isFinal = error is not CudaException;
            TimeSpan delay = _restartDelay.Next();
            _nextAttempt = isFinal ? long.MaxValue : now + (delay.Ticks * 100);
            Announce(isFinal ? StreamState.Ended : StreamState.SourceLost, error.Message, now);
            ReportTrouble(
                isFinal ? LogEvents.CameraFailed : LogEvents.CameraWithoutGpu, error.Message, now, isFinal ? "" : $" Next attempt in {delay.TotalSeconds:0} s.");
        }
        catch (Exception error) when (error is CuFramesException or IOException)
        {
            string advice = error is CuFramesException { Code: ErrorCode.AccessDenied } ? " " + RuntimeDirectory.AdviceFor(directory) : "";
            ReportTrouble(LogEvents.CameraUnavailable, configuration.Redact(error.Message) + advice, now, " Tried again every second.");
            Postpone(now);
        }
    }

    /// <summary>Is told, on the control thread, what a pump says.</summary>
    internal Action<Camera, CameraRun, CameraStatus>? StatusReceived { get; init; }

    /// <summary>Publishes a stream that has no frames and says why, so that readers and operators see it.</summary>
    private void Announce(StreamState state, string text, long now)
    {
        try
        {
            _notice ??= FramePublisher.Create(
                configuration.Key,
                configuration.ToPublisherOptions(directory, happening => post(() => _readers.Write(happening, MonotonicClock.NowNanoseconds)), null));
            _notice.SetState(state, text);
        }
        catch (Exception error) when (error is CuFramesException or IOException)
        {
            ReportTrouble(LogEvents.CameraUnavailable, configuration.Redact(error.Message), now, " Tried again every second.");
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
            (_trouble, _troubleAt) = (identity, now);
            log.Write(kind, text + more, configuration.Key);
        }
    }
}
