using System.Collections.Concurrent;
using System.Net;
using System.Runtime.InteropServices;
using CuFrames.Client;
using CuFrames.Control;
using CuFrames.Daemon.Internal.Access;
using CuFrames.Daemon.Internal.Control;
using CuFrames.Daemon.Internal.Limits;
using CuFrames.Daemon.Internal.Metrics;
using CuFrames.Daemon.Internal.State;
using CuFrames.Daemon.Internal.Taps;
using CuFrames.Daemon.Internal.Web;
using CuFrames.Daemon.Internal.Workers;
using CuFrames.Interop;

namespace CuFrames.Daemon.Internal;

/// <summary>
/// The daemon's control loop: starts, restarts and stops cameras, reloads the configuration, talks to systemd. One thread, which never waits for a
/// camera, a reader or the log; everything that happens elsewhere is handed to it as work.
/// </summary>
internal sealed class Supervisor : IDisposable
{
    private const long Millisecond = 1_000_000;
    private const long Second = 1_000_000_000;

    /// <summary>Editors write in several steps: a file is read when it has been quiet for that long, ...</summary>
    private const long Quiet = 300 * Millisecond;

    /// <summary>... or when it has not come to rest for that long.</summary>
    private const long LongestUnrest = 2 * Second;

    /// <summary>READY waits that long for the GPU to be opened, so that its cameras are started by then.</summary>
    private const long LongestOpening = 10 * Second;

    /// <summary>Of the two seconds that a shutdown may take, cameras get this.</summary>
    private const long ShutdownTime = Second;

    private readonly DaemonOptions _options;
    private readonly Log _log;
    private readonly SystemdNotifier _systemd = SystemdNotifier.FromEnvironment();
    private readonly BlockingCollection<Action> _work = [];
    private readonly ConfigurationWatcher _watcher;
    private readonly List<Camera> _cameras = [];
    private readonly List<IEndingRun> _ending = [];
    private readonly List<PosixSignalRegistration> _signals = [];
    private readonly List<Gpu> _pastGpus = [];

    private readonly TapServer _taps;
    private readonly ControlService _control;
    private readonly Sampler _sampler;
    private readonly DaemonMetrics _metrics;
    private readonly long _startedAt = MonotonicClock.NowNanoseconds;
    private readonly WebSite _site;
    private readonly PeerCredentials _own = PeerCredentials.OfThisProcess();
    private readonly FailedAttempts _failedAttempts = new();
    private readonly PublishDirectory _publish;
    private readonly ReaderQuotas _quotas = new();
    private RpcServer? _controlServer;
    private RpcServer? _controlTcp;
    private ControlConfiguration _controlConfiguration = ControlConfiguration.Default;
    private WebServer? _web;
    private OtlpPush? _otlp;

    /// <summary>Who may do what. Written by the control thread, read by the threads of the servers.</summary>
    private volatile AccessControl _access;

    /// <summary>What is to run. Written by the control thread, read by the threads of the servers.</summary>
    private volatile CameraSet? _set;

    private readonly Ceilings _ceilings = new(LimitsConfiguration.Default);
    private readonly DescriptorGate _gate;

    private Gpu _gpu;
    private TapConfiguration _tapConfiguration = TapConfiguration.Off;
    private WebConfiguration _webConfiguration = WebConfiguration.Off;
    private bool _hasAskedForPeers;
    private LogConfiguration? _logConfiguration;
    private byte[]? _content;
    private string _directory = "";
    private string? _directoryProblem;
    private string? _stopReason;
    private string _statusText = "";
    private bool _watchIsBroken;
    private bool _systemdHasFailed;
    private bool _isReady;
    private bool _isGpuBroken;
    private long _readyLatest;
    private long _reloadDue = long.MaxValue;
    private long _reloadLatest;
    private long _nextCheck;
    private long _nextWatchdog;

