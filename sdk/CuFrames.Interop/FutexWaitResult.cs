namespace CuFrames.Interop;

/// <summary>Why a wait on a futex ended.</summary>
public enum FutexWaitResult
{
    /// <summary>Somebody called wake. The word may or may not have changed: look again.</summary>
    Woken,

    /// <summary>The word did not have the expected value any more; there was no wait.</summary>
    ValueChanged,

    /// <summary>The time ran out.</summary>
    TimedOut,
}
