using System.Globalization;
using System.Runtime.InteropServices;
using CuFrames.Interop.Internal;

namespace CuFrames.Interop;

/// <summary>
/// A CUDA stream: work that is done in order, beside that of other streams. The stream is this object's own or the caller's, and keeps
/// its context alive. Destroyed exactly once, by <see cref="SafeHandle.Dispose()"/> or by the finalizer; work that is queued is still done.
/// </summary>
/// <remarks>
/// Thread-safe as CUDA streams are: any thread may queue work, and the order is that of the calls. Copying, recording, querying and
/// waiting allocate nothing.
/// </remarks>
public sealed class CudaStream : SafeHandle
{
    /// <summary>
    /// How long <see cref="Synchronize"/> polls before it sleeps, in nanoseconds: 300 µs. A copy of a 1080p frame on the device takes about
    /// 20 µs, and several times that while other processes' kernels run; waking from the blocking wait costs 30 to 150 µs more (measured on
    /// an H100 and an H200, driver 580).
    /// </summary>
    public const long SpinNanoseconds = 300_000;

    private readonly bool _isBorrowed;
    private readonly bool _holdsContext;
    private CudaEvent? _waitEvent;

    private CudaStream(CudaContext context, bool isBorrowed)
        : base(0, ownsHandle: true)
    {
        Context = context;
        _isBorrowed = isBorrowed;
        context.DangerousAddRef(ref _holdsContext);
    }

    /// <inheritdoc/>
    /// <remarks>0 is valid: it is the default stream of the context, which a caller may lend.</remarks>
    public override bool IsInvalid => false;

    /// <summary>The context that the stream belongs to.</summary>
    public CudaContext Context { get; }

    /// <summary>The stream itself (CUstream), for other libraries. It is valid while this object is.</summary>
    /// <exception cref="ObjectDisposedException">The stream is gone.</exception>
    public nint Handle
    {
        get
        {
            ObjectDisposedException.ThrowIf(IsClosed, this);
            return handle;
        }
    }

    /// <summary>Whether all work that was queued is done (<c>cuStreamQuery</c>).</summary>
    /// <exception cref="CudaException">Work on the stream failed; the context may be broken.</exception>
    public bool IsIdle
    {
        get
        {
            using CudaContext.Scope scope = Context.Push();
            return Query();
        }
    }

    /// <summary>Creates a stream that does not wait for the default stream (<c>CU_STREAM_NON_BLOCKING</c>).</summary>
    /// <param name="context">Where.</param>
    /// <returns>The stream; the caller owns it.</returns>
    /// <exception cref="CudaException">The driver refused.</exception>
    public static unsafe CudaStream Create(CudaContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        var stream = new CudaStream(context, isBorrowed: false);
        try
        {
            using CudaContext.Scope scope = context.Push();
            nint handle;
            CudaResult result = CudaNative.CreateStream(&handle, CudaNative.StreamNonBlocking);
            if (result != CudaResult.Success)
            {
                throw new CudaException("cuStreamCreate", result, $"create a stream on {context.Device}");
            }

            stream.SetHandle(handle);
            stream._waitEvent = CudaEvent.Create(context, blocking: true);
            return stream;
        }
        catch
        {
            stream.Dispose();
            throw;
        }
    }

    /// <summary>Uses a stream of the caller's.</summary>
    /// <param name="context">The context that the stream belongs to.</param>
    /// <param name="handle">
    /// The stream (CUstream). The caller keeps it alive for as long as this object. 0 is the context's default stream.
    /// </param>
    /// <returns>An object whose disposal does not destroy the stream.</returns>
    /// <exception cref="ArgumentException">The stream belongs to another context.</exception>
    /// <exception cref="CudaException">The driver refused.</exception>
    public static unsafe CudaStream Borrow(CudaContext context, nint handle)
    {
        ArgumentNullException.ThrowIfNull(context);
        var stream = new CudaStream(context, isBorrowed: true);
        try
        {
            using CudaContext.Scope scope = context.Push();
            nint owner;
            CudaResult result = CudaNative.GetStreamContext(handle, &owner);
            if (result == CudaResult.InvalidHandle || (result == CudaResult.Success && owner != context.Handle))
            {
                throw new ArgumentException("The stream is none of the context that was given with it.", nameof(handle));
            }

            if (result != CudaResult.Success)
            {
                throw new CudaException("cuStreamGetCtx", result, "use the stream that was given");
            }

            stream.SetHandle(handle);
            stream._waitEvent = CudaEvent.Create(context, blocking: true);
            return stream;
        }
        catch
        {
            stream.Dispose();
            throw;
        }
    }

