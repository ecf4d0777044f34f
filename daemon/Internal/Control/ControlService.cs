using System.Text;
using System.Threading.Channels;
using CuFrames.Client;
using CuFrames.Control;
using CuFrames.Control.Internal;
using CuFrames.Control.V1;
using CuFrames.Daemon.Internal.Access;
using CuFrames.Daemon.Internal.State;
using CuFrames.Daemon.Internal.Taps;
using CuFrames.Interop;
using CuFrames.Protocol;
using V1 = CuFrames.Control.V1;

namespace CuFrames.Daemon.Internal.Control;

/// <summary>Answers the calls of control.proto. Cameras are looked at on the control thread only.</summary>
internal sealed class ControlService
{
    /// <summary>Bytes of a reason (control.proto says so): it is told to the reader in a message of limited size.</summary>
    private const int MaxReason = 200;

    private readonly ControlParts _parts;
    private readonly CameraChanges _changes;
    private readonly SnapshotTaker _snapshots = new();

    /// <summary>Makes the service.</summary>
    /// <param name="parts">What it works with.</param>
    internal ControlService(ControlParts parts)
    {
        _parts = parts;
        _changes = new CameraChanges(parts.Set, AdoptAsync, parts.Log);
    }

    /// <summary>All methods.</summary>
    internal IEnumerable<RpcHandler> Handlers =>
    [
        RpcHandler.Unary(ControlMethods.GetDaemon, GetDaemonAsync, Permission.View),
        RpcHandler.Unary(ControlMethods.ListCameras, ListCamerasAsync, Permission.View),
        RpcHandler.Unary(ControlMethods.GetCamera, (request, call) => GetCameraAsync(request.Key, call.Cancellation), Permission.View),
        RpcHandler.Unary(ControlMethods.AddCamera, AddCameraAsync),
        RpcHandler.Unary(ControlMethods.UpdateCamera, UpdateCameraAsync),
        RpcHandler.Unary(ControlMethods.RemoveCamera, RemoveCameraAsync),
        RpcHandler.Unary(ControlMethods.RestartCamera, RestartCameraAsync),
        RpcHandler.Unary(ControlMethods.GetStatistics, GetStatisticsAsync, Permission.View),
        RpcHandler.Unary(ControlMethods.TakeSnapshot, TakeSnapshotAsync, Permission.View),
        RpcHandler.Unary(ControlMethods.SetLogLevel, SetLogLevelAsync),
        RpcHandler.Unary(ControlMethods.ListReaders, ListReadersAsync, Permission.View),
        RpcHandler.Unary(ControlMethods.EvictReader, EvictReaderAsync),
        RpcHandler.Streaming(ControlMethods.WatchEvents, WatchEventsAsync, Permission.View),
    ];

    private static readonly (Severity Severity, LogLevel Level)[] Levels =
        [(Severity.Information, LogLevel.Information), (Severity.Warning, LogLevel.Warning), (Severity.Error, LogLevel.Error)];

    private CameraSet Set => _parts.Set();

    /// <summary>What runs.</summary>
    internal async Task<V1.Daemon> GetDaemonAsync(GetDaemonRequest request, RpcCall call)
    {
        V1.Daemon daemon = await AskAsync(_parts.Describe, call).ConfigureAwait(false);
        StateContent state = Set.State;
        daemon.StateDirectory = state.Directory ?? "";
        daemon.StateProblem = CameraChanges.ProblemOf(state);
        daemon.LogLevel = SeverityOf(_parts.Log.Level);
        return daemon;
    }

    /// <summary>All cameras.</summary>
    internal async Task<ListCamerasResponse> ListCamerasAsync(ListCamerasRequest request, RpcCall call)
    {
        // The control thread only looks; messages are made here.
        (CameraSet set, Dictionary<string, CameraFacts> facts) = await AskAsync(
            () => (Set, _parts.Cameras.ToDictionary(camera => camera.Configuration.Key, camera => camera.Facts)), call).ConfigureAwait(false);
        long now = MonotonicClock.NowNanoseconds;
        ListCamerasResponse response = new();
        response.Cameras.AddRange(set.All.Select(written => CameraDescription.Of(written, facts.GetValueOrDefault(written.Key), now)));
        return response;
    }

