using System.Runtime.InteropServices;

namespace CuFrames.Interop.Internal;

/// <summary>
/// The calls into the CUDA driver, with the numbers of its header (CUDA driver API, 13.0). They are resolved in the library that
/// <see cref="CudaLibrary"/> has opened, so none may be made before <see cref="CudaDriver.TryInitialise"/> has succeeded.
/// </summary>
/// <remarks>
/// The entry points carry the suffix of the version of the call that is meant, as the header's macros would choose it. Objects that
/// live longer than a call are passed as their owners: the marshaller keeps them alive and refuses them once disposed.
/// </remarks>
internal static unsafe partial class CudaNative
{
    internal const string Library = "libcuda.so.1";

    // CUdevice_attribute.
    internal const int AttributeMultiprocessorCount = 16;
    internal const int AttributeComputeCapabilityMajor = 75;
    internal const int AttributeComputeCapabilityMinor = 76;
    internal const int AttributeHostRegisterSupported = 99;
    internal const int AttributeVirtualMemoryManagementSupported = 102;
    internal const int AttributePosixHandleSupported = 103;
    internal const int AttributeStreamMemoryOperations64 = 122;
    internal const int AttributeIpcEventSupported = 125;

    // Flags of streams, events, host memory and IPC.
    internal const uint StreamNonBlocking = 1;
    internal const uint EventBlockingSync = 1;
    internal const uint EventDisableTiming = 2;
    internal const uint EventInterprocess = 4;
    internal const uint HostPortable = 1;
    internal const uint HostDeviceMap = 2;
    internal const uint IpcLazyEnablePeerAccess = 1;
    internal const uint StreamWriteValueDefault = 0;

    // CUmemorytype.
    internal const uint MemoryTypeHost = 1;
    internal const uint MemoryTypeDevice = 2;

    // Virtual memory management.
    internal const uint AllocationTypePinned = 1;
    internal const uint HandleTypePosixFileDescriptor = 1;
    internal const uint LocationTypeDevice = 1;
    internal const uint AccessRead = 1;
    internal const uint AccessReadWrite = 3;
    internal const uint GranularityMinimum = 0;

    /// <summary>CU_POINTER_ATTRIBUTE_RANGE_START_ADDR: where the allocation begins that an address lies in.</summary>
    internal const int PointerRangeStart = 11;

    /// <summary>CU_POINTER_ATTRIBUTE_RANGE_SIZE: bytes of that allocation.</summary>
    internal const int PointerRangeSize = 12;

    /// <summary>Size of an IPC handle, of memory or of an event (CU_IPC_HANDLE_SIZE).</summary>
    internal const int IpcHandleSize = 64;

    /// <summary>The entry points below: a driver that lacks one of them is too old.</summary>
    internal static readonly string[] EntryPoints =
    [
        "cuInit", "cuDriverGetVersion", "cuGetErrorName", "cuGetErrorString",
        "cuDeviceGetCount", "cuDeviceGet", "cuDeviceGetName", "cuDeviceGetUuid", "cuDeviceGetUuid_v2", "cuDeviceGetAttribute",
        "cuDeviceTotalMem_v2", "cuDeviceGetPCIBusId", "cuDevicePrimaryCtxRetain", "cuDevicePrimaryCtxRelease_v2",
        "cuCtxPushCurrent_v2", "cuCtxPopCurrent_v2", "cuCtxGetDevice", "cuCtxSynchronize", "cuMemGetInfo_v2",
        "cuStreamCreate", "cuStreamDestroy_v2", "cuStreamQuery", "cuStreamWaitEvent", "cuStreamWriteValue64_v2", "cuStreamGetCtx",
        "cuEventCreate", "cuEventDestroy_v2", "cuEventRecord", "cuEventQuery", "cuEventSynchronize",
        "cuIpcGetEventHandle", "cuIpcOpenEventHandle", "cuIpcGetMemHandle", "cuIpcOpenMemHandle_v2", "cuIpcCloseMemHandle",
        "cuMemAlloc_v2", "cuMemFree_v2", "cuMemHostAlloc", "cuMemFreeHost",
        "cuMemHostRegister_v2", "cuMemHostUnregister", "cuMemHostGetDevicePointer_v2", "cuMemcpy2DAsync_v2", "cuMemsetD8Async",
        "cuMemGetAllocationGranularity", "cuMemCreate", "cuMemRelease", "cuMemExportToShareableHandle",
        "cuMemImportFromShareableHandle", "cuMemAddressReserve", "cuMemAddressFree", "cuMemMap", "cuMemUnmap", "cuMemSetAccess",
        "cuPointerGetAttribute",
        "cuModuleLoadData", "cuModuleUnload", "cuModuleGetFunction", "cuLaunchKernel",
    ];

