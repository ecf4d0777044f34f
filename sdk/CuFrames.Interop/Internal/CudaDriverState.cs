namespace CuFrames.Interop.Internal;

/// <summary>What opening the driver came to.</summary>
internal sealed class CudaDriverState
{
    private CudaDriverState(CudaException? failure, string libraryPath, int version, IReadOnlyList<CudaDevice> devices)
    {
        Failure = failure;
        LibraryPath = libraryPath;
        Version = version;
        Devices = devices;
    }

    /// <summary>Why the driver cannot be used; null if it can.</summary>
    internal CudaException? Failure { get; }

    internal string LibraryPath { get; }

    internal int Version { get; }

    internal IReadOnlyList<CudaDevice> Devices { get; }

    /// <summary>Opens and initialises the driver. It does not throw: the failure is the answer.</summary>
    internal static CudaDriverState Open()
    {
        string path = CudaLibrary.Open(out string? obstacle);
        if (obstacle is not null)
        {
            return new CudaDriverState(
                CudaException.Unavailable("dlopen", CudaResult.NotInitialized, obstacle), path, 0, []);
        }

        try
        {
            return new CudaDriverState(null, path, Initialise(path, out IReadOnlyList<CudaDevice> devices), devices);
        }
        catch (CudaException error)
        {
            return new CudaDriverState(
                CudaException.Unavailable(error.Call, error.Result, error.Message), path, 0, []);
        }
    }

    private static unsafe int Initialise(string path, out IReadOnlyList<CudaDevice> devices)
    {
        Check(CudaNative.Initialise(0), "cuInit", path);
        int version;
        Check(CudaNative.GetDriverVersion(&version), "cuDriverGetVersion", path);
        int count;
        Check(CudaNative.GetDeviceCount(&count), "cuDeviceGetCount", path);
        if (count == 0)
        {
            Check(CudaResult.NoDevice, "cuDeviceGetCount", path);
        }

        var found = new CudaDevice[count];
        for (int i = 0; i < count; i++)
        {
            found[i] = CudaDevice.Read(i);
        }

        devices = found;
        return version;
    }

    private static void Check(CudaResult result, string call, string path)
    {
        if (result != CudaResult.Success)
        {
            throw new CudaException(call, result, $"initialise the CUDA driver {path}");
        }
    }
}
