using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;

namespace CuFrames.Benchmarks.Gpu.Device;

/// <summary>
/// NVIDIA's management library, libnvidia-ml.so.1, which comes with the driver: the driver's version and each process's device
/// memory. It may be missing, and in a virtual machine or a container it may not see processes: every question has "not known"
/// as an answer.
/// </summary>
internal static unsafe partial class DeviceManagement
{
    private const string Library = "libnvidia-ml.so.1";
    private const int Success = 0;
    private const int MostProcesses = 256;

    private static readonly Lazy<bool> IsReady = new(Initialise);

    /// <summary>The driver's version, for example "580.159.04"; null when it is not known.</summary>
    public static string? DriverVersion
    {
        get
        {
            byte* text = stackalloc byte[96];
            return IsReady.Value && GetDriverVersion(text, 96) == Success ? Marshal.PtrToStringUTF8((nint)text) : null;
        }
    }

    /// <summary>Device memory in use on a device, in bytes, whoever uses it; null when it is not known.</summary>
    public static long? GetUsedMemory(string deviceUuid)
    {
        if (!TryFind(deviceUuid, out nint device))
        {
            return null;
        }

        Memory memory = default;
        return GetMemory(device, &memory) == Success ? (long)memory.Used : null;
    }

    /// <summary>Share of time in which the device's video decoders worked, 0 to 1, over the driver's last period of a sixth of a second to a second; null
    /// when it is not known.</summary>
    public static double? GetDecoderUse(string deviceUuid)
    {
        uint percent = 0;
        uint period = 0;
        return TryFind(deviceUuid, out nint device) && GetDecoderUtilization(device, &percent, &period) == Success ? percent / 100.0 : null;
    }

    /// <summary>Device memory of each process that computes on a device, in bytes; empty when the driver does not say.</summary>
    public static IReadOnlyDictionary<int, long> GetProcessMemory(string deviceUuid)
    {
        Dictionary<int, long> processes = [];
        if (!TryFind(deviceUuid, out nint device))
        {
            return processes;
        }

        uint count = MostProcesses;
        ProcessMemory* found = stackalloc ProcessMemory[MostProcesses];
        if (GetProcesses(device, &count, found) != Success)
        {
            return processes;
        }

        for (int i = 0; i < count; i++)
        {
            // All ones mean that the driver does not know.
            if (found[i].Used != ulong.MaxValue)
            {
                processes[(int)found[i].Process] = (long)found[i].Used;
            }
        }

        return processes;
    }

    private static bool TryFind(string deviceUuid, out nint device)
    {
        device = 0;
        fixed (byte* uuid = Encoding.UTF8.GetBytes(deviceUuid + '\0'))
        fixed (nint* handle = &device)
        {
            return IsReady.Value && GetHandle(uuid, handle) == Success;
        }
    }

    private static bool Initialise()
    {
        try
        {
            return Init() == Success;
        }
        catch (Exception error) when (error is DllNotFoundException or EntryPointNotFoundException)
        {
            return false;
        }
    }

    [LibraryImport(Library, EntryPoint = "nvmlInit_v2")]
    [UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    private static partial int Init();

    [LibraryImport(Library, EntryPoint = "nvmlSystemGetDriverVersion")]
    [UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    private static partial int GetDriverVersion(byte* text, uint capacity);

    [LibraryImport(Library, EntryPoint = "nvmlDeviceGetHandleByUUID")]
    [UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    private static partial int GetHandle(byte* uuid, nint* device);

    [LibraryImport(Library, EntryPoint = "nvmlDeviceGetMemoryInfo")]
    [UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    private static partial int GetMemory(nint device, Memory* memory);

    [LibraryImport(Library, EntryPoint = "nvmlDeviceGetDecoderUtilization")]
    [UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    private static partial int GetDecoderUtilization(nint device, uint* percent, uint* period);

    [LibraryImport(Library, EntryPoint = "nvmlDeviceGetComputeRunningProcesses_v3")]
    [UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    private static partial int GetProcesses(nint device, uint* count, ProcessMemory* processes);

#pragma warning disable CS0649 // the library writes the fields
    // nvmlMemory_t.
    private struct Memory
    {
        public ulong Total;
        public ulong Free;
        public ulong Used;
    }

    // nvmlProcessInfo_v2_t, which nvmlDeviceGetComputeRunningProcesses_v3 fills.
    private struct ProcessMemory
    {
        public uint Process;
        public ulong Used;
        public uint GpuInstance;
        public uint ComputeInstance;
    }
#pragma warning restore CS0649
}
