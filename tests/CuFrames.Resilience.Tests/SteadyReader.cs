using CuFrames.Client;
using CuFrames.Daemon.Tests;
using CuFrames.Protocol;

namespace CuFrames.Resilience.Tests;

/// <summary>Reads a test pattern losslessly all the while, on a thread of its own: every frame whole, none missing, in one epoch.</summary>
internal sealed class SteadyReader : IDisposable
{
    private readonly DaemonProcess _daemon;
    private readonly FrameSubscriber _reader;
    private readonly Thread _thread;
    private volatile bool _isStopped;
    private Exception? _fault;
    private long _count;

    public SteadyReader(DaemonProcess daemon, string key)
    {
        _daemon = daemon;
        _reader = daemon.Subscribe(key, Delivery.Lossless);
        _thread = new Thread(Run) { Name = $"reader of {key}" };
        _thread.Start();
    }

    /// <summary>Frames so far.</summary>
    public long Count => Interlocked.Read(ref _count);

    /// <summary>Waits for more frames.</summary>
    public void WaitForMore(int frames)
    {
        long wanted = Count + frames;
        Until.True(() => Count >= wanted || _fault is not null, $"the reader has {Count} frames and should get to {wanted}", () => _daemon.LogText);
        RequireNoFault();
    }

    /// <summary>Ends, and fails if anything was wrong.</summary>
    public void Finish()
    {
        _isStopped = true;
        _thread.Join();
        RequireNoFault();
        Assert.Equal(0UL, _reader.Missed);
        Assert.Equal(0, _reader.Reconnects);
    }

    public void Dispose()
    {
        _isStopped = true;
        _thread.Join();
        _reader.Dispose();
    }

    private void RequireNoFault() => Assert.True(_fault is null, $"{_fault}\n{_daemon.LogText}");

    private void Run()
    {
        try
        {
            (ulong sequence, ulong epoch, long number) = PatternReader.Next(_reader);
            while (!_isStopped)
            {
                (ulong Sequence, ulong Epoch, long Number) next = PatternReader.Next(_reader);
                Assert.Equal((sequence + 1, epoch, number + 1), next);
                (sequence, _, number) = next;
                Interlocked.Increment(ref _count);
            }
        }
        catch (Exception error)
        {
            // Told by the thread of the test.
            _fault = error;
        }
    }
}
