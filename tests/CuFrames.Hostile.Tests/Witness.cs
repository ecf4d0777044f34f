using CuFrames.Client;
using CuFrames.Daemon.Tests;
using CuFrames.Protocol;

namespace CuFrames.Hostile.Tests;

/// <summary>A reader of all frames, on a thread of its own, which looks at every sample of each.</summary>
internal sealed class Witness : IDisposable
{
    private readonly FrameSubscriber _reader;
    private readonly Thread _thread;
    private long _frames;
    private Exception? _fault;
    private volatile bool _isEnding;

    public Witness(DaemonProcess daemon, string key)
    {
        _reader = daemon.Subscribe(key, Delivery.InOrder, reconnect: false);
        _thread = new Thread(Run) { Name = "witness" };
        _thread.Start();
    }

    /// <summary>Frames that were whole, right, and the next one after the frame before.</summary>
    public long Frames => Interlocked.Read(ref _frames);

    /// <summary>Waits until so many more frames have come.</summary>
    public void WaitForFrames(int more)
    {
        long wanted = Frames + more;
        long end = Environment.TickCount64 + (long)DaemonProcess.Patience.TotalMilliseconds;
        while (Frames < wanted && Environment.TickCount64 < end)
        {
            ThrowIfFaulty();
            // The witness's thread takes the frames; here they are only counted.
            Thread.Sleep(10);
        }

        ThrowIfFaulty();
        Assert.True(Frames >= wanted, "frames do not come any more");
    }

    /// <summary>Throws what was wrong with a frame.</summary>
    public void ThrowIfFaulty()
    {
        if (Volatile.Read(ref _fault) is { } fault)
        {
            throw new InvalidOperationException($"after {Frames} frames: {fault.Message}", fault);
        }
    }

    public void Dispose()
    {
        _isEnding = true;
        _thread.Join();
        _reader.Dispose();
    }

    private void Run()
    {
        try
        {
            (ulong Sequence, ulong Epoch, long Number) last = PatternReader.Next(_reader);
            while (!_isEnding)
            {
                (ulong Sequence, ulong Epoch, long Number) next = PatternReader.Next(_reader);
                Assert.Equal((last.Sequence + 1, last.Epoch, last.Number + 1), next);
                Assert.Equal(0ul, _reader.Missed);
                last = next;
                Interlocked.Increment(ref _frames);
            }
        }
        catch (Exception error)
        {
            Volatile.Write(ref _fault, error);
        }
    }
}
