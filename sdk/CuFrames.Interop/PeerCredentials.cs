using System.Buffers;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using CuFrames.Interop.Internal;

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

    /// <summary>This process, as its peers see it.</summary>
    /// <exception cref="LinuxException">The kernel refused a pair of sockets, of which one asks who made the other.</exception>
    public static PeerCredentials OfThisProcess()
    {
        (UnixSocket first, UnixSocket second) = UnixSocket.CreatePair();
        using (first)
        using (second)
        {
            return first.GetPeerCredentials();
        }
    }

    /// <summary>Asks who connected to a Unix socket that .NET's own sockets accepted.</summary>
    /// <param name="connection">The connection; it stays the caller's.</param>
    /// <returns>Who connected, at that time.</returns>
    /// <exception cref="SocketException">It is no connection of a Unix socket, or the kernel refused.</exception>
    public static PeerCredentials Of(Socket connection)
    {
        // pid, uid, gid: struct ucred of socket(7).
        Span<byte> credentials = stackalloc byte[12];
        connection.GetRawSocketOption(LibC.SOL_SOCKET, LibC.SO_PEERCRED, credentials);

        // Room for as many groups as Linux lets a process have (NGROUPS_MAX of limits.h). Rented, because a daemon asks this of every connection, and
        // 256 KiB each would be what its heap mostly collects.
        byte[] groups = ArrayPool<byte>.Shared.Rent(65536 * sizeof(uint));
        try
        {
            int length = connection.GetRawSocketOption(LibC.SOL_SOCKET, LibC.SO_PEERGROUPS, groups);
            return new PeerCredentials(
                MemoryMarshal.Read<int>(credentials),
                MemoryMarshal.Read<uint>(credentials[4..]),
                MemoryMarshal.Read<uint>(credentials[8..]),
                MemoryMarshal.Cast<byte, uint>(groups.AsSpan(0, length)).ToArray());
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(groups);
        }
    }

    /// <summary>Whether the peer belongs to a group, be it as effective or as supplementary group.</summary>
    /// <param name="groupId">The group.</param>
    /// <returns>True if it does.</returns>
    public bool IsInGroup(uint groupId) => GroupId == groupId || SupplementaryGroups.Contains(groupId);
}
