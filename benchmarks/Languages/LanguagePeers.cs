using System.Globalization;
using System.Runtime.InteropServices;
using CuFrames.Benchmarks.Running;
using CuFrames.Client;
using CuFrames.Interop;
using CuFrames.Protocol;

namespace CuFrames.Benchmarks.Languages;

/// <summary>The bare C# call; languages.c, languages.cpp and languages.py do the same in the other languages.</summary>
internal static class LanguagePeers
{
    private const int Slots = 48;

    // The compiler works on a loop several times, at intervals of 100 ms.
    private const long WarmUpNanoseconds = 1_000_000_000;

    /// <summary>Arguments: key, directory, frames of a burst. The only command is <c>run BURSTS</c>; the answer has the bytes that this thread has
    /// allocated meanwhile, and for each burst the nanoseconds of a frame.</summary>
    public static void Read(string[] arguments)
    {
        int frames = Number(arguments[2]);
        using FramePublisher publisher = FramePublisher.Create(
            arguments[0], new StreamFormat(PixelFormat.Gray8, 64, 16), new PublisherOptions { Directory = arguments[1], Slots = Slots, MaxSlots = Slots });
        using FrameSubscriber subscriber = FrameSubscriber.Connect(
            arguments[0], new SubscriberOptions { Directory = arguments[1], Delivery = Delivery.InOrder });
        long warm = MonotonicClock.NowNanoseconds + WarmUpNanoseconds;
        while (MonotonicClock.NowNanoseconds < warm)
        {
            Measure(publisher, subscriber, frames);
        }

        PeerLink.Say($"READY {RuntimeInformation.FrameworkDescription}");
        while (PeerLink.Listen() is ["run", string count])
        {
            double[] costs = new double[Number(count)];
            long allocated = GC.GetAllocatedBytesForCurrentThread();
            for (int burst = 0; burst < costs.Length; burst++)
            {
                costs[burst] = (double)Measure(publisher, subscriber, frames) / frames;
            }

            allocated = GC.GetAllocatedBytesForCurrentThread() - allocated;
            PeerLink.Say($"COSTS {allocated} {string.Join(' ', costs.Select(cost => cost.ToString("0.#", CultureInfo.InvariantCulture)))}");
        }
    }

    /// <returns>Nanoseconds that taking and releasing all frames of a burst took.</returns>
    private static long Measure(FramePublisher publisher, FrameSubscriber subscriber, int frames)
    {
        ulong published = 0;
        for (int i = 0; i < frames; i++)
        {
            if (!publisher.TryBeginFrame(out FrameWriter writer))
            {
                throw new InvalidOperationException("A frame was dropped.");
            }

            published = writer.Publish();
        }

        ulong taken = 0;
        long start = MonotonicClock.NowNanoseconds;
        for (int i = 0; i < frames; i++)
        {
            if (!subscriber.TryTake(out Frame frame))
            {
                throw new InvalidOperationException("There is no frame although it was published.");
            }

            taken = frame.Sequence;
            frame.Dispose();
        }

        long end = MonotonicClock.NowNanoseconds;
        return taken == published ? end - start : throw new InvalidOperationException($"The last frame taken is {taken}, not {published}: frames were missed.");
    }

    private static int Number(string text) => int.Parse(text, CultureInfo.InvariantCulture);
}