    /// <summary>Makes the loop.</summary>
    /// <param name="options">What the command line says.</param>
    /// <param name="log">The log; it stays the caller's.</param>
    internal Supervisor(DaemonOptions options, Log log)
    {
        _options = options;
        _log = log;
        _gpu = new Gpu(new GpuConfiguration(new GpuSelection(0, null), 0, 0), log, _work.Add);
        _access = new AccessControl(AccessConfiguration.Default, _own, _failedAttempts);
        _site = new WebSite(() => _access);
        _publish = new PublishDirectory(_own, log);
        _gate = new DescriptorGate(_ceilings.Descriptors, log);
        _taps = new TapServer(log, () => _access, _quotas, _gate);
        _sampler = new Sampler(_cameras, () => _gpu, _startedAt, () => _isReady, log, _work.Add);
        _metrics = new DaemonMetrics(_sampler);
        _site.Routes.AddRange(MetricsRoutes.Of(_metrics, _sampler, () => Volatile.Read(ref _webConfiguration).Metrics));
        _control = new ControlService(new ControlParts
        {
            Post = _work.Add,
            Describe = Describe,
            Cameras = _cameras,
            Set = () => _set!,
            Adopt = AdoptChange,
            Restart = Restart,
            Sampler = _sampler,
            Log = log,
        });
        new Dashboard(_site, _sampler, _control, () => _set!, _cameras, _work.Add, log).AddRoutes();
        _watcher = new ConfigurationWatcher(
            options.ConfigurationPath, () => _work.Add(OnFileChange), () => _work.Add(() => _watchIsBroken = true));
    }

    /// <summary>Runs until a signal asks to end, or the CUDA context is broken.</summary>
    /// <param name="configuration">The configuration to begin with.</param>
    /// <param name="content">The bytes that it was read from.</param>
    /// <returns>Whether it was a signal.</returns>
    internal bool Run(DaemonConfiguration configuration, byte[] content)
    {
        Listen(PosixSignal.SIGHUP, () => Reload("SIGHUP"));
        Listen(PosixSignal.SIGTERM, () => _stopReason ??= "SIGTERM came");
        Listen(PosixSignal.SIGINT, () => _stopReason ??= "SIGINT came");
        Arm();
        _content = content;
        _directory = RuntimeDirectory.Choose(_options.Directory, configuration);
        _log.Write(LogEvents.Starting, $"cuframesd {Program.Version}, configuration {_options.ConfigurationPath}, runtime directory {_directory}.");
        Adopt(Compose(configuration));
        _readyLatest = MonotonicClock.NowNanoseconds + LongestOpening;
        while (_stopReason is null)
        {
            long now = MonotonicClock.NowNanoseconds;
            Guard(() => Tick(now));
            if (!_isReady && (IsSettled || now >= _readyLatest))
            {
                _isReady = true;
                _log.Write(LogEvents.Ready, $"{_statusText}.");
                Notify(() => _systemd.Ready(_statusText));
            }

            long wait = Math.Clamp((NextDue() - MonotonicClock.NowNanoseconds) / Millisecond, 0, _isReady ? 1000 : 10);
            if (_work.TryTake(out Action? work, (int)wait + 1))
            {
                Guard(work);
            }
        }

        Shutdown();
        return !_isGpuBroken;
    }

    /// <summary>Whether all that was asked for at the start is there, or known not to be: whoever waits for the daemon may call it then.</summary>
    private bool IsSettled => !_gpu.IsUndecided && _controlServer?.HasTried != false && _controlTcp?.HasTried != false && _web?.HasTried != false;

    /// <summary>A text without the secrets of any camera. For the last words of the process: any thread, whatever the control thread does meanwhile.</summary>
    /// <param name="text">The text.</param>
    internal string Redact(string text) => _cameras.ToArray().Aggregate(text, (redacted, camera) => camera.Configuration.Redact(redacted));

    /// <inheritdoc/>
    public void Dispose()
    {
        _signals.ForEach(signal => signal.Dispose());
        _watcher.Dispose();
    }

    private void Listen(PosixSignal signal, Action work) => _signals.Add(PosixSignalRegistration.Create(signal, context =>
    {
        context.Cancel = true;
        _work.Add(work);
    }));

    /// <summary>A fault of one piece of work must not end the daemon.</summary>
    private void Guard(Action work)
    {
        try
        {
            work();
        }
        catch (Exception error)
        {
            string text = error.ToString();
            _cameras.ForEach(camera => text = camera.Configuration.Redact(text));
            _log.Write(LogEvents.InternalError, text);
        }
    }

    private long NextDue()
    {
        long due = Math.Min(Math.Min(_reloadDue, _nextCheck), _systemd.WatchdogInterval is null ? long.MaxValue : _nextWatchdog);
        // Threads that have to end, and sources that wait for them, are looked after at this interval.
        long soon = MonotonicClock.NowNanoseconds + (20 * Millisecond);
        foreach (Camera camera in _cameras)
        {
            due = Math.Min(due, Math.Max(camera.NextDue, soon));
        }

        return _ending.Count > 0 ? Math.Min(due, soon) : due;
    }

