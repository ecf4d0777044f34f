using CuFrames.Client;
using CuFrames.Daemon.Internal;
using CuFrames.Protocol;
using CuFrames.TestKit;
using Xunit;

namespace CuFrames.Control.Tests;

/// <summary>How often a stream that drops frames is told of.</summary>
public sealed class DropLogTests
{
    private const long Second = 1_000_000_000;

    [Fact]
    public void The_first_frames_are_told_at_once_and_the_next_once_a_minute()
    {
        using TemporaryDirectory folder = new();
        using Log log = new(Stream.Null, isJournal: false);
        DropLog drops = new(log, "front");
        FramePublisher publisher = Publish(folder.Path);
        using FrameSubscriber subscriber = FrameSubscriber.Connect("front", new SubscriberOptions { Directory = folder.Path, Leases = 2 });
        List<Frame> held = [];
        while (held.Count < 2)
        {
            Put(publisher);
            if (subscriber.TryNext(TimeSpan.FromSeconds(1), out Frame frame))
            {
                held.Add(frame);
            }
        }

        drops.Look(publisher, 0);
        ulong before = publisher.Dropped;
        int told = Told(log);
        Drop(publisher, 3);
        drops.Look(publisher, 61 * Second);
        Assert.Equal(told + 1, Told(log));
        Assert.Contains($"{3 + (told == 0 ? before : 0)} frames were not published, because readers held all 2 slots", Last(log), StringComparison.Ordinal);

        // Within the minute nothing; then all of them in one line, and none when there was none.
        Drop(publisher, 5);
        drops.Look(publisher, 62 * Second);
        drops.Look(publisher, 120 * Second);
        Assert.Equal(told + 1, Told(log));
        drops.Look(publisher, 122 * Second);
        drops.Look(publisher, 183 * Second);
        Assert.Equal(told + 2, Told(log));
        Assert.StartsWith("5 frames", Last(log), StringComparison.Ordinal);

        // Another run counts from the beginning.
        held.ForEach(frame => frame.Dispose());
        publisher.Dispose();
        drops.Look(null, 250 * Second);
        using FramePublisher next = Publish(folder.Path);
        drops.Look(next, 251 * Second);
        Assert.Equal(told + 2, Told(log));
    }

    private static FramePublisher Publish(string directory) => FramePublisher.Create(
        "front", new StreamFormat(PixelFormat.Gray8, 64, 48), new PublisherOptions { Directory = directory, Slots = 2, MaxSlots = 2, LeaseTimeout = TimeSpan.FromMinutes(10) });

    private static bool Put(FramePublisher publisher)
    {
        if (!publisher.TryBeginFrame(out FrameWriter frame))
        {
            return false;
        }

        frame.Publish();
        return true;
    }

    private static void Drop(FramePublisher publisher, int count)
    {
        ulong end = publisher.Dropped + (ulong)count;
        while (publisher.Dropped < end)
        {
            Assert.False(Put(publisher));
        }
    }

    private static EventRecord[] Events(Log log)
    {
        log.Events.Watch(out EventRecord[] past, out System.Threading.Channels.Channel<EventRecord> next);
        log.Events.Forget(next);
        return past;
    }

    private static int Told(Log log) => Events(log).Length;

    private static string Last(Log log) => Events(log)[^1].Text;
}
