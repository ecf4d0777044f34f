namespace CuFrames.Protocol;

/// <summary>How a sleeping subscriber is woken (docs/protocol.md 8.1).</summary>
[Flags]
public enum Wake : uint
{
    /// <summary>Awake.</summary>
    None = 0,

    /// <summary>Sleeps on the futex word.</summary>
    Futex = 1,

    /// <summary>Waits for a DOORBELL message.</summary>
    Doorbell = 2,
}
