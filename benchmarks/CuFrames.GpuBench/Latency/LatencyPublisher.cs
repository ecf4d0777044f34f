using System.Globalization;
using CuFrames.Benchmarks.Latency;
using CuFrames.Benchmarks.Running;
using CuFrames.Client;
using CuFrames.Interop;
using CuFrames.Protocol;

namespace CuFrames.Benchmarks.Gpu.Latency;

/// <summary>
/// The process that hands 1080p NV12 frames over in both ways, in blocks that take turns: by CuFrames, which waits for the copy and then announces, and by
/// an event. Both copy the same picture on a stream of their own. Ticks below 1 warm up and are not recorded.
/// </summary>
internal sealed unsafe class LatencyPublisher : IDisposable
{
    public const long LastTick = long.MaxValue;

    /// <summary>The bare wake is taken at every so many ticks.</summary>
    public const int TicksPerWake = 5;

    /// <summary>Below 1, so that nobody records it.</summary>
    private const long SettlingTick = 0;
    private const int SettlingTicks = 5;

    // The two kinds of hand-over take turns in blocks: both meet the same machine, and neither the other's work on the GPU.
    private const int BlockTicks = 100;

    private const int Width = 1920;
    private const int Height = 1080;
    private const int Rows = Height * 3 / 2;

    // A decoder's rows: 1920 is a multiple of every pitch that NVDEC uses up to 128.
    private const long SourceBytes = (long)Width * Rows;

    private readonly CudaContext _context = CudaDriver.Devices[0].OpenContext();
    private readonly CudaStream _completeStream;
    private readonly CudaStream _eventStream;
    private readonly CudaMemory _source;
    private readonly CudaMemory _slots;
    private readonly CudaEvent[] _events;
    private readonly FileDescriptor _pageFile;
    private readonly MemoryMapping _page;
    private readonly FramePublisher _publisher;

    /// <param name="key">Key of the stream.</param>
    /// <param name="directory">Directory of its socket.</param>
    /// <param name="memory">How its memory is handed to readers.</param>
    private LatencyPublisher(string key, string directory, FrameMemory memory)
    {
        _completeStream = CudaStream.Create(_context);
        _eventStream = CudaStream.Create(_context);
        _source = CudaMemory.Allocate(_context, SourceBytes);
        _completeStream.Fill(_source.Address, 128, SourceBytes);
        _completeStream.Synchronize();
        _slots = CudaMemory.Allocate(_context, SourceBytes * EventHandOver.Slots);
        _pageFile = MemoryFile.Create("event-hand-over", EventHandOver.PageSize);
        _page = MemoryMapping.Map(_pageFile, EventHandOver.PageSize, MappingAccess.ReadWrite, populate: true);
        MemoryFile.AddSeals(_pageFile, MemoryFileSeals.FutureWrite | MemoryFileSeals.Grow | MemoryFileSeals.Shrink | MemoryFileSeals.Seal);
        _slots.CopyHandleTo(EventHandOver.MemoryHandle(_page.Pointer));
        _events = [.. Enumerable.Range(0, EventHandOver.Slots).Select(_ => CudaEvent.Create(_context, interprocess: true))];
        for (int slot = 0; slot < _events.Length; slot++)
        {
            _events[slot].CopyHandleTo(EventHandOver.EventHandle(_page.Pointer, slot));
        }

        _publisher = FramePublisher.Create(
            key, new StreamFormat(PixelFormat.Nv12, Width, Height), new PublisherOptions { Directory = directory, Memory = memory, Cuda = _context });
    }

