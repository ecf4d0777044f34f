namespace CuFrames.Interop;

/// <summary>
/// The seals of a memory file, <c>F_SEAL_*</c> of <c>linux/fcntl.h</c>. The kernel enforces them against every process,
/// the creator included.
/// </summary>
[Flags]
public enum MemoryFileSeals
{
    /// <summary>No seal.</summary>
    None = 0,

    /// <summary>No further seal can be added.</summary>
    Seal = 1,

    /// <summary>The file cannot become shorter, so a mapping of it never faults for its length.</summary>
    Shrink = 2,

    /// <summary>The file cannot become longer.</summary>
    Grow = 4,

    /// <summary>Nobody can write, and no writable shared mapping may exist when it is set.</summary>
    Write = 8,

    /// <summary>Writable mappings that exist stay; nobody can make a new one or write in any other way.</summary>
    FutureWrite = 16,

    /// <summary>
    /// The execute permission cannot be changed. Set by the kernel for files made by this library (Linux 6.3).
    /// </summary>
    Execute = 32,
}
