namespace CuFrames.Daemon.Internal.Access;

/// <summary>What a caller may do with the daemon. Reading a stream is no such permission: each stream has its own rule.</summary>
[Flags]
internal enum Permission
{
    /// <summary>Nothing: health's state words only.</summary>
    None = 0,

    /// <summary>See: cameras, readers, events, metrics, the dashboard without its pictures.</summary>
    View = 1,

    /// <summary>Change: cameras, readers, the log level. Whoever may control may view.</summary>
    Control = 2,
}
