using CuFrames.Daemon.Internal.Workers;
using CuFrames.Media;
using CameraState = CuFrames.Control.V1.CameraState;

namespace CuFrames.Daemon.Internal;

/// <summary>
/// A camera at one moment. Immutable, without secrets, and the same whether the camera runs in this process or in a worker: a worker sends it as JSON, so
/// what is added here must be plain data.
/// </summary>
internal sealed record CameraFacts
{
    public required CameraState State { get; init; }

    /// <summary>Why it is not live, in two words; null if it is.</summary>
    public string? Concern { get; init; }

    /// <summary>Why it is in that state, for people.</summary>
    public required string Reason { get; init; }

    /// <summary>When it came to that state, CLOCK_MONOTONIC in nanoseconds.</summary>
    public required long Since { get; init; }

    /// <summary>The streams of frames that are published: its own first.</summary>
    public IReadOnlyList<StreamFacts> Streams { get; init; } = [];

    /// <summary>Its packets; null: they are not published.</summary>
    public PacketFacts? Packets { get; init; }

    /// <summary>Counters of the source; null while nothing runs.</summary>
    public CameraStatistics? Source { get; init; }

    /// <summary>Frames in each bucket of <see cref="LatencyHistogram"/> since the source's counters began; empty while nothing runs.</summary>
    public IReadOnlyList<long> Latency { get; init; } = [];

    /// <summary>Sum of the latencies of all these frames, nanoseconds.</summary>
    public long LatencySum { get; init; }

    /// <summary>What decodes, such as nvdec; empty: nothing yet.</summary>
    public string Decoder { get; init; } = "";

    /// <summary>The last sign of life of the thread that reads it; null: there is none.</summary>
    public CameraHeartbeat? Heartbeat { get; init; }

    /// <summary>Threads that were stuck and have not ended.</summary>
    public int AbandonedThreads { get; init; }

    /// <summary>The process that it runs in; 0: the daemon's own.</summary>
    public int WorkerProcessId { get; init; }

    /// <summary>What that process takes up; null: it is the daemon's own.</summary>
    public WorkerFigures? Worker { get; init; }

    /// <summary>Whether it publishes a stream.</summary>
    /// <param name="stream">Key of the stream.</param>
    /// <param name="isOfPackets">Whether a stream of packets is meant; else of frames.</param>
    internal bool Has(string stream, bool isOfPackets) => isOfPackets ? Packets?.Key == stream : Streams.Any(published => published.Key == stream);
}
