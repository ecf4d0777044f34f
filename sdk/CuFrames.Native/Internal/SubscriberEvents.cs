using CuFrames.Client;

namespace CuFrames.Native.Internal;

/// <summary>How a subscriber's events reach the program: its callback and the log.</summary>
internal static class SubscriberEvents
{
    public static void Tell(string key, EventCallback callback, SubscriberEvent change)
    {
        LogLevel level = change.Kind is SubscriberEventKind.Connected or SubscriberEventKind.SourceBack ? LogLevel.Information : LogLevel.Warning;
        LibraryLog.Write(level, key, change.Kind switch
        {
            SubscriberEventKind.SourceLost => $"The source is lost. {change.Text}",
            SubscriberEventKind.SourceBack => $"The source is back. {change.Text}",
            SubscriberEventKind.Evicted => $"The subscriber was evicted. {change.Text}",
            SubscriberEventKind.Disconnected => $"The subscriber is disconnected. {change.Text}",
            _ => change.Text,
        });
        callback.Tell(KindOf(change.Kind), change.Code, change.Epoch, 0, change.Text);
    }

    // enum cuframes_event_kind.
    private static uint KindOf(SubscriberEventKind kind) => kind switch
    {
        SubscriberEventKind.Connected => 1,
        SubscriberEventKind.SourceLost => 2,
        SubscriberEventKind.SourceBack => 3,
        SubscriberEventKind.Evicted => 4,
        SubscriberEventKind.Disconnected => 5,
        _ => 0,
    };
}
