using CuFrames.Client.Internal;
using CuFrames.Interop;

namespace CuFrames.Client;

/// <summary>
/// Quotas for each user, which any number of publishers share (<see cref="PublisherOptions.Quotas"/>, <see cref="PacketPublisherOptions.Quotas"/>). They are
/// looked at when a reader joins, and given back when it has gone, however it went; a frame costs nothing. The root user and the publisher's own have none. Thread-safe.
/// </summary>
public sealed class ReaderQuotas
{
    private readonly Lock _gate = new();
    private readonly Action<ReaderClaim>? _ask;
    private readonly Action<ReaderShare>? _giveBack;

    // All of these under the gate.
    private readonly Dictionary<uint, Usage> _usage = [];
    private ReaderQuota _others = new();
    private Dictionary<uint, ReaderQuota> _users = [];

    /// <summary>Quotas of the publishers of this process.</summary>
    public ReaderQuotas()
    {
    }

    /// <summary>Quotas that another process counts for, as cuframesd does for its workers.</summary>
    /// <param name="ask">Passes a claim on, without waiting for its answer.</param>
    /// <param name="giveBack">Passes on that a share is given back, after its claim.</param>
    internal ReaderQuotas(Action<ReaderClaim> ask, Action<ReaderShare> giveBack) => (_ask, _giveBack) = (ask, giveBack);

    /// <summary>Sets the quotas. Readers that have more already keep what they have.</summary>
    /// <param name="others">Of each user who is not named.</param>
    /// <param name="users">Of those who are, by id.</param>
    public void Set(ReaderQuota others, IReadOnlyDictionary<uint, ReaderQuota> users)
    {
        ArgumentNullException.ThrowIfNull(others);
        ArgumentNullException.ThrowIfNull(users);
        lock (_gate)
        {
            (_others, _users) = (others, new Dictionary<uint, ReaderQuota>(users));
        }
    }

    /// <summary>Readers of a user now.</summary>
    /// <param name="userId">The user.</param>
    public int ReadersOf(uint userId)
    {
        lock (_gate)
        {
            return _usage.TryGetValue(userId, out Usage? usage) ? usage.Readers : 0;
        }
    }

    /// <summary>Counts a reader that is about to join, wherever that is done. Waits for nothing.</summary>
    /// <param name="peer">Who it is.</param>
    /// <param name="own">Who publishes.</param>
    /// <param name="stream">The stream's key.</param>
    /// <param name="leases">Leases that it would be granted; 0: it has no use for any.</param>
    /// <param name="answer">
    /// Is told once: what the reader takes, to be given back once with <see cref="Give"/>, or null if it has no quota; or else the sentences that say which
    /// quota stands in the way and how to change it. In this call, or later on another thread.
    /// </param>
    internal void Ask(PeerCredentials peer, PeerCredentials own, string stream, int leases, Action<ReaderShare?, string?> answer)
    {
        if (_ask is not null && !IsFree(peer, own))
        {
            _ask(new ReaderClaim(peer, stream, leases, answer));
            return;
        }

        string? obstacle = Take(peer, own, stream, ref leases, out ReaderShare? share);
        answer(share, obstacle);
    }

    /// <summary>Counts a reader that is about to join, in this process.</summary>
    /// <param name="peer">Who it is.</param>
    /// <param name="own">Who publishes.</param>
    /// <param name="stream">The stream's key.</param>
    /// <param name="leases">Leases that it would be granted; 0: it has no use for any. May become less.</param>
    /// <param name="share">What it takes, to be given back once with <see cref="Give"/>; null: it has no quota, or is refused.</param>
    /// <returns>Null; else the sentences that say which quota stands in the way and how to change it.</returns>
    internal string? Take(PeerCredentials peer, PeerCredentials own, string stream, ref int leases, out ReaderShare? share)
    {
        share = null;
        return IsFree(peer, own) ? null : Take(peer.UserId, peer.ProcessId, stream, ref leases, out share);
    }

    /// <summary>The same for a user that has quotas.</summary>
    /// <param name="userId">The user.</param>
    /// <param name="processId">Its process, for texts; 0: not known.</param>
    /// <param name="stream">The stream's key.</param>
    /// <param name="leases">As above.</param>
    /// <param name="share">As above.</param>
    /// <returns>As above.</returns>
    internal string? Take(uint userId, int processId, string stream, ref int leases, out ReaderShare? share)
    {
        share = null;
        lock (_gate)
        {
            if (!_usage.TryGetValue(userId, out Usage? usage))
            {
                _usage.Add(userId, usage = new Usage());
            }

            ReaderQuota quota = _users.TryGetValue(userId, out ReaderQuota? named) ? named : _others;
            string who = $"User {userId}{(processId == 0 ? "" : $" (process {processId})")}";
            int streams = usage.Streams.Count + (usage.Streams.ContainsKey(stream) ? 0 : 1);
            string? obstacle =
                usage.Readers >= quota.Readers ? TextOf(who, quota, "readers", $"{quota.Readers} readers", $"has {usage.Readers}")
                : streams > quota.Streams ? TextOf(who, quota, "streams", $"{quota.Streams} streams", $"reads {usage.Streams.Count}")
                : leases > 0 && usage.Leases >= quota.Leases ? TextOf(who, quota, "leases", $"{quota.Leases} leases", $"has {usage.Leases}")
                : null;
            if (obstacle is not null)
            {
                RemoveIfUnused(userId, usage);
                return obstacle;
            }

            leases = Math.Min(leases, (quota.Leases ?? int.MaxValue) - usage.Leases);
            usage.Readers++;
            usage.Leases += leases;
            usage.Streams[stream] = usage.Streams.GetValueOrDefault(stream) + 1;
            share = new ReaderShare(userId, stream, leases);
            return null;
        }
    }

    /// <summary>Gives back what a reader took that has gone.</summary>
    /// <param name="share">What it took.</param>
    internal void Give(ReaderShare share)
    {
        if (_giveBack is not null)
        {
            _giveBack(share);
            return;
        }

        lock (_gate)
        {
            Usage usage = _usage[share.UserId];
            usage.Readers--;
            usage.Leases -= share.Leases;
            if (--usage.Streams[share.Stream] == 0)
            {
                usage.Streams.Remove(share.Stream);
            }

            RemoveIfUnused(share.UserId, usage);
        }
    }

    private static bool IsFree(PeerCredentials peer, PeerCredentials own) => peer.UserId == 0 || peer.UserId == own.UserId;

    private static string TextOf(string who, ReaderQuota quota, string key, string limit, string has)
    {
        string place = quota.Place.Length > 0 ? $"'{key}' of {quota.Place}" : "the publisher's options";
        return $"{who} may have {limit} at once, by {place}, and {has}. End a reader of that user, or raise the quota there.";
    }

    private void RemoveIfUnused(uint userId, Usage usage)
    {
        if (usage.Readers == 0)
        {
            _usage.Remove(userId);
        }
    }

    private sealed class Usage
    {
        public Dictionary<string, int> Streams { get; } = [];

        public int Readers { get; set; }

        public int Leases { get; set; }
    }
}
