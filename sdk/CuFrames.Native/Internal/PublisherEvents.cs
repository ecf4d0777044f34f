using CuFrames.Client;

namespace CuFrames.Native.Internal;

/// <summary>How a publisher's events reach the program: its callback and the log.</summary>
internal static class PublisherEvents
{
    public static void Tell(string key, EventCallback callback, ulong epoch, PublisherEvent happened)
    {
        // enum cuframes_event_kind: a publisher's begin with 16, in the order of PublisherEventKind.
        const uint firstKind = 16;
        LibraryLog.Write(LevelOf(happened.Kind), key, happened.Text);
        callback.Tell(firstKind + (uint)happened.Kind, happened.Code, epoch, happened.SubscriberId, happened.Text);
    }

    private static LogLevel LevelOf(PublisherEventKind kind) => kind switch
    {
        PublisherEventKind.InternalError => LogLevel.Error,
        PublisherEventKind.SubscriberEvicted or PublisherEventKind.SubscriberRefused or PublisherEventKind.GrowthFailed => LogLevel.Warning,
        _ => LogLevel.Information,
    };
}