    [LibraryImport(Library, EntryPoint = "cuInit")]
    internal static partial CudaResult Initialise(uint flags);

    [LibraryImport(Library, EntryPoint = "cuDriverGetVersion")]
    internal static partial CudaResult GetDriverVersion(int* version);

    [LibraryImport(Library, EntryPoint = "cuGetErrorName")]
    internal static partial CudaResult GetErrorName(CudaResult result, byte** name);

    [LibraryImport(Library, EntryPoint = "cuGetErrorString")]
    internal static partial CudaResult GetErrorText(CudaResult result, byte** text);

    [LibraryImport(Library, EntryPoint = "cuDeviceGetCount")]
    internal static partial CudaResult GetDeviceCount(int* count);

    [LibraryImport(Library, EntryPoint = "cuDeviceGet")]
    internal static partial CudaResult GetDevice(int* device, int ordinal);

    [LibraryImport(Library, EntryPoint = "cuDeviceGetName")]
    internal static partial CudaResult GetDeviceName(byte* name, int capacity, int device);

    [LibraryImport(Library, EntryPoint = "cuDeviceGetUuid")]
    internal static partial CudaResult GetDeviceUuid(byte* uuid, int device);

    [LibraryImport(Library, EntryPoint = "cuDeviceGetUuid_v2")]
    internal static partial CudaResult GetDeviceOrInstanceUuid(byte* uuid, int device);

    [LibraryImport(Library, EntryPoint = "cuDeviceGetAttribute")]
    internal static partial CudaResult GetDeviceAttribute(int* value, int attribute, int device);

    [LibraryImport(Library, EntryPoint = "cuDeviceTotalMem_v2")]
    internal static partial CudaResult GetDeviceTotalMemory(nuint* bytes, int device);

    [LibraryImport(Library, EntryPoint = "cuDeviceGetPCIBusId")]
    internal static partial CudaResult GetDevicePciBusId(byte* text, int capacity, int device);

    [LibraryImport(Library, EntryPoint = "cuDevicePrimaryCtxRetain")]
    internal static partial CudaResult RetainPrimaryContext(nint* context, int device);

    [LibraryImport(Library, EntryPoint = "cuDevicePrimaryCtxRelease_v2")]
    internal static partial CudaResult ReleasePrimaryContext(int device);

    [LibraryImport(Library, EntryPoint = "cuCtxPushCurrent_v2")]
    internal static partial CudaResult PushContext(nint context);

    [LibraryImport(Library, EntryPoint = "cuCtxPopCurrent_v2")]
    internal static partial CudaResult PopContext(nint* context);

    [LibraryImport(Library, EntryPoint = "cuCtxGetDevice")]
    internal static partial CudaResult GetContextDevice(int* device);

    [LibraryImport(Library, EntryPoint = "cuCtxSynchronize")]
    internal static partial CudaResult SynchroniseContext();

    [LibraryImport(Library, EntryPoint = "cuMemGetInfo_v2")]
    internal static partial CudaResult GetMemory(nuint* free, nuint* total);

    [LibraryImport(Library, EntryPoint = "cuStreamCreate")]
    internal static partial CudaResult CreateStream(nint* stream, uint flags);

    [LibraryImport(Library, EntryPoint = "cuStreamDestroy_v2")]
    internal static partial CudaResult DestroyStream(nint stream);

    [LibraryImport(Library, EntryPoint = "cuStreamQuery")]
    internal static partial CudaResult QueryStream(CudaStream stream);

