using System.Globalization;
using CuFrames.Interop;

namespace CuFrames.Cli.Internal;

/// <summary>The CUDA driver as a process finds it, as it goes to JSON.</summary>
/// <param name="Obstacle">Why it cannot be used, with what to do; null when it can.</param>
/// <param name="Library">The library's file; null when it cannot be used.</param>
/// <param name="CudaVersion">The newest CUDA that it supports, for example 13.0; null when it cannot be used.</param>
/// <param name="Devices">The devices that are visible.</param>
internal sealed record GpuDriver(string? Obstacle, string? Library, string? CudaVersion, IReadOnlyList<GpuDevice> Devices)
{
    /// <summary>Initialises CUDA in this process, which the driver may hang or crash.</summary>
    public static GpuDriver Read()
    {
        if (!CudaDriver.TryInitialise(out string? obstacle))
        {
            return new GpuDriver(obstacle, null, null, []);
        }

        // 1000 x major + 10 x minor.
        string version = string.Create(CultureInfo.InvariantCulture, $"{CudaDriver.Version / 1000}.{CudaDriver.Version % 1000 / 10}");
        return new GpuDriver(null, CudaDriver.LibraryPath, version,
        [
            .. CudaDriver.Devices.Select(device => new GpuDevice(
                device.Ordinal, device.Name, device.UuidText, device.ComputeCapability.ToString(), device.PciBusId, device.TotalMemory)),
        ]);
    }
}
