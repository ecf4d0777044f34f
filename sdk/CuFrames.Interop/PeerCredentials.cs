namespace CuFrames.Interop;

/// <summary>
/// Who connected, as the kernel recorded it at the time of connect(2) or listen(2); the peer cannot forge it. Ids are
/// those of this process's namespaces.
/// </summary>
public sealed class PeerCredentials
{
    internal PeerCredentials(int processId, uint userId, uint groupId, uint[] supplementaryGroups)
    {
        ProcessId = processId;
        UserId = userId;
        GroupId = groupId;
        SupplementaryGroups = supplementaryGroups;
    }

    /// <summary>
    /// Process id, or 0 if the peer's PID namespace cannot be seen from here. For messages only: ids are reused.
    /// </summary>
    public int ProcessId { get; }

    /// <summary>Effective user id; 65534 if it has no counterpart in this user namespace.</summary>
    public uint UserId { get; }

    /// <summary>Effective group id; 65534 if it has no counterpart in this user namespace.</summary>
    public uint GroupId { get; }

    /// <summary>The other groups of the peer.</summary>
    public IReadOnlyList<uint> SupplementaryGroups { get; }

    /// <summary>Whether the peer belongs to a group, be it as effective or as supplementary group.</summary>
    /// <param name="groupId">The group.</param>
    /// <returns>True if it does.</returns>
    public bool IsInGroup(uint groupId) => GroupId == groupId || SupplementaryGroups.Contains(groupId);
}
