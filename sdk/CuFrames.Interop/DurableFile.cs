using System.Runtime.InteropServices;
using CuFrames.Interop.Internal;

namespace CuFrames.Interop;

/// <summary>A small file that is replaced as a whole: whoever looks, also after a crash or a loss of power, finds the old content or the new.</summary>
public static unsafe class DurableFile
{
    /// <summary>What is added to the file's name for the new content until it is complete. One that a crash left behind is used again.</summary>
    public const string PartSuffix = ".part";

    /// <summary>
    /// Replaces the content of a file, or makes the file: writes beside it, flushes to the disk, renames, flushes the directory. When it returns, the new
    /// content is on the disk. One caller at a time in a directory; another one is refused (EAGAIN), also in another process.
    /// </summary>
    /// <param name="path">The file. Its directory must be there.</param>
    /// <param name="content">The new content.</param>
    /// <param name="mode">The permissions that the file gets; the umask does not count.</param>
    /// <exception cref="LinuxException">
    /// Nothing was changed: ENOSPC, EDQUOT: no room. EACCES, EROFS: no right to write there. EIO. Only where <c>fsync</c> of the directory is named, the
    /// new content is there, and may not survive a loss of power.
    /// </exception>
    public static void Replace(string path, ReadOnlySpan<byte> content, uint mode)
    {
        path = FileSystem.FullPath(path);
        string folder = Path.GetDirectoryName(path)!;
        using FileDescriptor directory = FileSystem.TryOpen(folder, LibC.O_RDONLY | LibC.O_DIRECTORY, 0);
        if (directory.IsInvalid)
        {
            throw LinuxException.FromLastError("open", $"open the directory '{folder}'");
        }

        // Not on the file: it has its name while the lock is still held, and a reader who takes locks, as .NET does, would be refused.
        Check(LibC.Flock(directory, LibC.LOCK_EX | LibC.LOCK_NB), "flock", $"write in '{folder}', where somebody else writes");
        Write(path + PartSuffix, path, content, mode);
        Check(LibC.Fsync(directory), "fsync", $"flush the directory '{folder}' to the disk");
    }

    /// <summary>Whether this process may make files in a directory. False if there is no such directory.</summary>
    /// <param name="directory">The directory.</param>
    public static bool MayWriteIn(string directory) =>
        Directory.Exists(directory) && LibC.AccessAt(LibC.AT_FDCWD, FileSystem.FullPath(directory), LibC.W_OK | LibC.X_OK, LibC.AT_EACCESS) == 0;

    private static void Write(string part, string path, ReadOnlySpan<byte> content, uint mode)
    {
        using FileDescriptor file = FileSystem.TryOpen(part, LibC.O_WRONLY | LibC.O_CREAT | LibC.O_TRUNC | LibC.O_NOFOLLOW, mode);
        if (file.IsInvalid)
        {
            throw LinuxException.FromLastError("open", $"make '{part}'");
        }

        try
        {
            Check(LibC.Fchmod(file, mode), "fchmod", $"set the permissions of '{part}'");
            WriteAll(file, content, part);
            Check(LibC.Fsync(file), "fsync", $"flush '{part}' to the disk");
            Check(LibC.Rename(part, path), "rename", $"give '{part}' the name '{path}'");
        }
        catch
        {
            _ = LibC.Unlink(part);
            throw;
        }
    }

    private static void WriteAll(FileDescriptor file, ReadOnlySpan<byte> content, string path)
    {
        fixed (byte* first = content)
        {
            int written = 0;
            while (written < content.Length)
            {
                nint count = LibC.Write(file, first + written, (nuint)(content.Length - written));
                if (count < 0 && Marshal.GetLastPInvokeError() != Errno.EINTR)
                {
                    throw LinuxException.FromLastError("write", $"write '{path}'");
                }

                written += (int)Math.Max(0, count);
            }
        }
    }

    private static void Check(int result, string operation, string attempt)
    {
        if (result < 0)
        {
            throw LinuxException.FromLastError(operation, attempt);
        }
    }
}
