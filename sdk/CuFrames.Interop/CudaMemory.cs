using System.Globalization;
using System.Runtime.InteropServices;
using CuFrames.Interop.Internal;

namespace CuFrames.Interop;

/// <summary>
/// Device memory that this object owns, or a mapping of another process's. It keeps its context alive. Freed or unmapped exactly once, by
/// <see cref="SafeHandle.Dispose()"/> or by the finalizer; both may wait for the device, so dispose of it yourself, and only when no queued
/// work uses it any more. Mappings of other processes' memory stay valid and unchanged when that process dies. Any number of threads may
/// use it.
/// </summary>
public sealed class CudaMemory : SafeHandle
{
    private readonly CudaMemoryKind _kind;
    private readonly bool _holdsContext;

    // What exists of the object so far: a failure half-way leaves the rest 0, and the release undoes just these.
    private ulong _allocation;
    private ulong _reserved;
    private ulong _mapped;

    private CudaMemory(CudaContext context, long size, CudaMemoryKind kind)
        : base(0, ownsHandle: true)
    {
        Context = context;
        Size = size;
        _kind = kind;
        context.DangerousAddRef(ref _holdsContext);
    }

    /// <inheritdoc/>
    public override bool IsInvalid => false;

    /// <summary>The context that the memory is mapped in.</summary>
    public CudaContext Context { get; }

    /// <summary>Size in bytes; for shareable memory a multiple of the granularity.</summary>
    public long Size { get; }

    /// <summary>Device address of the first byte (CUdeviceptr), a multiple of 256 at least.</summary>
    /// <exception cref="ObjectDisposedException">The memory is gone.</exception>
    public ulong Address
    {
        get
        {
            ObjectDisposedException.ThrowIf(IsClosed, this);
            return _mapped;
        }
    }

    /// <summary>
    /// Allocates memory that can be exported as a file descriptor (VMM, <c>cuMemCreate</c>). Its content is not defined.
    /// </summary>
    /// <param name="context">Where; <see cref="CudaDevice.HasVirtualMemory"/> and <see cref="CudaDevice.HasPosixHandles"/> are needed.</param>
    /// <param name="size">Bytes, greater than 0; rounded up to <see cref="GranularityOf"/>.</param>
    /// <returns>The memory, readable and writable in this context; the caller owns it.</returns>
    /// <exception cref="CudaException">Memory ran out (OUT_OF_RESOURCES), or the driver refused.</exception>
    public static unsafe CudaMemory CreateShareable(CudaContext context, long size)
    {
        ArgumentNullException.ThrowIfNull(context);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(size);
        long granularity = GranularityOf(context);
        long rounded = checked((size + granularity - 1) / granularity * granularity);
        var memory = new CudaMemory(context, rounded, CudaMemoryKind.Shareable);
        try
        {
            using CudaContext.Scope scope = context.Push();
            CudaNative.AllocationProperties properties = PropertiesOf(context);
            ulong allocation;
            memory.Check(CudaNative.CreateAllocation(&allocation, (nuint)rounded, &properties, 0), "cuMemCreate", "allocate");
            memory._allocation = allocation;
            memory.MapAllocation(CudaNative.AccessReadWrite);
            return memory;
        }
        catch
        {
            memory.Dispose();
            throw;
        }
    }

    /// <summary>
    /// Allocates plain memory (<c>cuMemAlloc</c>), which legacy IPC handles can share. Its content is not defined.
    /// </summary>
    /// <param name="context">Where.</param>
    /// <param name="size">Bytes, greater than 0.</param>
    /// <returns>The memory; the caller owns it.</returns>
    /// <exception cref="CudaException">Memory ran out (OUT_OF_RESOURCES), or the driver refused.</exception>
    public static unsafe CudaMemory Allocate(CudaContext context, long size)
    {
        ArgumentNullException.ThrowIfNull(context);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(size);
        var memory = new CudaMemory(context, size, CudaMemoryKind.Allocated);
        try
        {
            using CudaContext.Scope scope = context.Push();
            ulong address;
            memory.Check(CudaNative.Allocate(&address, (nuint)size), "cuMemAlloc_v2", "allocate");
            memory._mapped = address;
            return memory;
        }
        catch
        {
            memory.Dispose();
            throw;
        }
    }

