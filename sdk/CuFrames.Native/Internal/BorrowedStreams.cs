using CuFrames.Interop;

namespace CuFrames.Native.Internal;

/// <summary>The CUDA streams of a caller that were named last, so that naming one again costs neither an allocation nor a call of the driver.
/// Used by one thread at a time.</summary>
internal sealed class BorrowedStreams(CudaContext context) : IDisposable
{
    // A program uses one stream or two; more are looked up anew in turn.
    private const int Capacity = 8;

    private readonly CudaStream?[] _streams = new CudaStream?[Capacity];
    private int _next;

    /// <summary>A stream of the caller's.</summary>
    /// <exception cref="ArgumentException">It belongs to another context.</exception>
    /// <exception cref="CudaException">The driver refused.</exception>
    public CudaStream Find(nint handle)
    {
        foreach (CudaStream? known in _streams)
        {
            if (known is not null && known.Handle == handle)
            {
                return known;
            }
        }

        CudaStream stream = CudaStream.Borrow(context, handle);
        _streams[_next]?.Dispose();
        _streams[_next] = stream;
        _next = (_next + 1) % Capacity;
        return stream;
    }

    public void Dispose()
    {
        foreach (CudaStream? stream in _streams)
        {
            stream?.Dispose();
        }
    }
}
