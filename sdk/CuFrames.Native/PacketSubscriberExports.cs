using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using CuFrames.Native.Internal;

namespace CuFrames.Native;

/// <summary>Reading the packets of a stream: the twins of cuframes_packet_subscriber_*, which include/cuframes.h describes.</summary>
internal static unsafe class PacketSubscriberExports
{
    [UnmanagedCallersOnly(EntryPoint = "managed_packet_subscriber_open", CallConvs = [typeof(CallConvCdecl)])]
    public static int Open(byte* key, NativePacketSubscriberOptions* options, nuint* subscriber)
    {
        try
        {
            if (subscriber == null)
            {
                return Failure.Because(LibraryError.InvalidArgument, "There is no place to put the subscriber's handle: the pointer is null."u8);
            }

            *subscriber = 0;
            *subscriber = OpenPacketSubscriber.Open(NativeText.Require(key, "The stream's key"), options);
            return Failure.Ok;
        }
        catch (Exception error)
        {
            return Failure.Of(error);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "managed_packet_subscriber_close", CallConvs = [typeof(CallConvCdecl)])]
    public static void Close(nuint subscriber)
    {
        try
        {
            OpenPacketSubscriber.Table.Find(subscriber)?.Close();
        }
        catch (Exception error)
        {
            // There is no code to return; the sentence is there for those who ask.
            _ = Failure.Of(error);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "managed_packet_subscriber_next", CallConvs = [typeof(CallConvCdecl)])]
    public static int Next(nuint subscriber, long timeout, NativePacket* packet)
    {
        try
        {
            return OpenPacketSubscriber.Require(subscriber).Next(timeout, packet);
        }
        catch (Exception error)
        {
            return Failure.Of(error);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "managed_packet_subscriber_find", CallConvs = [typeof(CallConvCdecl)])]
    public static int Find(nuint subscriber, ulong sequence, NativePacket* packet)
    {
        try
        {
            return OpenPacketSubscriber.Require(subscriber).Find(sequence, packet);
        }
        catch (Exception error)
        {
            return Failure.Of(error);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "managed_packet_subscriber_interrupt", CallConvs = [typeof(CallConvCdecl)])]
    public static int Interrupt(nuint subscriber)
    {
        try
        {
            OpenPacketSubscriber.Require(subscriber).Interrupt();
            return Failure.Ok;
        }
        catch (Exception error)
        {
            return Failure.Of(error);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "managed_packet_subscriber_descriptor", CallConvs = [typeof(CallConvCdecl)])]
    public static int Descriptor(nuint subscriber, int* descriptor)
    {
        try
        {
            return OpenPacketSubscriber.Require(subscriber).GetDescriptor(descriptor);
        }
        catch (Exception error)
        {
            return Failure.Of(error);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "managed_packet_subscriber_get_info", CallConvs = [typeof(CallConvCdecl)])]
    public static int GetInfo(nuint subscriber, NativePacketSubscriberInfo* info)
    {
        try
        {
            return OpenPacketSubscriber.Require(subscriber).GetInfo(info);
        }
        catch (Exception error)
        {
            return Failure.Of(error);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "managed_packet_subscriber_get_track", CallConvs = [typeof(CallConvCdecl)])]
    public static int GetTrack(nuint subscriber, uint number, NativePacketTrack* track)
    {
        try
        {
            return OpenPacketSubscriber.Require(subscriber).GetTrack(number, track);
        }
        catch (Exception error)
        {
            return Failure.Of(error);
        }
    }
}
