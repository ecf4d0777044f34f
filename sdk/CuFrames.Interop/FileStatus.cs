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

    /// <summary>Whether both describe one file.</summary>
    /// <param name="other">The status of the other file.</param>
    /// <returns>True if device and inode agree.</returns>
    public bool IsSameFileAs(in FileStatus other) => Device == other.Device && Inode == other.Inode;
}
