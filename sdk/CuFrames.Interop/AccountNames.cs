using CuFrames.Interop.Internal;

namespace CuFrames.Interop;

/// <summary>
/// Numeric ids of users and groups by name, from the sources that /etc/nsswitch.conf names (getpwnam_r(3), getgrnam_r(3)).
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

            // The manual names these, besides 0, as what sources answer that do not know the name.
            if (errno is not (0 or Errno.ENOENT or Errno.EBADF or Errno.EPERM or Errno.ESRCH))
            {
                throw new LinuxException(isGroup ? "getgrnam_r" : "getpwnam_r", errno, $"look up the {(isGroup ? "group" : "user")} '{name}'");
            }

            id = entry.Id;
            return found is not null;
        }
    }
}
