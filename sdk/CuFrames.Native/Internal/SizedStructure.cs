using System.Runtime.CompilerServices;

namespace CuFrames.Native.Internal;

/// <summary>
/// Structures that begin with their size. The caller may have been compiled with an older header, whose structure was shorter, or with a newer
/// one: neither is read nor written beyond the smaller of both sizes.
/// </summary>
internal static unsafe class SizedStructure
{
    /// <summary>Copies a structure of the caller's; what it does not have is zero.</summary>
    /// <exception cref="LibraryException">INVALID_ARGUMENT: null, or a size that does not even hold the size.</exception>
    public static T Read<T>(T* source, string what)
        where T : unmanaged
    {
        T value = default;
        Unsafe.CopyBlockUnaligned(&value, source, CommonSize(source, what));
        return value;
    }

    /// <summary>Fills in a structure of the caller's, whose size stays as it is.</summary>
    /// <exception cref="LibraryException">INVALID_ARGUMENT: null, or a size that does not even hold the size.</exception>
    public static void Write<T>(T* destination, T value, string what)
        where T : unmanaged
    {
        uint size = CommonSize(destination, what);
        *(uint*)&value = *(uint*)destination;
        Unsafe.CopyBlockUnaligned(destination, &value, size);
    }

    private static uint CommonSize<T>(T* structure, string what)
        where T : unmanaged
    {
        if (structure == null)
        {
            throw new LibraryException(LibraryError.InvalidArgument, $"{what} is null.");
        }

        uint size = *(uint*)structure;
        return size >= sizeof(uint)
            ? Math.Min(size, (uint)sizeof(T))
            : throw new LibraryException(LibraryError.InvalidArgument,
                $"The size of {what} is {size} bytes. Initialise the structure with its INIT macro, or set size to its sizeof.");
    }
}