    /// <summary>Maps memory of another process for reading, from its descriptor. To be done once per segment.</summary>
    /// <param name="context">Where; the device must be the memory's.</param>
    /// <param name="file">What <see cref="ExportDescriptor"/> gave in the other process. It stays the caller's and may be closed afterwards.</param>
    /// <param name="size">The memory's whole size in bytes, a multiple of the granularity.</param>
    /// <returns>The mapping; the caller owns it. A write to it is refused or breaks this process's context.</returns>
    /// <exception cref="CudaException">The descriptor is no CUDA memory, the size is wrong, or the driver refused.</exception>
    public static unsafe CudaMemory ImportReadOnly(CudaContext context, FileDescriptor file, long size)
    {
        ArgumentNullException.ThrowIfNull(context);
        ArgumentNullException.ThrowIfNull(file);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(size);
        var memory = new CudaMemory(context, size, CudaMemoryKind.Imported);
        bool isHeld = false;
        try
        {
            // The driver gets a number: nobody may close it during the call.
            file.DangerousAddRef(ref isHeld);
            using CudaContext.Scope scope = context.Push();
            ulong allocation;
            memory.Check(
                CudaNative.ImportAllocation(&allocation, file.Number, CudaNative.HandleTypePosixFileDescriptor),
                "cuMemImportFromShareableHandle", "import");
            memory._allocation = allocation;
            memory.MapAllocation(CudaNative.AccessRead);

            // The mapping keeps the memory; the handle is not needed any more.
            memory.Check(CudaNative.ReleaseAllocation(allocation), "cuMemRelease", "let go of the handle of");
            memory._allocation = 0;
            return memory;
        }
        catch
        {
            memory.Dispose();
            throw;
        }
        finally
        {
            if (isHeld)
            {
                file.DangerousRelease();
            }
        }
    }

    /// <summary>Maps memory of another process from its legacy handle. To be done once per segment.</summary>
    /// <param name="context">Where; the device must be the memory's or its peer.</param>
    /// <param name="handle64">The 64 bytes that <see cref="CopyHandleTo"/> gave in the other process.</param>
    /// <param name="size">The memory's size in bytes, as the other process told it. It is compared with what the driver mapped.</param>
    /// <returns>The mapping; the caller owns it. It is writable, legacy handles know no other: do not write.</returns>
    /// <exception cref="ArgumentException">The handle has not 64 bytes.</exception>
    /// <exception cref="CudaException">
    /// The driver refused. <see cref="Protocol.ErrorCode.CudaIpcNamespace"/>: both processes have the same number in their PID namespaces.
    /// </exception>
    public static unsafe CudaMemory OpenInterprocess(CudaContext context, ReadOnlySpan<byte> handle64, long size)
    {
        ArgumentNullException.ThrowIfNull(context);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(size);
        CudaNative.IpcHandle handle = IpcHandles.Read(handle64);
        var memory = new CudaMemory(context, size, CudaMemoryKind.Opened);
        try
        {
            using CudaContext.Scope scope = context.Push();
            ulong address;
            memory.Check(
                CudaNative.OpenMemoryHandle(&address, handle, CudaNative.IpcLazyEnablePeerAccess), "cuIpcOpenMemHandle_v2",
                "map another process's");
            memory._mapped = address;
            long room = RoomAt(memory, address);
            return room >= size
                ? memory
                : throw new CudaException(
                    "cuPointerGetAttribute", CudaResult.InvalidValue, $"use {size:N0} bytes of another process's memory, of which {room:N0} are mapped");
        }
        catch
        {
            memory.Dispose();
            throw;
        }
    }

    /// <summary>The unit of shareable memory's size in bytes, 2 MiB on all devices seen so far.</summary>
    /// <param name="context">Where.</param>
    /// <returns>The granularity.</returns>
    /// <exception cref="CudaException">The device has no virtual memory management, or the driver refused.</exception>
    public static unsafe long GranularityOf(CudaContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        using CudaContext.Scope scope = context.Push();
        CudaNative.AllocationProperties properties = PropertiesOf(context);
        nuint granularity;
        CudaResult result = CudaNative.GetGranularity(&granularity, &properties, CudaNative.GranularityMinimum);
        return result == CudaResult.Success
            ? (long)granularity
            : throw new CudaException(
                "cuMemGetAllocationGranularity", result, $"ask for the granularity of memory of {context.Device}");
    }

    /// <summary>Opens a descriptor for this memory, which other processes import.</summary>
    /// <returns>A descriptor of its own; the caller owns it. It keeps the memory alive. Closed on exec.</returns>
    /// <exception cref="InvalidOperationException">The memory was not made with <see cref="CreateShareable"/>.</exception>
    /// <exception cref="CudaException">The driver refused, for example because descriptors ran out.</exception>
    public unsafe FileDescriptor ExportDescriptor()
    {
        if (_kind != CudaMemoryKind.Shareable)
        {
            throw new InvalidOperationException("Only memory made with CreateShareable can be exported as a descriptor.");
        }

        ObjectDisposedException.ThrowIf(IsClosed, this);
        var descriptor = new FileDescriptor();
        try
        {
            using CudaContext.Scope scope = Context.Push();
            int number;
            Check(
                CudaNative.ExportAllocation(&number, _allocation, CudaNative.HandleTypePosixFileDescriptor, 0),
                "cuMemExportToShareableHandle", "export");
            descriptor.Adopt(number);
            GC.KeepAlive(this);

            // The driver does not promise it.
            return LibC.Fcntl(descriptor, LibC.F_SETFD, LibC.FD_CLOEXEC) < 0
                ? throw LinuxException.FromLastError("fcntl", $"mark descriptor {number} as close-on-exec")
                : descriptor;
        }
        catch
        {
            descriptor.Dispose();
            throw;
        }
    }

