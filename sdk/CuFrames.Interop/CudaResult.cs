namespace CuFrames.Interop;

/// <summary>
/// The codes that calls of the CUDA driver return, by the driver's numbers (<c>CUresult</c> of the CUDA driver API, 13.0).
/// A code that is not listed here keeps its number; <see cref="CudaException"/> asks the driver for its name.
/// </summary>
public enum CudaResult
{
    /// <summary>The call succeeded; for a query: the work is done.</summary>
    Success = 0,

    /// <summary>A parameter has a value that the call does not accept.</summary>
    InvalidValue = 1,

    /// <summary>Device memory, or pinned host memory, ran out.</summary>
    OutOfMemory = 2,

    /// <summary>The driver was not initialised.</summary>
    NotInitialized = 3,

    /// <summary>The driver is being torn down: the process ends.</summary>
    Deinitialized = 4,

    /// <summary>The library is the stub of a toolkit, which serves for linking only.</summary>
    StubLibrary = 34,

    /// <summary>The driver is older than the caller needs.</summary>
    InsufficientDriver = 35,

    /// <summary>The call needs a newer driver.</summary>
    CallRequiresNewerDriver = 36,

    /// <summary>The device is taken by another process, or not available now.</summary>
    DeviceUnavailable = 46,

    /// <summary>No device is visible.</summary>
    NoDevice = 100,

    /// <summary>The device's number is wrong, or the device cannot do this.</summary>
    InvalidDevice = 101,

    /// <summary>The device lacks a licence (vGPU).</summary>
    DeviceNotLicensed = 102,

    /// <summary>The module is no valid image.</summary>
    InvalidImage = 200,

    /// <summary>No context is current, or the context or handle does not fit.</summary>
    InvalidContext = 201,

    /// <summary>Memory could not be mapped.</summary>
    MapFailed = 205,

    /// <summary>Memory could not be unmapped.</summary>
    UnmapFailed = 206,

    /// <summary>This is mapped already.</summary>
    AlreadyMapped = 208,

    /// <summary>The module holds no code for this device.</summary>
    NoBinaryForGpu = 209,

    /// <summary>This is not mapped.</summary>
    NotMapped = 211,

    /// <summary>An uncorrectable memory error was found. The context is broken.</summary>
    EccUncorrectable = 214,

    /// <summary>The PTX text could not be compiled.</summary>
    InvalidPtx = 218,

    /// <summary>An uncorrectable NVLink error was found. The context is broken.</summary>
    NvlinkUncorrectable = 220,

    /// <summary>The PTX version is newer than the driver's compiler.</summary>
    UnsupportedPtxVersion = 222,

    /// <summary>A memory error was contained to this process. The context is broken.</summary>
    Contained = 226,

    /// <summary>A call to the operating system failed inside the driver.</summary>
    OperatingSystem = 304,

    /// <summary>A handle is not valid.</summary>
    InvalidHandle = 400,

    /// <summary>The object is not in the state that the call needs.</summary>
    IllegalState = 401,

    /// <summary>A name was not found.</summary>
    NotFound = 500,

    /// <summary>The work is not done yet. Queries return it; it is no error.</summary>
    NotReady = 600,

    /// <summary>A kernel or copy touched an address that is not mapped, or not writable. The context is broken.</summary>
    IllegalAddress = 700,

    /// <summary>A launch asks for more than the device has.</summary>
    LaunchOutOfResources = 701,

    /// <summary>A kernel ran too long for a device that also drives a display. The context is broken.</summary>
    LaunchTimeout = 702,

    /// <summary>The context was destroyed.</summary>
    ContextIsDestroyed = 709,

    /// <summary>A kernel's assertion failed. The context is broken.</summary>
    Assert = 710,

    /// <summary>The host memory is registered already.</summary>
    HostMemoryAlreadyRegistered = 712,

    /// <summary>The host memory is not registered.</summary>
    HostMemoryNotRegistered = 713,

    /// <summary>A kernel's stack is damaged. The context is broken.</summary>
    HardwareStackError = 714,

    /// <summary>A kernel ran an illegal instruction. The context is broken.</summary>
    IllegalInstruction = 715,

    /// <summary>A kernel used an address that is not aligned. The context is broken.</summary>
    MisalignedAddress = 716,

    /// <summary>A kernel used an address of the wrong address space. The context is broken.</summary>
    InvalidAddressSpace = 717,

    /// <summary>A kernel's program counter left the program. The context is broken.</summary>
    InvalidProgramCounter = 718,

    /// <summary>A kernel failed. The context is broken.</summary>
    LaunchFailed = 719,

    /// <summary>A kernel ended without giving back its tensor memory. The context is broken.</summary>
    TensorMemoryLeak = 721,

    /// <summary>The user may not do this.</summary>
    NotPermitted = 800,

    /// <summary>The device, the driver or this machine's set-up does not support the call.</summary>
    NotSupported = 801,

    /// <summary>The system is not ready for CUDA, for example because its fabric manager does not run.</summary>
    SystemNotReady = 802,

    /// <summary>The kernel module and the driver library have different versions.</summary>
    SystemDriverMismatch = 803,

    /// <summary>A forward-compatibility library was loaded on a device that does not support it.</summary>
    CompatNotSupportedOnDevice = 804,

    /// <summary>The MPS control daemon or server cannot be reached.</summary>
    MpsConnectionFailed = 805,

    /// <summary>The MPS server does not answer.</summary>
    MpsRpcFailure = 806,

    /// <summary>The MPS server accepts no clients now.</summary>
    MpsServerNotReady = 807,

    /// <summary>The MPS server has as many clients as it takes.</summary>
    MpsMaxClientsReached = 808,

    /// <summary>MPS has no device connection left.</summary>
    MpsMaxConnectionsReached = 809,

    /// <summary>The MPS server ended this client. The context is broken.</summary>
    MpsClientTerminated = 810,

    /// <summary>The driver does not know more. It stands for anything, often for a device node that is missing.</summary>
    Unknown = 999,
}
