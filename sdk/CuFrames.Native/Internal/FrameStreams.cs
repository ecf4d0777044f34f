using CuFrames.Interop;

namespace CuFrames.Native.Internal;

/// <summary>The CUDA streams that a program releases frames to, and one of our own, kept so that a release allocates nothing. Any thread.</summary>
/// <remarks>What is known is immutable and replaced as a whole under the lock (release); looking up reads it without (acquire). A set that was replaced
/// may still be in use by another thread: its objects are left to their finalizers.</remarks>
internal sealed class FrameStreams : IDisposable
{
    // Programs use a handful of streams; one that makes a stream for each frame must not make this grow.
    private const int MaxKnown = 64;

    private readonly Lock _gate = new();
    private Set? _set;

    /// <summary>A stream of the caller's.</summary>
    /// <param name="context">Of the frame.</param>
    /// <param name="stream">CUstream; 0 is the legacy default stream.</param>
    /// <exception cref="ArgumentException">The stream belongs to another context.</exception>
    /// <exception cref="CudaException">The driver refused.</exception>
    public CudaStream Find(CudaContext context, nint stream)
    {
        nint handle = context.Handle;
        return Volatile.Read(ref _set) is { } set && set.Handle == handle && set.Find(stream) is { } known ? known : Add(handle, stream);
    }

    /// <summary>A stream that only this library uses.</summary>
    /// <param name="context">Of the frame.</param>
    /// <exception cref="CudaException">The driver refused.</exception>
    public CudaStream Own(CudaContext context)
    {
        nint handle = context.Handle;
        if (Volatile.Read(ref _set) is { Own: { } own } set && set.Handle == handle)
        {
            return own;
        }

        lock (_gate)
        {
            Set current = SetOf(handle);
            current = current.Own is null ? current with { Own = CudaStream.Create(current.Context) } : current;
            Volatile.Write(ref _set, current);
            return current.Own!;
        }
    }

    /// <summary>When nobody uses the subscriber any more.</summary>
    public void Dispose()
    {
        if (_set is { } set)
        {
            foreach (Known known in set.Streams)
            {
                known.Stream.Dispose();
            }

            set.Own?.Dispose();
            set.Context.Dispose();
        }
    }

    private CudaStream Add(nint handle, nint stream)
    {
        lock (_gate)
        {
            Set set = SetOf(handle);
            if (set.Find(stream) is { } known)
            {
                return known;
            }

            CudaStream borrowed = CudaStream.Borrow(set.Context, stream);
            Known[] others = set.Streams.Length < MaxKnown ? set.Streams : set.Streams[1..];
            Volatile.Write(ref _set, set with { Streams = [.. others, new Known(stream, borrowed)] });
            return borrowed;
        }
    }

    /// <summary>A connection's context may be closed while streams of it are known: theirs is an object of our own.</summary>
    private Set SetOf(nint handle) => _set is { } set && set.Handle == handle ? set : new Set(handle, CudaContext.Borrow(handle), null, []);

    private readonly record struct Known(nint Handle, CudaStream Stream);

    private sealed record Set(nint Handle, CudaContext Context, CudaStream? Own, Known[] Streams)
    {
        public CudaStream? Find(nint stream)
        {
            foreach (ref readonly Known known in Streams.AsSpan())
            {
                if (known.Handle == stream)
                {
                    return known.Stream;
                }
            }

            return null;
        }
    }
}
