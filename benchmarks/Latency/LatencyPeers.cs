using System.Globalization;
using CuFrames.Benchmarks.Running;
using CuFrames.Client;
using CuFrames.Interop;
using CuFrames.Protocol;

namespace CuFrames.Benchmarks.Latency;

/// <summary>
/// One publisher that hands over by CuFrames and by a bare futex in turn, and the readers of both, each a process of its own.
/// A tick is one hand-over; ticks below 1 warm up and are not recorded.
/// </summary>
internal static unsafe class LatencyPeers
{
    private const long LastTick = long.MaxValue;
    private const int FloorSize = 4096;
    private const int StampOffset = 64;
    private const int TickOffset = 72;

    // The longest sleep of FrameSubscriber, so that both readers ask the kernel for the same.
    private const long LongestSleep = 50_000_000;
    private const long PatienceNanoseconds = 30_000_000_000;

    /// <summary>Arguments: key, directory, ticks for warming up, ticks, milliseconds between two hand-overs.</summary>
    public static void Publish(string[] arguments)
    {
        int warmUp = Number(arguments[2]);
        int ticks = Number(arguments[3]);
        int pause = Number(arguments[4]);
        using FileDescriptor floorFile = MemoryFile.Create("futex-floor", FloorSize);
        using MemoryMapping floor = MemoryMapping.Map(floorFile, FloorSize, MappingAccess.ReadWrite, populate: true);
        MemoryFile.AddSeals(floorFile, MemoryFileSeals.FutureWrite | MemoryFileSeals.Grow | MemoryFileSeals.Shrink | MemoryFileSeals.Seal);
        using FramePublisher publisher = FramePublisher.Create(
            arguments[0], new StreamFormat(PixelFormat.Nv12, 1920, 1080), new PublisherOptions { Directory = arguments[1] });
        PeerLink.Say($"READY {Environment.ProcessId} {floorFile.Number}");
        PeerLink.WaitFor("GO");
        for (int tick = -warmUp + 1; tick <= ticks; tick++)
        {
            // The time between two hand-overs, in which all readers fall asleep.
            Thread.Sleep(pause);
            HandOver(publisher, tick);
            Thread.Sleep(pause);
            HandOver(floor.Pointer, tick);
        }

        Thread.Sleep(pause);
        HandOver(publisher, LastTick);
        HandOver(floor.Pointer, LastTick);
        PeerLink.Say("DONE");
        PeerLink.WaitFor("END");
    }

    /// <summary>Arguments: key, directory, ticks, file for the samples.</summary>
    public static void Read(string[] arguments)
    {
        Samples samples = new(Number(arguments[2]));
        using FrameSubscriber subscriber = FrameSubscriber.Connect(arguments[0], new SubscriberOptions { Directory = arguments[1] });
        PeerLink.Say("READY");
        while (true)
        {
            if (!subscriber.TryNext(TimeSpan.FromSeconds(30), out Frame frame))
            {
                throw new TimeoutException("No frame came.");
            }

            long now = MonotonicClock.NowNanoseconds;
            FrameMetadata metadata = frame.Metadata;
            frame.Dispose();
            long tick = metadata.Pts;
            if (tick == LastTick)
            {
                break;
            }

            samples.Add(tick, now - metadata.PublishTime);
        }

        samples.Write(arguments[3]);
    }

    /// <summary>Arguments: process and descriptor of the floor's memory, ticks, file for the samples.</summary>
    public static void ReadFutex(string[] arguments)
    {
        Samples samples = new(Number(arguments[2]));
        using FileDescriptor file = OpenFloor(arguments[0], arguments[1]);
        using MemoryMapping floor = MemoryMapping.Map(file, FloorSize, MappingAccess.ReadOnly, populate: true);
        byte* memory = floor.Pointer;
        uint* word = (uint*)memory;
        uint seen = Volatile.Read(ref *word);
        long sleeping = MonotonicClock.NowNanoseconds;
        PeerLink.Say("READY");
        while (true)
        {
            Futex.Wait(word, seen, LongestSleep);
            uint value = Volatile.Read(ref *word);
            if (value == seen)
            {
                if (MonotonicClock.NowNanoseconds - sleeping > PatienceNanoseconds)
                {
                    throw new TimeoutException("Nobody rang.");
                }

                continue;
            }

            long now = MonotonicClock.NowNanoseconds;
            sleeping = now;
            seen = value;
            long tick = *(long*)(memory + TickOffset);
            if (tick == LastTick)
            {
                break;
            }

            samples.Add(tick, now - *(long*)(memory + StampOffset));
        }

        samples.Write(arguments[3]);
    }

    private static void HandOver(FramePublisher publisher, long tick)
    {
        if (!publisher.TryBeginFrame(out FrameWriter writer))
        {
            throw new InvalidOperationException("A frame was dropped, although readers hold none for long.");
        }

        writer.Metadata.Pts = tick;
        writer.Publish();
    }

    private static void HandOver(byte* floor, long tick)
    {
        *(long*)(floor + TickOffset) = tick;
        *(long*)(floor + StampOffset) = MonotonicClock.NowNanoseconds;
        uint* word = (uint*)floor;
        Volatile.Write(ref *word, *word + 1);
        Futex.Wake(word, int.MaxValue);
    }

    private static FileDescriptor OpenFloor(string process, string descriptor)
    {
        using Microsoft.Win32.SafeHandles.SafeFileHandle handle = File.OpenHandle($"/proc/{process}/fd/{descriptor}");
        using FileDescriptor borrowed = FileDescriptor.Own((int)handle.DangerousGetHandle());
        handle.SetHandleAsInvalid();
        return borrowed.Duplicate();
    }

    private static int Number(string text) => int.Parse(text, CultureInfo.InvariantCulture);
}
