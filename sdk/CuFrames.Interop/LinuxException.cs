using System.Runtime.InteropServices;

namespace CuFrames.Interop;

/// <summary>
/// A call to the operating system failed. <see cref="Exception.Message"/> says what was tried, which call failed,
/// what the kernel answered and, where that is known, what to do.
/// </summary>
public sealed class LinuxException : IOException
{
    /// <summary>Describes a failed call.</summary>
    /// <param name="operation">The call, as libc names it: <c>memfd_create</c>.</param>
    /// <param name="errno">The error number, one of <see cref="Interop.Errno"/> as a rule.</param>
    /// <param name="attempt">What was tried, as the middle of a sentence: <c>create the memory file 'x'</c>.</param>
    public LinuxException(string operation, int errno, string attempt)
        : base(Describe(operation, errno, attempt))
    {
        Operation = operation;
        Errno = errno;
    }

    /// <summary>The call that failed, as libc names it.</summary>
    public string Operation { get; }

    /// <summary>The error number that the call gave.</summary>
    public int Errno { get; }

    internal static LinuxException FromLastError(string operation, string attempt) =>
        new(operation, Marshal.GetLastPInvokeError(), attempt);

    private static string Describe(string operation, int errno, string attempt)
    {
        string text = $"Cannot {attempt}: {operation} answered {Interop.Errno.NameOf(errno)} " +
            $"({Marshal.GetPInvokeErrorMessage(errno)}).";
        string? advice = Advice(operation, errno);
        return advice is null ? text : $"{text} {advice}";
    }

    private static string? Advice(string operation, int errno) => errno switch
    {
        Interop.Errno.EMFILE =>
            "This process is at its limit of open descriptors: raise LimitNOFILE= in the systemd unit, or ulimit -n.",
        Interop.Errno.ENFILE => "The machine is at its limit of open files: raise the sysctl fs.file-max.",
        Interop.Errno.ENOSPC when operation is "epoll_ctl" =>
            "The user is at the limit of watched descriptors: raise the sysctl fs.epoll.max_user_watches.",
        Interop.Errno.ENOSPC when operation is "fallocate" or "ftruncate" =>
            "There is no shared memory left: free memory, or raise the memory limit of the container.",
        Interop.Errno.ENOSPC => "The file system is full: free some space on it.",
        Interop.Errno.ENOMEM when operation is "mmap" =>
            "Memory or the number of mappings ran out: check the memory limit and the sysctl vm.max_map_count.",
        Interop.Errno.ENOMEM => "Memory ran out: free memory, or raise the memory limit of the container.",
        Interop.Errno.EACCES => "Check the owner and the mode of the path and of every directory above it.",
        Interop.Errno.EPERM when operation is "mmap" or "ftruncate" or "fallocate" or "fcntl" =>
            "A seal of the memory file forbids it.",
        Interop.Errno.ENOENT when operation is "connect" => "No publisher has created this socket.",
        Interop.Errno.ENOENT => "The file or its directory does not exist: create the directory first.",
        Interop.Errno.ECONNREFUSED => "Nobody listens there: the process that created the socket has ended.",
        Interop.Errno.ETIMEDOUT when operation is "connect" =>
            "The listener does not accept connections: it is stopped or overloaded.",
        Interop.Errno.EPROTOTYPE => "The socket there is of another type: it does not belong to CuFrames.",
        Interop.Errno.EROFS => "The file system is mounted read-only: choose another directory.",
        Interop.Errno.ELOOP => "A symbolic link is not accepted here: name the file itself.",
        Interop.Errno.ENAMETOOLONG => "One name in a path has at most 255 bytes, a whole path 4,095.",
        Interop.Errno.EADDRINUSE => "Another process has just bound this path.",
        Interop.Errno.EMSGSIZE => "The packet exceeds the socket's send buffer: set a larger one.",
        Interop.Errno.ETOOMANYREFS =>
            "Too many descriptors wait in sockets of this user to be received: the receiver does not read.",
        Interop.Errno.ENOSYS => "The kernel is too old: CuFrames needs Linux 5.1 or later.",
        _ => null,
    };
}
