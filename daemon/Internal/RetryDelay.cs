namespace CuFrames.Daemon.Internal;

/// <summary>Pauses between attempts: one second, then each twice as long as the one before, up to half a minute.</summary>
internal sealed class RetryDelay
{
    /// <summary>The longest pause.</summary>
    internal static readonly TimeSpan Longest = TimeSpan.FromSeconds(30);

    private static readonly TimeSpan First = TimeSpan.FromSeconds(1);

    private TimeSpan _next = First;

    /// <summary>The pause before the next attempt.</summary>
    internal TimeSpan Next()
    {
        TimeSpan delay = _next;
        _next = delay * 2 < Longest ? delay * 2 : Longest;
        return delay;
    }

    /// <summary>Begins with one second again.</summary>
    internal void Reset() => _next = First;
}
