using CuFrames.Client;
using CuFrames.Protocol;
using CuFrames.TestKit;

namespace CuFrames.TestPeer.Commands;

/// <summary>
/// Publishes and reads in one process of its own and says how many bytes the whole process allocated while it did: in "sync" by turns on
/// one thread, in "async" with a reader that waits for every frame without holding a thread. With --memory cuda in device memory, and --mode
/// reader reads a stream of another process: its releases are by --fence.
/// </summary>
internal static class AllocationsCommand
{
    public static async Task<int> Run(PeerArguments arguments)
    {
        if (arguments.Memory() != FrameMemory.Host)
        {
            return RunInDeviceMemory(arguments);
        }

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
            bytes = long.MaxValue;
            for (int round = 0; round < 5; round++)
            {
                // The runtime itself allocates a little now and then: what a frame costs shows in each round.
                long before = GC.GetAllocatedBytesForCurrentThread();
                ReadByTurns(publisher, subscriber, checker, frames);
                bytes = Math.Min(bytes, GC.GetAllocatedBytesForCurrentThread() - before);
            }
        }

        PeerArguments.Say(new { kind = "allocated", bytes, frames, checked_ = checker.Frames, checker.IsClean, checker.Faults });
        return 0;
    }

    private static int RunInDeviceMemory(PeerArguments arguments)
    {
        int frames = arguments.Number("frames", 10_000);
        int warmUp = arguments.Number("warm-up", 3000);
        using TemporaryDirectory? directory = arguments.Required("mode") == "reader" ? null : new TemporaryDirectory();
        string key = arguments.Text("key") ?? "allocations";
        using FramePublisher? publisher = directory is null ? null : FramePublisher.Create(key, new StreamFormat(PixelFormat.Nv12, 64, 48), new PublisherOptions
        {
            Directory = directory.Path,
            Memory = arguments.Memory(),
        });
        using DevicePublisher? device = publisher is null ? null : new DevicePublisher(publisher);
        using FrameSubscriber subscriber = FrameSubscriber.Connect(key, new SubscriberOptions
        {
            Directory = directory?.Path ?? arguments.Required("dir"),
            Delivery = Delivery.InOrder,
            Leases = 4,
            Fences = arguments.Fences(),
        });
        FrameChecker checker = new();
        using DeviceReader reader = new(subscriber.Cuda!, checker, 4);
        ReadInDeviceMemory(device, subscriber, checker, reader, warmUp);
        long bytes = long.MaxValue;
        for (int round = 0; round < 5; round++)
        {
            // The runtime itself allocates a little now and then, and a slot's event is made at its first use: what a frame costs shows in each round.
            long before = GC.GetAllocatedBytesForCurrentThread();
            ReadInDeviceMemory(device, subscriber, checker, reader, frames);
            bytes = Math.Min(bytes, GC.GetAllocatedBytesForCurrentThread() - before);
        }

        PeerArguments.Say(new { kind = "allocated", bytes, frames, checked_ = checker.Frames, fence = subscriber.ReleaseFence.ToString(), checker.IsClean, checker.Faults });
        return 0;
    }

    private static void ReadInDeviceMemory(DevicePublisher? device, FrameSubscriber subscriber, FrameChecker checker, DeviceReader reader, int frames)
    {
        for (int i = 0; i < frames; i++)
        {
            device?.Publish();
            if (!subscriber.TryNext(TimeSpan.FromSeconds(90), out Frame frame))
            {
                throw new TimeoutException("No frame came.");
            }

            checker.Count(frame);
            reader.Enqueue(frame);
            frame.Release(reader.Stream);
        }

        reader.VerifyAll();
    }

    private static void ReadByTurns(FramePublisher publisher, FrameSubscriber subscriber, FrameChecker checker, int frames)
    {
        for (int i = 0; i < frames; i++)
        {
            StampedFrames.Publish(publisher);
            if (!subscriber.TryNext(TimeSpan.FromSeconds(90), out Frame frame))
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