    private void Tick(long now)
    {
        for (int i = _ending.Count - 1; i >= 0; i--)
        {
            if (_ending[i].TryDispose(TimeSpan.Zero))
            {
                _ending.RemoveAt(i);
            }
        }

        for (int i = _pastGpus.Count - 1; i >= 0; i--)
        {
            if (!_ending.Exists(run => run.Gpu == _pastGpus[i]))
            {
                _pastGpus[i].Dispose();
                _pastGpus.RemoveAt(i);
            }
        }

        if (now >= _reloadDue)
        {
            _reloadDue = long.MaxValue;
            ReloadIfChanged();
        }

        if (now >= _nextCheck)
        {
            _nextCheck = now + Second;
            _cameras.ForEach(camera => End(camera.CheckSocket(now)));
            if (_gpu.FindBreak() is { } text)
            {
                _log.Write(LogEvents.GpuBroken, $"{text} The daemon ends with exit code {Program.GpuBroken}, so that whoever watches over it starts it again.");
                _isGpuBroken = true;
                _stopReason ??= "The CUDA context is broken";
            }

            if (_watchIsBroken)
            {
                Arm();
                OnFileChange();
            }
        }

        Advance(now);
        _sampler.Tick(now);
        string status = DescribeStatus();
        if (status != _statusText)
        {
            _statusText = status;
            if (_isReady)
            {
                Notify(() => _systemd.Status(status));
            }
        }

        if (_systemd.WatchdogInterval is { } interval && now >= _nextWatchdog)
        {
            // From this thread and after its round: the ping says that cameras are looked after and signals heard.
            _nextWatchdog = now + (interval.Ticks * 100 / 3);
            Notify(_systemd.Watchdog);
        }
    }

    private void Advance(long now)
    {
        if (_cameras.Exists(camera => camera.IsDue(now)))
        {
            bool? isNew = RuntimeDirectory.Ensure(_directory, out string? problem);
            if (isNew == true)
            {
                _log.Write(LogEvents.DirectoryMade, $"{_directory} was made.");
            }

            if (problem != _directoryProblem && problem is not null)
            {
                _log.Write(LogEvents.DirectoryUnusable, $"{problem} No camera is published until then.");
            }

            _directoryProblem = problem;
        }

        if (_directoryProblem is null && Directory.Exists(_directory))
        {
            _publish.Update(_directory, _access.Configuration.Publish);
        }

        foreach (Camera camera in _cameras)
        {
            if (_directoryProblem is not null && camera.IsDue(now))
            {
                camera.Postpone(now);
                continue;
            }

            try
            {
                End(camera.Advance(now));
            }
            catch (Exception error)
            {
                // The next camera must not suffer for it, and this one must not be tried without a pause.
                camera.Postpone(now);
                _log.Write(LogEvents.InternalError, camera.Configuration.Redact(error.ToString()), camera.Configuration.Key);
            }
        }

        _taps.Update(_directory, _tapConfiguration, _cameras.SelectMany(camera => camera.TapStreams), now);
        UpdateControl();
        UpdateWeb();
    }

    /// <summary>Serves the control API in the runtime directory, which may become another one.</summary>
    private void UpdateControl()
    {
        string path = Path.Combine(_directory, ControlClient.SocketName);
        if (_controlServer?.SocketPath != path && RuntimeDirectory.Ensure(_directory, out _) is not null)
        {
            _controlServer?.Dispose();
            _controlServer = new RpcServer(path, _control.Handlers, () => _access, _gate, _log);
        }

        if (_controlTcp is not null && !_controlTcp.Address!.Equals(_controlConfiguration.Tcp))
        {
            _controlTcp.Dispose();
            _controlTcp = null;
        }

        if (_controlConfiguration is { Tcp: { } address, Certificate: { } certificate })
        {
            _controlTcp ??= new RpcServer(address, certificate, _control.Handlers, () => _access, _gate, _log);
            _controlTcp.SetCertificate(certificate);
        }
    }

    /// <summary>Looks, before the first address on the loopback is served, whether the kernel says who connects there.</summary>
    private void AskForPeers()
    {
        if (_hasAskedForPeers || !((IPEndPoint?[])[_tapConfiguration.Http, _webConfiguration.Listen]).Any(address => address is not null && IPAddress.IsLoopback(address.Address)))
        {
            return;
        }

        _hasAskedForPeers = true;
        if (LoopbackPeer.FindObstacle() is { } obstacle)
        {
            _log.Write(
                LogEvents.PeersUnknown,
                $"It is not known which user connects by TCP, so only those who send a token are answered there. {obstacle} Let this process use AF_NETLINK " +
                "(RestrictAddressFamilies= of a unit, the filter of system calls of a container), or name tokens under permissions.tokens. Sockets in the runtime directory go on as they are.");
        }
    }

