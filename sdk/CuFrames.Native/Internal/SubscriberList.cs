using System.Runtime.InteropServices;
using CuFrames.Client;

namespace CuFrames.Native.Internal;

/// <summary>The array of cuframes_subscriber_statistics that publishers fill in.</summary>
internal static unsafe class SubscriberList
{
    /// <exception cref="LibraryException">INVALID_ARGUMENT.</exception>
    public static void Require(NativeSubscriberStatistics* subscribers, nuint itemSize, nuint capacity, nuint* count)
    {
        if (count == null || (capacity > 0 && (subscribers == null || itemSize == 0)))
        {
            throw new LibraryException(LibraryError.InvalidArgument,
                "count is null, or there is to be room for subscribers and subscribers is null or item_size 0. Pass sizeof(cuframes_subscriber_statistics) as item_size.");
        }
    }

    /// <summary>Fills in as many as there is room for, and says how many there are.</summary>
    public static void Write(IReadOnlyList<SubscriberStatistics> all, NativeSubscriberStatistics* subscribers, nuint itemSize, nuint capacity, nuint* count)
    {
        for (int i = 0; i < all.Count && (nuint)i < capacity; i++)
        {
            Write(all[i], (byte*)subscribers + ((nuint)i * itemSize), itemSize);
        }

        *count = (nuint)all.Count;
    }

    /// <summary>Fills in one item; what the caller has beyond our structure is zero.</summary>
    private static void Write(SubscriberStatistics subscriber, byte* item, nuint itemSize)
    {
        NativeSubscriberStatistics statistics = new()
        {
            SubscriberId = subscriber.SubscriberId,
            Lag = subscriber.Lag,
            Taken = subscriber.Taken,
            Missed = subscriber.Missed,
            ProcessId = subscriber.ProcessId,
            UserId = subscriber.UserId,
            Delivery = (uint)subscriber.Delivery,
            GrantedLeases = (uint)subscriber.GrantedLeases,
            HeldLeases = (uint)subscriber.HeldLeases,
        };
        NativeText.Copy(subscriber.Program, statistics.Program, NativeSubscriberStatistics.TextBytes);
        NativeMemory.Clear(item, itemSize);
        NativeMemory.Copy(&statistics, item, Math.Min(itemSize, (nuint)sizeof(NativeSubscriberStatistics)));
    }
}
