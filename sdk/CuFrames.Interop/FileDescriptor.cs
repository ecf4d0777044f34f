using System.Runtime.InteropServices;
using CuFrames.Interop.Internal;

namespace CuFrames.Interop;

/// <summary>
/// An open file descriptor that this object owns. It is closed exactly once: by <see cref="SafeHandle.Dispose()"/>,
/// or by the finalizer if nobody disposed it. Every call of this library that makes the kernel hand out a descriptor
/// creates the owner before the call, so no error can leave one behind. All descriptors are close-on-exec.
/// Thread-safe.
/// </summary>
public sealed class FileDescriptor : SafeHandle
{
    /// <summary>An owner without a descriptor; the marshalling of libc calls fills it in.</summary>
    public FileDescriptor()
        : base(-1, ownsHandle: true)
    {
    }

    /// <inheritdoc/>
    /// <remarks>Descriptor 0 is valid: a process that was started without standard input gets it first.</remarks>
    // libc returns an int, of which the marshaller takes a whole register: only its lower half means something.
    public override bool IsInvalid => (int)handle < 0;

    /// <summary>The descriptor's number, for messages only; -1 once closed. It may be reused by then.</summary>
    public int Number => IsClosed ? -1 : (int)handle;

    /// <summary>Takes ownership of an open descriptor.</summary>
    /// <param name="number">The descriptor. The caller must not close it afterwards.</param>
    /// <returns>The owner.</returns>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="number"/> is negative.</exception>
    public static FileDescriptor Own(int number)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(number);
        var owner = new FileDescriptor();
        owner.Adopt(number);
        return owner;
    }

    /// <summary>Opens a second descriptor for the same open file (<c>F_DUPFD_CLOEXEC</c>).</summary>
    /// <returns>The second descriptor, with an owner of its own.</returns>
    /// <exception cref="LinuxException">The process has no descriptor left (EMFILE).</exception>
    public FileDescriptor Duplicate()
    {
        FileDescriptor copy = LibC.FcntlDuplicate(this, LibC.F_DUPFD_CLOEXEC, 0);
        return copy.IsInvalid ? throw LinuxException.FromLastError("fcntl", $"duplicate descriptor {Number}") : copy;
    }

    /// <summary>Asks the kernel what this descriptor is.</summary>
    /// <returns>Type, size and identity of the file at this moment.</returns>
    /// <exception cref="LinuxException">The kernel refused, for example because statx is filtered.</exception>
    public FileStatus Stat() => FileSystem.Stat(this);

    /// <summary>Reads the seals of a memory file.</summary>
    /// <returns>The seals set at this moment. Seals can be added but never taken away.</returns>
    /// <exception cref="LinuxException">The descriptor is no memory file (EINVAL).</exception>
    public MemoryFileSeals GetSeals()
    {
        int seals = LibC.Fcntl(this, LibC.F_GET_SEALS, 0);
        return seals < 0
            ? throw LinuxException.FromLastError("fcntl", $"read the seals of descriptor {Number}")
            : (MemoryFileSeals)seals;
    }

    /// <summary>Puts a descriptor under the care of this object, which has none yet.</summary>
    internal void Adopt(int number) => SetHandle(number);

    /// <summary>Gives the descriptor up: whoever gets the number closes it. No other thread may be using this object.</summary>
    internal int Detach()
    {
        ObjectDisposedException.ThrowIf(IsClosed || IsInvalid, this);
        int number = (int)handle;
        SetHandleAsInvalid();
        return number;
    }

    /// <inheritdoc/>
    protected override bool ReleaseHandle()
    {
        // Linux frees the number even when close reports an error, so there is nothing to repeat.
        _ = LibC.Close((int)handle);
        return true;
    }
}