    /// <summary>One camera.</summary>
    internal async Task<V1.Camera> GetCameraAsync(string key, CancellationToken cancellation)
    {
        (ConfiguredCamera written, CameraFacts? facts) = await AskAsync(
            () => (FindWritten(key), _parts.Cameras.FirstOrDefault(camera => camera.Configuration.Key == key)?.Facts), cancellation).ConfigureAwait(false);
        return CameraDescription.Of(written, facts, MonotonicClock.NowNanoseconds);
    }

    /// <summary>Adds a camera.</summary>
    internal async Task<V1.Camera> AddCameraAsync(AddCameraRequest request, RpcCall call)
    {
        await _changes.AddAsync(request.Key, request.Settings, call.Cancellation).ConfigureAwait(false);
        LogDone($"Camera '{request.Key}' was added by {call.Caller.Name}.", request.Key);
        return await GetCameraAsync(request.Key, call.Cancellation).ConfigureAwait(false);
    }

    /// <summary>Gives a camera other settings.</summary>
    internal async Task<V1.Camera> UpdateCameraAsync(UpdateCameraRequest request, RpcCall call)
    {
        await _changes.UpdateAsync(request.Key, request.Settings, call.Cancellation).ConfigureAwait(false);
        LogDone($"Camera '{request.Key}' was given other settings by {call.Caller.Name}.", request.Key);
        return await GetCameraAsync(request.Key, call.Cancellation).ConfigureAwait(false);
    }

    /// <summary>Removes a camera.</summary>
    internal async Task<RemoveCameraResponse> RemoveCameraAsync(RemoveCameraRequest request, RpcCall call)
    {
        await _changes.RemoveAsync(request.Key, call.Cancellation).ConfigureAwait(false);
        LogDone($"Camera '{request.Key}' was removed by {call.Caller.Name}.", request.Key);
        return new RemoveCameraResponse();
    }

    /// <summary>Starts a camera anew.</summary>
    internal Task<RestartCameraResponse> RestartCameraAsync(RestartCameraRequest request, RpcCall call) => AskAsync(
        () =>
        {
            ConfiguredCamera written = FindWritten(request.Key);
            Camera camera = _parts.Cameras.FirstOrDefault(camera => camera.Configuration.Key == request.Key) ?? throw new RpcException(
                RpcStatus.FailedPrecondition,
                written.Configuration is null
                    ? $"Camera '{request.Key}' does not run, because its settings do not hold: {string.Join(" ", written.Problems)}"
                    : $"Camera '{request.Key}' does not run, because its settings say enabled: false. Change them.");
            _parts.Restart(camera);
            LogDone($"Camera '{request.Key}' was started anew by {call.Caller.Name}.", request.Key);
            return new RestartCameraResponse();
        },
        call);

    /// <summary>Rates, latencies and counters.</summary>
    internal async Task<Statistics> GetStatisticsAsync(GetStatisticsRequest request, RpcCall call)
    {
        if (request.Camera.Length > 0)
        {
            FindWritten(request.Camera);
        }

        return StatisticsDescription.Of(await _parts.Sampler.AskAsync(call.Cancellation).ConfigureAwait(false), request.Camera);
    }

    /// <summary>The newest frame of a stream as a picture.</summary>
    internal async Task<Snapshot> TakeSnapshotAsync(TakeSnapshotRequest request, RpcCall call)
    {
        if (!Enum.IsDefined(request.Format))
        {
            throw new RpcException(RpcStatus.InvalidArgument, $"The format is {(int)request.Format}, and should be PICTURE_FORMAT_JPEG (1) or PICTURE_FORMAT_PNG (2).");
        }

        if (request.MaxWidth > Wire.MaxDimension)
        {
            throw new RpcException(RpcStatus.InvalidArgument, $"max_width is {request.MaxWidth}, and should be from 1 to {Wire.MaxDimension}, or 0 for no limit.");
        }

        (Camera camera, TapStream stream) = await AskAsync(() => FindStream(request.Stream), call).ConfigureAwait(false);
        if (call.Caller.FindReadObstacle(camera.Configuration.Key, stream.Readers) is { } obstacle)
        {
            throw new RpcException(RpcStatus.PermissionDenied, $"A picture of '{request.Stream}' is for those who may read it. {obstacle}");
        }

        return stream.Memory == FrameMemory.CudaIpc
            ? throw new RpcException(
                RpcStatus.FailedPrecondition,
                $"The frames of '{request.Stream}' lie behind legacy handles (cuda-ipc), which the process that made them cannot open. Take it with 'cuframes snapshot', or of a rendition with memory: host.")
            : await _snapshots.TakeAsync(request, camera.Directory, call).ConfigureAwait(false);
    }

