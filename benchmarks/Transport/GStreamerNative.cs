using System.Runtime.InteropServices;

namespace CuFrames.Benchmarks.Transport;

/// <summary>The few functions of GStreamer 1.x that the comparison needs.</summary>
internal static unsafe partial class GStreamerNative
{
    // GstState, GstMapFlags, GstMemoryFlags.
    public const int StateNull = 1;
    public const int StatePlaying = 4;
    public const int MapRead = 1;
    public const int MemoryReadOnly = 2;

    private const string Core = "libgstreamer-1.0.so.0";
    private const string App = "libgstapp-1.0.so.0";

    public static bool IsInstalled =>
        NativeLibrary.TryLoad(Core, out _) && NativeLibrary.TryLoad(App, out _) && Running.Machine.FirstLine("gst-inspect-1.0", "shmsink") is not null;

    [LibraryImport(Core, EntryPoint = "gst_init")]
    public static partial void Init(int* count, byte*** arguments);

    [LibraryImport(Core, EntryPoint = "gst_parse_launch", StringMarshalling = StringMarshalling.Utf8)]
    public static partial nint ParseLaunch(string description, nint** error);

    [LibraryImport(Core, EntryPoint = "gst_bin_get_by_name", StringMarshalling = StringMarshalling.Utf8)]
    public static partial nint BinGetByName(nint bin, string name);

    [LibraryImport(Core, EntryPoint = "gst_element_set_state")]
    public static partial int SetState(nint element, int state);

    [LibraryImport(Core, EntryPoint = "gst_buffer_new_wrapped_full")]
    public static partial nint BufferNewWrapped(int flags, byte* data, nuint maximum, nuint offset, nuint size, nint userData, nint notify);

    [LibraryImport(Core, EntryPoint = "gst_buffer_map")]
    public static partial int BufferMap(nint buffer, MapInfo* info, int flags);

    [LibraryImport(Core, EntryPoint = "gst_buffer_unmap")]
    public static partial void BufferUnmap(nint buffer, MapInfo* info);

    [LibraryImport(Core, EntryPoint = "gst_sample_get_buffer")]
    public static partial nint SampleGetBuffer(nint sample);

    [LibraryImport(Core, EntryPoint = "gst_mini_object_unref")]
    public static partial void MiniObjectUnref(nint miniObject);

    [LibraryImport(App, EntryPoint = "gst_app_src_push_buffer")]
    public static partial int PushBuffer(nint source, nint buffer);

    [LibraryImport(App, EntryPoint = "gst_app_sink_try_pull_sample")]
    public static partial nint TryPullSample(nint sink, ulong timeout);

    /// <summary>GstMapInfo.</summary>
    public struct MapInfo
    {
        public nint Memory;
        public int Flags;
        public byte* Data;
        public nuint Size;
        public nuint MaximumSize;
        public fixed ulong Reserved[8];
    }
}