    private void UpdateWeb()
    {
        if ((_web?.Configuration ?? WebConfiguration.Off) != (_webConfiguration.Listen is null ? WebConfiguration.Off : _webConfiguration))
        {
            _web?.Dispose();
            _web = _webConfiguration.Listen is null ? null : new WebServer(_webConfiguration, _site, _gate, _log);
        }
    }

    private CuFrames.Control.V1.Daemon Describe() => new()
    {
        Version = Program.Version,
        ProcessId = Environment.ProcessId,
        UptimeMs = (ulong)((MonotonicClock.NowNanoseconds - _startedAt) / Millisecond),
        ConfigurationPath = _options.ConfigurationPath,
        RuntimeDirectory = _directory,
        Status = _statusText,
        DashboardUrl = _webConfiguration is { Dashboard: true, Url: { } url } ? url : "",
        DashboardProblem = _web?.Problem ?? "",
        ControlTcp = _controlConfiguration.Tcp?.ToString() ?? "",
        Limits = new CuFrames.Control.V1.Limits
        {
            Cameras = (uint)_ceilings.Configuration.Cameras,
            MemoryBytes = _ceilings.Memory.Limit == long.MaxValue ? 0 : (ulong)_ceilings.Memory.Limit,
            MemoryInUseBytes = (ulong)Math.Max(0, _ceilings.Memory.InUse),
            Descriptors = (uint)_ceilings.Descriptors.Limit,
        },
    };

    private void OnFileChange()
    {
        long now = MonotonicClock.NowNanoseconds;
        if (_reloadDue == long.MaxValue)
        {
            _reloadLatest = now + LongestUnrest;
        }

        _reloadDue = Math.Min(now + Quiet, _reloadLatest);
    }

    private void Arm()
    {
        string? problem = _watcher.Arm();
        if (problem is not null && !_watchIsBroken)
        {
            _log.Write(LogEvents.WatchFailed, $"Changes of {_options.ConfigurationPath} are not noticed: {problem} SIGHUP reloads it.");
        }

        _watchIsBroken = problem is not null;
    }

    /// <summary>Something changed in the directory: the file perhaps, perhaps not.</summary>
    private void ReloadIfChanged()
    {
        Arm();
        byte[]? content = ConfigurationReader.ReadContent(_options.ConfigurationPath, out _);
        bool isSame = content is null ? _content is null : _content is not null && content.AsSpan().SequenceEqual(_content);
        if (!isSame)
        {
            Reload("the file changed");
        }
    }

    private void Reload(string cause)
    {
        _reloadDue = long.MaxValue;

        // Whoever moved the file away sends SIGHUP, and it is opened anew whatever the configuration is worth.
        _log.Audit.Open(_access.Configuration.Audit);
        Notify(_systemd.Reloading);
        Arm();
        _content = ConfigurationReader.ReadContent(_options.ConfigurationPath, out string problem);
        (DaemonConfiguration? configuration, IReadOnlyList<string> problems) = _content is null
            ? (null, [problem])
            : ConfigurationReader.Read(_options.ConfigurationPath, _content, ConfigurationEnvironment.Get);
        CameraSet? set = configuration is null ? null : Compose(configuration);
        if (set is not null)
        {
            // What was added must hold with the new file too: both are good, or nothing changes.
            problems = [.. set.State.Problems.Except(_set!.State.Problems), .. set.ProblemsSince(_set!)];
        }

        if (configuration is not null && problems.Count == 0 && FindObstacle(configuration) is { } obstacle)
        {
            problems = [obstacle];
        }

        if (set is null || problems.Count > 0)
        {
            foreach (string line in problems)
            {
                _log.Write(LogEvents.ConfigurationInvalid, line);
            }

            _log.Write(LogEvents.ConfigurationKept, $"{_options.ConfigurationPath} has problems ({problems.Count}), so the configuration before it stays ({cause}).");
        }
        else
        {
            _log.Write(LogEvents.ConfigurationLoaded, $"{_options.ConfigurationPath} was read ({cause}): {Adopt(set)}.");
        }

        Advance(MonotonicClock.NowNanoseconds);
        _statusText = DescribeStatus();
        Notify(() => _systemd.Ready(_statusText));
    }

