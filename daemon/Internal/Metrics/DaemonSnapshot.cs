namespace CuFrames.Daemon.Internal.Metrics;

/// <summary>The daemon at one moment: immutable, for any thread. Holds no secret.</summary>
/// <param name="Time">When, CLOCK_MONOTONIC in nanoseconds.</param>
/// <param name="Utc">The same moment, UTC.</param>
/// <param name="Cameras">The cameras, in their order.</param>
/// <param name="Gpu">Null: no camera uses one, or it is not open.</param>
/// <param name="Process">The process.</param>
/// <param name="IsReady">Whether every camera was started.</param>
/// <param name="Events">How often each event of the log has happened that has.</param>
/// <param name="LostLogLines">Lines of the log that standard error did not take.</param>
internal sealed record DaemonSnapshot(
    long Time,
    DateTime Utc,
    IReadOnlyList<CameraSnapshot> Cameras,
    GpuSnapshot? Gpu,
    ProcessSnapshot Process,
    bool IsReady,
    IReadOnlyList<KeyValuePair<LogEvent, long>> Events,
    long LostLogLines);
