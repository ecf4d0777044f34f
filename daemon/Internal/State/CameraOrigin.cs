namespace CuFrames.Daemon.Internal.State;

/// <summary>Where a camera is written down.</summary>
internal enum CameraOrigin
{
    /// <summary>In the configuration file.</summary>
    Configuration,

    /// <summary>In the daemon's state: the control API added it.</summary>
    Api,
}