    /// <summary>
    /// Waits until all work that was queued before is done: polls for up to <see cref="SpinNanoseconds"/>, then sleeps on an event. There is
    /// no limit of time, because the driver offers none: wait only for work of your own.
    /// </summary>
    /// <exception cref="CudaException">Work on the stream failed; the context may be broken.</exception>
    public void Synchronize()
    {
        using CudaContext.Scope scope = Context.Push();
        long end = MonotonicClock.NowNanoseconds + SpinNanoseconds;
        do
        {
            if (Query())
            {
                return;
            }
        }
        while (MonotonicClock.NowNanoseconds < end);

        // Two threads may share the event: each records before it waits, and the later record covers the earlier one.
        CudaEvent waitEvent = _waitEvent!;
        RecordHere(waitEvent);
        waitEvent.SynchronizeHere();
    }

    /// <summary>Queues the writing of a 64-bit word (<c>cuStreamWriteValue64</c>): it becomes visible after all work queued before.</summary>
    /// <param name="deviceAddress">Where to, a multiple of 8: device memory, or <see cref="CudaHostRegistration.DeviceAddress"/>.</param>
    /// <param name="value">What.</param>
    /// <exception cref="CudaException">The driver refused; <see cref="CudaDevice.HasStreamMemoryOperations"/> tells beforehand.</exception>
    public void WriteValue64(ulong deviceAddress, ulong value)
    {
        using CudaContext.Scope scope = Context.Push();
        CudaResult result = CudaNative.StreamWriteValue64(this, deviceAddress, value, CudaNative.StreamWriteValueDefault);
        if (result != CudaResult.Success)
        {
            throw new CudaException("cuStreamWriteValue64_v2", result, $"queue the writing of a word to 0x{deviceAddress:x}");
        }
    }

    /// <summary>Queues a copy of rows (<c>cuMemcpy2DAsync</c>). Both sides must stay as they are until it is done.</summary>
    /// <param name="copy">From where to where.</param>
    /// <exception cref="CudaException">The driver refused, for example because an address is not mapped.</exception>
    public unsafe void Copy(in CudaCopy copy)
    {
        var description = new CudaNative.Copy2DDescription
        {
            SourceType = copy.SourceIsDevice ? CudaNative.MemoryTypeDevice : CudaNative.MemoryTypeHost,
            SourceHost = copy.SourceIsDevice ? 0 : (nint)copy.Source,
            SourceDevice = copy.SourceIsDevice ? copy.Source : 0,
            SourcePitch = (nuint)copy.SourcePitch,
            DestinationType = copy.DestinationIsDevice ? CudaNative.MemoryTypeDevice : CudaNative.MemoryTypeHost,
            DestinationHost = copy.DestinationIsDevice ? 0 : (nint)copy.Destination,
            DestinationDevice = copy.DestinationIsDevice ? copy.Destination : 0,
            DestinationPitch = (nuint)copy.DestinationPitch,
            RowBytes = (nuint)copy.RowBytes,
            Rows = (nuint)copy.Rows,
        };
        using CudaContext.Scope scope = Context.Push();
        CudaResult result = CudaNative.Copy2D(&description, this);
        if (result != CudaResult.Success)
        {
            throw new CudaException("cuMemcpy2DAsync_v2", result, $"queue the copy of {Describe(copy)}");
        }
    }

    /// <summary>Queues an event's recording: the event is complete once all work queued before is done.</summary>
    /// <param name="cudaEvent">The event, of the same context.</param>
    /// <exception cref="CudaException">The driver refused.</exception>
    public void Record(CudaEvent cudaEvent)
    {
        ArgumentNullException.ThrowIfNull(cudaEvent);
        using CudaContext.Scope scope = Context.Push();
        RecordHere(cudaEvent);
    }

    /// <summary>
    /// Lets all work queued afterwards wait on the device for an event's last recording (<c>cuStreamWaitEvent</c>). Never wait so for an
    /// event of a peer that you do not trust: it may never come.
    /// </summary>
    /// <param name="cudaEvent">The event.</param>
    /// <exception cref="CudaException">The driver refused.</exception>
    public void WaitFor(CudaEvent cudaEvent)
    {
        ArgumentNullException.ThrowIfNull(cudaEvent);
        using CudaContext.Scope scope = Context.Push();
        CudaResult result = CudaNative.StreamWaitEvent(this, cudaEvent, 0);
        if (result != CudaResult.Success)
        {
            throw new CudaException("cuStreamWaitEvent", result, "let a stream wait for an event");
        }
    }

