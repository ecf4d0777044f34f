namespace CuFrames.Interop;

/// <summary>
/// The error numbers of Linux that this library returns or treats in a special way. The numbers are those of
/// <c>asm-generic/errno.h</c>, which x86-64 and arm64 share.
/// </summary>
public static class Errno
{
    /// <summary>Operation not permitted; for memory files: a seal forbids it.</summary>
    public const int EPERM = 1;

    /// <summary>No such file or directory.</summary>
    public const int ENOENT = 2;

    /// <summary>No such process; for look-ups of names: not there.</summary>
    public const int ESRCH = 3;

    /// <summary>A signal interrupted the call. This library repeats such calls; callers never see it.</summary>
    public const int EINTR = 4;

    /// <summary>Input/output error.</summary>
    public const int EIO = 5;

    /// <summary>The descriptor is not open, or not open for this.</summary>
    public const int EBADF = 9;

    /// <summary>Try again: the call would have to wait.</summary>
    public const int EAGAIN = 11;

    /// <summary>Out of memory.</summary>
    public const int ENOMEM = 12;

    /// <summary>Permission denied.</summary>
    public const int EACCES = 13;

    /// <summary>A bad address was given.</summary>
    public const int EFAULT = 14;

    /// <summary>Busy.</summary>
    public const int EBUSY = 16;

    /// <summary>The file exists.</summary>
    public const int EEXIST = 17;

    /// <summary>A part of the path is no directory.</summary>
    public const int ENOTDIR = 20;

    /// <summary>The path is a directory.</summary>
    public const int EISDIR = 21;

    /// <summary>Invalid argument.</summary>
    public const int EINVAL = 22;

    /// <summary>The machine has too many open files.</summary>
    public const int ENFILE = 23;

    /// <summary>The process has too many open descriptors.</summary>
    public const int EMFILE = 24;

    /// <summary>The file is in use as a program; for memory files: mapped in a way that forbids the call.</summary>
    public const int ETXTBSY = 26;

    /// <summary>The file is too large.</summary>
    public const int EFBIG = 27;

    /// <summary>No space left.</summary>
    public const int ENOSPC = 28;

    /// <summary>The file system is read-only.</summary>
    public const int EROFS = 30;

    /// <summary>The other end of the pipe or socket is closed.</summary>
    public const int EPIPE = 32;

    /// <summary>The buffer given is too small for the answer.</summary>
    public const int ERANGE = 34;

    /// <summary>The name is too long.</summary>
    public const int ENAMETOOLONG = 36;

    /// <summary>The kernel does not have this system call.</summary>
    public const int ENOSYS = 38;

    /// <summary>Too many symbolic links, or a link where none is accepted.</summary>
    public const int ELOOP = 40;

    /// <summary>The packet is longer than the socket can carry.</summary>
    public const int EMSGSIZE = 90;

    /// <summary>The socket behind the path is of another type.</summary>
    public const int EPROTOTYPE = 91;

    /// <summary>The socket does not know this option.</summary>
    public const int ENOPROTOOPT = 92;

    /// <summary>The address family is not supported.</summary>
    public const int EAFNOSUPPORT = 97;

    /// <summary>The address is in use.</summary>
    public const int EADDRINUSE = 98;

    /// <summary>The connection was dropped before it was accepted.</summary>
    public const int ECONNABORTED = 103;

    /// <summary>The peer reset the connection.</summary>
    public const int ECONNRESET = 104;

    /// <summary>The socket is not connected.</summary>
    public const int ENOTCONN = 107;

    /// <summary>Too many descriptors are on their way through sockets.</summary>
    public const int ETOOMANYREFS = 109;

    /// <summary>The time ran out.</summary>
    public const int ETIMEDOUT = 110;

    /// <summary>Nobody listens at the address.</summary>
    public const int ECONNREFUSED = 111;

    /// <summary>The symbolic name of an error number.</summary>
    /// <param name="errno">The number.</param>
    /// <returns>
    /// The name, such as <c>EMFILE</c>; <c>errno 77</c> for a number that this library has no name for.
    /// </returns>
    public static string NameOf(int errno) => errno switch
    {
        EPERM => nameof(EPERM),
        ENOENT => nameof(ENOENT),
        ESRCH => nameof(ESRCH),
        EINTR => nameof(EINTR),
        EIO => nameof(EIO),
        EBADF => nameof(EBADF),
        EAGAIN => nameof(EAGAIN),
        ENOMEM => nameof(ENOMEM),
        EACCES => nameof(EACCES),
        EFAULT => nameof(EFAULT),
        EBUSY => nameof(EBUSY),
        EEXIST => nameof(EEXIST),
        ENOTDIR => nameof(ENOTDIR),
        EISDIR => nameof(EISDIR),
        EINVAL => nameof(EINVAL),
        ENFILE => nameof(ENFILE),
        EMFILE => nameof(EMFILE),
        ETXTBSY => nameof(ETXTBSY),
        EFBIG => nameof(EFBIG),
        ENOSPC => nameof(ENOSPC),
        EROFS => nameof(EROFS),
        EPIPE => nameof(EPIPE),
        ERANGE => nameof(ERANGE),
        ENAMETOOLONG => nameof(ENAMETOOLONG),
        ENOSYS => nameof(ENOSYS),
        ELOOP => nameof(ELOOP),
        EMSGSIZE => nameof(EMSGSIZE),
        EPROTOTYPE => nameof(EPROTOTYPE),
        ENOPROTOOPT => nameof(ENOPROTOOPT),
        EAFNOSUPPORT => nameof(EAFNOSUPPORT),
        EADDRINUSE => nameof(EADDRINUSE),
        ECONNABORTED => nameof(ECONNABORTED),
        ECONNRESET => nameof(ECONNRESET),
        ENOTCONN => nameof(ENOTCONN),
        ETOOMANYREFS => nameof(ETOOMANYREFS),
        ETIMEDOUT => nameof(ETIMEDOUT),
        ECONNREFUSED => nameof(ECONNREFUSED),
        _ => $"errno {errno}",
    };
}
