namespace CuFrames.Cli.Internal;

/// <summary>What <c>watch</c> says of an interval or of all its time, as it goes to JSON.</summary>
/// <param name="Type"><c>interval</c> or <c>total</c>.</param>
/// <param name="Key">The stream.</param>
/// <param name="State">State of the stream now; <c>waiting</c> while there is no publisher.</param>
/// <param name="Seconds">Since the start.</param>
/// <param name="Frames">Frames taken.</param>
/// <param name="Fps">Frames taken per second.</param>
/// <param name="Missed">Frames skipped.</param>
/// <param name="Lag">Frames between the newest and the last one taken, when the interval ended; null when the publisher did not say.</param>
/// <param name="Reconnects">How often a connection was made again.</param>
/// <param name="Evictions">How often the publisher evicted this reader.</param>
/// <param name="LatencyUs">Latencies in microseconds.</param>
/// <param name="Memory">Where frames lie: host or cuda; null before the first connection.</param>
/// <param name="Device">UUID of the device that frames lie on, as nvidia-smi prints it; null for main memory.</param>
/// <param name="Fence">How frames are released: CPU, STREAM or EVENT; null while there is no connection.</param>
/// <param name="FenceReason">Why that is not STREAM although frames lie on a GPU, if the driver stood in the way; else empty.</param>
/// <param name="Event">The last thing that happened to the connection in this time; null when nothing did.</param>
internal sealed record WatchReport(
    string Type,
    string Key,
    string State,
    double Seconds,
    long Frames,
    double Fps,
    ulong Missed,
    ulong? Lag,
    int Reconnects,
    int Evictions,
    WatchLatency LatencyUs,
    string? Memory,
    string? Device,
    string? Fence,
    string FenceReason,
    string? Event);
