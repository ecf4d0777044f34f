using System.Globalization;
using System.Runtime.InteropServices;
using CuFrames.Interop.Internal;

namespace CuFrames.Interop;

/// <summary>A CUDA device, as read when the driver was initialised. Immutable, so thread-safe.</summary>
public sealed class CudaDevice
{
    private CudaDevice(int ordinal, int handle)
    {
        Ordinal = ordinal;
        Handle = handle;
    }

    /// <summary>The device's number in this process, from 0. Other processes may number differently.</summary>
    public int Ordinal { get; }

    /// <summary>The product's name, such as <c>NVIDIA H100 80GB HBM3</c>.</summary>
    public string Name { get; private init; } = string.Empty;

    /// <summary>
    /// The device's UUID, or that of the MIG instance: the same in every process. Its 16 bytes in the driver's order are
    /// <c>Uuid.TryWriteBytes(bytes, bigEndian: true, …)</c>.
    /// </summary>
    public Guid Uuid { get; private init; }

    /// <summary>The UUID as nvidia-smi -L prints it: <c>GPU-…</c>, or <c>MIG-…</c> for a MIG instance.</summary>
    public string UuidText => (IsInstance ? "MIG-" : "GPU-") + Uuid.ToString("D");

    /// <summary>Whether this is an instance of a GPU in MIG mode and not a whole GPU.</summary>
    public bool IsInstance { get; private init; }

    /// <summary>Memory of the device in bytes, whoever uses it.</summary>
    public long TotalMemory { get; private init; }

    /// <summary>The compute capability, such as 9.0.</summary>
    public Version ComputeCapability { get; private init; } = new();

    /// <summary>The PCI address, such as <c>0000:0A:00.0</c>.</summary>
    public string PciBusId { get; private init; } = string.Empty;

    /// <summary>Number of streaming multiprocessors.</summary>
    public int Multiprocessors { get; private init; }

    /// <summary>Whether memory can be reserved and mapped piece by piece (<c>cuMemCreate</c>, VMM).</summary>
    public bool HasVirtualMemory { get; private init; }

    /// <summary>Whether such memory can be exported as a file descriptor.</summary>
    public bool HasPosixHandles { get; private init; }

    /// <summary>Whether a stream can write a 64-bit word (<see cref="CudaStream.WriteValue64"/>): the fence STREAM.</summary>
    public bool HasStreamMemoryOperations { get; private init; }

    /// <summary>Whether existing host memory can be registered (<see cref="CudaHostRegistration"/>).</summary>
    public bool HasHostRegistration { get; private init; }

    /// <summary>
    /// Whether events can be shared between processes: the fence EVENT. Drivers before 12.0 cannot be asked and are taken to have them.
    /// </summary>
    public bool HasIpcEvents { get; private init; }

    /// <summary>The driver's number of the device (CUdevice).</summary>
    internal int Handle { get; }

    /// <summary>
    /// Retains the device's primary context, which all libraries of a process share, and creates it if nobody has: that takes some
    /// 100 ms and over 500 MiB of device memory.
    /// </summary>
    /// <returns>A reference of its own, to be disposed of. The context lives until its last reference is gone.</returns>
    /// <exception cref="CudaException">The context cannot be made, for example because device memory ran out.</exception>
    public CudaContext OpenContext() => CudaContext.RetainPrimary(this);

    /// <summary>The device's number, name and UUID, for messages.</summary>
    /// <returns>The text.</returns>
    public override string ToString() =>
        string.Create(CultureInfo.InvariantCulture, $"device {Ordinal} ({Name}, {UuidText})");

    /// <summary>Asks the driver about a device.</summary>
    internal static unsafe CudaDevice Read(int ordinal)
    {
        int handle;
        Check(CudaNative.GetDevice(&handle, ordinal), "cuDeviceGet", ordinal);

        byte* text = stackalloc byte[256];
        Check(CudaNative.GetDeviceName(text, 256, handle), "cuDeviceGetName", ordinal);
        string name = Marshal.PtrToStringUTF8((nint)text)!;
        Check(CudaNative.GetDevicePciBusId(text, 256, handle), "cuDeviceGetPCIBusId", ordinal);
        string pciBusId = Marshal.PtrToStringUTF8((nint)text)!;

        // The first names the GPU even when only a MIG instance of it is visible, the second names the instance then.
        byte* gpu = stackalloc byte[16];
        byte* uuid = stackalloc byte[16];
        Check(CudaNative.GetDeviceUuid(gpu, handle), "cuDeviceGetUuid", ordinal);
        Check(CudaNative.GetDeviceOrInstanceUuid(uuid, handle), "cuDeviceGetUuid_v2", ordinal);

        nuint memory;
        Check(CudaNative.GetDeviceTotalMemory(&memory, handle), "cuDeviceTotalMem_v2", ordinal);
        var identity = new Guid(new ReadOnlySpan<byte>(uuid, 16), bigEndian: true);
        return new CudaDevice(ordinal, handle)
        {
            Name = name,
            PciBusId = pciBusId,
            Uuid = identity,
            IsInstance = identity != new Guid(new ReadOnlySpan<byte>(gpu, 16), bigEndian: true),
            TotalMemory = (long)memory,
            ComputeCapability = new Version(
                Attribute(handle, ordinal, CudaNative.AttributeComputeCapabilityMajor) ?? 0,
                Attribute(handle, ordinal, CudaNative.AttributeComputeCapabilityMinor) ?? 0),
            Multiprocessors = Attribute(handle, ordinal, CudaNative.AttributeMultiprocessorCount) ?? 0,
            HasVirtualMemory = Attribute(handle, ordinal, CudaNative.AttributeVirtualMemoryManagementSupported) > 0,
            HasPosixHandles = Attribute(handle, ordinal, CudaNative.AttributePosixHandleSupported) > 0,
            HasStreamMemoryOperations = Attribute(handle, ordinal, CudaNative.AttributeStreamMemoryOperations64) > 0,
            HasHostRegistration = Attribute(handle, ordinal, CudaNative.AttributeHostRegisterSupported) > 0,
            HasIpcEvents = Attribute(handle, ordinal, CudaNative.AttributeIpcEventSupported) is null or > 0,
        };
    }

    /// <summary>An attribute; null when the driver is too old to know it.</summary>
    private static unsafe int? Attribute(int handle, int ordinal, int attribute)
    {
        int value;
        CudaResult result = CudaNative.GetDeviceAttribute(&value, attribute, handle);
        if (result == CudaResult.InvalidValue)
        {
            return null;
        }

        if (result != CudaResult.Success)
        {
            throw new CudaException(
                "cuDeviceGetAttribute", result,
                string.Create(CultureInfo.InvariantCulture, $"read attribute {attribute} of CUDA device {ordinal}"));
        }

        return value;
    }

    private static void Check(CudaResult result, string call, int ordinal)
    {
        if (result != CudaResult.Success)
        {
            throw new CudaException(
                call, result, string.Create(CultureInfo.InvariantCulture, $"read what CUDA device {ordinal} is"));
        }
    }
}
