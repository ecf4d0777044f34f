using CuFrames.Client;
using CuFrames.Protocol;
using CuFrames.TestKit;

namespace CuFrames.TestPeer.Commands;

/// <summary>
/// Reads frames in device memory: --busy-us of kernel, a copy, and the release by the fence that was granted. A frame that is held for longer is
/// copied a second time before its release. STREAM and EVENT: nothing is waited for, copies are looked at when the stream has made them.
/// CPU: each copy is waited for and looked at while the frame is held.
/// </summary>
internal sealed class DeviceReading : IDisposable
{
    // Of the releases by STREAM and EVENT every so many is done by the CPU instead: which fence ends a lease is the reader's choice each time.
    private const long CpuEvery = 17;

    private readonly FrameSubscriber _subscriber;
    private readonly FrameChecker _checker;
    private readonly DeviceReader _reader;
    private readonly TimeSpan _busy;
    private readonly Fence _wanted;
    private readonly Queue<Frame> _held = new();
    private long _released;

    public DeviceReading(FrameSubscriber subscriber, FrameChecker checker, PeerArguments arguments)
    {
        _subscriber = subscriber;
        _checker = checker;
        _busy = TimeSpan.FromMicroseconds(arguments.Number("busy-us", 0));
        _wanted = arguments.Fences() & ~Fence.Cpu;
        _reader = new DeviceReader(subscriber.Cuda!, checker, 8);
    }

    /// <summary>Checks a frame's place and copies it.</summary>
    public void Take(Frame frame, TimeSpan dwell = default)
    {
        Fence fence = _subscriber.ReleaseFence;
        if (_wanted is Fence.Stream or Fence.Event && fence != _wanted)
        {
            throw new InvalidOperationException($"The release fence is {fence} and not {_wanted}. {_subscriber.ReleaseFenceReason}");
        }

        _checker.Count(frame);
        _checker.NoteContent(StampedFrames.FindMetadataFault(frame));
        _reader.VerifyComplete();
        _reader.Spin(_busy);
        Copy(frame);
        _held.Enqueue(frame);
        if (fence == Fence.Cpu)
        {
            _reader.VerifyAll();
        }

        if (dwell > TimeSpan.Zero)
        {
            // A slow reader is what is simulated.
            Thread.Sleep(dwell);
        }
    }

    public void VerifyAll() => _reader.VerifyAll();

    /// <summary>Releases the oldest frames until no more than so many are held.</summary>
    public void ReleaseDownTo(int count)
    {
        while (_held.Count > Math.Max(0, count))
        {
            Release(_held.Dequeue());
        }
    }

    /// <summary>Releases all frames and waits until the GPU has ended their leases.</summary>
    public void ReleaseAll()
    {
        ReleaseDownTo(0);
        _reader.VerifyAll();
        _reader.Stream.Synchronize();
        while (_subscriber.HeldFrames > 0 && _subscriber.IsConnected)
        {
            // The subscriber sees that a release was carried out when it is asked for a frame.
            if (_subscriber.TryTake(out Frame frame))
            {
                Take(frame);
                ReleaseDownTo(0);
                _reader.VerifyAll();
                _reader.Stream.Synchronize();
            }
        }
    }

    public void Dispose() => _reader.Dispose();

    private void Release(Frame frame)
    {
        bool isCpu = _subscriber.ReleaseFence == Fence.Cpu || ++_released % CpuEvery == 0;

        // The second look, which finds what was written between.
        Copy(frame);
        if (isCpu)
        {
            _reader.VerifyAll();
            if (!frame.IsValid)
            {
                _checker.NoteLost($"Frame {frame.Sequence} was lost while it was held.");
            }

            frame.Dispose();
        }
        else
        {
            frame.Release(_reader.Stream);
        }
    }

    private void Copy(Frame frame)
    {
        try
        {
            _reader.Enqueue(frame);
        }
        catch (FrameLostException error)
        {
            _checker.NoteLost(error.Message);
        }
    }
}