    [LibraryImport(Library, EntryPoint = "cuStreamWaitEvent")]
    internal static partial CudaResult StreamWaitEvent(CudaStream stream, CudaEvent cudaEvent, uint flags);

    [LibraryImport(Library, EntryPoint = "cuStreamWriteValue64_v2")]
    internal static partial CudaResult StreamWriteValue64(CudaStream stream, ulong address, ulong value, uint flags);

    [LibraryImport(Library, EntryPoint = "cuStreamGetCtx")]
    internal static partial CudaResult GetStreamContext(nint stream, nint* context);

    [LibraryImport(Library, EntryPoint = "cuEventCreate")]
    internal static partial CudaResult CreateEvent(nint* cudaEvent, uint flags);

    [LibraryImport(Library, EntryPoint = "cuEventDestroy_v2")]
    internal static partial CudaResult DestroyEvent(nint cudaEvent);

    [LibraryImport(Library, EntryPoint = "cuEventRecord")]
    internal static partial CudaResult RecordEvent(CudaEvent cudaEvent, CudaStream stream);

    [LibraryImport(Library, EntryPoint = "cuEventQuery")]
    internal static partial CudaResult QueryEvent(CudaEvent cudaEvent);

    [LibraryImport(Library, EntryPoint = "cuEventSynchronize")]
    internal static partial CudaResult SynchroniseEvent(CudaEvent cudaEvent);

    [LibraryImport(Library, EntryPoint = "cuIpcGetEventHandle")]
    internal static partial CudaResult GetEventHandle(IpcHandle* handle, CudaEvent cudaEvent);

    [LibraryImport(Library, EntryPoint = "cuIpcOpenEventHandle")]
    internal static partial CudaResult OpenEventHandle(nint* cudaEvent, IpcHandle handle);

    [LibraryImport(Library, EntryPoint = "cuIpcGetMemHandle")]
    internal static partial CudaResult GetMemoryHandle(IpcHandle* handle, ulong address);

    [LibraryImport(Library, EntryPoint = "cuIpcOpenMemHandle_v2")]
    internal static partial CudaResult OpenMemoryHandle(ulong* address, IpcHandle handle, uint flags);

    [LibraryImport(Library, EntryPoint = "cuPointerGetAttribute")]
    internal static partial CudaResult GetPointerAttribute(void* value, int attribute, ulong address);

    [LibraryImport(Library, EntryPoint = "cuIpcCloseMemHandle")]
    internal static partial CudaResult CloseMemoryHandle(ulong address);

    [LibraryImport(Library, EntryPoint = "cuMemAlloc_v2")]
    internal static partial CudaResult Allocate(ulong* address, nuint size);

    [LibraryImport(Library, EntryPoint = "cuMemFree_v2")]
    internal static partial CudaResult Free(ulong address);

    [LibraryImport(Library, EntryPoint = "cuMemHostAlloc")]
    internal static partial CudaResult AllocateHost(nint* pointer, nuint size, uint flags);

    [LibraryImport(Library, EntryPoint = "cuMemFreeHost")]
    internal static partial CudaResult FreeHost(nint pointer);

    [LibraryImport(Library, EntryPoint = "cuMemHostRegister_v2")]
    internal static partial CudaResult RegisterHost(nint pointer, nuint size, uint flags);

    [LibraryImport(Library, EntryPoint = "cuMemHostUnregister")]
    internal static partial CudaResult UnregisterHost(nint pointer);

    [LibraryImport(Library, EntryPoint = "cuMemHostGetDevicePointer_v2")]
    internal static partial CudaResult GetDevicePointer(ulong* address, nint pointer, uint flags);

    [LibraryImport(Library, EntryPoint = "cuMemcpy2DAsync_v2")]
    internal static partial CudaResult Copy2D(Copy2DDescription* copy, CudaStream stream);

    [LibraryImport(Library, EntryPoint = "cuMemsetD8Async")]
    internal static partial CudaResult Fill(ulong address, byte value, nuint count, CudaStream stream);

    [LibraryImport(Library, EntryPoint = "cuMemGetAllocationGranularity")]
    internal static partial CudaResult GetGranularity(nuint* granularity, AllocationProperties* properties, uint option);

