using System.ComponentModel;
using System.Runtime.InteropServices;

namespace CuFrames.Fuzz;

/// <summary>Memory whose last byte is followed by memory that nobody may touch: a read behind the end kills the process at once.</summary>
internal sealed unsafe partial class GuardedMemory : IDisposable
{
    private const int PageSize = 4096;

    /// <summary>More than what any 8- or 16-bit number of a peer can reach over as an index of words.</summary>
    private const int GuardSize = 1 << 20;

    private const int ProtNone = 0;
    private const int ProtReadWrite = 3;
    private const int MapPrivateAnonymous = 0x22;

    private readonly nint _base;
    private readonly nuint _total;

    /// <param name="size">Bytes, a multiple of 64, so that the memory is aligned as in a mapping of its own.</param>
    public GuardedMemory(int size)
    {
        int usable = (size + PageSize - 1) / PageSize * PageSize;
        _total = (nuint)(usable + GuardSize);
        _base = Map(0, _total, ProtReadWrite, MapPrivateAnonymous, -1, 0);
        if (_base == -1 || Protect(_base + usable, GuardSize, ProtNone) != 0)
        {
            throw new Win32Exception();
        }

        Address = (byte*)_base + usable - size;
        Size = size;
    }

    public byte* Address { get; }

    public int Size { get; }

    public Span<byte> Bytes => new(Address, Size);

    public void Dispose() => _ = Unmap(_base, _total);

    [LibraryImport("libc", EntryPoint = "mmap", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial nint Map(nint address, nuint length, int protection, int flags, int file, long offset);

    [LibraryImport("libc", EntryPoint = "mprotect", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int Protect(nint address, nuint length, int protection);

    [LibraryImport("libc", EntryPoint = "munmap", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int Unmap(nint address, nuint length);
}
