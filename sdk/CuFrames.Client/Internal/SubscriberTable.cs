namespace CuFrames.Client.Internal;

/// <summary>
/// The active subscribers of a publisher, read by the publishing thread without a lock.
/// </summary>
/// <remarks>
/// 1. The control side replaces the array, never changes it (under the server's gate).
/// 2. The publishing thread makes <c>_activity</c> odd, then reads the array, looks at pages and sockets, and makes it even again.
///    Cost: one locked increment and one plain store for each visit; two visits a frame.
/// 3. A removed subscriber's page may be unmapped, and its socket closed, once <c>_activity</c> was seen even, or changed, after the new
///    array was visible: whoever enters later reads the new array.
/// </remarks>
internal sealed class SubscriberTable
{
    private readonly List<(SubscriberSession Session, int Activity)> _removed = [];

    // Written under the server's gate; read by the publishing thread and by statistics, with acquire.
    private SubscriberSession[] _active = [];

    // Written by the publishing thread only; read by the control side behind a full fence.
    private int _activity;

    // Written under the server's gate, once, before the subscribers are removed; read by the publishing thread after the array.
    private bool _isClosed;

    /// <summary>Whether the stream has ended. Then slots that hold a frame are never written again: those who left may be reading them.</summary>
    public bool IsClosed => Volatile.Read(ref _isClosed);

    public SubscriberSession[] Active => Volatile.Read(ref _active);

    /// <summary>Publishing thread: begins to look at pages. A full fence.</summary>
    public void Enter() => Interlocked.Increment(ref _activity);

    /// <summary>Publishing thread: has ceased to look.</summary>
    public void Exit() => Volatile.Write(ref _activity, _activity + 1);

    /// <summary>Under the gate.</summary>
    public void Add(SubscriberSession session) => Volatile.Write(ref _active, [.. _active, session]);

    /// <summary>Under the gate, before <see cref="Remove"/> of everybody: whoever does not see a subscriber any more sees this.</summary>
    public void Close() => Volatile.Write(ref _isClosed, true);

    /// <summary>Under the gate: from now on the publishing thread does not see the session; its leases are gone.</summary>
    public void Remove(SubscriberSession session)
    {
        Volatile.Write(ref _active, Array.FindAll(_active, other => !ReferenceEquals(other, session)));
        Interlocked.MemoryBarrier();
        _removed.Add((session, Volatile.Read(ref _activity)));
    }

    /// <summary>Under the gate: closes the removed sessions that the publishing thread cannot be looking at.</summary>
    public void Reap()
    {
        for (int i = _removed.Count - 1; i >= 0; i--)
        {
            (SubscriberSession session, int activity) = _removed[i];
            if ((activity & 1) == 0 || Volatile.Read(ref _activity) != activity)
            {
                _removed.RemoveAt(i);
                session.Close();
            }
        }
    }
}
