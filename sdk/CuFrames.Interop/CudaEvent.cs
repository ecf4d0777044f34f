using System.Runtime.InteropServices;
using CuFrames.Interop.Internal;

namespace CuFrames.Interop;

/// <summary>
/// A CUDA event without timing: a mark on a stream that can be asked for, in this process or, if interprocess, in others. It keeps its
/// context alive. Destroyed exactly once, by <see cref="SafeHandle.Dispose()"/> or by the finalizer. Thread-safe.
/// </summary>
public sealed class CudaEvent : SafeHandle
{
    private readonly bool _holdsContext;

    private CudaEvent(CudaContext context)
        : base(0, ownsHandle: true)
    {
        Context = context;
        context.DangerousAddRef(ref _holdsContext);
    }

    /// <inheritdoc/>
    public override bool IsInvalid => false;

    /// <summary>The context that the event belongs to.</summary>
    public CudaContext Context { get; }

    /// <summary>The event itself (CUevent), for other libraries. It is valid while this object is.</summary>
    /// <exception cref="ObjectDisposedException">The event is gone.</exception>
    public nint Handle
    {
        get
        {
            ObjectDisposedException.ThrowIf(IsClosed, this);
            return handle;
        }
    }

    /// <summary>
    /// Whether the work before the last recording is done (<c>cuEventQuery</c>); an event that was never recorded is complete.
    /// </summary>
    /// <exception cref="CudaException">That work failed; the context may be broken.</exception>
    public bool IsComplete
    {
        get
        {
            using CudaContext.Scope scope = Context.Push();
            CudaResult result = CudaNative.QueryEvent(this);
            return result switch
            {
                CudaResult.Success => true,
                CudaResult.NotReady => false,
                _ => throw new CudaException("cuEventQuery", result, "ask whether an event is complete"),
            };
        }
    }

    /// <summary>Creates an event.</summary>
    /// <param name="context">Where.</param>
    /// <param name="interprocess">Whether other processes can open it. A process can have about 4,096 of these.</param>
    /// <param name="blocking">Whether <see cref="Synchronize"/> sleeps instead of polling.</param>
    /// <returns>The event; the caller owns it.</returns>
    /// <exception cref="CudaException">The driver refused.</exception>
    public static unsafe CudaEvent Create(CudaContext context, bool interprocess = false, bool blocking = false)
    {
        ArgumentNullException.ThrowIfNull(context);
        uint flags = CudaNative.EventDisableTiming | (interprocess ? CudaNative.EventInterprocess : 0) |
            (blocking ? CudaNative.EventBlockingSync : 0);
        var created = new CudaEvent(context);
        try
        {
            using CudaContext.Scope scope = context.Push();
            nint handle;
            CudaResult result = CudaNative.CreateEvent(&handle, flags);
            if (result != CudaResult.Success)
            {
                throw new CudaException("cuEventCreate", result, $"create an event on {context.Device}");
            }

            created.SetHandle(handle);
            return created;
        }
        catch
        {
            created.Dispose();
            throw;
        }
    }

    /// <summary>Opens an event of another process.</summary>
    /// <param name="context">Where; the device must be the event's.</param>
    /// <param name="handle">The 64 bytes that <see cref="CopyHandleTo"/> gave in the other process.</param>
    /// <returns>The event; the caller owns it.</returns>
    /// <exception cref="ArgumentException">The handle has not 64 bytes.</exception>
    /// <exception cref="CudaException">
    /// The driver refused. <see cref="Protocol.ErrorCode.CudaIpcNamespace"/>: both processes have the same number in their PID namespaces.
    /// </exception>
    public static unsafe CudaEvent OpenInterprocess(CudaContext context, ReadOnlySpan<byte> handle)
    {
        ArgumentNullException.ThrowIfNull(context);
        CudaNative.IpcHandle copy = IpcHandles.Read(handle);
        var opened = new CudaEvent(context);
        try
        {
            using CudaContext.Scope scope = context.Push();
            nint native;
            CudaResult result = CudaNative.OpenEventHandle(&native, copy);
            if (result != CudaResult.Success)
            {
                throw new CudaException("cuIpcOpenEventHandle", result, $"open another process's event on {context.Device}");
            }

            opened.SetHandle(native);
            return opened;
        }
        catch
        {
            opened.Dispose();
            throw;
        }
    }

    /// <summary>Writes the handle with which another process opens this event.</summary>
    /// <param name="handle64">At least 64 bytes; the first 64 are written.</param>
    /// <exception cref="ArgumentException">There is less room than 64 bytes.</exception>
    /// <exception cref="CudaException">The driver refused, for example because the event was not made interprocess.</exception>
    public unsafe void CopyHandleTo(Span<byte> handle64)
    {
        IpcHandles.RequireRoom(handle64);
        using CudaContext.Scope scope = Context.Push();
        CudaNative.IpcHandle native;
        CudaResult result = CudaNative.GetEventHandle(&native, this);
        if (result != CudaResult.Success)
        {
            throw new CudaException("cuIpcGetEventHandle", result, "share an event with other processes");
        }

        new ReadOnlySpan<byte>(native.Bytes, CudaNative.IpcHandleSize).CopyTo(handle64);
    }

    /// <summary>
    /// Waits until the work before the last recording is done. There is no limit of time: wait only for work of your own.
    /// </summary>
    /// <exception cref="CudaException">That work failed; the context may be broken.</exception>
    public void Synchronize()
    {
        using CudaContext.Scope scope = Context.Push();
        SynchronizeHere();
    }

    /// <summary>The same, for a caller that has made the context current.</summary>
    internal void SynchronizeHere()
    {
        CudaResult result = CudaNative.SynchroniseEvent(this);
        if (result != CudaResult.Success)
        {
            throw new CudaException("cuEventSynchronize", result, "wait for an event");
        }
    }

    /// <inheritdoc/>
    protected override bool ReleaseHandle()
    {
        if (handle != 0 && Context.TryEnter())
        {
            // An error says that the context is broken or being torn down: the event goes with it.
            _ = CudaNative.DestroyEvent(handle);
            CudaContext.Leave();
        }

        if (_holdsContext)
        {
            Context.DangerousRelease();
        }

        return true;
    }
}
