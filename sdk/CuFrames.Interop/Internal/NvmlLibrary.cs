using System.Runtime.InteropServices;

namespace CuFrames.Interop.Internal;

/// <summary>
/// The calls of NVML that are used (NVML API Reference; nvml.h). Opened once: the library comes with the driver, and its threads may run until the end of the
/// process. Function pointers, because the assembly's resolver of libraries belongs to the CUDA driver.
/// </summary>
internal sealed unsafe class NvmlLibrary
{
    /// <summary>NVML_SUCCESS.</summary>
    internal const int Success = 0;

    private const string Name = "libnvidia-ml.so.1";

    // Guarded by the only caller's lock.
    private static NvmlLibrary? _opened;
    private static string _obstacle = "";
    private static bool _wasTried;

    private readonly delegate* unmanaged<int, byte*> _errorString;

    private NvmlLibrary(nint library)
    {
        _errorString = (delegate* unmanaged<int, byte*>)NativeLibrary.GetExport(library, "nvmlErrorString");
        GetDeviceByUuid = (delegate* unmanaged<byte*, nint*, int>)NativeLibrary.GetExport(library, "nvmlDeviceGetHandleByUUID");
        GetMemory = (delegate* unmanaged<nint, NvmlMemory*, int>)NativeLibrary.GetExport(library, "nvmlDeviceGetMemoryInfo");
        GetUtilisation = (delegate* unmanaged<nint, NvmlUtilisation*, int>)NativeLibrary.GetExport(library, "nvmlDeviceGetUtilizationRates");
        GetDecoderUtilisation = (delegate* unmanaged<nint, uint*, uint*, int>)NativeLibrary.GetExport(library, "nvmlDeviceGetDecoderUtilization");
    }

    /// <summary>Finds a device by its UUID, a text that ends with a zero byte.</summary>
    internal delegate* unmanaged<byte*, nint*, int> GetDeviceByUuid { get; }

    internal delegate* unmanaged<nint, NvmlMemory*, int> GetMemory { get; }

    internal delegate* unmanaged<nint, NvmlUtilisation*, int> GetUtilisation { get; }

    /// <summary>Percent, and the sampling period in microseconds.</summary>
    internal delegate* unmanaged<nint, uint*, uint*, int> GetDecoderUtilisation { get; }

    /// <summary>Opens the library, at the first call. One thread at a time.</summary>
    /// <param name="obstacle">Why it cannot be used, as a sentence; empty if it can.</param>
    /// <returns>Null: it cannot be used.</returns>
    internal static NvmlLibrary? Open(out string obstacle)
    {
        if (!_wasTried)
        {
            _wasTried = true;
            _opened = OpenOnce(out _obstacle);
        }

        obstacle = _obstacle;
        return _opened;
    }

    /// <summary>What a result means.</summary>
    internal string Describe(int result) => Marshal.PtrToStringUTF8((nint)_errorString(result)) is { Length: > 0 } text ? text : $"error {result}";

    private static NvmlLibrary? OpenOnce(out string obstacle)
    {
        if (!NativeLibrary.TryLoad(Name, out nint handle))
        {
            obstacle = $"{Name} is not there. It comes with the NVIDIA driver; in a container NVIDIA_DRIVER_CAPABILITIES has to name utility.";
            return null;
        }

        try
        {
            NvmlLibrary library = new(handle);
            int result = ((delegate* unmanaged<int>)NativeLibrary.GetExport(handle, "nvmlInit_v2"))();
            obstacle = result == Success ? "" : $"NVML cannot be used: {library.Describe(result)}.";
            return result == Success ? library : null;
        }
        catch (EntryPointNotFoundException error)
        {
            obstacle = $"{Name} lacks a call, so it is too old: {error.Message}";
            return null;
        }
    }
}
