using System.Globalization;
using CuFrames.Benchmarks.Latency;
using CuFrames.Benchmarks.Running;
using CuFrames.Client;
using CuFrames.Interop;
using CuFrames.Protocol;

namespace CuFrames.Benchmarks.Gpu.Latency;

/// <summary>
/// A reader process: one thread takes frames from CuFrames, another waits for the events of the other hand-over. Each sleeps until its
/// turn. With work to do, each launches one kernel for each frame on a stream of its own, unless its last kernel still runs.
/// </summary>
internal static unsafe class LatencyReader
{
    // The longest sleep of FrameSubscriber, so that both ask the kernel for the same.
    private const long LongestSleep = 50_000_000;
    private const long PatienceNanoseconds = 60_000_000_000;

    /// <summary>Arguments: key, directory, publisher's process and descriptor of its page, ticks, µs of kernels for each frame, file for the
    /// samples of CuFrames, files for those of the events: a stream waits, the host waits; file for those of a wake and nothing else.</summary>
    public static void Run(string[] arguments)
    {
        int ticks = int.Parse(arguments[4], CultureInfo.InvariantCulture);
        ulong work = ulong.Parse(arguments[5], CultureInfo.InvariantCulture) * 1000;
        using CudaContext context = CudaDriver.Devices[0].OpenContext();
        using SpinKernel kernel = new(context);
        using FrameSubscriber subscriber = FrameSubscriber.Connect(
            arguments[0], new SubscriberOptions { Directory = arguments[1], Cuda = context, Delivery = Delivery.Newest });
        using MemoryMapping page = EventHandOver.Open(arguments[2], arguments[3]);
        using CudaMemory slots = CudaMemory.OpenInterprocess(context, EventHandOver.MemoryHandle(page.Pointer), 1920 * 1080 * 3 / 2 * EventHandOver.Slots);
        CudaEvent[] events = [.. Enumerable.Range(0, EventHandOver.Slots).Select(slot => OpenEvent(context, page, slot))];
        Samples complete = new(ticks);
        Samples byEvent = new(ticks);
        Samples byEventOnHost = new(ticks);
        Samples wakes = new(ticks);
        int launched = 0;
        uint seen = Volatile.Read(ref *EventHandOver.Word(page.Pointer));
        PeerLink.Say("READY");
        Thread other = new(() => ReadEvents(context, page, events, seen, kernel, work, byEvent, byEventOnHost, ref launched));
        other.Start();
        Thread floor = new(() => ReadWakes(page, wakes));
        floor.Start();
        ReadFrames(context, subscriber, kernel, work, complete, ref launched);
        other.Join();
        floor.Join();
        foreach (CudaEvent cudaEvent in events)
        {
            cudaEvent.Dispose();
        }

        complete.Write(arguments[6]);
        byEvent.Write(arguments[7]);
        byEventOnHost.Write(arguments[8]);
        wakes.Write(arguments[9]);
        PeerLink.Say($"DONE {launched}");
        PeerLink.WaitFor("END");
    }

    private static void ReadFrames(CudaContext context, FrameSubscriber subscriber, SpinKernel kernel, ulong work, Samples samples, ref int launched)
    {
        using CudaStream stream = CudaStream.Create(context);
        while (true)
        {
            if (!subscriber.TryNext(TimeSpan.FromSeconds(60), out Frame frame))
            {
                throw new TimeoutException("No frame came.");
            }

            long now = MonotonicClock.NowNanoseconds;
            FrameMetadata metadata = frame.Metadata;
            if (work > 0 && stream.IsIdle)
            {
                kernel.Launch(stream, work);
                Interlocked.Increment(ref launched);
                frame.Release(stream);
            }
            else
            {
                frame.Dispose();
            }

            if (metadata.Pts == LatencyPublisher.LastTick)
            {
                break;
            }

            samples.Add(metadata.Pts, now - metadata.ArrivalTime);
        }

        stream.Synchronize();
    }

    private static void ReadEvents(
        CudaContext context, MemoryMapping page, CudaEvent[] events, uint seen, SpinKernel kernel, ulong work, Samples samples, Samples hostSamples, ref int launched)
    {
        using CudaStream stream = CudaStream.Create(context);
        using CudaStream waiting = CudaStream.Create(context);
        uint* word = EventHandOver.Word(page.Pointer);
        long sleeping = MonotonicClock.NowNanoseconds;
        while (true)
        {
            Futex.Wait(word, seen, LongestSleep);
            uint count = Volatile.Read(ref *word);
            if (count == seen)
            {
                if (MonotonicClock.NowNanoseconds - sleeping > PatienceNanoseconds)
                {
                    throw new TimeoutException("Nobody rang.");
                }

                continue;
            }

            // Both waits that programs use, at once: the host waits for the event (the CPU may then read), and a stream waits for it (the GPU's
            // next work may then read). Polling is the quickest way to see either.
            CudaEvent published = events[count % EventHandOver.Slots];
            waiting.WaitFor(published);
            long hostTime = 0;
            while (!waiting.IsIdle)
            {
                if (hostTime == 0 && published.IsComplete)
                {
                    hostTime = MonotonicClock.NowNanoseconds;
                }
            }

            long now = MonotonicClock.NowNanoseconds;
            hostTime = hostTime == 0 ? now : hostTime;
            sleeping = now;
            seen = count;
            long tick = *EventHandOver.Tick(page.Pointer, count);
            long stamp = *EventHandOver.Stamp(page.Pointer, count);
            if (work > 0 && stream.IsIdle)
            {
                kernel.Launch(stream, work);
                Interlocked.Increment(ref launched);
            }

            if (tick == LatencyPublisher.LastTick)
            {
                break;
            }

            samples.Add(tick, now - stamp);
            hostSamples.Add(tick, hostTime - stamp);
        }

        stream.Synchronize();
    }

    private static void ReadWakes(MemoryMapping page, Samples samples)
    {
        uint* word = EventHandOver.FloorWord(page.Pointer);
        uint seen = 0;
        long sleeping = MonotonicClock.NowNanoseconds;
        while (true)
        {
            Futex.Wait(word, seen, LongestSleep);
            uint count = Volatile.Read(ref *word);
            long now = MonotonicClock.NowNanoseconds;
            if (count == seen)
            {
                if (now - sleeping > PatienceNanoseconds)
                {
                    throw new TimeoutException("Nobody rang.");
                }

                continue;
            }

            sleeping = now;
            seen = count;
            long* stampAndTick = EventHandOver.FloorStampAndTick(page.Pointer);
            if (stampAndTick[1] == LatencyPublisher.LastTick)
            {
                break;
            }

            samples.Add(stampAndTick[1], now - stampAndTick[0]);
        }
    }

    private static CudaEvent OpenEvent(CudaContext context, MemoryMapping page, int slot) =>
        CudaEvent.OpenInterprocess(context, EventHandOver.EventHandle(page.Pointer, slot));
}