    /// <summary>Arguments: key, directory, memory, ticks for warming up, ticks, milliseconds between two hand-overs, file for the times that
    /// complete publishes took.</summary>
    public static void Run(string[] arguments)
    {
        int warmUp = int.Parse(arguments[3], CultureInfo.InvariantCulture);
        int ticks = int.Parse(arguments[4], CultureInfo.InvariantCulture);
        int pause = int.Parse(arguments[5], CultureInfo.InvariantCulture);
        Samples published = new(ticks);
        using LatencyPublisher publisher = new(arguments[0], arguments[1], Enum.Parse<FrameMemory>(arguments[2]));
        PeerLink.Say($"READY {Environment.ProcessId} {publisher._pageFile.Number}");
        PeerLink.WaitFor("GO");
        for (int block = -warmUp + 1; block <= ticks; block += BlockTicks)
        {
            int end = Math.Min(block + BlockTicks - 1, ticks);
            HandOver(tick => published.Add(tick, publisher.HandOverComplete(tick)), block, end, 1, pause);
            HandOver(publisher.HandOverByEvent, block, end, 1, pause);
            HandOver(publisher.WakeOnly, block, end, TicksPerWake, pause);
        }

        Thread.Sleep(pause);
        publisher.HandOverComplete(LastTick);
        publisher.HandOverByEvent(LastTick);
        publisher.WakeOnly(LastTick);
        published.Write(arguments[6]);
        PeerLink.Say("DONE");
        PeerLink.WaitFor("END");
    }

    public void Dispose()
    {
        _publisher.Dispose();
        _completeStream.Synchronize();
        _eventStream.Synchronize();
        foreach (CudaEvent cudaEvent in _events)
        {
            cudaEvent.Dispose();
        }

        _page.Dispose();
        _pageFile.Dispose();
        _slots.Dispose();
        _source.Dispose();
        _eventStream.Dispose();
        _completeStream.Dispose();
        _context.Dispose();
    }

    private static void HandOver(Action<long> handOver, int first, int last, int step, int pause)
    {
        // What the readers' GPU contexts did for the other kind of hand-over is not to be paid for here.
        for (int i = 0; i < SettlingTicks; i++)
        {
            Thread.Sleep(pause);
            handOver(SettlingTick);
        }

        for (int tick = first; tick <= last; tick++)
        {
            if (tick % step != 0)
            {
                continue;
            }

            // The time between two hand-overs, in which all readers fall asleep.
            Thread.Sleep(pause);
            handOver(tick);
        }
    }

    /// <returns>Nanoseconds from before the copy until the frame is announced.</returns>
    private long HandOverComplete(long tick)
    {
        if (!_publisher.TryBeginFrame(out FrameWriter writer))
        {
            throw new InvalidOperationException("A frame was dropped, although readers hold none for long.");
        }

        writer.Metadata.Pts = tick;
        long started = MonotonicClock.NowNanoseconds;
        writer.Metadata.ArrivalTime = started;
        Copy(_completeStream, writer.DeviceAddress(0), writer.Pitch(0), 0, Height);
        Copy(_completeStream, writer.DeviceAddress(1), writer.Pitch(1), Height, Rows - Height);
        writer.Publish(_completeStream);
        return MonotonicClock.NowNanoseconds - started;
    }

    private void HandOverByEvent(long tick)
    {
        uint* word = EventHandOver.Word(_page.Pointer);
        uint count = *word + 1;
        int slot = (int)(count % EventHandOver.Slots);
        ulong destination = _slots.Address + ((ulong)slot * SourceBytes);
        *EventHandOver.Tick(_page.Pointer, count) = tick;
        *EventHandOver.Stamp(_page.Pointer, count) = MonotonicClock.NowNanoseconds;
        Copy(_eventStream, destination, Width, 0, Height);
        Copy(_eventStream, destination + ((ulong)Width * Height), Width, Height, Rows - Height);
        _eventStream.Record(_events[slot]);
        Volatile.Write(ref *word, count);
        Futex.Wake(word, int.MaxValue);
    }

    private void WakeOnly(long tick)
    {
        long* stampAndTick = EventHandOver.FloorStampAndTick(_page.Pointer);
        uint* word = EventHandOver.FloorWord(_page.Pointer);
        stampAndTick[1] = tick;
        stampAndTick[0] = MonotonicClock.NowNanoseconds;
        Volatile.Write(ref *word, *word + 1);
        Futex.Wake(word, int.MaxValue);
    }

    private void Copy(CudaStream stream, ulong destination, long pitch, long firstRow, long rows) => stream.Copy(new CudaCopy
    {
        Source = _source.Address + (ulong)(firstRow * Width),
        SourcePitch = Width,
        SourceIsDevice = true,
        Destination = destination,
        DestinationPitch = pitch,
        DestinationIsDevice = true,
        RowBytes = Width,
        Rows = rows,
    });
}
