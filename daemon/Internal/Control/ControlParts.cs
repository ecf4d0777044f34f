using CuFrames.Daemon.Internal.Metrics;
using CuFrames.Daemon.Internal.State;

namespace CuFrames.Daemon.Internal.Control;

/// <summary>What the control API works with.</summary>
internal sealed record ControlParts
{
    /// <summary>Hands work to the control thread.</summary>
    internal required Action<Action> Post { get; init; }

    /// <summary>Describes the daemon; called on the control thread.</summary>
    internal required Func<CuFrames.Control.V1.Daemon> Describe { get; init; }

    /// <summary>The cameras that run; used on the control thread.</summary>
    internal required IReadOnlyList<Camera> Cameras { get; init; }

    /// <summary>The cameras that are written down. Any thread.</summary>
    internal required Func<CameraSet> Set { get; init; }

    /// <summary>Makes the cameras those of a set; called on the control thread.</summary>
    internal required Action<CameraSet> Adopt { get; init; }

    /// <summary>Starts a camera anew; called on the control thread.</summary>
    internal required Action<Camera> Restart { get; init; }

    /// <summary>Takes snapshots of the daemon. Any thread.</summary>
    internal required Sampler Sampler { get; init; }

    /// <summary>The log.</summary>
    internal required Log Log { get; init; }
}
