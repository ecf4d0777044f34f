using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using CuFrames.Daemon.Internal.Taps;
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
    private readonly List<CameraRun> _ending = [];
    private readonly List<PosixSignalRegistration> _signals = [];
    private readonly List<Gpu> _pastGpus = [];

    private readonly TapServer _taps;

    private Gpu _gpu;
    private TapConfiguration _tapConfiguration = TapConfiguration.Off;
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
        _taps = new TapServer(log);
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
        Apply(configuration);
        _readyLatest = MonotonicClock.NowNanoseconds + LongestOpening;
        while (_stopReason is null)
        {
            long now = MonotonicClock.NowNanoseconds;
            Guard(() => Tick(now));
            if (!_isReady && (!_gpu.IsUndecided || now >= _readyLatest))
            {
                _isReady = true;
                _log.Write(LogEvents.Ready, $"{_statusText}.");
                Notify(() => _systemd.Ready(_statusText));
            }

            long wait = Math.Clamp((NextDue() - MonotonicClock.NowNanoseconds) / Millisecond, 0, 1000);
            if (_work.TryTake(out Action? work, (int)wait + 1))
            {
                Guard(work);
            }
        }

        Shutdown();
        return !_isGpuBroken;
    }

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
    }

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
        Notify(_systemd.Reloading);
        Arm();
        _content = ConfigurationReader.ReadContent(_options.ConfigurationPath, out string problem);
        (DaemonConfiguration? configuration, IReadOnlyList<string> problems) = _content is null
            ? (null, [problem])
            : ConfigurationReader.Read(_options.ConfigurationPath, _content, Environment.GetEnvironmentVariable);
        if (configuration is null)
        {
            foreach (string line in problems)
            {
                _log.Write(LogEvents.ConfigurationInvalid, line);
            }

            _log.Write(LogEvents.ConfigurationKept, $"{_options.ConfigurationPath} has problems ({problems.Count}), so the configuration before it stays ({cause}).");
        }
        else
        {
            _log.Write(LogEvents.ConfigurationLoaded, $"{_options.ConfigurationPath} was read ({cause}): {Apply(configuration)}.");
        }

        Advance(MonotonicClock.NowNanoseconds);
        _statusText = DescribeStatus();
        Notify(() => _systemd.Ready(_statusText));
    }

    /// <summary>Makes the cameras those of a configuration. Cameras that are the same are not touched.</summary>
    /// <returns>What was done, for people.</returns>
    private string Apply(DaemonConfiguration configuration)
    {
        long now = MonotonicClock.NowNanoseconds;
        _directory = RuntimeDirectory.Choose(_options.Directory, configuration);
        _tapConfiguration = configuration.Taps;
        List<string> added = [], changed = [], removed = [];
        bool hasOtherGpu = configuration.Gpu != _gpu.Configuration;
        if (hasOtherGpu || (_gpu.IsUsed && !configuration.Cameras.Any(camera => camera.Enabled && camera.NeedsGpu)))
        {
            _pastGpus.Add(_gpu);
            _gpu = new Gpu(configuration.Gpu, _log, _work.Add);
        }

        List<CameraConfiguration> wanted = [.. configuration.Cameras.Where(camera => camera.Enabled)];
        int kept = 0;
        foreach (Camera camera in _cameras.ToArray())
        {
            CameraConfiguration? match = wanted.Find(candidate => candidate.Key == camera.Configuration.Key);
            if (match is not null && match.IsSameAs(camera.Configuration) && camera.Directory == _directory && !(hasOtherGpu && match.NeedsGpu))
            {
                wanted.Remove(match);
                camera.SetRenditions(match.Renditions, added, changed, removed);
                kept++;
                continue;
            }

            CameraRun? run = camera.Stop();
            End(run);
            int index = _cameras.IndexOf(camera);
            _cameras.RemoveAt(index);
            if (match is null)
            {
                removed.Add(camera.Configuration.Key);
                continue;
            }

            wanted.Remove(match);
            changed.Add(match.Key);
            Camera next = Make(match);
            next.Follow(run, now);
            _cameras.Insert(index, next);
        }

        foreach (CameraConfiguration camera in wanted)
        {
            added.Add(camera.Key);
            _cameras.Add(Make(camera));
        }

        return $"added {Names(added)}, changed {Names(changed)}, removed {Names(removed)}, untouched {kept}";

        static string Names(List<string> keys) => keys.Count == 0 ? "none" : string.Join(" ", keys);
    }

    private Camera Make(CameraConfiguration configuration) => new(configuration, _directory, _gpu, _log, _work.Add)
    {
        StatusReceived = (camera, run, status) => camera.OnStatus(run, status, MonotonicClock.NowNanoseconds),
    };

    private void End(CameraRun? run)
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
        foreach (Camera camera in _cameras)
        {
            Guard(() => End(camera.Stop()));
        }

        long deadline = MonotonicClock.NowNanoseconds + ShutdownTime;
        List<string> late = [];
        foreach (CameraRun run in _ending)
        {
            TimeSpan rest = TimeSpan.FromTicks(Math.Max(0, deadline - MonotonicClock.NowNanoseconds) / 100);
            if (!run.TryDispose(rest))
            {
                late.Add(run.Publisher.Key);
            }
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
