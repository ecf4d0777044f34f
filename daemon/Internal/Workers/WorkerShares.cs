using CuFrames.Client;
using CuFrames.Client.Internal;
using CuFrames.Protocol;

namespace CuFrames.Daemon.Internal.Workers;

/// <summary>
/// What the readers of one worker have of their users' quotas. The daemon counts for all: a worker asks before it lets a reader in, says when one has gone, and
/// gives everything back by its end, however that comes. A worker that a hostile stream has taken over can claim for users who do not read, up to a number,
/// and so keep them from reading; it can take nothing from what others have. One thread: the one that takes the worker's reports.
/// </summary>
/// <param name="camera">Key of the camera.</param>
/// <param name="quotas">The quotas of all streams.</param>
internal sealed class WorkerShares(string camera, ReaderQuotas quotas)
{
    /// <summary>More than the streams of a camera let in.</summary>
    internal const int Most = 16_384;

    private readonly Dictionary<ulong, ReaderShare> _shares = [];

    /// <summary>Answers a claim.</summary>
    /// <exception cref="InvalidDataException">No worker claims that.</exception>
    internal WorkerGrant Take(WorkerClaim claim)
    {
        if (!StreamKey.IsValid(claim.Stream) || !IsOf(camera, claim.Stream) || claim.Leases is < 0 or > ControlBlockLayout.SlotCapacity ||
            _shares.Count >= Most || _shares.ContainsKey(claim.Number))
        {
            throw new InvalidDataException($"Claim {claim.Number} of user {claim.UserId} is none of a worker.");
        }

        int leases = claim.Leases;
        string? obstacle = quotas.Take(claim.UserId, claim.ProcessId, claim.Stream, ref leases, out ReaderShare? share);
        if (share is not null)
        {
            _shares.Add(claim.Number, share);
        }

        return new WorkerGrant(claim.Number, leases, obstacle);
    }

    /// <summary>Gives back what a claim was granted, if it was.</summary>
    /// <param name="number">Number of the claim.</param>
    internal void Give(ulong number)
    {
        if (_shares.Remove(number, out ReaderShare? share))
        {
            quotas.Give(share);
        }
    }

    /// <summary>Gives everything back: the worker has ended.</summary>
    internal void GiveAll()
    {
        foreach (ReaderShare share in _shares.Values)
        {
            quotas.Give(share);
        }

        _shares.Clear();
    }

    /// <summary>Whether a stream is one of a camera: its own or a rendition.</summary>
    internal static bool IsOf(string camera, string stream) =>
        stream == camera || (stream.StartsWith(camera, StringComparison.Ordinal) && stream[camera.Length] == '@');
}
