using System.Globalization;
using CuFrames.Benchmarks.Running;
using CuFrames.Client;
using CuFrames.Interop;
using CuFrames.Protocol;

namespace CuFrames.Benchmarks.PublishCost;

/// <summary>A publisher of tiny frames that measures its own publishing thread, and readers that are busy, polling or asleep.</summary>
internal static class CostPeers
{
    /// <summary>A path that does not exist: asking for it shows up in a trace of system calls.</summary>
    public const string Mark = "/cuframes-benchmark-mark";

    // The compiler works on a loop several times, at intervals of 100 ms.
    private const long WarmUpNanoseconds = 1_000_000_000;

    /// <summary>Arguments: key, directory. Commands come line by line: <c>flat BATCHES FRAMES</c>, <c>paced FRAMES MILLISECONDS</c>, <c>trace FRAMES MICROSECONDS</c>.</summary>
    public static void Publish(string[] arguments)
    {
        using FramePublisher publisher = FramePublisher.Create(
            arguments[0], new StreamFormat(PixelFormat.Gray8, 64, 16), new PublisherOptions { Directory = arguments[1] });
        PublishOne(publisher);

        // "PID/task/TID"
        PeerLink.Say($"READY {Path.GetFileName(new FileInfo("/proc/thread-self").LinkTarget!)}");
        while (true)
        {
            string[] words = PeerLink.Listen();
            int first = words.Length > 1 ? Number(words[1]) : 0;
            int second = words.Length > 2 ? Number(words[2]) : 0;
            switch (words[0])
            {
                case "flat":
                    Flat(publisher, first, second);
                    break;
                case "paced":
                    Paced(publisher, first, second);
                    break;
                case "trace":
                    Trace(publisher, first, second * 1000L);
                    break;
                default:
                    return;
            }
        }
    }

    /// <summary>Arguments: key, directory, and what the reader does: <c>busy</c>, <c>polling</c> or <c>asleep</c>.</summary>
    public static void Read(string[] arguments)
    {
        using FrameSubscriber subscriber = FrameSubscriber.Connect(arguments[0], new SubscriberOptions { Directory = arguments[1] });
        subscriber.Next(TimeSpan.FromSeconds(10)).Dispose();
        PeerLink.Say("READY");
        switch (arguments[2])
        {
            case "busy":
                // It works on something else: it holds no frame and does not wait for one.
                PeerLink.WaitFor("END");
                break;
            case "polling":
                using (Task stop = Task.Run(() => PeerLink.WaitFor("END")))
                {
                    while (!stop.IsCompleted)
                    {
                        if (subscriber.TryTake(out Frame frame))
                        {
                            frame.Dispose();
                        }
                    }
                }

                break;
            default:
                using (Task stop = Task.Run(() => PeerLink.WaitFor("END")))
                {
                    while (!stop.IsCompleted)
                    {
                        if (subscriber.TryNext(TimeSpan.FromMilliseconds(200), out Frame frame))
                        {
                            frame.Dispose();
                        }
                    }
                }

                break;
        }
    }

    private static void Flat(FramePublisher publisher, int batches, int frames)
    {
        long warm = MonotonicClock.NowNanoseconds + WarmUpNanoseconds;
        while (MonotonicClock.NowNanoseconds < warm)
        {
            PublishOne(publisher);
        }

        double[] costs = new double[batches];
        long allocated = GC.GetAllocatedBytesForCurrentThread();
        for (int batch = 0; batch < batches; batch++)
        {
            long start = MonotonicClock.NowNanoseconds;
            for (int i = 0; i < frames; i++)
            {
                PublishOne(publisher);
            }

            costs[batch] = (double)(MonotonicClock.NowNanoseconds - start) / frames;
        }

        allocated = GC.GetAllocatedBytesForCurrentThread() - allocated;
        Tell(costs, allocated);
    }

    private static void Paced(FramePublisher publisher, int frames, int milliseconds)
    {
        const int warmUp = 250;
        double[] costs = new double[frames];
        long allocated = 0;
        for (int i = -warmUp; i < frames; i++)
        {
            // The time in which the readers fall asleep.
            Thread.Sleep(milliseconds);
            if (i == 0)
            {
                allocated = GC.GetAllocatedBytesForCurrentThread();
            }

            long start = MonotonicClock.NowNanoseconds;
            PublishOne(publisher);
            if (i >= 0)
            {
                costs[i] = MonotonicClock.NowNanoseconds - start;
            }
        }

        allocated = GC.GetAllocatedBytesForCurrentThread() - allocated;
        Tell(costs, allocated);
    }

    private static void Trace(FramePublisher publisher, int frames, long pause)
    {
        // The compiler and the loader are done with all this before the first mark.
        _ = File.Exists(Mark);
        PublishMany(publisher, 100, pause);
        _ = File.Exists(Mark);
        PublishMany(publisher, frames, pause);
        _ = File.Exists(Mark);
        PeerLink.Say("TRACED");
    }

    private static void PublishMany(FramePublisher publisher, int frames, long pause)
    {
        for (int i = 0; i < frames; i++)
        {
            PublishOne(publisher);

            // Spinning, because a sleep would be a system call of its own.
            long end = MonotonicClock.NowNanoseconds + pause;
            while (MonotonicClock.NowNanoseconds < end)
            {
            }
        }
    }

    private static void PublishOne(FramePublisher publisher)
    {
        if (!publisher.TryBeginFrame(out FrameWriter writer))
        {
            throw new InvalidOperationException("A frame was dropped.");
        }

        writer.Publish();
    }

    private static void Tell(double[] costs, long allocated) =>
        PeerLink.Say($"COSTS {allocated} {string.Join(' ', costs.Select(cost => cost.ToString("0.##", CultureInfo.InvariantCulture)))}");

    private static int Number(string text) => int.Parse(text, CultureInfo.InvariantCulture);
}
