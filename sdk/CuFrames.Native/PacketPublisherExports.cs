using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using CuFrames.Native.Internal;

namespace CuFrames.Native;

/// <summary>Publishing packets: the twins of cuframes_packet_publisher_*, which include/cuframes.h describes.</summary>
internal static unsafe class PacketPublisherExports
{
    private const string Publisher = "publisher of packets";

    private static readonly HandleTable<OpenPacketPublisher> Publishers = new(Internal.HandleKind.PacketPublisher);

    [UnmanagedCallersOnly(EntryPoint = "managed_packet_publisher_open", CallConvs = [typeof(CallConvCdecl)])]
    public static int Open(byte* key, NativePacketPublisherOptions* options, nuint* publisher)
    {
        try
        {
            if (publisher == null)
            {
                return Failure.Because(LibraryError.InvalidArgument, "publisher is null; it must point to where the publisher's handle goes."u8);
            }

            *publisher = 0;
            NativePacketPublisherOptions wanted = options == null ? default : SizedStructure.Read(options, "options");
            OpenPacketPublisher opened = OpenPacketPublisher.Open(NativeText.Require(key, "key"), wanted);
            try
            {
                *publisher = Publishers.Add(opened);
            }
            catch
            {
                opened.Dispose();
                throw;
            }

            return Failure.Ok;
        }
        catch (Exception error)
        {
            return Failure.Of(error);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "managed_packet_publisher_close", CallConvs = [typeof(CallConvCdecl)])]
    public static void Close(nuint publisher)
    {
        try
        {
            Publishers.Remove(publisher)?.Dispose();
        }
        catch (Exception error)
        {
            // There is no code to return; the sentence is there for those who ask.
            _ = Failure.Of(error);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "managed_packet_publisher_add_track", CallConvs = [typeof(CallConvCdecl)])]
    public static int AddTrack(nuint publisher, NativePacketTrack* track, uint* number)
    {
        try
        {
            return Publishers.Require(publisher, Publisher).AddTrack(SizedStructure.Read(track, "track"), number);
        }
        catch (Exception error)
        {
            return Failure.Of(error);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "managed_packet_publisher_set_parameters", CallConvs = [typeof(CallConvCdecl)])]
    public static int SetParameters(nuint publisher, uint number, NativePacketTrack* track)
    {
        try
        {
            return Publishers.Require(publisher, Publisher).SetParameters(number, SizedStructure.Read(track, "track"));
        }
        catch (Exception error)
        {
            return Failure.Of(error);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "managed_packet_publisher_publish", CallConvs = [typeof(CallConvCdecl)])]
    public static int Publish(nuint publisher, NativePacket* packet, ulong* sequence)
    {
        try
        {
            return Publishers.Require(publisher, Publisher).Publish(SizedStructure.Read(packet, "packet"), sequence);
        }
        catch (Exception error)
        {
            return Failure.Of(error);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "managed_packet_publisher_set_state", CallConvs = [typeof(CallConvCdecl)])]
    public static int SetState(nuint publisher, uint state, byte* reason)
    {
        try
        {
            Publishers.Require(publisher, Publisher).SetState(NativeConversions.StateOf(state), NativeText.Read(reason) ?? "");
            return Failure.Ok;
        }
        catch (Exception error)
        {
            return Failure.Of(error);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "managed_packet_publisher_evict", CallConvs = [typeof(CallConvCdecl)])]
    public static int Evict(nuint publisher, ulong subscriberId, byte* reason)
    {
        try
        {
            return Publishers.Require(publisher, Publisher).Evict(subscriberId, NativeText.Read(reason) ?? "The publisher's operator ended this subscription.")
                ? Failure.Ok
                : Failure.Because(LibraryError.InvalidArgument,
                    $"There is no subscriber {subscriberId}: it has left, or never was. cuframes_packet_publisher_get_subscribers tells those that there are.");
        }
        catch (Exception error)
        {
            return Failure.Of(error);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "managed_packet_publisher_get_info", CallConvs = [typeof(CallConvCdecl)])]
    public static int GetInfo(nuint publisher, NativePacketPublisherInfo* info)
    {
        try
        {
            SizedStructure.Write(info, Publishers.Require(publisher, Publisher).GetInfo(), "info");
            return Failure.Ok;
        }
        catch (Exception error)
        {
            return Failure.Of(error);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "managed_packet_publisher_get_subscribers", CallConvs = [typeof(CallConvCdecl)])]
    public static int GetSubscribers(nuint publisher, NativeSubscriberStatistics* subscribers, nuint itemSize, nuint capacity, nuint* count)
    {
        try
        {
            OpenPacketPublisher found = Publishers.Require(publisher, Publisher);
            SubscriberList.Require(subscribers, itemSize, capacity, count);
            SubscriberList.Write(found.GetSubscribers(), subscribers, itemSize, capacity, count);
            return Failure.Ok;
        }
        catch (Exception error)
        {
            return Failure.Of(error);
        }
    }
}