    private CameraSet Compose(DaemonConfiguration configuration) => CameraSet.Compose(
        _options.ConfigurationPath,
        configuration,
        StateContent.Load(StateDirectory.Choose(configuration.State, Environment.GetEnvironmentVariable)),
        ConfigurationEnvironment.Get);

    /// <summary>Makes the cameras those of a set that the control API has changed.</summary>
    private void AdoptChange(CameraSet set)
    {
        // The file may have been read again since.
        CameraSet current = _set!;
        Adopt(ReferenceEquals(set.File, current.File) ? set : set.With(current.File));
        Advance(MonotonicClock.NowNanoseconds);
    }

    /// <summary>Makes the cameras those of a set, and logs what is the matter with it.</summary>
    /// <returns>What was done, for people.</returns>
    private string Adopt(CameraSet set)
    {
        CameraSet? before = _set;
        foreach (string problem in set.State.Problems.Except(before?.State.Problems ?? []))
        {
            _log.Write(LogEvents.StateBroken, problem);
        }

        foreach (ConfiguredCamera camera in set.All)
        {
            foreach (string problem in camera.Problems.Except(before?.Find(camera.Key)?.Problems ?? []))
            {
                _log.Write(LogEvents.StateCameraInvalid, problem, camera.Key);
            }
        }

        foreach (string key in set.Hidden.Except(before?.Hidden ?? []))
        {
            _log.Write(LogEvents.StateCameraHidden, $"{set.State.FilePath} has a camera of this key, and so has {set.ConfigurationPath}, whose camera runs.", key);
        }

        _set = set;
        return Apply(set.Configuration);
    }

    private void Restart(Camera camera)
    {
        int index = _cameras.IndexOf(camera);
        IEndingRun? run = camera.Stop();
        End(run);
        Camera next = Make(camera.Configuration);
        next.Follow(run, MonotonicClock.NowNanoseconds);
        _cameras[index] = next;
    }

    /// <summary>
    /// What a reload would find out only after it had ended streams that are well: that the new runtime directory cannot be had, that there is no such GPU.
    /// At the start there is nothing to lose, and both are tried again.
    /// </summary>
    /// <returns>Why the configuration cannot be applied; null if nothing is known.</returns>
    private string? FindObstacle(DaemonConfiguration configuration)
    {
        string directory = RuntimeDirectory.Choose(_options.Directory, configuration);
        if (directory != _directory && RuntimeDirectory.FindObstacle(directory) is { } problem)
        {
            return $"{_options.ConfigurationPath}: directory: {problem}";
        }

        return configuration.Gpu != _gpu.Configuration && _gpu.FindFault(configuration.Gpu) is { } fault ? $"{_options.ConfigurationPath}: {fault}" : null;
    }

    /// <summary>Makes the cameras those of a configuration. Cameras that are the same are not touched.</summary>
    /// <returns>What was done, for people.</returns>
    private string Apply(DaemonConfiguration configuration)
    {
        long now = MonotonicClock.NowNanoseconds;
        configuration = TileRendition.AddTo(configuration);
        _directory = RuntimeDirectory.Choose(_options.Directory, configuration);
        if (_ceilings.Configuration != configuration.Limits || !_isReady)
        {
            _ceilings.Apply(configuration.Limits);
            _log.Write(LogEvents.CeilingsSet, $"{_ceilings}");
        }

        (_tapConfiguration, _webConfiguration) = (configuration.Taps, configuration.Web);
        AskForPeers();
        if (configuration.Metrics.Otlp != _otlp?.Address)
        {
            _otlp?.Dispose();
            _otlp = configuration.Metrics.Otlp is { } collector ? new OtlpPush(collector, _metrics, _log) : null;
        }

        LogConfiguration logged = _options.Choose(configuration.Log);
        if (logged != _logConfiguration)
        {
            // A level that was set by the control API stays as long as the file does not change its own.
            (_logConfiguration, _log.Level, _log.Format) = (logged, logged.Level, logged.Format);
        }

        _access = new AccessControl(configuration.Access, _own, _failedAttempts);
        _controlConfiguration = configuration.Control;
        _quotas.Set(configuration.Access.Quotas.Others, configuration.Access.Quotas.Users);
        _log.Audit.Open(configuration.Access.Audit);
        List<string> added = [], changed = [], removed = [];
        bool hasOtherGpu = configuration.Gpu != _gpu.Configuration;
        if (hasOtherGpu || (_gpu.IsUsed && !configuration.Cameras.Any(camera => camera is { Enabled: true, NeedsGpu: true, Isolated: false })))
        {
            _pastGpus.Add(_gpu);
            _gpu = new Gpu(configuration.Gpu, _log, _work.Add);
        }

        Dictionary<string, CameraConfiguration> wanted = configuration.Cameras.Where(camera => camera.Enabled).ToDictionary(camera => camera.Key);
        int kept = 0;
        foreach (Camera camera in _cameras.ToArray())
        {
            CameraConfiguration? match = wanted.GetValueOrDefault(camera.Configuration.Key);
            if (match is not null && match.IsSameAs(camera.Configuration) && camera.Directory == _directory && !(hasOtherGpu && match.NeedsGpu))
            {
                wanted.Remove(match.Key);
                camera.SetRenditions(match.Renditions, added, changed, removed);
                kept++;
                continue;
            }

            IEndingRun? run = camera.Stop();
            End(run);
            int index = _cameras.IndexOf(camera);
            _cameras.RemoveAt(index);
            if (match is null)
            {
                removed.Add(camera.Configuration.Key);
                continue;
            }

            wanted.Remove(match.Key);
            changed.Add(match.Key);
            Camera next = Make(match);
            next.Follow(run, now);
            _cameras.Insert(index, next);
        }

        foreach (CameraConfiguration camera in configuration.Cameras.Where(camera => wanted.ContainsKey(camera.Key)))
        {
            added.Add(camera.Key);
            _cameras.Add(Make(camera));
        }

        return $"added {Names(added)}, changed {Names(changed)}, removed {Names(removed)}, untouched {kept}";

        static string Names(List<string> keys) => keys.Count == 0 ? "none" : string.Join(" ", keys);
    }