    /// <summary>Writes the legacy handle with which another process opens this memory.</summary>
    /// <param name="handle64">At least 64 bytes; the first 64 are written.</param>
    /// <exception cref="ArgumentException">There is less room than 64 bytes.</exception>
    /// <exception cref="InvalidOperationException">The memory was not made with <see cref="Allocate"/>.</exception>
    /// <exception cref="CudaException">The driver refused.</exception>
    public unsafe void CopyHandleTo(Span<byte> handle64)
    {
        IpcHandles.RequireRoom(handle64);
        if (_kind != CudaMemoryKind.Allocated)
        {
            throw new InvalidOperationException("Only memory made with Allocate has a legacy handle.");
        }

        using CudaContext.Scope scope = Context.Push();
        CudaNative.IpcHandle native;
        Check(CudaNative.GetMemoryHandle(&native, Address), "cuIpcGetMemHandle", "share");
        GC.KeepAlive(this);
        new ReadOnlySpan<byte>(native.Bytes, CudaNative.IpcHandleSize).CopyTo(handle64);
    }

    /// <inheritdoc/>
    protected override bool ReleaseHandle()
    {
        if ((_allocation | _reserved | _mapped) != 0 && Context.TryEnter())
        {
            Free();
            CudaContext.Leave();
        }

        if (_holdsContext)
        {
            Context.DangerousRelease();
        }

        return true;
    }

    /// <summary>Bytes from an address to the end of the allocation that it lies in.</summary>
    private static unsafe long RoomAt(CudaMemory memory, ulong address)
    {
        ulong start;
        nuint length;
        memory.Check(CudaNative.GetPointerAttribute(&start, CudaNative.PointerRangeStart, address), "cuPointerGetAttribute", "measure");
        memory.Check(CudaNative.GetPointerAttribute(&length, CudaNative.PointerRangeSize, address), "cuPointerGetAttribute", "measure");
        return (long)(start + length - address);
    }

    private static CudaNative.AllocationProperties PropertiesOf(CudaContext context) => new()
    {
        Type = CudaNative.AllocationTypePinned,
        HandleTypes = CudaNative.HandleTypePosixFileDescriptor,
        LocationType = CudaNative.LocationTypeDevice,
        LocationId = context.Device.Handle,
    };

    /// <summary>Undoes what has been done. Errors say that the context is broken or being torn down: the memory goes with it.</summary>
    private void Free()
    {
        switch (_kind)
        {
            case CudaMemoryKind.Allocated:
                _ = CudaNative.Free(_mapped);
                break;
            case CudaMemoryKind.Opened:
                _ = CudaNative.CloseMemoryHandle(_mapped);
                break;
            default:
                if (_mapped != 0)
                {
                    _ = CudaNative.Unmap(_mapped, (nuint)Size);
                }

                if (_reserved != 0)
                {
                    _ = CudaNative.FreeAddress(_reserved, (nuint)Size);
                }

                if (_allocation != 0)
                {
                    _ = CudaNative.ReleaseAllocation(_allocation);
                }

                break;
        }
    }

    /// <summary>Gives the allocation an address in this context.</summary>
    private unsafe void MapAllocation(uint access)
    {
        ulong address;
        Check(CudaNative.ReserveAddress(&address, (nuint)Size, 0, 0, 0), "cuMemAddressReserve", "reserve addresses for");
        _reserved = address;
        Check(CudaNative.Map(address, (nuint)Size, 0, _allocation, 0), "cuMemMap", "map");
        _mapped = address;
        var description = new CudaNative.AccessDescription
        {
            LocationType = CudaNative.LocationTypeDevice,
            LocationId = Context.Device.Handle,
            Flags = access,
        };
        Check(CudaNative.SetAccess(address, (nuint)Size, &description, 1), "cuMemSetAccess", "open up");
    }

    private void Check(CudaResult result, string call, string verb)
    {
        if (result != CudaResult.Success)
        {
            throw new CudaException(
                call, result,
                string.Create(CultureInfo.InvariantCulture, $"{verb} {Size:N0} bytes of memory on {Context.Device}"));
        }
    }
}
