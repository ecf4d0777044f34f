using CuFrames.Daemon.Internal.Access;

namespace CuFrames.Daemon.Internal.Workers;

/// <summary>What a worker says to the daemon: one of these, as JSON in one line.</summary>
internal sealed record WorkerReport
{
    /// <summary>How the camera is now.</summary>
    public CameraFacts? Facts { get; init; }

    /// <summary>A line for the log.</summary>
    public WorkerEvent? Event { get; init; }

    /// <summary>A line for the audit.</summary>
    public AuditEntry? Audit { get; init; }

    /// <summary>A reader that is about to join.</summary>
    public WorkerClaim? Claim { get; init; }

    /// <summary>Number of a claim that was granted, and whose reader has gone.</summary>
    public ulong? Gone { get; init; }

    /// <summary>Whether a reader was there that was to be disconnected.</summary>
    public WorkerAnswer? Answer { get; init; }
}
