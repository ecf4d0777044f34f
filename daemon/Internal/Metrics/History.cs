namespace CuFrames.Daemon.Internal.Metrics;

/// <summary>
/// The last hour, a sample each ten seconds: of the process and of each camera that exists now. The control thread adds, any thread reads; 360 samples take
/// 6 KiB per camera.
/// </summary>
internal sealed class History
{
    /// <summary>Samples that are kept.</summary>
    internal const int Length = 360;

    /// <summary>Time between two.</summary>
    internal static readonly TimeSpan Interval = TimeSpan.FromSeconds(10);

    private readonly Lock _gate = new();

    /// <summary>Guarded by _gate, as all below: sample n lies at n % Length.</summary>
    private readonly ProcessSample[] _process = new ProcessSample[Length];
    private readonly Dictionary<string, CameraSample[]> _cameras = [];
    private readonly Dictionary<string, ulong> _dropped = [];
    private long _count;

    /// <summary>Adds a sample of everything.</summary>
    /// <param name="snapshot">The moment.</param>
    internal void Add(DaemonSnapshot snapshot)
    {
        lock (_gate)
        {
            int place = (int)(_count++ % Length);
            ProcessSnapshot process = snapshot.Process;
            _process[place] = new ProcessSample(
                new DateTimeOffset(snapshot.Utc).ToUnixTimeMilliseconds(),
                (float)process.CpuLoad,
                process.ResidentBytes,
                process.Descriptors,
                snapshot.Gpu?.MemoryUsed ?? -1,
                (float)(snapshot.Gpu?.DecoderUtilisation ?? double.NaN));
            HashSet<string> present = [.. snapshot.Cameras.Select(camera => camera.Key)];
            foreach (string gone in _cameras.Keys.Where(key => !present.Contains(key)).ToList())
            {
                _cameras.Remove(gone);
                _dropped.Remove(gone);
            }

            foreach (CameraSnapshot camera in snapshot.Cameras)
            {
                if (!_cameras.TryGetValue(camera.Key, out CameraSample[]? samples))
                {
                    _cameras.Add(camera.Key, samples = new CameraSample[Length]);
                }

                samples[place] = SampleOf(camera);
            }
        }
    }

    /// <summary>Copies the samples of the process, the oldest first.</summary>
    internal ProcessSample[] ReadProcess()
    {
        lock (_gate)
        {
            return InOrder(_process);
        }
    }

    /// <summary>Copies the samples of a camera, the oldest first: as many as <see cref="ReadProcess"/> gives, of the same times.</summary>
    /// <param name="key">The camera's key.</param>
    /// <returns>Null: there is no such camera, or there is no sample of it yet.</returns>
    internal CameraSample[]? ReadCamera(string key)
    {
        lock (_gate)
        {
            return _cameras.TryGetValue(key, out CameraSample[]? samples) ? InOrder(samples) : null;
        }
    }

    /// <summary>Under _gate.</summary>
    private T[] InOrder<T>(T[] ring)
    {
        if (_count <= Length)
        {
            return ring[..(int)_count];
        }

        int oldest = (int)(_count % Length);
        return [.. ring.AsSpan(oldest), .. ring.AsSpan(0, oldest)];
    }

    /// <summary>Under _gate.</summary>
    private CameraSample SampleOf(CameraSnapshot camera)
    {
        ulong dropped = 0;
        foreach (StreamSnapshot stream in camera.Streams)
        {
            dropped += stream.Facts.Statistics.Dropped;
        }

        // A camera that was started anew counts from the beginning.
        ulong before = _dropped.GetValueOrDefault(camera.Key);
        ulong drops = dropped >= before ? dropped - before : dropped;
        _dropped[camera.Key] = dropped;
        StreamSnapshot? own = camera.Streams.Count > 0 ? camera.Streams[0] : null;
        return new CameraSample(
            (float)(own?.FramesPerSecond ?? 0),
            camera.Latency is { } latency ? latency.P99 / 1e6f : float.NaN,
            (ushort)Math.Min(drops, ushort.MaxValue),
            (ushort)Math.Min(camera.Readers, ushort.MaxValue),
            own is { Facts.Statistics.Slots: > 0 } ? (byte)(100 * own.Facts.Statistics.HeldSlots / own.Facts.Statistics.Slots) : (byte)0,
            (byte)camera.Facts.State);
    }
}
