using System.Globalization;
using System.Runtime.InteropServices;
using CuFrames.Interop.Internal;

namespace CuFrames.Interop;

/// <summary>
/// Host memory that exists already, a shared page for example, pinned and mapped for the device (<c>cuMemHostRegister</c>), so that
/// streams can write to it. It keeps its context alive. Undone exactly once, by <see cref="SafeHandle.Dispose()"/> or by the finalizer.
/// </summary>
/// <remarks>
/// The memory must stay mapped for longer than this object: dispose of the registration first, and of the mapping afterwards. Pages can be
/// registered once per process.
/// </remarks>
public sealed class CudaHostRegistration : SafeHandle
{
    private readonly bool _holdsContext;
    private ulong _deviceAddress;

    private CudaHostRegistration(CudaContext context, long size)
        : base(0, ownsHandle: true)
    {
        Context = context;
        Size = size;
        context.DangerousAddRef(ref _holdsContext);
    }

    /// <inheritdoc/>
    public override bool IsInvalid => false;

    /// <summary>The context that the memory was registered in; the registration holds for all contexts of the process.</summary>
    public CudaContext Context { get; }

    /// <summary>Size in bytes.</summary>
    public long Size { get; }

    /// <summary>Where the device finds the first byte (CUdeviceptr).</summary>
    /// <exception cref="ObjectDisposedException">The registration is gone.</exception>
    public ulong DeviceAddress
    {
        get
        {
            ObjectDisposedException.ThrowIf(IsClosed, this);
            return _deviceAddress;
        }
    }

    /// <summary>Registers host memory.</summary>
    /// <param name="context">Where; <see cref="CudaDevice.HasHostRegistration"/> is needed.</param>
    /// <param name="address">First byte, a multiple of the page size, mapped readable and writable.</param>
    /// <param name="size">Bytes, a multiple of the page size.</param>
    /// <returns>The registration; the caller owns it.</returns>
    /// <exception cref="CudaException">The driver refused, for example because the pages are registered already.</exception>
    public static unsafe CudaHostRegistration Register(CudaContext context, nint address, long size)
    {
        ArgumentNullException.ThrowIfNull(context);
        ArgumentOutOfRangeException.ThrowIfZero(address);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(size);
        var registration = new CudaHostRegistration(context, size);
        try
        {
            using CudaContext.Scope scope = context.Push();
            registration.Check(
                CudaNative.RegisterHost(address, (nuint)size, CudaNative.HostPortable | CudaNative.HostDeviceMap),
                "cuMemHostRegister_v2", "register");
            registration.SetHandle(address);
            ulong deviceAddress;
            registration.Check(
                CudaNative.GetDevicePointer(&deviceAddress, address, 0), "cuMemHostGetDevicePointer_v2", "find the device's address of");
            registration._deviceAddress = deviceAddress;
            return registration;
        }
        catch
        {
            registration.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    protected override bool ReleaseHandle()
    {
        if (handle != 0 && Context.TryEnter())
        {
            // An error says that the context is broken or being torn down: the registration goes with it.
            _ = CudaNative.UnregisterHost(handle);
            CudaContext.Leave();
        }

        if (_holdsContext)
        {
            Context.DangerousRelease();
        }

        return true;
    }

    private void Check(CudaResult result, string call, string verb)
    {
        if (result != CudaResult.Success)
        {
            throw new CudaException(
                call, result,
                string.Create(CultureInfo.InvariantCulture, $"{verb} {Size:N0} bytes of host memory on {Context.Device}"));
        }
    }
}