    private Camera Make(CameraConfiguration configuration) => configuration.Isolated
        ? new IsolatedCamera(configuration, _directory, _gpu.Configuration, _ceilings, _quotas, _log, _work.Add)
        : new LocalCamera(configuration with { Quotas = _quotas }, _directory, _gpu, _ceilings, _log, _work.Add)
        {
            StatusReceived = (camera, run, status) => camera.OnStatus(run, status, MonotonicClock.NowNanoseconds),
        };

    private void End(IEndingRun? run)
    {
        if (run is not null)
        {
            _ending.Add(run);
        }
    }

    private string DescribeStatus()
    {
        int live = 0;
        List<string> others = [];
        foreach (Camera camera in _cameras)
        {
            string? state = camera.Concern is Camera.NotAvailable && _directoryProblem is not null ? "no runtime directory" : camera.Concern;
            live += state is null ? 1 : 0;
            if (state is not null)
            {
                others.Add($"{camera.Configuration.Key} {state}");
            }
        }

        const int MaxNames = 8;
        string more = others.Count > MaxNames ? $", and {others.Count - MaxNames} more" : "";
        return $"{live} of {_cameras.Count} cameras live{(others.Count == 0 ? "" : ": ")}{string.Join(", ", others.Take(MaxNames))}{more}";
    }

    private void Shutdown()
    {
        _log.Write(LogEvents.Stopping, $"{_stopReason}; the daemon ends.");
        Notify(_systemd.Stopping);
        Guard(_taps.Dispose);
        Guard(() => _controlServer?.Dispose());
        Guard(() => _controlTcp?.Dispose());
        Guard(() => _web?.Dispose());
        Guard(() => _otlp?.Dispose());
        Guard(_metrics.Dispose);
        foreach (Camera camera in _cameras)
        {
            Guard(() => End(camera.Stop()));
        }

        long deadline = MonotonicClock.NowNanoseconds + ShutdownTime;
        List<string> late = [];
        foreach (IEndingRun run in _ending)
        {
            TimeSpan rest = TimeSpan.FromTicks(Math.Max(0, deadline - MonotonicClock.NowNanoseconds) / 100);
            if (!run.TryDispose(rest))
            {
                late.Add(run.Key);
            }
        }

        // What workers said at their end.
        while (_work.TryTake(out Action? work))
        {
            Guard(work);
        }

        _log.Write(
            LogEvents.Stopped, late.Count == 0 ? "All cameras have ended." : $"These cameras did not let go of their sources in time, which does no harm: {string.Join(" ", late)}.");
    }

    private void Notify(Func<bool> notification)
    {
        try
        {
            notification();
        }
        catch (LinuxException error)
        {
            if (!_systemdHasFailed)
            {
                _systemdHasFailed = true;
                _log.Write(LogEvents.SystemdFailed, error.Message);
            }
        }
    }
}
