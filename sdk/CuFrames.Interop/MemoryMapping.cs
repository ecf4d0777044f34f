using System.Runtime.InteropServices;
using CuFrames.Interop.Internal;

namespace CuFrames.Interop;

/// <summary>
/// A shared mapping of a memory file, from its first byte on. It stays valid when the descriptor is closed and when the
/// process that made the file dies. It is unmapped exactly once, by <see cref="SafeHandle.Dispose()"/> or by the
/// finalizer.
/// </summary>
/// <remarks>
/// Spans and pointers into the mapping do not keep it alive: whoever uses them must make sure that nobody disposes the
/// mapping meanwhile. The mapping itself may be used by any number of threads.
/// </remarks>
public sealed unsafe class MemoryMapping : SafeHandle
{
    private MemoryMapping(long length, MappingAccess access)
        : base(0, ownsHandle: true)
    {
        Length = length;
        Access = access;
    }

    /// <inheritdoc/>
    public override bool IsInvalid => handle == 0;

    /// <summary>Length in bytes.</summary>
    public long Length { get; }

    /// <summary>What the mapping may be used for.</summary>
    public MappingAccess Access { get; }

    /// <summary>Address of the first byte, a multiple of the page size.</summary>
    /// <exception cref="ObjectDisposedException">The mapping is gone.</exception>
    public nuint Address
    {
        get
        {
            ObjectDisposedException.ThrowIf(IsClosed, this);
            return (nuint)handle;
        }
    }

    /// <summary>Pointer to the first byte.</summary>
    /// <exception cref="ObjectDisposedException">The mapping is gone.</exception>
    public byte* Pointer => (byte*)Address;

    /// <summary>Maps the beginning of a memory file.</summary>
    /// <param name="file">The file. It may be closed afterwards.</param>
    /// <param name="length">Bytes to map, greater than 0 and not more than the file has.</param>
    /// <param name="access">Reading, or reading and writing.</param>
    /// <param name="populate">Whether the pages are entered into the page table now and not at first use.</param>
    /// <returns>The mapping; the caller owns it.</returns>
    /// <exception cref="InvalidDataException">
    /// The file is shorter than <paramref name="length"/>, or no regular file. The check lasts only if the file carries
    /// <see cref="MemoryFileSeals.Shrink"/>: demand that seal of a peer's file first.
    /// </exception>
    /// <exception cref="LinuxException">EPERM: a seal forbids writing. ENOMEM: memory or mappings ran out.</exception>
    public static MemoryMapping Map(FileDescriptor file, long length, MappingAccess access, bool populate = false)
    {
        ArgumentNullException.ThrowIfNull(file);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(length);
        FileStatus status = file.Stat();
        if (!status.IsRegularFile)
        {
            throw new InvalidDataException("The descriptor is no memory file: it cannot be mapped.");
        }

        if (status.Size < length)
        {
            // A mapping past the end of the file is legal for the kernel and kills the process that touches it.
            throw new InvalidDataException($"The memory file has {status.Size} bytes, {length} are needed.");
        }

        int protection = access == MappingAccess.ReadWrite ? LibC.PROT_READ | LibC.PROT_WRITE : LibC.PROT_READ;
        int flags = populate ? LibC.MAP_SHARED | LibC.MAP_POPULATE : LibC.MAP_SHARED;
        var mapping = new MemoryMapping(length, access);
        nint address = LibC.Mmap(0, (nuint)length, protection, flags, file, 0);
        if (address == LibC.MAP_FAILED)
        {
            int errno = Marshal.GetLastPInvokeError();
            mapping.Dispose();
            throw new LinuxException("mmap", errno, $"map {length} bytes of descriptor {file.Number} ({access})");
        }

        mapping.SetHandle(address);
        return mapping;
    }

    /// <summary>A part of a writable mapping.</summary>
    /// <param name="offset">First byte.</param>
    /// <param name="length">Number of bytes.</param>
    /// <returns>The bytes themselves, not a copy.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The part reaches outside the mapping.</exception>
    /// <exception cref="InvalidOperationException">The mapping is read-only.</exception>
    /// <exception cref="ObjectDisposedException">The mapping is gone.</exception>
    public Span<byte> Slice(long offset, int length)
    {
        if (Access != MappingAccess.ReadWrite)
        {
            throw new InvalidOperationException("The mapping is read-only: use ReadOnlySlice.");
        }

        return new Span<byte>(PointerTo(offset, length), length);
    }

    /// <summary>A part of the mapping, for reading.</summary>
    /// <param name="offset">First byte.</param>
    /// <param name="length">Number of bytes.</param>
    /// <returns>The bytes themselves, not a copy; another process may change them at any time.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The part reaches outside the mapping.</exception>
    /// <exception cref="ObjectDisposedException">The mapping is gone.</exception>
    public ReadOnlySpan<byte> ReadOnlySlice(long offset, int length) => new(PointerTo(offset, length), length);

    /// <summary>Pointer to a part of the mapping, after the check that the part lies inside.</summary>
    /// <param name="offset">First byte.</param>
    /// <param name="length">Number of bytes that will be used.</param>
    /// <returns>The address of the first byte.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The part reaches outside the mapping.</exception>
    /// <exception cref="ObjectDisposedException">The mapping is gone.</exception>
    public byte* PointerTo(long offset, long length)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(offset, Length);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(length, Length - offset);
        return Pointer + offset;
    }

    /// <inheritdoc/>
    protected override bool ReleaseHandle() => LibC.Munmap(handle, (nuint)Length) == 0;
}
