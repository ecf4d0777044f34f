using System.Runtime.InteropServices;
using CuFrames.Interop.Internal;

namespace CuFrames.Interop;

/// <summary>
/// Anonymous files in memory (<c>memfd_create(2)</c>) that can be sealed and sent to other processes.
/// </summary>
public static class MemoryFile
{
    // Longer names are refused by memfd_create: NAME_MAX less the prefix "memfd:".
    private const int LongestName = 249;

    // Smaller files are not worth reading /proc for: control blocks and subscribers' pages.
    private const long SmallestChecked = 1 << 20;

    /// <summary>
    /// Creates a memory file. It is sealable, close-on-exec, not executable, and all its bytes are 0.
    /// </summary>
    /// <param name="name">A name for /proc/PID/maps; it need not be unique. At most 249 bytes of UTF-8.</param>
    /// <param name="size">Size in bytes, greater than 0.</param>
    /// <param name="allocate">
    /// Whether every page is allocated now, so that want of memory is an error of this call and does not hit whoever
    /// first touches the page. False suits files of which most is never written. The kernel itself answers a lack of
    /// memory by killing a process, so files of 1 MiB and more are refused beforehand if the machine, or the control
    /// group (version 2), has not that much left.
    /// </param>
    /// <returns>The file; the caller owns it.</returns>
    /// <exception cref="LinuxException">No descriptor (EMFILE) or no memory (ENOSPC, ENOMEM) is left.</exception>
    public static FileDescriptor Create(string name, long size, bool allocate = true)
    {
        ArgumentNullException.ThrowIfNull(name);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(size);
        if (System.Text.Encoding.UTF8.GetByteCount(name) > LongestName || name.Contains('\0', StringComparison.Ordinal))
        {
            throw new ArgumentException($"A memory file's name has at most {LongestName} bytes, none of them 0.", nameof(name));
        }

        if (allocate && size >= SmallestChecked && AvailableMemory.Read() is var available && available < size)
        {
            throw new LinuxException(
                "fallocate",
                Errno.ENOMEM,
                $"reserve {size} bytes for the memory file '{name}' of the {Math.Max(available, 0)} bytes that are available");
        }

        FileDescriptor file = LibC.MemfdCreate(name, LibC.MFD_CLOEXEC | LibC.MFD_ALLOW_SEALING | LibC.MFD_NOEXEC_SEAL);
        if (file.IsInvalid && Marshal.GetLastPInvokeError() == Errno.EINVAL)
        {
            // Before Linux 6.3 the kernel does not know MFD_NOEXEC_SEAL and says EINVAL.
            file = LibC.MemfdCreate(name, LibC.MFD_CLOEXEC | LibC.MFD_ALLOW_SEALING);
        }

        if (file.IsInvalid)
        {
            throw LinuxException.FromLastError("memfd_create", $"create the memory file '{name}'");
        }

        try
        {
            SetSize(file, name, size, allocate);
            return file;
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>Adds seals. This cannot be undone.</summary>
    /// <param name="file">A memory file that is open for writing.</param>
    /// <param name="seals">The seals to add to those it has.</param>
    /// <exception cref="LinuxException">
    /// EPERM: <see cref="MemoryFileSeals.Seal"/> is set. EBUSY: a writable mapping exists and forbids
    /// <see cref="MemoryFileSeals.Write"/>. EINVAL: not a memory file.
    /// </exception>
    public static void AddSeals(FileDescriptor file, MemoryFileSeals seals)
    {
        ArgumentNullException.ThrowIfNull(file);
        if (LibC.Fcntl(file, LibC.F_ADD_SEALS, (int)seals) < 0)
        {
            throw LinuxException.FromLastError("fcntl", $"add the seals {seals} to descriptor {file.Number}");
        }
    }

    /// <summary>Checks that a descriptor which a peer sent is a memory file with at least these seals.</summary>
    /// <param name="file">The descriptor.</param>
    /// <param name="seals">The seals that must be set; others may be.</param>
    /// <exception cref="InvalidDataException">
    /// It is no memory file, or a seal is missing. The text says which.
    /// </exception>
    public static void RequireSeals(FileDescriptor file, MemoryFileSeals seals)
    {
        ArgumentNullException.ThrowIfNull(file);
        int found = LibC.Fcntl(file, LibC.F_GET_SEALS, 0);
        if (found < 0)
        {
            int errno = Marshal.GetLastPInvokeError();
            throw errno is Errno.EINVAL or Errno.EBADF
                ? new InvalidDataException("The descriptor is no memory file: it was not made by memfd_create.")
                : new LinuxException("fcntl", errno, $"read the seals of descriptor {file.Number}");
        }

        MemoryFileSeals missing = seals & ~(MemoryFileSeals)found;
        if (missing != MemoryFileSeals.None)
        {
            throw new InvalidDataException(
                $"The memory file lacks the seals {missing}: it has {(MemoryFileSeals)found}, needed are {seals}.");
        }
    }

    private static void SetSize(FileDescriptor file, string name, long size, bool allocate)
    {
        int result;
        do
        {
            result = LibC.Ftruncate(file, size);
        }
        while (result < 0 && Marshal.GetLastPInvokeError() == Errno.EINTR);

        if (result < 0)
        {
            throw LinuxException.FromLastError("ftruncate", $"give the memory file '{name}' a size of {size} bytes");
        }

        if (!allocate)
        {
            return;
        }

        do
        {
            result = LibC.Fallocate(file, 0, 0, size);
        }
        while (result < 0 && Marshal.GetLastPInvokeError() == Errno.EINTR);

        if (result < 0)
        {
            throw LinuxException.FromLastError("fallocate", $"reserve {size} bytes for the memory file '{name}'");
        }
    }
}
