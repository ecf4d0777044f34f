using System.Runtime.InteropServices;

namespace CuFrames.Interop.Internal;

/// <summary>Calls about paths and inodes, with EINTR repeated and errors turned into exceptions.</summary>
internal static unsafe class FileSystem
{
    /// <summary>Opens a path; returns an invalid owner and leaves errno in place on failure.</summary>
    internal static FileDescriptor TryOpen(string path, int flags, uint mode)
    {
        FileDescriptor file;
        do
        {
            file = LibC.Open(path, flags | LibC.O_CLOEXEC, mode);
        }
        while (file.IsInvalid && Marshal.GetLastPInvokeError() == Errno.EINTR);

        return file;
    }

    internal static FileStatus Stat(FileDescriptor file)
    {
        LibC.StatxBuffer buffer;
        return LibC.Statx(file, string.Empty, LibC.AT_EMPTY_PATH, LibC.STATX_BASIC_STATS, &buffer) < 0
            ? throw LinuxException.FromLastError("statx", $"examine descriptor {file.Number}")
            : ToStatus(buffer);
    }

    internal static FileStatus Stat(int descriptor)
    {
        LibC.StatxBuffer buffer;
        return LibC.Statx(descriptor, string.Empty, LibC.AT_EMPTY_PATH, LibC.STATX_BASIC_STATS, &buffer) < 0
            ? throw LinuxException.FromLastError("statx", $"examine descriptor {descriptor}")
            : ToStatus(buffer);
    }

    /// <summary>Examines a path without following a link in its last part; null if there is nothing.</summary>
    internal static FileStatus? TryStat(string path)
    {
        LibC.StatxBuffer buffer;
        if (LibC.Statx(LibC.AT_FDCWD, path, LibC.AT_SYMLINK_NOFOLLOW, LibC.STATX_BASIC_STATS, &buffer) == 0)
        {
            return ToStatus(buffer);
        }

        int errno = Marshal.GetLastPInvokeError();
        return errno == Errno.ENOENT ? null : throw new LinuxException("statx", errno, $"examine '{path}'");
    }

    /// <summary>Removes a name; it is no error if it is gone already.</summary>
    internal static void Unlink(string path)
    {
        if (LibC.Unlink(path) < 0 && Marshal.GetLastPInvokeError() != Errno.ENOENT)
        {
            throw LinuxException.FromLastError("unlink", $"remove '{path}'");
        }
    }

    /// <summary>The absolute form of a path, refused if it has a 0 byte where libc would cut it off.</summary>
    internal static string FullPath(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        return Path.GetFullPath(path);
    }

    private static FileStatus ToStatus(in LibC.StatxBuffer buffer) => new()
    {
        Device = ((ulong)buffer.DeviceMajor << 32) | buffer.DeviceMinor,
        Inode = buffer.Inode,
        Mode = buffer.Mode,
        Size = (long)buffer.Size,
        UserId = buffer.UserId,
        GroupId = buffer.GroupId,
    };
}
