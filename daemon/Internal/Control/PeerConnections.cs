using CuFrames.Interop;

namespace CuFrames.Daemon.Internal.Control;

/// <summary>
/// Connections that there are now, by user: nobody may take them all. Who may call gets many; a stranger gets a few, enough to be told why he may not, and
/// all strangers together get no more than leaves room for the others. Safe for any thread.
/// </summary>
internal sealed class PeerConnections
{
    /// <summary>Connections of one user who may call: programs of his may each have one.</summary>
    private const int MaxOfCaller = 128;

    /// <summary>Connections of one user who may not.</summary>
    private const int MaxOfStranger = 8;

    /// <summary>Connections of all who may not.</summary>
    private const int MaxOfStrangers = 64;

    /// <summary>By user and whether he may call. Under its own lock.</summary>
    private readonly Dictionary<(uint User, bool IsCaller), int> _counts = [];

    private int _strangers;

    /// <summary>Counts a connection.</summary>
    /// <param name="peer">Who connected.</param>
    /// <param name="isCaller">Whether he may call.</param>
    /// <returns>Whether there is room; then <see cref="Remove"/> is called when it is gone.</returns>
    internal bool TryAdd(PeerCredentials peer, bool isCaller)
    {
        lock (_counts)
        {
            int count = _counts.GetValueOrDefault((peer.UserId, isCaller));
            if (count >= (isCaller ? MaxOfCaller : MaxOfStranger) || (!isCaller && _strangers >= MaxOfStrangers))
            {
                return false;
            }

            _counts[(peer.UserId, isCaller)] = count + 1;
            _strangers += isCaller ? 0 : 1;
            return true;
        }
    }

    /// <summary>A connection is gone.</summary>
    /// <param name="peer">As in <see cref="TryAdd"/>.</param>
    /// <param name="isCaller">As in <see cref="TryAdd"/>.</param>
    internal void Remove(PeerCredentials peer, bool isCaller)
    {
        lock (_counts)
        {
            if (--_counts[(peer.UserId, isCaller)] == 0)
            {
                _counts.Remove((peer.UserId, isCaller));
            }

            _strangers -= isCaller ? 0 : 1;
        }
    }
}
