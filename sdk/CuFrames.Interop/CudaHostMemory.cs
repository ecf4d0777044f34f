using System.Globalization;
using System.Runtime.InteropServices;
using CuFrames.Interop.Internal;

namespace CuFrames.Interop;

/// <summary>
/// Pinned host memory (<c>cuMemHostAlloc</c>, portable): copies from and to the device run at full speed and beside other work. It keeps
/// its context alive. Freed exactly once, by <see cref="SafeHandle.Dispose()"/> or by the finalizer.
/// </summary>
/// <remarks>
/// Spans and pointers do not keep it alive, and copies that are queued do not either: wait for them before disposing. Any number of
/// threads may use it.
/// </remarks>
public sealed unsafe class CudaHostMemory : SafeHandle
{
    private readonly bool _holdsContext;

    private CudaHostMemory(CudaContext context, long size)
        : base(0, ownsHandle: true)
    {
        Context = context;
        Size = size;
        context.DangerousAddRef(ref _holdsContext);
    }

    /// <inheritdoc/>
    public override bool IsInvalid => false;

    /// <summary>The context that the memory was pinned in; it is pinned for all contexts of the process.</summary>
    public CudaContext Context { get; }

    /// <summary>Size in bytes.</summary>
    public long Size { get; }

    /// <summary>Pointer to the first byte, a multiple of the page size.</summary>
    /// <exception cref="ObjectDisposedException">The memory is gone.</exception>
    public byte* Pointer
    {
        get
        {
            ObjectDisposedException.ThrowIf(IsClosed, this);
            return (byte*)handle;
        }
    }

    /// <summary>Allocates pinned memory. It costs some milliseconds: do it once, not per frame.</summary>
    /// <param name="context">Where.</param>
    /// <param name="size">Bytes, greater than 0.</param>
    /// <returns>The memory; the caller owns it. Its content is not defined.</returns>
    /// <exception cref="CudaException">Host memory ran out (OUT_OF_RESOURCES), or the driver refused.</exception>
    public static CudaHostMemory Allocate(CudaContext context, long size)
    {
        ArgumentNullException.ThrowIfNull(context);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(size);
        var memory = new CudaHostMemory(context, size);
        try
        {
            using CudaContext.Scope scope = context.Push();
            nint pointer;
            CudaResult result = CudaNative.AllocateHost(&pointer, (nuint)size, CudaNative.HostPortable);
            if (result != CudaResult.Success)
            {
                throw new CudaException(
                    "cuMemHostAlloc", result,
                    string.Create(CultureInfo.InvariantCulture, $"allocate {size:N0} bytes of pinned host memory"));
            }

            memory.SetHandle(pointer);
            return memory;
        }
        catch
        {
            memory.Dispose();
            throw;
        }
    }

    /// <summary>A part of the memory.</summary>
    /// <param name="offset">First byte.</param>
    /// <param name="length">Number of bytes.</param>
    /// <returns>The bytes themselves, not a copy.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The part reaches outside the memory.</exception>
    /// <exception cref="ObjectDisposedException">The memory is gone.</exception>
    public Span<byte> Slice(long offset, int length)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(offset, Size - length);
        return new Span<byte>(Pointer + offset, length);
    }

    /// <inheritdoc/>
    protected override bool ReleaseHandle()
    {
        if (handle != 0 && Context.TryEnter())
        {
            // An error says that the context is broken or being torn down: the driver frees the memory with it.
            _ = CudaNative.FreeHost(handle);
            CudaContext.Leave();
        }

        if (_holdsContext)
        {
            Context.DangerousRelease();
        }

        return true;
    }
}