    /// <summary>Sets which lines the log has.</summary>
    internal Task<SetLogLevelResponse> SetLogLevelAsync(SetLogLevelRequest request, RpcCall call)
    {
        LogLevel? level = null;
        foreach ((Severity severity, LogLevel known) in Levels)
        {
            level = severity == request.Level ? known : level;
        }

        if (level is not { } wanted)
        {
            throw new RpcException(
                RpcStatus.InvalidArgument, $"The level is {(int)request.Level}, and should be one of {string.Join(", ", Levels.Select(pair => $"{(int)pair.Severity} ({pair.Severity})"))}.");
        }

        // Before it becomes quieter, so that the log has the reason for its silence.
        LogDone($"The log level was set to {wanted.ToString().ToLowerInvariant()} by {call.Caller.Name}.", null);
        _parts.Log.Level = wanted;
        return Task.FromResult(new SetLogLevelResponse());
    }

    /// <summary>Who reads.</summary>
    internal async Task<ListReadersResponse> ListReadersAsync(ListReadersRequest request, RpcCall call)
    {
        List<CameraFacts> cameras = await AskAsync(() => _parts.Cameras.Select(camera => camera.Facts).ToList(), call).ConfigureAwait(false);
        List<string> streams = [.. cameras.SelectMany(facts => facts.Streams).Select(stream => stream.Key)];
        if (request.Stream.Length > 0 && !streams.Contains(request.Stream) && await AskAsync(() => FindOwner(request.Stream), call).ConfigureAwait(false) is null)
        {
            throw NotFound("stream", request.Stream, streams);
        }

        ListReadersResponse response = new();
        response.Readers.AddRange(cameras.SelectMany(facts => CameraDescription.ReadersOf(facts, request.Stream)));
        return response;
    }

    /// <summary>Disconnects a reader.</summary>
    internal async Task<EvictReaderResponse> EvictReaderAsync(EvictReaderRequest request, RpcCall call)
    {
        int length = Encoding.UTF8.GetByteCount(request.Reason);
        if (length > MaxReason)
        {
            throw new RpcException(RpcStatus.InvalidArgument, $"The reason has {length} bytes of UTF-8, and at most {MaxReason} are taken.");
        }

        string reason = request.Reason.Length > 0 ? request.Reason : "an operator asked for it";
        Task<bool> eviction = await AskAsync(
            () => _parts.Cameras.FirstOrDefault(camera => camera.Facts.Has(request.Stream, request.ReadsPackets))?
                .EvictAsync(request.Stream, request.ReadsPackets, request.Id, reason) ?? Task.FromResult(false),
            call).ConfigureAwait(false);
        if (!await eviction.WaitAsync(call.Cancellation).ConfigureAwait(false))
        {
            string kind = request.ReadsPackets ? "packets" : "frames";
            throw new RpcException(RpcStatus.NotFound, $"Nobody with number {request.Id} reads {kind} of '{request.Stream}' (any more). ListReaders says who does.");
        }

        LogDone($"Reader {request.Id} was evicted by {call.Caller.Name}: {reason}.", request.Stream);
        return new EvictReaderResponse();
    }

