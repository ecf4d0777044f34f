using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using CuFrames.Native.Internal;

namespace CuFrames.Native;

/// <summary>Publishing.</summary>
internal static unsafe class PublisherExports
{
    private const string Publisher = "publisher";

    private static readonly HandleTable<OpenPublisher> Publishers = new(Internal.HandleKind.Publisher);

    [UnmanagedCallersOnly(EntryPoint = "managed_publisher_open", CallConvs = [typeof(CallConvCdecl)])]
    public static int Open(byte* key, NativePublisherOptions* options, NativeFormat* format, nuint* publisher)
    {
        try
        {
            if (publisher == null)
            {
                return Failure.Because(LibraryError.InvalidArgument, "publisher is null; it must point to where the publisher's handle goes."u8);
            }

            *publisher = 0;
            NativePublisherOptions wanted = options == null ? default : SizedStructure.Read(options, "options");
            NativeFormat? first = format == null ? null : SizedStructure.Read(format, "format");
            OpenPublisher opened = OpenPublisher.Open(NativeText.Require(key, "key"), wanted, first);
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

    [UnmanagedCallersOnly(EntryPoint = "managed_publisher_close", CallConvs = [typeof(CallConvCdecl)])]
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

    [UnmanagedCallersOnly(EntryPoint = "managed_publisher_configure", CallConvs = [typeof(CallConvCdecl)])]
    public static int Configure(nuint publisher, NativeFormat* format)
    {
        try
        {
            return Publishers.Require(publisher, Publisher).Configure(SizedStructure.Read(format, "format"));
        }
        catch (Exception error)
        {
            return Failure.Of(error);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "managed_publisher_begin", CallConvs = [typeof(CallConvCdecl)])]
    public static int Begin(nuint publisher, NativeFrame* frame)
    {
        try
        {
            return Publishers.Require(publisher, Publisher).Begin(publisher, frame);
        }
        catch (Exception error)
        {
            return Failure.Of(error);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "managed_publisher_publish", CallConvs = [typeof(CallConvCdecl)])]
    public static int Publish(nuint publisher, NativeFrame* frame, ulong* sequence)
    {
        try
        {
            return Publishers.Require(publisher, Publisher).Publish(publisher, frame, sequence);
        }
        catch (Exception error)
        {
            return Failure.Of(error);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "managed_publisher_publish_stream", CallConvs = [typeof(CallConvCdecl)])]
    public static int PublishStream(nuint publisher, NativeFrame* frame, nint stream, ulong* sequence)
    {
        try
        {
            return Publishers.Require(publisher, Publisher).Publish(publisher, frame, stream, sequence);
        }
        catch (Exception error)
        {
            return Failure.Of(error);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "managed_publisher_abandon", CallConvs = [typeof(CallConvCdecl)])]
    public static int Abandon(nuint publisher, NativeFrame* frame)
    {
        try
        {
            return Publishers.Require(publisher, Publisher).Abandon(publisher, frame);
        }
        catch (Exception error)
        {
            return Failure.Of(error);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "managed_publisher_set_state", CallConvs = [typeof(CallConvCdecl)])]
    public static int SetState(nuint publisher, uint state, byte* reason)
    {
        try
        {
            OpenPublisher found = Publishers.Require(publisher, Publisher);
            found.SetState(NativeConversions.StateOf(state), NativeText.Read(reason) ?? "");
            return Failure.Ok;
        }
        catch (Exception error)
        {
            return Failure.Of(error);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "managed_publisher_evict", CallConvs = [typeof(CallConvCdecl)])]
    public static int Evict(nuint publisher, ulong subscriberId, byte* reason)
    {
        try
        {
            return Publishers.Require(publisher, Publisher).Evict(subscriberId, NativeText.Read(reason) ?? "The publisher's operator ended this subscription.")
                ? Failure.Ok
                : Failure.Because(LibraryError.InvalidArgument,
                    $"There is no subscriber {subscriberId}: it has left, or never was. cuframes_publisher_get_subscribers tells those that there are.");
        }
        catch (Exception error)
        {
            return Failure.Of(error);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "managed_publisher_get_info", CallConvs = [typeof(CallConvCdecl)])]
    public static int GetInfo(nuint publisher, NativePublisherInfo* info)
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

    [UnmanagedCallersOnly(EntryPoint = "managed_publisher_get_subscribers", CallConvs = [typeof(CallConvCdecl)])]
    public static int GetSubscribers(nuint publisher, NativeSubscriberStatistics* subscribers, nuint itemSize, nuint capacity, nuint* count)
    {
        try
        {
            OpenPublisher found = Publishers.Require(publisher, Publisher);
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
