using System.Runtime.InteropServices;
using CuFrames.Interop.Internal;

namespace CuFrames.Interop;

/// <summary>What the kernel knows about an open file: the fields of <c>statx(2)</c> that CuFrames uses.</summary>
public readonly struct FileStatus
{
    /// <summary>
    /// Number of the device that holds the file; together with <see cref="Inode"/> it identifies the file.
    /// </summary>
    public ulong Device { get; internal init; }

    /// <summary>Number of the file on its device.</summary>
    public ulong Inode { get; internal init; }

    /// <summary>Type and permission bits, as in <c>st_mode</c>.</summary>
    public uint Mode { get; internal init; }

    /// <summary>Size in bytes; 0 for sockets.</summary>
    public long Size { get; internal init; }

    /// <summary>Numeric id of the owner.</summary>
    public uint UserId { get; internal init; }

    /// <summary>Numeric id of the owning group.</summary>
    public uint GroupId { get; internal init; }

    /// <summary>Whether it is a regular file. Memory files are.</summary>
    public bool IsRegularFile => (Mode & 0xF000) == 0x8000;

    /// <summary>Whether it is a socket.</summary>
    public bool IsSocket => (Mode & 0xF000) == 0xC000;

    /// <summary>Asks the kernel what a file is that .NET has opened.</summary>
    /// <param name="file">The open file; it stays the caller's.</param>
    /// <returns>Type, owner, mode and identity at this moment.</returns>
    /// <exception cref="LinuxException">The kernel refused.</exception>
    public static FileStatus Of(SafeHandle file)
    {
        ArgumentNullException.ThrowIfNull(file);
        bool isHeld = false;
        try
        {
            file.DangerousAddRef(ref isHeld);
            return FileSystem.Stat((int)file.DangerousGetHandle());
        }
        finally
        {
            if (isHeld)
            {
                file.DangerousRelease();
            }
        }
    }

    /// <summary>Asks the kernel what is at a path, without following a link in its last part.</summary>
    /// <param name="path">The path.</param>
    /// <returns>What is there; null: nothing.</returns>
    /// <exception cref="LinuxException">The kernel refused.</exception>
    public static FileStatus? At(string path) => FileSystem.TryStat(FileSystem.FullPath(path));

    /// <summary>Gives a file or directory to a group (chown(2)). Its owner may do so, for groups that it is a member of.</summary>
    /// <param name="path">The path; a link in its last part is not followed.</param>
    /// <param name="groupId">The group.</param>
    /// <exception cref="LinuxException">EPERM: this process may not.</exception>
    public static void SetGroup(string path, uint groupId)
    {
        if (LibC.ChangeOwner(FileSystem.FullPath(path), uint.MaxValue, groupId) < 0)
        {
            throw LinuxException.FromLastError("lchown", $"give '{path}' to group {groupId}");
        }
    }

    /// <summary>Whether both describe one file.</summary>
    /// <param name="other">The status of the other file.</param>
    /// <returns>True if device and inode agree.</returns>
    public bool IsSameFileAs(in FileStatus other) => Device == other.Device && Inode == other.Inode;
}
