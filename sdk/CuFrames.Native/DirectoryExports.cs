using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;
using CuFrames.Client;
using CuFrames.Native.Internal;

namespace CuFrames.Native;

/// <summary>The directory of streams.</summary>
internal static unsafe class DirectoryExports
{
    private static readonly HandleTable<StreamList> Lists = new(HandleKind.StreamList);

    [UnmanagedCallersOnly(EntryPoint = "managed_runtime_directory", CallConvs = [typeof(CallConvCdecl)])]
    public static int RuntimeDirectory(byte* buffer, nuint size)
    {
        try
        {
            string directory = StreamDirectory.RuntimeDirectory;
            int needed = Encoding.UTF8.GetByteCount(directory) + 1;
            if (buffer == null || size < (nuint)needed)
            {
                return Failure.Because(LibraryError.InvalidArgument,
                    $"The path of the runtime directory, {directory}, needs {needed} bytes; the buffer {(buffer == null ? "is null" : $"has {size}")}.");
            }

            NativeText.Copy(directory, buffer, needed);
            return Failure.Ok;
        }
        catch (Exception error)
        {
            return Failure.Of(error);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "managed_list", CallConvs = [typeof(CallConvCdecl)])]
    public static int List(byte* directory, nuint* list)
    {
        try
        {
            Clear(list);
            *list = Lists.Add(StreamList.Of(StreamDirectory.List(NativeText.Read(directory))));
            return Failure.Ok;
        }
        catch (Exception error)
        {
            return Failure.Of(error);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "managed_probe", CallConvs = [typeof(CallConvCdecl)])]
    public static int Probe(byte* directory, byte* key, nuint* list)
    {
        try
        {
            Clear(list);
            *list = Lists.Add(StreamList.Of([StreamDirectory.Probe(NativeText.Require(key, "key"), NativeText.Read(directory))]));
            return Failure.Ok;
        }
        catch (Exception error)
        {
            return Failure.Of(error);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "managed_stream_list_count", CallConvs = [typeof(CallConvCdecl)])]
    public static nuint StreamListCount(nuint list) => (nuint)(Lists.Find(list)?.Count ?? 0);

    [UnmanagedCallersOnly(EntryPoint = "managed_stream_list_at", CallConvs = [typeof(CallConvCdecl)])]
    public static NativeStreamInfo* StreamListAt(nuint list, nuint index) => Lists.Find(list) is { } found ? found.At(index) : null;

    [UnmanagedCallersOnly(EntryPoint = "managed_stream_list_free", CallConvs = [typeof(CallConvCdecl)])]
    public static void StreamListFree(nuint list) => Lists.Remove(list)?.Dispose();

    private static void Clear(nuint* list)
    {
        if (list == null)
        {
            throw new LibraryException(LibraryError.InvalidArgument, "list is null; it must point to where the list's handle goes.");
        }

        *list = 0;
    }
}
