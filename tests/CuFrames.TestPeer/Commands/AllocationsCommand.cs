using CuFrames.Client;
using CuFrames.Protocol;
using CuFrames.TestKit;

namespace CuFrames.TestPeer.Commands;

/// <summary>
/// Publishes and reads in one process of its own and says how many bytes the whole process allocated while it did: in "sync" by turns on
/// one thread, in "async" with a reader that waits for every frame without holding a thread.
/// </summary>
internal static class AllocationsCommand
{
    public static async Task<int> Run(PeerArguments arguments)
    {
        bool isAsync = arguments.Required("mode") == "async";
        int frames = arguments.Number("frames", 10_000);
        int warmUp = arguments.Number("warm-up", 20_000);
        using TemporaryDirectory directory = new();
        using FramePublisher publisher = FramePublisher.Create("allocations", new StreamFormat(PixelFormat.Gray8, 64, 48), new PublisherOptions { Directory = directory.Path });
        using FrameSubscriber subscriber = FrameSubscriber.Connect("allocations", new SubscriberOptions { Directory = directory.Path, Delivery = Delivery.InOrder });
        FrameChecker checker = new();
        long bytes;
        if (isAsync)
        {
            await ReadAsync(publisher, subscriber, checker, warmUp);
            long before = GC.GetTotalAllocatedBytes(precise: true);
            await ReadAsync(publisher, subscriber, checker, frames);
            bytes = GC.GetTotalAllocatedBytes(precise: true) - before;
        }
        else
        {
            ReadByTurns(publisher, subscriber, checker, warmUp);
            long before = GC.GetAllocatedBytesForCurrentThread();
            ReadByTurns(publisher, subscriber, checker, frames);
            bytes = GC.GetAllocatedBytesForCurrentThread() - before;
        }

        PeerArguments.Say(new { kind = "allocated", bytes, frames, checked_ = checker.Frames, checker.IsClean, checker.Faults });
        return 0;
    }

    private static void ReadByTurns(FramePublisher publisher, FrameSubscriber subscriber, FrameChecker checker, int frames)
    {
        for (int i = 0; i < frames; i++)
        {
            StampedFrames.Publish(publisher);
            if (!subscriber.TryNext(TimeSpan.FromSeconds(10), out Frame frame))
            {
                throw new TimeoutException("No frame came.");
            }

            checker.Take(frame);
            frame.Dispose();
        }
    }

    /// <summary>Asks for each frame before it is published, so that every wait really waits.</summary>
    private static async Task ReadAsync(FramePublisher publisher, FrameSubscriber subscriber, FrameChecker checker, int frames)
    {
        for (int i = 0; i < frames; i++)
        {
            ValueTask<Frame> next = subscriber.NextAsync();
            StampedFrames.Publish(publisher);
            Frame frame = await next;
            checker.Take(frame);
            frame.Dispose();
        }
    }
}
