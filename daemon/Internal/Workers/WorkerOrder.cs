namespace CuFrames.Daemon.Internal.Workers;

/// <summary>What the daemon says to a worker: one of these, as JSON in one line.</summary>
internal sealed record WorkerOrder
{
    /// <summary>The first order.</summary>
    public WorkerStart? Start { get; init; }

    /// <summary>Disconnect a reader.</summary>
    public WorkerEviction? Evict { get; init; }

    /// <summary>What a user's quota leaves a reader.</summary>
    public WorkerGrant? Grant { get; init; }

    /// <summary>Make the renditions these.</summary>
    public IReadOnlyList<RenditionConfiguration>? Renditions { get; init; }

    /// <summary>End the streams, and then the process.</summary>
    public bool Stop { get; init; }
}
