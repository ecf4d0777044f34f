using System.Runtime.InteropServices;
using CuFrames.Interop.Internal;

namespace CuFrames.Interop;

/// <summary>
/// A CUDA context: a reference to the primary context of a device, or one that the caller owns and lends. Streams, events and memory
/// made in it keep it alive, so the order of disposal does not matter. Released exactly once, by <see cref="SafeHandle.Dispose()"/> or
/// by the finalizer. Thread-safe.
/// </summary>
/// <remarks>No method of this library changes the context that is current for the caller: each pushes its own, works and pops.</remarks>
public sealed class CudaContext : SafeHandle
{
    private readonly bool _isBorrowed;

    private CudaContext(CudaDevice device, bool isBorrowed)
        : base(0, ownsHandle: true)
    {
        Device = device;
        _isBorrowed = isBorrowed;
    }

    /// <inheritdoc/>
    public override bool IsInvalid => handle == 0;

    /// <summary>The device that the context belongs to.</summary>
    public CudaDevice Device { get; }

    /// <summary>The context itself (CUcontext), for other libraries. It is valid while this object is.</summary>
    /// <exception cref="ObjectDisposedException">The reference has been released.</exception>
    public nint Handle
    {
        get
        {
            ObjectDisposedException.ThrowIf(IsClosed, this);
            return handle;
        }
    }

    /// <summary>Uses a context of the caller's.</summary>
    /// <param name="handle">The context (CUcontext). The caller keeps it alive for as long as this object and what is made with it.</param>
    /// <returns>An object whose disposal does not destroy the context.</returns>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="handle"/> is 0.</exception>
    /// <exception cref="CudaException">The driver cannot be used, or the handle is no context.</exception>
    public static unsafe CudaContext Borrow(nint handle)
    {
        ArgumentOutOfRangeException.ThrowIfZero(handle);
        CudaDriver.Initialise();
        CudaResult result = CudaNative.PushContext(handle);
        if (result != CudaResult.Success)
        {
            throw new CudaException("cuCtxPushCurrent_v2", result, "use the context that was given");
        }

        int number;
        result = CudaNative.GetContextDevice(&number);
        nint popped;
        CudaResult popResult = CudaNative.PopContext(&popped);
        if (result != CudaResult.Success)
        {
            throw new CudaException("cuCtxGetDevice", result, "find the device of the context that was given");
        }

        if (popResult != CudaResult.Success)
        {
            throw new CudaException("cuCtxPopCurrent_v2", popResult, "give back the caller's current context");
        }

        int owner = number;
        var context = new CudaContext(CudaDriver.Devices.First(device => device.Handle == owner), isBorrowed: true);
        context.SetHandle(handle);
        return context;
    }

    /// <summary>Makes this context current for the calling thread until the scope is disposed of. Free of allocation.</summary>
    /// <returns>The scope: <c>using (context.Push()) { … }</c>, on one thread.</returns>
    /// <exception cref="ObjectDisposedException">The reference has been released.</exception>
    /// <exception cref="CudaException">The context cannot be made current.</exception>
    public Scope Push()
    {
        bool isHeld = false;
        DangerousAddRef(ref isHeld);
        CudaResult result = CudaNative.PushContext(handle);
        if (result != CudaResult.Success)
        {
            DangerousRelease();
            throw new CudaException("cuCtxPushCurrent_v2", result, $"make the context of {Device} current");
        }

        return new Scope(this);
    }

    /// <summary>The device's memory, in bytes.</summary>
    /// <returns>What is free for any process at this moment, and what there is.</returns>
    /// <exception cref="CudaException">The driver refused.</exception>
    public unsafe (long Free, long Total) GetMemory()
    {
        using Scope scope = Push();
        nuint free;
        nuint total;
        CudaResult result = CudaNative.GetMemory(&free, &total);
        return result == CudaResult.Success
            ? ((long)free, (long)total)
            : throw new CudaException("cuMemGetInfo_v2", result, $"read the free memory of {Device}");
    }

    /// <summary>
    /// Waits until all work in all streams of the context is done: for memory that is taken away from work that nobody can name any more. There is
    /// no limit of time, because the driver offers none.
    /// </summary>
    /// <exception cref="CudaException">Work failed: the context is broken, and none of its work runs any more.</exception>
    public void WaitForAllWork()
    {
        using Scope scope = Push();
        CudaResult result = CudaNative.SynchroniseContext();
        if (result != CudaResult.Success)
        {
            throw new CudaException("cuCtxSynchronize", result, $"wait for all work on {Device}");
        }
    }

    internal static unsafe CudaContext RetainPrimary(CudaDevice device)
    {
        // The owner comes first, so that nothing can fail between the call and the ownership.
        var context = new CudaContext(device, isBorrowed: false);
        nint handle;
        CudaResult result = CudaNative.RetainPrimaryContext(&handle, device.Handle);
        if (result != CudaResult.Success)
        {
            context.Dispose();
            throw new CudaException("cuDevicePrimaryCtxRetain", result, $"open the primary context of {device}");
        }

        context.SetHandle(handle);
        return context;
    }

    /// <summary>
    /// Makes the context current to destroy something that keeps it alive: no error, and valid after the disposal of this object.
    /// </summary>
    /// <returns>
    /// Whether it is. If not, the driver is being torn down or the context is gone, and what was to be destroyed went with it.
    /// </returns>
    internal bool TryEnter() => CudaNative.PushContext(handle) == CudaResult.Success;

    /// <summary>Undoes <see cref="TryEnter"/>.</summary>
    internal static unsafe void Leave()
    {
        // Called from disposals and finalizers, which must not throw; a failure means that there is nothing current to take back.
        nint popped;
        _ = CudaNative.PopContext(&popped);
    }

    /// <inheritdoc/>
    protected override bool ReleaseHandle()
    {
        if (!_isBorrowed)
        {
            // It fails when the driver is being torn down, which takes the context with it.
            _ = CudaNative.ReleasePrimaryContext(Device.Handle);
        }

        return true;
    }

    /// <summary>The time during which a context is current. It belongs to one thread and is not to be copied.</summary>
    public readonly ref struct Scope
    {
        private readonly CudaContext? _context;

        internal Scope(CudaContext context) => _context = context;

        /// <summary>Makes current again what was before.</summary>
        /// <exception cref="CudaException">The driver refused: somebody else has popped the context in between.</exception>
        public unsafe void Dispose()
        {
            if (_context is null)
            {
                return;
            }

            nint popped;
            CudaResult result = CudaNative.PopContext(&popped);
            _context.DangerousRelease();
            if (result != CudaResult.Success)
            {
                throw new CudaException("cuCtxPopCurrent_v2", result, "give back the caller's current context");
            }
        }
    }
}
