using CuFrames.Client;

namespace CuFrames.Daemon.Internal.Limits;

/// <summary>
/// Keeps connections of callers and clients below the ceiling of descriptors, as cameras and readers are. What lies above it is the runtime's own: a process that
/// has no descriptor left cannot start a thread, and ends. Any thread.
/// </summary>
/// <param name="limit">The ceiling.</param>
/// <param name="log">The log.</param>
internal sealed class DescriptorGate(DescriptorLimit limit, Log log)
{
    private readonly LimitedLog _refusals = new(log, LogEvents.ConnectionClosed, "connections that were closed at once");

    /// <summary>Whether a connection that was accepted just now may stay. If not, the log says so, and the caller closes it. Costs nothing if it may.</summary>
    /// <param name="what">For people: "A connection to the control API".</param>
    /// <param name="descriptor">Number of its descriptor.</param>
    internal bool Admits(string what, nint descriptor)
    {
        if (limit.FindObstacle(what, (int)descriptor) is not { } obstacle)
        {
            return true;
        }

        _refusals.Write(LogEvents.ConnectionClosed, obstacle);
        return false;
    }
}
