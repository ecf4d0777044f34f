using CuFrames.Client;
using CuFrames.Interop;
using CuFrames.Protocol;

namespace CuFrames.TestKit;

/// <summary>
/// Checks every byte of frames in device memory as their readers see it: copies them to pinned memory on a stream of its own, behind a kernel
/// that keeps the device busy, and looks at a copy when the stream has come to its end.
/// </summary>
/// <remarks>Holds a context of its own, so that copies of frames of an earlier connection can still be looked at.</remarks>
public sealed class DeviceReader : IDisposable
{
    private readonly FrameChecker _checker;
    private readonly CudaContext _context;
    private readonly CudaModule _kernels;
    private readonly nint _spin;
    private readonly nint _hang;
    private readonly Copy[] _copies;
    private CudaMemory? _flag;
    private int _first;
    private int _count;

    /// <param name="context">Where the frames are mapped.</param>
    /// <param name="checker">What is told of every frame and copy.</param>
    /// <param name="depth">Most copies that may be under way at once.</param>
    public DeviceReader(CudaContext context, FrameChecker checker, int depth)
    {
        _checker = checker;
        _context = context.Device.OpenContext();
        Stream = CudaStream.Create(_context);
        _kernels = CudaModule.Load(_context, TestCuda.Kernels);
        _spin = _kernels.Function("spin");
        _hang = _kernels.Function("hang");
        _copies = new Copy[depth];
        for (int i = 0; i < depth; i++)
        {
            _copies[i] = new Copy(CudaEvent.Create(_context, blocking: true));
        }
    }

    /// <summary>The stream that copies and kernels are on.</summary>
    public CudaStream Stream { get; }

    /// <summary>Copies that have not been looked at.</summary>
    public int Pending => _count;

    /// <summary>Keeps the stream busy for a time.</summary>
    public void Spin(TimeSpan time)
    {
        if (time > TimeSpan.Zero)
        {
            Stream.Launch(_spin, 1, 1, (ulong)time.Ticks * 100);
        }
    }

    /// <summary>Keeps the stream busy for ever.</summary>
    public void Hang()
    {
        _flag ??= CudaMemory.Allocate(_context, 4096);
        Stream.Fill(_flag.Address, 0, 4096);
        Stream.Launch(_hang, 1, 1, _flag.Address);
    }

    /// <summary>Enqueues a copy of a held frame. Looks at the oldest one first when as many are under way as there may be.</summary>
    public void Enqueue(Frame frame)
    {
        if (_count == _copies.Length)
        {
            VerifyOldest();
        }

        Copy copy = _copies[(_first + _count) % _copies.Length];
        long bytes = PixelFormats.PictureBytes(frame.PixelFormat, frame.Width, frame.Height);
        if (copy.Memory is null || copy.Memory.Size < bytes)
        {
            Allocate(bytes);
        }

        copy.Number = StampedFrames.Number(frame.Epoch, frame.Sequence);
        copy.Format = frame.PixelFormat;
        copy.Width = frame.Width;
        copy.Height = frame.Height;

        // What an earlier frame left there must not pass for this one.
        copy.Memory!.Slice(0, (int)bytes).Fill(0xEE);
        frame.EnqueueCopyTo(copy.Memory!, Stream);
        Stream.Record(copy.Done);
        _count++;
    }

    /// <summary>Looks at the copies that are complete.</summary>
    public void VerifyComplete()
    {
        while (_count > 0 && _copies[_first].Done.IsComplete)
        {
            VerifyOldest();
        }
    }

    /// <summary>Waits for all copies and looks at them.</summary>
    public void VerifyAll()
    {
        while (_count > 0)
        {
            VerifyOldest();
        }
    }

    public void Dispose()
    {
        foreach (Copy copy in _copies)
        {
            copy.Done.Dispose();
            copy.Memory?.Dispose();
        }

        _flag?.Dispose();
        _kernels.Dispose();
        Stream.Dispose();
        _context.Dispose();
    }

    /// <summary>Makes room for larger pictures, in all copies at once: pinning memory may wait for all work of the context.</summary>
    private void Allocate(long bytes)
    {
        VerifyAll();
        foreach (Copy copy in _copies)
        {
            copy.Memory?.Dispose();
            copy.Memory = CudaHostMemory.Allocate(_context, bytes);
        }
    }

    private void VerifyOldest()
    {
        Copy copy = _copies[_first];
        _first = (_first + 1) % _copies.Length;
        _count--;
        copy.Done.Synchronize();
        int bytes = (int)PixelFormats.PictureBytes(copy.Format, copy.Width, copy.Height);
        _checker.NoteContent(FrameStamp.FindFault(copy.Memory!.Slice(0, bytes), copy.Format, copy.Width, copy.Height, copy.Number));
    }

    private sealed class Copy(CudaEvent done)
    {
        public CudaEvent Done { get; } = done;

        public CudaHostMemory? Memory { get; set; }

        public ulong Number { get; set; }

        public PixelFormat Format { get; set; }

        public int Width { get; set; }

        public int Height { get; set; }
    }
}
