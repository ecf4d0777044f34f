namespace CuFrames.Daemon.Internal;

/// <summary>A run of a camera that was told to end: a thread of this process, or a worker. Only the control thread uses it.</summary>
internal interface IEndingRun
{
    /// <summary>Key of the camera.</summary>
    string Key { get; }

    /// <summary>The GPU of this process that it uses; null: none.</summary>
    Gpu? Gpu { get; }

    /// <summary>Whether the camera's key may still be taken.</summary>
    bool HoldsKey { get; }

    /// <summary>Gives everything back if it has ended. May be called again.</summary>
    /// <param name="timeout">How long to wait for it.</param>
    /// <returns>Whether it has.</returns>
    bool TryDispose(TimeSpan timeout);
}
