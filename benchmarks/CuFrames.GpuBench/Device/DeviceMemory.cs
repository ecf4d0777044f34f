using CuFrames.Interop;

namespace CuFrames.Benchmarks.Gpu.Device;

/// <summary>Memory in use on a device, whoever uses it, in MiB.</summary>
internal static class DeviceMemory
{
    public const double Mebibyte = 1 << 20;

    /// <summary>Memory in use now.</summary>
    /// <param name="device">The device.</param>
    /// <param name="own">A context on it, which is asked where the management library does not answer.</param>
    public static double Used(CudaDevice device, CudaContext own)
    {
        if (DeviceManagement.GetUsedMemory(device.UuidText) is { } used)
        {
            return used / Mebibyte;
        }

        (long free, long total) = own.GetMemory();
        return (total - free) / Mebibyte;
    }

    /// <summary>Memory in use once it does not fall any more: the driver takes its time to free what ended processes had.</summary>
    public static double WaitUntilSettled(CudaDevice device, CudaContext own)
    {
        double used = Used(device, own);
        for (int still = 0; still < 5;)
        {
            Thread.Sleep(100);
            double now = Used(device, own);
            still = now < used ? 0 : still + 1;
            used = now;
        }

        return used;
    }
}