    /// <summary>Queues the filling of device memory with one byte.</summary>
    /// <param name="deviceAddress">The first byte.</param>
    /// <param name="value">The value.</param>
    /// <param name="count">Number of bytes.</param>
    /// <exception cref="CudaException">The driver refused, for example because the memory is mapped read-only.</exception>
    public void Fill(ulong deviceAddress, byte value, long count)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        using CudaContext.Scope scope = Context.Push();
        CudaResult result = CudaNative.Fill(deviceAddress, value, (nuint)count, this);
        if (result != CudaResult.Success)
        {
            throw new CudaException("cuMemsetD8Async", result, $"queue the filling of {count} bytes at 0x{deviceAddress:x}");
        }
    }

    /// <summary>Queues a kernel with blocks and threads in one dimension (<c>cuLaunchKernel</c>).</summary>
    /// <param name="function">The kernel, from <see cref="CudaModule.Function"/>.</param>
    /// <param name="gridX">Number of blocks.</param>
    /// <param name="blockX">Number of threads of a block, at most 1,024.</param>
    /// <param name="arguments">
    /// The kernel's arguments in order, at most 16: addresses and integers. Of each as many low bytes are taken as the kernel declares.
    /// </param>
    /// <exception cref="ArgumentException">There are too many arguments.</exception>
    /// <exception cref="CudaException">The driver refused.</exception>
    public unsafe void Launch(nint function, uint gridX, uint blockX, params ReadOnlySpan<ulong> arguments)
    {
        if (arguments.Length > 16)
        {
            throw new ArgumentException($"At most 16 arguments are passed to a kernel, not {arguments.Length}.", nameof(arguments));
        }

        void** pointers = stackalloc void*[16];
        fixed (ulong* values = arguments)
        {
            for (int i = 0; i < arguments.Length; i++)
            {
                pointers[i] = values + i;
            }

            using CudaContext.Scope scope = Context.Push();
            CudaResult result = CudaNative.LaunchKernel(function, gridX, 1, 1, blockX, 1, 1, 0, this, pointers, null);
            if (result != CudaResult.Success)
            {
                throw new CudaException("cuLaunchKernel", result, $"queue a kernel of {gridX} blocks of {blockX} threads");
            }
        }
    }

    /// <summary>Queues a kernel with blocks and threads in one dimension that takes one structure (<c>cuLaunchKernel</c>). Free of allocation.</summary>
    /// <typeparam name="T">The structure, laid out as the kernel's is.</typeparam>
    /// <param name="function">The kernel, from <see cref="CudaModule.Function"/>.</param>
    /// <param name="gridX">Number of blocks.</param>
    /// <param name="blockX">Number of threads of a block, at most 1,024.</param>
    /// <param name="argument">The argument, at most 4,096 bytes. It is copied before the call returns.</param>
    /// <exception cref="CudaException">The driver refused.</exception>
    public unsafe void Launch<T>(nint function, uint gridX, uint blockX, in T argument)
        where T : unmanaged
    {
        using CudaContext.Scope scope = Context.Push();
        fixed (T* value = &argument)
        {
            void* pointer = value;
            CudaResult result = CudaNative.LaunchKernel(function, gridX, 1, 1, blockX, 1, 1, 0, this, &pointer, null);
            if (result != CudaResult.Success)
            {
                throw new CudaException("cuLaunchKernel", result, $"queue a kernel of {gridX} blocks of {blockX} threads");
            }
        }
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _waitEvent?.Dispose();
        }

        base.Dispose(disposing);
    }

    /// <inheritdoc/>
    protected override bool ReleaseHandle()
    {
        if (!_isBorrowed && handle != 0 && Context.TryEnter())
        {
            // An error says that the context is broken or being torn down: the stream goes with it.
            _ = CudaNative.DestroyStream(handle);
            CudaContext.Leave();
        }

        if (_holdsContext)
        {
            Context.DangerousRelease();
        }

        return true;
    }

    private static string Describe(in CudaCopy copy) => string.Create(
        CultureInfo.InvariantCulture,
        $"{copy.Rows:N0} rows of {copy.RowBytes:N0} bytes from {Side(copy.SourceIsDevice)} address 0x{copy.Source:x} (pitch {copy.SourcePitch:N0}) " +
        $"to {Side(copy.DestinationIsDevice)} address 0x{copy.Destination:x} (pitch {copy.DestinationPitch:N0})");

    private static string Side(bool isDevice) => isDevice ? "device" : "host";

    private bool Query()
    {
        CudaResult result = CudaNative.QueryStream(this);
        return result switch
        {
            CudaResult.Success => true,
            CudaResult.NotReady => false,
            _ => throw new CudaException("cuStreamQuery", result, "ask whether a stream's work is done"),
        };
    }

    private void RecordHere(CudaEvent cudaEvent)
    {
        CudaResult result = CudaNative.RecordEvent(cudaEvent, this);
        if (result != CudaResult.Success)
        {
            throw new CudaException("cuEventRecord", result, "record an event on a stream");
        }
    }
}
