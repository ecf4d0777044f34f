using System.Diagnostics;
using CuFrames.Client;
using CuFrames.Interop;
using CuFrames.Protocol;

namespace CuFrames.TestKit;

/// <summary>
/// Publishes stamped frames in device memory: fills pinned memory, copies it plane by plane to the slot and publishes behind the copy. It has
/// several such buffers in turn and does not wait for them itself, so that a publisher that does not wait for the copy publishes a torn frame.
/// </summary>
public sealed unsafe class DevicePublisher : IDisposable
{
    private const int Buffers = 4;

    private readonly FramePublisher _publisher;
    private readonly CudaContext _context;
    private readonly CudaStream _stream;
    private readonly CudaHostMemory?[] _buffers = new CudaHostMemory?[Buffers];
    private readonly CudaModule _kernels;
    private readonly nint _spin;
    private int _next;

    /// <param name="publisher">A publisher of frames in device memory; it stays the caller's.</param>
    public DevicePublisher(FramePublisher publisher)
    {
        _publisher = publisher;
        _context = publisher.Cuda!;
        _stream = CudaStream.Create(_context);
        _kernels = CudaModule.Load(_context, TestCuda.Kernels);
        _spin = _kernels.Function("spin");
    }

    /// <summary>Time for which a kernel runs before each frame's copy.</summary>
    public TimeSpan Busy { get; init; }

    /// <summary>Ticks of <see cref="Stopwatch"/> that finding a slot for the last frame and announcing it took, its copy included.</summary>
    public long LastTicks { get; private set; }

    /// <summary>Writes and publishes the next frame.</summary>
    /// <returns>False when the publisher dropped it.</returns>
    public bool TryPublish(StampedFrames.Description? describe = null)
    {
        StreamFormat format = _publisher.Format!.Value;
        long bytes = PixelFormats.PictureBytes(format.PixelFormat, format.Width, format.Height);
        CudaHostMemory buffer = TakeBuffer(bytes);
        ulong sequence = _publisher.Head + 1;
        FrameStamp.Fill(buffer.Slice(0, (int)bytes), format.PixelFormat, format.Width, format.Height, StampedFrames.Number(_publisher.Epoch, sequence));
        long start = Stopwatch.GetTimestamp();
        if (!_publisher.TryBeginFrame(out FrameWriter frame))
        {
            LastTicks = Stopwatch.GetTimestamp() - start;
            return false;
        }

        using (frame)
        {
            if (Busy > TimeSpan.Zero)
            {
                _stream.Launch(_spin, 1, 1, (ulong)Busy.Ticks * 100);
            }

            long position = 0;
            for (int plane = 0; plane < frame.PlaneCount; plane++)
            {
                int rowBytes = frame.RowBytes(plane);
                int rows = frame.Rows(plane);
                _stream.Copy(new CudaCopy
                {
                    Source = (ulong)(buffer.Pointer + position),
                    SourcePitch = rowBytes,
                    Destination = frame.DeviceAddress(plane),
                    DestinationPitch = frame.Pitch(plane),
                    DestinationIsDevice = true,
                    RowBytes = rowBytes,
                    Rows = rows,
                });
                position += (long)rowBytes * rows;
            }

            frame.Metadata.Pts = StampedFrames.PtsOf(sequence);
            frame.Metadata.SourcePacket = sequence;
            describe?.Invoke(ref frame.Metadata);
            ulong published = frame.Publish(_stream);
            if (published != sequence)
            {
                throw new InvalidOperationException($"Frame {sequence} was published as {published}.");
            }
        }

        LastTicks = Stopwatch.GetTimestamp() - start;
        return true;
    }

    /// <summary>As <see cref="TryPublish"/>, where nothing can be in the way.</summary>
    public void Publish(int count = 1)
    {
        for (int i = 0; i < count; i++)
        {
            if (!TryPublish())
            {
                throw new InvalidOperationException($"Frame {_publisher.Head + 1} was dropped.");
            }
        }
    }

    public void Dispose()
    {
        _stream.Synchronize();
        foreach (CudaHostMemory? buffer in _buffers)
        {
            buffer?.Dispose();
        }

        _kernels.Dispose();
        _stream.Dispose();
    }

    private CudaHostMemory TakeBuffer(long bytes)
    {
        int index = _next;
        _next = (_next + 1) % Buffers;
        if (_buffers[index] is { } known && known.Size >= bytes)
        {
            return known;
        }

        // A larger format than before. The old copy may be under way only where the wait for it was taken out on purpose.
        _stream.Synchronize();
        _buffers[index]?.Dispose();
        return _buffers[index] = CudaHostMemory.Allocate(_context, bytes);
    }
}