    private async IAsyncEnumerable<Event> WatchEventsAsync(WatchEventsRequest request, RpcCall call)
    {
        if (request.Past > EventHistory.Kept)
        {
            throw new RpcException(RpcStatus.InvalidArgument, $"{request.Past} past events were asked for, and {EventHistory.Kept} are kept.");
        }

        if (request.Camera.Length > 0)
        {
            FindWritten(request.Camera);
        }

        _parts.Log.Events.Watch(out EventRecord[] past, out Channel<EventRecord> next);
        try
        {
            ulong last = past.Length > 0 ? past[^1].Sequence : 0;
            foreach (EventRecord record in past.Where(record => IsWanted(record, request.Camera)).TakeLast((int)request.Past))
            {
                yield return Message(record, missed: 0);
            }

            if (request.PastOnly)
            {
                yield break;
            }

            ulong missed = 0;
            await foreach (EventRecord record in next.Reader.ReadAllAsync(call.Cancellation).ConfigureAwait(false))
            {
                // Nothing lies between two events of the history but what found no room here.
                missed += last == 0 ? 0 : record.Sequence - last - 1;
                last = record.Sequence;
                if (IsWanted(record, request.Camera))
                {
                    yield return Message(record, missed);
                    missed = 0;
                }
            }
        }
        finally
        {
            _parts.Log.Events.Forget(next);
        }
    }

    private static bool IsWanted(EventRecord record, string camera) =>
        camera.Length == 0 || record.Stream == camera || (record.Stream?.StartsWith(camera, StringComparison.Ordinal) == true && record.Stream[camera.Length] == '@');

    private static Event Message(EventRecord record, ulong missed) => new()
    {
        Sequence = record.Sequence,
        TimeMs = (ulong)new DateTimeOffset(record.Time).ToUnixTimeMilliseconds(),
        Id = (uint)record.Kind.Id,
        Name = record.Kind.Name,
        Severity = SeverityOf(record.Kind.Level),
        Stream = record.Stream ?? "",
        Text = record.Text,
        Missed = missed,
    };

    private static Severity SeverityOf(LogLevel level) => Levels.First(pair => pair.Level == level).Severity;

    private static RpcException NotFound(string what, string key, IEnumerable<string> others) =>
        new(RpcStatus.NotFound, $"There is no {what} '{key}'. There are: {string.Join(", ", others.DefaultIfEmpty("none"))}.");

    private ConfiguredCamera FindWritten(string key) => Set.Find(key) ?? throw CameraChanges.NotFound(Set, key);

    private (Camera Camera, TapStream Stream) FindStream(string key)
    {
        foreach (Camera camera in _parts.Cameras)
        {
            foreach (TapStream stream in camera.TapStreams.Where(stream => stream.Key == key))
            {
                return (camera, stream);
            }
        }

        throw FindOwner(key) is { } owner
            ? new RpcException(
                RpcStatus.Unavailable, $"Camera '{owner.Configuration.Key}' does not publish '{key}' yet, or not now: {Sentence(owner.Facts.Reason)} Try again; ListCameras says what it does.")
            : NotFound("stream", key, _parts.Cameras.SelectMany(camera => camera.TapStreams).Select(stream => stream.Key));

        static string Sentence(string reason) => reason.Length > 0 ? reason : "it is being started.";
    }

    /// <summary>
    /// The running camera that is to have a stream of a key, whether it is published or not; null: none. What the worker of an isolated camera publishes is known
    /// only when it has said so, which readers do not wait for.
    /// </summary>
    private Camera? FindOwner(string stream) => _parts.Cameras.FirstOrDefault(camera =>
        camera.Configuration.Key == stream ||
        Set.Find(camera.Configuration.Key)?.Configuration?.Renditions.Any(rendition => stream == $"{camera.Configuration.Key}@{rendition.Name}") == true);

    private void LogDone(string text, string? stream) => _parts.Log.Write(LogEvents.ControlDone, text, stream);

    /// <summary>Makes the cameras those of a set: also when its caller has gone by then, because the file says so already.</summary>
    private Task<bool> AdoptAsync(CameraSet set) => AskAsync(
        () =>
        {
            _parts.Adopt(set);
            return true;
        },
        CancellationToken.None);

    private Task<T> AskAsync<T>(Func<T> work, RpcCall call) => AskAsync(work, call.Cancellation);

    private Task<T> AskAsync<T>(Func<T> work, CancellationToken cancellation)
    {
        TaskCompletionSource<T> done = new(TaskCreationOptions.RunContinuationsAsynchronously);
        _parts.Post(() =>
        {
            try
            {
                done.SetResult(work());
            }
            catch (Exception error)
            {
                // Whatever it is, it is the caller's to handle, and not the control thread's.
                done.SetException(error);
            }
        });
        return done.Task.WaitAsync(cancellation);
    }
}
