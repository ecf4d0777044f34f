using CuFrames.Interop.Internal;

namespace CuFrames.Interop;

/// <summary>
/// Numeric ids of users and groups by name, and the groups of a user, from the sources that /etc/nsswitch.conf names (getpwnam_r(3), getgrnam_r(3)).
/// A directory service may make a call slow. Any thread may call.
/// </summary>
public static unsafe class AccountNames
{
    // An entry of a group with many members does not fit the first buffer; no sane one exceeds the last.
    private const int FirstBufferSize = 4096;
    private const int LastBufferSize = 1 << 20;

    /// <summary>Looks up a user.</summary>
    /// <param name="name">The name.</param>
    /// <param name="userId">Its id.</param>
    /// <returns>False if there is no such user.</returns>
    /// <exception cref="LinuxException">A source of names cannot be read.</exception>
    public static bool TryFindUser(string name, out uint userId) => TryFind(name, isGroup: false, out userId);

    /// <summary>Looks up a group.</summary>
    /// <param name="name">The name.</param>
    /// <param name="groupId">Its id.</param>
    /// <returns>False if there is no such group.</returns>
    /// <exception cref="LinuxException">A source of names cannot be read.</exception>
    public static bool TryFindGroup(string name, out uint groupId) => TryFind(name, isGroup: true, out groupId);

    /// <summary>Looks up the groups of a user: the one of its account and all that name it as a member (getgrouplist(3)).</summary>
    /// <param name="userId">The user.</param>
    /// <param name="groupId">The group of its account.</param>
    /// <param name="groups">All of its groups, that one included.</param>
    /// <returns>False if there is no such user.</returns>
    /// <exception cref="LinuxException">A source of names cannot be read.</exception>
    public static bool TryFindGroupsOf(uint userId, out uint groupId, out IReadOnlyList<uint> groups)
    {
        (groupId, groups) = (uint.MaxValue, []);
        for (int size = FirstBufferSize; ; size *= 4)
        {
            LibC.UserEntry entry = default;
            void* found = null;
            int errno;
            fixed (byte* texts = new byte[size])
            {
                do
                {
                    errno = LibC.FindUserById(userId, &entry, texts, (nuint)size, &found);
                }
                while (errno == Errno.EINTR);

                if (errno == 0 && found is not null)
                {
                    // The name lies among the texts.
                    groupId = entry.GroupId;
                    groups = GroupsOf(entry.Name, entry.GroupId);
                    return true;
                }
            }

            if (errno == Errno.ERANGE && size < LastBufferSize)
            {
                continue;
            }

            return IsNotFound(errno) ? false : throw new LinuxException("getpwuid_r", errno, $"look up the user {userId}");
        }
    }

    private static uint[] GroupsOf(byte* name, uint group)
    {
        for (int count = 64; ;)
        {
            uint[] groups = new uint[count];
            int room = count;
            fixed (uint* first = groups)
            {
                if (LibC.GroupsOfUser(name, group, first, &count) >= 0)
                {
                    return groups[..count];
                }
            }

            // The number that is needed; another one might have come meanwhile.
            count = Math.Max(count, 2 * room);
        }
    }

    /// <summary>The manuals name these, besides 0, as what sources answer that do not know the name.</summary>
    private static bool IsNotFound(int errno) => errno is 0 or Errno.ENOENT or Errno.EBADF or Errno.EPERM or Errno.ESRCH;

    private static bool TryFind(string name, bool isGroup, out uint id)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        for (int size = FirstBufferSize; ; size *= 4)
        {
            LibC.AccountEntry entry = default;
            void* found = null;
            int errno;
            fixed (byte* texts = new byte[size])
            {
                do
                {
                    errno = isGroup
                        ? LibC.FindGroup(name, &entry, texts, (nuint)size, &found)
                        : LibC.FindUser(name, &entry, texts, (nuint)size, &found);
                }
                while (errno == Errno.EINTR);
            }

            if (errno == Errno.ERANGE && size < LastBufferSize)
            {
                continue;
            }

            if (!IsNotFound(errno))
            {
                throw new LinuxException(isGroup ? "getgrnam_r" : "getpwnam_r", errno, $"look up the {(isGroup ? "group" : "user")} '{name}'");
            }

            id = entry.Id;
            return found is not null;
        }
    }
}
