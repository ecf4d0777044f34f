using CuFrames.Client;
using CuFrames.Client.Internal;

namespace CuFrames.Daemon.Internal.Workers;

/// <summary>The quotas as a worker has them: it asks the daemon, which counts for all streams, and waits for nothing. Any thread.</summary>
internal sealed class WorkerQuotas
{
    /// <summary>Claims that may be without an answer: a daemon that does not answer is not asked for ever.</summary>
    private const int MostOpen = 1024;

    private readonly Action<WorkerReport> _post;
    private readonly Lock _gate = new();

    // Both under the gate.
    private readonly Dictionary<ulong, ReaderClaim> _open = [];
    private ulong _number;

    /// <summary>Makes them.</summary>
    /// <param name="post">Sends to the daemon, in this order, without waiting.</param>
    internal WorkerQuotas(Action<WorkerReport> post)
    {
        _post = post;
        Quotas = new ReaderQuotas(Ask, share => _post(new WorkerReport { Gone = share.Number }));
    }

    /// <summary>For publishers.</summary>
    internal ReaderQuotas Quotas { get; }

    /// <summary>Passes an answer of the daemon on.</summary>
    internal void Answer(WorkerGrant grant)
    {
        ReaderClaim? claim;
        lock (_gate)
        {
            _open.Remove(grant.Number, out claim);
        }

        claim?.Answer(grant.Obstacle is null ? new ReaderShare(claim.Peer.UserId, claim.Stream, grant.Leases, grant.Number) : null, grant.Obstacle);
    }

    private void Ask(ReaderClaim claim)
    {
        ulong number;
        lock (_gate)
        {
            number = _open.Count < MostOpen ? ++_number : 0;
            if (number != 0)
            {
                _open.Add(number, claim);
            }
        }

        if (number == 0)
        {
            claim.Answer(null, $"The quotas of user {claim.Peer.UserId} cannot be looked at now: cuframesd has not answered {MostOpen} questions. Try again.");
            return;
        }

        _post(new WorkerReport { Claim = new WorkerClaim(number, claim.Stream, claim.Peer.UserId, claim.Peer.ProcessId, claim.Leases) });
    }
}