    [LibraryImport(Library, EntryPoint = "cuMemCreate")]
    internal static partial CudaResult CreateAllocation(
        ulong* allocation, nuint size, AllocationProperties* properties, ulong flags);

    [LibraryImport(Library, EntryPoint = "cuMemRelease")]
    internal static partial CudaResult ReleaseAllocation(ulong allocation);

    // The handle is written as an int: the kind of handle says what the pointer points to.
    [LibraryImport(Library, EntryPoint = "cuMemExportToShareableHandle")]
    internal static partial CudaResult ExportAllocation(int* descriptor, ulong allocation, uint handleType, ulong flags);

    // For this kind of handle the pointer itself is the number of the descriptor.
    [LibraryImport(Library, EntryPoint = "cuMemImportFromShareableHandle")]
    internal static partial CudaResult ImportAllocation(ulong* allocation, nint descriptor, uint handleType);

    [LibraryImport(Library, EntryPoint = "cuMemAddressReserve")]
    internal static partial CudaResult ReserveAddress(ulong* address, nuint size, nuint alignment, ulong wish, ulong flags);

    [LibraryImport(Library, EntryPoint = "cuMemAddressFree")]
    internal static partial CudaResult FreeAddress(ulong address, nuint size);

    [LibraryImport(Library, EntryPoint = "cuMemMap")]
    internal static partial CudaResult Map(ulong address, nuint size, nuint offset, ulong allocation, ulong flags);

    [LibraryImport(Library, EntryPoint = "cuMemUnmap")]
    internal static partial CudaResult Unmap(ulong address, nuint size);

    [LibraryImport(Library, EntryPoint = "cuMemSetAccess")]
    internal static partial CudaResult SetAccess(ulong address, nuint size, AccessDescription* descriptions, nuint count);

    [LibraryImport(Library, EntryPoint = "cuModuleLoadData")]
    internal static partial CudaResult LoadModule(nint* module, byte* image);

    [LibraryImport(Library, EntryPoint = "cuModuleUnload")]
    internal static partial CudaResult UnloadModule(nint module);

    [LibraryImport(Library, EntryPoint = "cuModuleGetFunction", StringMarshalling = StringMarshalling.Utf8)]
    internal static partial CudaResult GetFunction(nint* function, CudaModule module, string name);

    [LibraryImport(Library, EntryPoint = "cuLaunchKernel")]
    internal static partial CudaResult LaunchKernel(
        nint function, uint gridX, uint gridY, uint gridZ, uint blockX, uint blockY, uint blockZ, uint sharedBytes,
        CudaStream stream, void** arguments, void** extra);

    /// <summary>CUipcMemHandle and CUipcEventHandle: 64 opaque bytes, which the driver takes by value.</summary>
    internal struct IpcHandle
    {
        internal fixed byte Bytes[IpcHandleSize];
    }

    /// <summary>CUmemAllocationProp, 32 bytes: CUmemLocation lies flat in it.</summary>
    internal struct AllocationProperties
    {
        internal uint Type;
        internal uint HandleTypes;
        internal uint LocationType;
        internal int LocationId;
        internal nint Win32Metadata;
        internal ulong Flags;
    }

    /// <summary>CUmemAccessDesc, 12 bytes.</summary>
    internal struct AccessDescription
    {
        internal uint LocationType;
        internal int LocationId;
        internal uint Flags;
    }

    /// <summary>CUDA_MEMCPY2D, version 2, 128 bytes.</summary>
    internal struct Copy2DDescription
    {
        internal nuint SourceX;
        internal nuint SourceY;
        internal uint SourceType;
        internal nint SourceHost;
        internal ulong SourceDevice;
        internal nint SourceArray;
        internal nuint SourcePitch;
        internal nuint DestinationX;
        internal nuint DestinationY;
        internal uint DestinationType;
        internal nint DestinationHost;
        internal ulong DestinationDevice;
        internal nint DestinationArray;
        internal nuint DestinationPitch;
        internal nuint RowBytes;
        internal nuint Rows;
    }
}
