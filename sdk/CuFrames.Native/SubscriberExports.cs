using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using CuFrames.Native.Internal;

namespace CuFrames.Native;

/// <summary>Reading a stream: the twins of cuframes_subscriber_*, which include/cuframes.h describes.</summary>
internal static unsafe class SubscriberExports
{
    [UnmanagedCallersOnly(EntryPoint = "managed_subscriber_open", CallConvs = [typeof(CallConvCdecl)])]
    public static int Open(byte* key, NativeSubscriberOptions* options, nuint* subscriber)
    {
        try
        {
            if (subscriber == null)
            {
                return Failure.Because(LibraryError.InvalidArgument, "There is no place to put the subscriber's handle: the pointer is null."u8);
            }

            *subscriber = 0;
            *subscriber = OpenSubscriber.Open(NativeText.Require(key, "The stream's key"), options);
            return Failure.Ok;
        }
        catch (Exception error)
        {
            return Failure.Of(error);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "managed_subscriber_close", CallConvs = [typeof(CallConvCdecl)])]
    public static void Close(nuint subscriber)
    {
        try
        {
            OpenSubscriber.Table.Find(subscriber)?.Close();
        }
        catch (Exception error)
        {
            // The call tells nothing; who asks finds the sentence.
            _ = Failure.Of(error);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "managed_subscriber_next", CallConvs = [typeof(CallConvCdecl)])]
    public static int Next(nuint subscriber, long timeout, NativeFrame* frame)
    {
        try
        {
            return OpenSubscriber.Require(subscriber).Next(timeout, frame);
        }
        catch (Exception error)
        {
            return Failure.Of(error);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "managed_subscriber_interrupt", CallConvs = [typeof(CallConvCdecl)])]
    public static int Interrupt(nuint subscriber)
    {
        try
        {
            OpenSubscriber.Require(subscriber).Interrupt();
            return Failure.Ok;
        }
        catch (Exception error)
        {
            return Failure.Of(error);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "managed_subscriber_descriptor", CallConvs = [typeof(CallConvCdecl)])]
    public static int Descriptor(nuint subscriber, int* descriptor)
    {
        try
        {
            return OpenSubscriber.Require(subscriber).GetDescriptor(descriptor);
        }
        catch (Exception error)
        {
            return Failure.Of(error);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "managed_subscriber_get_info", CallConvs = [typeof(CallConvCdecl)])]
    public static int GetInfo(nuint subscriber, NativeSubscriberInfo* info)
    {
        try
        {
            return OpenSubscriber.Require(subscriber).GetInfo(info);
        }
        catch (Exception error)
        {
            return Failure.Of(error);
        }
    }
}
