using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using CuFrames.Native.Internal;

namespace CuFrames.Native;

/// <summary>Publishing.</summary>
internal static unsafe class PublisherExports
{
    [UnmanagedCallersOnly(EntryPoint = "managed_publisher_open", CallConvs = [typeof(CallConvCdecl)])]
    public static int Open(byte* key, NativePublisherOptions* options, NativeFormat* format, nuint* publisher) => Failure.Because(LibraryError.Internal, "not built yet"u8);

    [UnmanagedCallersOnly(EntryPoint = "managed_publisher_close", CallConvs = [typeof(CallConvCdecl)])]
    public static void Close(nuint publisher)
    {
    }

    [UnmanagedCallersOnly(EntryPoint = "managed_publisher_configure", CallConvs = [typeof(CallConvCdecl)])]
    public static int Configure(nuint publisher, NativeFormat* format) => Failure.Because(LibraryError.Internal, "not built yet"u8);

    [UnmanagedCallersOnly(EntryPoint = "managed_publisher_begin", CallConvs = [typeof(CallConvCdecl)])]
    public static int Begin(nuint publisher, NativeFrame* frame) => Failure.Because(LibraryError.Internal, "not built yet"u8);

    [UnmanagedCallersOnly(EntryPoint = "managed_publisher_publish", CallConvs = [typeof(CallConvCdecl)])]
    public static int Publish(nuint publisher, NativeFrame* frame, ulong* sequence) => Failure.Because(LibraryError.Internal, "not built yet"u8);

    [UnmanagedCallersOnly(EntryPoint = "managed_publisher_publish_stream", CallConvs = [typeof(CallConvCdecl)])]
    public static int PublishStream(nuint publisher, NativeFrame* frame, nint stream, ulong* sequence) => Failure.Because(LibraryError.Internal, "not built yet"u8);

    [UnmanagedCallersOnly(EntryPoint = "managed_publisher_abandon", CallConvs = [typeof(CallConvCdecl)])]
    public static int Abandon(nuint publisher, NativeFrame* frame) => Failure.Because(LibraryError.Internal, "not built yet"u8);

    [UnmanagedCallersOnly(EntryPoint = "managed_publisher_set_state", CallConvs = [typeof(CallConvCdecl)])]
    public static int SetState(nuint publisher, uint state, byte* reason) => Failure.Because(LibraryError.Internal, "not built yet"u8);

    [UnmanagedCallersOnly(EntryPoint = "managed_publisher_evict", CallConvs = [typeof(CallConvCdecl)])]
    public static int Evict(nuint publisher, ulong subscriberId, byte* reason) => Failure.Because(LibraryError.Internal, "not built yet"u8);

    [UnmanagedCallersOnly(EntryPoint = "managed_publisher_get_info", CallConvs = [typeof(CallConvCdecl)])]
    public static int GetInfo(nuint publisher, NativePublisherInfo* info) => Failure.Because(LibraryError.Internal, "not built yet"u8);

    [UnmanagedCallersOnly(EntryPoint = "managed_publisher_get_subscribers", CallConvs = [typeof(CallConvCdecl)])]
    public static int GetSubscribers(nuint publisher, NativeSubscriberStatistics* subscribers, nuint itemSize, nuint capacity, nuint* count) => Failure.Because(LibraryError.Internal, "not built yet"u8);
}
