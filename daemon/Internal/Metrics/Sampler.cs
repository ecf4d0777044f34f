using CuFrames.Interop;

namespace CuFrames.Daemon.Internal.Metrics;

/// <summary>
/// Takes snapshots of the daemon: for whoever asks, at most one each quarter of a second, and one each ten seconds for <see cref="History"/>. Works on the
/// control thread, where cameras are looked at; <see cref="AskAsync"/> may be called by any thread.
/// </summary>
/// <param name="cameras">The cameras; used on the control thread.</param>
/// <param name="gpu">The GPU; called on the control thread.</param>
/// <param name="startedAt">When the daemon started, CLOCK_MONOTONIC in nanoseconds.</param>
/// <param name="isReady">Whether every camera was started; called on the control thread.</param>
/// <param name="log">The log.</param>
/// <param name="post">Hands work to the control thread.</param>
internal sealed class Sampler(IReadOnlyList<Camera> cameras, Func<Gpu> gpu, long startedAt, Func<bool> isReady, Log log, Action<Action> post)
{
    /// <summary>Who asks sooner gets the same snapshot again, nanoseconds.</summary>
    private const long Fresh = 250_000_000;

    private static readonly long Interval = (long)History.Interval.TotalNanoseconds;

    private readonly Dictionary<string, CameraWindow> _windows = [];

    /// <summary>Written by the control thread (release), read by any (acquire); the snapshot is immutable.</summary>
    private DaemonSnapshot? _last;

    private long _nextSample;
    private Rate _cpu;

    /// <summary>The last hour.</summary>
    internal History History { get; } = new();

    /// <summary>Gives a snapshot that is at most a quarter of a second old. Any thread.</summary>
    /// <param name="cancellation">Ends the waiting for the control thread.</param>
    internal Task<DaemonSnapshot> AskAsync(CancellationToken cancellation)
    {
        if (Volatile.Read(ref _last) is { } last && MonotonicClock.NowNanoseconds - last.Time < Fresh)
        {
            return Task.FromResult(last);
        }

        TaskCompletionSource<DaemonSnapshot> answer = new(TaskCreationOptions.RunContinuationsAsynchronously);
        post(() =>
        {
            try
            {
                answer.TrySetResult(Take(MonotonicClock.NowNanoseconds));
            }
            catch (Exception error)
            {
                // Whatever it is, it is the asker's to handle, and not the control thread's.
                answer.TrySetException(error);
            }
        });
        return answer.Task.WaitAsync(cancellation);
    }

    /// <summary>Gives a snapshot that is at most a quarter of a second old. The control thread.</summary>
    /// <param name="now">CLOCK_MONOTONIC in nanoseconds.</param>
    internal DaemonSnapshot Take(long now)
    {
        if (_last is { } last && now - last.Time < Fresh)
        {
            return last;
        }

        // A camera that has gone takes its rates with it.
        if (_windows.Count > 0)
        {
            HashSet<string> keys = [.. cameras.Select(camera => camera.Configuration.Key)];
            foreach (string gone in _windows.Keys.Where(key => !keys.Contains(key)).ToList())
            {
                _windows.Remove(gone);
            }
        }

        List<CameraSnapshot> described = new(cameras.Count);
        foreach (Camera camera in cameras)
        {
            string key = camera.Configuration.Key;
            if (!_windows.TryGetValue(key, out CameraWindow? window))
            {
                _windows.Add(key, window = new CameraWindow());
            }

            described.Add(window.Describe(key, camera.Configuration.SourceText, camera.Facts, now));
        }

        DaemonSnapshot snapshot = new(now, DateTime.UtcNow, described, gpu().Describe(described), DescribeProcess(now), isReady(), log.Events.CountEach(), log.LostLines);
        Volatile.Write(ref _last, snapshot);
        return snapshot;
    }

    /// <summary>Adds to the history when it is time. The control thread.</summary>
    /// <param name="now">CLOCK_MONOTONIC in nanoseconds.</param>
    internal void Tick(long now)
    {
        if (now < _nextSample)
        {
            return;
        }

        // In step, but without a burst after the machine slept.
        _nextSample = now - _nextSample < Interval ? _nextSample + Interval : now + Interval;
        DaemonSnapshot snapshot = Take(now);
        History.Add(snapshot);
        foreach (CameraSnapshot camera in snapshot.Cameras)
        {
            _windows[camera.Key].Advance(camera.Facts);
        }
    }

    private ProcessSnapshot DescribeProcess(long now)
    {
        double cpu = Environment.CpuUsage.TotalTime.TotalSeconds;
        return new ProcessSnapshot(
            cpu, _cpu.Update(now, cpu), ProcessFacts.ReadResidentBytes(), ProcessFacts.CountOpenDescriptors(), ProcessFacts.CountThreads(), (now - startedAt) / 1e9, HeapSnapshot.Take());
    }
}
