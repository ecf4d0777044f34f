using CuFrames.Daemon.Internal.Access;

namespace CuFrames.Daemon.Internal.Control;

/// <summary>One call, as its handler sees it.</summary>
/// <param name="Caller">Who calls, and what it may do. Its permission for the method was checked.</param>
/// <param name="Cancellation">Comes when the caller has gone, the time is over or the daemon ends.</param>
internal sealed record RpcCall(Caller Caller, CancellationToken Cancellation)
{
    /// <summary>Done once, when the answer was taken or nobody will take it any more: gives back what the answer holds. Set by the handler, if it has to.</summary>
    internal Action Ended { get; set; } = () => { };
}
