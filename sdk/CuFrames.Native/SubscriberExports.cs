using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using CuFrames.Native.Internal;

namespace CuFrames.Native;

/// <summary>Reading a stream.</summary>
internal static unsafe class SubscriberExports
{
    [UnmanagedCallersOnly(EntryPoint = "managed_subscriber_open", CallConvs = [typeof(CallConvCdecl)])]
    public static int Open(byte* key, NativeSubscriberOptions* options, nuint* subscriber) => Failure.Because(LibraryError.Internal, "not built yet"u8);

    [UnmanagedCallersOnly(EntryPoint = "managed_subscriber_close", CallConvs = [typeof(CallConvCdecl)])]
    public static void Close(nuint subscriber)
    {
    }

    [UnmanagedCallersOnly(EntryPoint = "managed_subscriber_next", CallConvs = [typeof(CallConvCdecl)])]
    public static int Next(nuint subscriber, long timeout, NativeFrame* frame) => Failure.Because(LibraryError.Internal, "not built yet"u8);

    [UnmanagedCallersOnly(EntryPoint = "managed_subscriber_interrupt", CallConvs = [typeof(CallConvCdecl)])]
    public static int Interrupt(nuint subscriber) => Failure.Because(LibraryError.Internal, "not built yet"u8);

    [UnmanagedCallersOnly(EntryPoint = "managed_subscriber_descriptor", CallConvs = [typeof(CallConvCdecl)])]
    public static int Descriptor(nuint subscriber, int* descriptor) => Failure.Because(LibraryError.Internal, "not built yet"u8);

    [UnmanagedCallersOnly(EntryPoint = "managed_subscriber_get_info", CallConvs = [typeof(CallConvCdecl)])]
    public static int GetInfo(nuint subscriber, NativeSubscriberInfo* info) => Failure.Because(LibraryError.Internal, "not built yet"u8);
}
