using System.ComponentModel;
using CuFrames.Client;
using CuFrames.Daemon.Internal.Limits;
using CuFrames.Daemon.Internal.Taps;
using CuFrames.Interop;
using CuFrames.Protocol;
using ReportedState = CuFrames.Control.V1.CameraState;

namespace CuFrames.Daemon.Internal.Workers;

/// <summary>
/// A camera that runs in a worker process of its own, with the same sockets: a decoder that crashes takes down only that. What the worker says is the
/// word of a process that a hostile stream may have taken over: only lines of this camera are logged, and not more than some.
/// </summary>
/// <param name="configuration">What to run.</param>
/// <param name="directory">The runtime directory.</param>
/// <param name="gpu">The GPU that the worker opens for itself if the camera needs it.</param>
/// <param name="ceilings">What all cameras may take. A worker gets what the others leave when it starts; what it takes counts here as it reports it.</param>
/// <param name="quotas">The quotas of all streams, which count for the worker's readers too.</param>
/// <param name="log">The log.</param>
/// <param name="post">Hands work to the control thread, from any thread.</param>
internal sealed class IsolatedCamera(
    CameraConfiguration configuration, string directory, GpuConfiguration gpu, Ceilings ceilings, ReaderQuotas quotas, Log log, Action<Action> post)
    : Camera(configuration, directory)
{
    private const long Second = 1_000_000_000;

    /// <summary>As <see cref="LocalCamera"/> leaves the source to the run before.</summary>
    private const long HandOver = 2 * Second;

    /// <summary>A worker that does not answer for that long is no hiccup, also on a machine that swaps. It answers twice a second otherwise.</summary>
    private const long LongestStart = 30 * Second;

    private readonly LimitedLog _lines = new(log, LogEvents.WorkerQuiet, $"camera {configuration.Key}, of its worker,");
    private readonly CameraWatch _watch = new(configuration.StuckTimeout);
    private readonly StuckWatch _silence = new();
    private readonly RetryDelay _delay = new();
    private IReadOnlyList<RenditionConfiguration> _renditions = configuration.Renditions;
    private WorkerProcess? _worker;
    private CameraFacts? _facts;
    private long _startedAt;
    private long _heard;

    /// <summary>Bytes that the ceiling knows of.</summary>
    private long _accounted;
    private long _nextAttempt;
    private string _trouble = "";
    private long _troubleSince = MonotonicClock.NowNanoseconds;
    private IEndingRun? _previous;
    private long _previousUntil;

    /// <inheritdoc/>
    internal override CameraFacts Facts => _facts ?? new CameraFacts
    {
        State = _worker is null && _trouble.Length > 0 ? ReportedState.SourceLost : ReportedState.Starting,
        Concern = _worker is null && _trouble.Length > 0 ? "worker ended" : "starting",
        Reason = _trouble,
        Since = _troubleSince,
        WorkerProcessId = _worker?.ProcessId ?? 0,
    };

    /// <inheritdoc/>
    internal override IEnumerable<TapStream> TapStreams
    {
        get
        {
            if (_facts is not { } facts)
            {
                yield break;
            }

            foreach (StreamFacts stream in facts.Streams)
            {
                if (stream.Key == Configuration.Key)
                {
                    yield return new TapStream(
                        stream.Key, Configuration.Memory, Configuration.Readers, facts.Packets is null ? null : Configuration.Packets?.Readers ?? Configuration.Readers);
                }
                else if (_renditions.FirstOrDefault(rendition => stream.Key == $"{Configuration.Key}@{rendition.Name}") is { } rendition)
                {
                    yield return new TapStream(stream.Key, Configuration.MemoryOf(rendition), rendition.Readers ?? Configuration.Readers, PacketReaders: null);
                }
            }
        }
    }

    /// <inheritdoc/>
    internal override long NextDue => _worker is null ? _nextAttempt : long.MaxValue;

    /// <inheritdoc/>
    internal override Task<bool> EvictAsync(string stream, bool readsPackets, ulong id, string reason) =>
        _worker?.EvictAsync(stream, readsPackets, id, reason) ?? Task.FromResult(false);

    /// <inheritdoc/>
    internal override bool IsDue(long now) =>
        _worker is null && now >= _nextAttempt && (_previous is null || now >= _previousUntil || _previous.TryDispose(TimeSpan.Zero));

    /// <inheritdoc/>
    internal override void Follow(IEndingRun? previous, long now) => (_previous, _previousUntil) = (previous, now + HandOver);

    /// <inheritdoc/>
    internal override IEndingRun? Advance(long now)
    {
        if (IsDue(now))
        {
            _previous = null;
            Start(now);
        }
        else if (_worker is { } worker && FindStuck(now) is { } text)
        {
            log.Write(LogEvents.CameraStuck, $"{text} Its worker, process {worker.ProcessId}, is ended, and another takes its place.", Configuration.Key);
            worker.Kill();
            // It may take a moment until the end is heard of.
            (_heard, _facts) = (_heard + 1, null);
        }

        return null;
    }

    /// <inheritdoc/>
    internal override void SetRenditions(IReadOnlyList<RenditionConfiguration> wanted, List<string> added, List<string> changed, List<string> removed)
    {
        foreach (RenditionConfiguration rendition in _renditions.Where(rendition => !wanted.Contains(rendition)))
        {
            (wanted.Any(candidate => candidate.Name == rendition.Name) ? changed : removed).Add($"{Configuration.Key}@{rendition.Name}");
        }

        added.AddRange(wanted.Where(next => !_renditions.Any(rendition => rendition.Name == next.Name)).Select(next => $"{Configuration.Key}@{next.Name}"));
        if (!wanted.SequenceEqual(_renditions))
        {
            _renditions = wanted;
            _worker?.TrySend(new WorkerOrder { Renditions = wanted });
        }
    }

    /// <inheritdoc/>
    internal override void Postpone(long now) => _nextAttempt = now + Second;

    /// <summary>The worker looks after its own sockets.</summary>
    internal override IEndingRun? CheckSocket(long now) => null;

    /// <inheritdoc/>
    internal override IEndingRun? Stop()
    {
        WorkerProcess? worker = _worker;
        _worker = null;
        _facts = null;
        Account(null);
        _nextAttempt = long.MaxValue;
        worker?.Stop();
        return worker;
    }

    private void Start(long now)
    {
        LimitsConfiguration limits = ceilings.Configuration with
        {
            Memory = ceilings.Memory.Limit == long.MaxValue ? long.MaxValue : Math.Max(1, ceilings.Memory.Limit - ceilings.Memory.InUse),
        };
        CameraConfiguration camera = Configuration with { Renditions = _renditions, StuckTimeout = TimeSpan.Zero };
        try
        {
            // The pipes, and what starting needs for a moment.
            ceilings.Descriptors.Require($"Camera '{Configuration.Key}'", 8);
            _worker = WorkerProcess.Start(
                new WorkerStart(Program.Version, Environment.ProcessId, Directory, camera, gpu, limits),
                quotas,
                (worker, report) => post(() => OnReport(worker, report)),
                (worker, text) => post(() => OnEnd(worker, text)));
            (_startedAt, _heard) = (now, _heard + 1);
            log.Write(LogEvents.WorkerStarted, $"Process {_worker.ProcessId} runs the camera.", Configuration.Key);
        }
        catch (Exception error) when (error is CuFramesException or Win32Exception or IOException or InvalidOperationException)
        {
            Fail($"A worker cannot be started: {error.Message}", now);
        }
    }

    private void OnReport(WorkerProcess worker, WorkerReport report)
    {
        // A worker that was told to end still says how it ends.
        if (report.Audit is { } entry && LogEvents.All.FirstOrDefault(kind => kind.Id == entry.Id) is { } audited && IsOwn(entry.Stream))
        {
            log.Audit.Write(audited, entry);
        }

        if (report.Event is { } happening && LogEvents.All.FirstOrDefault(kind => kind.Id == happening.Id) is { } kind && IsOwn(happening.Stream ?? Configuration.Key))
        {
            // What is about no stream there, such as its GPU, is about this one here.
            _lines.Write(kind, Configuration.Redact(happening.Text), happening.Stream ?? Configuration.Key);
        }

        if (ReferenceEquals(worker, _worker))
        {
            _heard++;
            if (report.Facts is { } facts && facts.Streams.All(stream => IsOwn(stream.Key)))
            {
                Account(facts);
                _facts = facts with { WorkerProcessId = worker.ProcessId, Worker = facts.Worker?.Clamped, Reason = Configuration.Redact(facts.Reason) };
            }
        }
    }

    /// <summary>Takes note of the main memory that the worker's rings have.</summary>
    private void Account(CameraFacts? facts)
    {
        long bytes = facts is null ? 0
            : facts.Streams.Where(stream => stream.Memory == MemoryDomain.Host).Sum(stream => Math.Max(0, stream.Statistics.SegmentBytes + stream.Statistics.UnansweredBytes)) +
              Math.Max(0, facts.Packets?.Statistics.ByteCapacity ?? 0);
        ceilings.Memory.Account(bytes - _accounted);
        _accounted = bytes;
    }

    private bool IsOwn(string? stream) => stream is not null && WorkerShares.IsOf(Configuration.Key, stream);

    private void OnEnd(WorkerProcess worker, string text)
    {
        if (!ReferenceEquals(worker, _worker))
        {
            return;
        }

        long now = MonotonicClock.NowNanoseconds;
        _worker = null;
        _facts = null;
        Account(null);
        if (now - _startedAt > 2 * RetryDelay.Longest.Ticks * 100)
        {
            _delay.Reset();
        }

        Fail($"Its worker, process {worker.ProcessId}, {Configuration.Redact(text).TrimEnd('.')}.", now);
    }

    private void Fail(string text, long now)
    {
        TimeSpan delay = _delay.Next();
        _nextAttempt = now + (delay.Ticks * 100);
        (_trouble, _troubleSince) = (text, now);
        log.Write(LogEvents.WorkerEnded, $"{text} Another is started in {delay.TotalSeconds:0} s.", Configuration.Key);
    }

    /// <summary>Why the worker must be taken for stuck; null: it is not.</summary>
    private string? FindStuck(long now)
    {
        long silence = _silence.Look(_heard, now);
        long limit = Configuration.StuckTimeout.Ticks * 100;
        return limit > 0 && silence > Math.Max(limit, _facts is null ? LongestStart : 0)
            ? $"The worker has said nothing for {silence / Second} s."
            : _watch.FindStuck(_facts?.Heartbeat, now);
    }
}
