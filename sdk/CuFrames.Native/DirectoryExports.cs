using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using CuFrames.Native.Internal;

namespace CuFrames.Native;

/// <summary>The directory of streams.</summary>
internal static unsafe class DirectoryExports
{
    [UnmanagedCallersOnly(EntryPoint = "managed_runtime_directory", CallConvs = [typeof(CallConvCdecl)])]
    public static int RuntimeDirectory(byte* buffer, nuint size) => Failure.Because(LibraryError.Internal, "not built yet"u8);

    [UnmanagedCallersOnly(EntryPoint = "managed_list", CallConvs = [typeof(CallConvCdecl)])]
    public static int List(byte* directory, nuint* list) => Failure.Because(LibraryError.Internal, "not built yet"u8);

    [UnmanagedCallersOnly(EntryPoint = "managed_probe", CallConvs = [typeof(CallConvCdecl)])]
    public static int Probe(byte* directory, byte* key, nuint* list) => Failure.Because(LibraryError.Internal, "not built yet"u8);

    [UnmanagedCallersOnly(EntryPoint = "managed_stream_list_count", CallConvs = [typeof(CallConvCdecl)])]
    public static nuint StreamListCount(nuint list) => 0;

    [UnmanagedCallersOnly(EntryPoint = "managed_stream_list_at", CallConvs = [typeof(CallConvCdecl)])]
    public static NativeStreamInfo* StreamListAt(nuint list, nuint index) => null;

    [UnmanagedCallersOnly(EntryPoint = "managed_stream_list_free", CallConvs = [typeof(CallConvCdecl)])]
    public static void StreamListFree(nuint list)
    {
    }
}
