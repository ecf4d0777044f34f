using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using CuFrames.Interop.Internal;

namespace CuFrames.Interop;

/// <summary>
/// Ownership of a name by an exclusive lock (<c>flock(2)</c>) on a file. The kernel drops it when the process dies,
/// however it dies; a file that was left behind does not keep the next owner out. One process cannot hold it twice
/// either.
/// </summary>
public sealed unsafe class FileLock : IDisposable
{
    // Process ids have at most 7 digits (PID_MAX_LIMIT is 2^22), and a line feed.
    private const int LongestContent = 16;

    private readonly FileDescriptor _file;

    private FileLock(FileDescriptor file, string path)
    {
        _file = file;
        FilePath = path;
    }

    /// <summary>The absolute path of the file.</summary>
    public string FilePath { get; }

    /// <summary>Takes the lock if nobody has it. Does not wait.</summary>
    /// <param name="path">
    /// The file. It is created if need be, for its user alone (0600 less the umask), and holds the owner's process id
    /// as text. A symbolic link is refused.
    /// </param>
    /// <returns>The lock, or null if another owner holds it.</returns>
    /// <exception cref="LinuxException">
    /// ENOENT: no such directory. EACCES: no right to write there. ELOOP: the path is a symbolic link. ENOSPC: no room.
    /// </exception>
    public static FileLock? TryAcquire(string path)
    {
        path = FileSystem.FullPath(path);
        while (true)
        {
            // 0600: whoever can open a file, be it for reading, can lock it, and could so keep its owner out after the owner's death.
            FileDescriptor file = FileSystem.TryOpen(path, LibC.O_RDWR | LibC.O_CREAT | LibC.O_NOFOLLOW, 0b110_000_000);
            if (file.IsInvalid)
            {
                throw LinuxException.FromLastError("open", $"open the lock file '{path}'");
            }

            try
            {
                if (!TryLock(file, path))
                {
                    file.Dispose();
                    return null;
                }

                // The former owner removes the file while it holds the lock. Who opened it before that now holds the
                // lock of a file that no longer has a name: try again with the file that has.
                if (FileSystem.TryStat(path) is { } named && named.IsSameFileAs(file.Stat()))
                {
                    WriteHolder(file, path);
                    return new FileLock(file, path);
                }

                file.Dispose();
            }
            catch
            {
                file.Dispose();
                throw;
            }
        }
    }

    /// <summary>Reads who holds, or last held, a lock. For messages only: the process may be gone.</summary>
    /// <param name="path">The lock's file.</param>
    /// <returns>The process id in the holder's PID namespace; null if there is no such file or no id in it.</returns>
    /// <exception cref="LinuxException">The file exists and cannot be read.</exception>
    public static int? ReadHolder(string path)
    {
        path = FileSystem.FullPath(path);

        // Without O_NONBLOCK a named pipe in this place would hold us up.
        using FileDescriptor file = FileSystem.TryOpen(path, LibC.O_RDONLY | LibC.O_NOFOLLOW | LibC.O_NONBLOCK, 0);
        if (file.IsInvalid)
        {
            return Marshal.GetLastPInvokeError() == Errno.ENOENT
                ? null
                : throw LinuxException.FromLastError("open", $"read the lock file '{path}'");
        }

        byte* buffer = stackalloc byte[LongestContent];
        nint length;
        do
        {
            length = LibC.Read(file, buffer, LongestContent);
        }
        while (length < 0 && Marshal.GetLastPInvokeError() == Errno.EINTR);

        if (length < 0)
        {
            throw LinuxException.FromLastError("read", $"read the lock file '{path}'");
        }

        string text = Encoding.ASCII.GetString(buffer, (int)length).TrimEnd('\n');
        return int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int holder) ? holder : null;
    }

    /// <summary>Removes the file, then gives the lock up.</summary>
    public void Dispose()
    {
        if (_file.IsClosed)
        {
            return;
        }

        try
        {
            if (FileSystem.TryStat(FilePath) is { } named && named.IsSameFileAs(_file.Stat()))
            {
                FileSystem.Unlink(FilePath);
            }
        }
        catch (LinuxException)
        {
            // The directory is gone or closed to us. A file that stays behind does no harm: the lock is what counts.
        }

        _file.Dispose();
    }

    private static bool TryLock(FileDescriptor file, string path)
    {
        while (LibC.Flock(file, LibC.LOCK_EX | LibC.LOCK_NB) < 0)
        {
            switch (Marshal.GetLastPInvokeError())
            {
                case Errno.EINTR:
                    break;
                case Errno.EAGAIN:
                    return false;
                default:
                    throw LinuxException.FromLastError("flock", $"lock '{path}'");
            }
        }

        return true;
    }

    private static void WriteHolder(FileDescriptor file, string path)
    {
        if (LibC.Ftruncate(file, 0) < 0)
        {
            throw LinuxException.FromLastError("ftruncate", $"write the lock file '{path}'");
        }

        byte[] content = Encoding.ASCII.GetBytes($"{Environment.ProcessId}\n");
        fixed (byte* bytes = content)
        {
            nint written;
            do
            {
                written = LibC.Write(file, bytes, (nuint)content.Length);
            }
            while (written < 0 && Marshal.GetLastPInvokeError() == Errno.EINTR);

            if (written < 0)
            {
                throw LinuxException.FromLastError("write", $"write the lock file '{path}'");
            }
        }
    }
}
