using System.Text;
using CuFrames.Interop.Internal;

namespace CuFrames.Interop;

/// <summary>
/// Asks NVML, NVIDIA's library for those who watch over GPUs, how a device is used. It is opened at the first question and for the life of the process; that
/// it is absent is a normal state, which the answer says. Any thread. A question takes milliseconds, and a driver that hangs keeps it: not for a thread
/// that others wait for.
/// </summary>
public static class GpuMonitor
{
    private static readonly Lock Gate = new();

    /// <summary>Asks how a device is used.</summary>
    /// <param name="device">The device.</param>
    /// <returns>What NVML tells; it does not throw.</returns>
    public static GpuLoad Read(CudaDevice device)
    {
        ArgumentNullException.ThrowIfNull(device);
        lock (Gate)
        {
            return NvmlLibrary.Open(out string obstacle) is { } library ? Read(library, device) : new GpuLoad(null, null, null, null, obstacle);
        }
    }

    private static unsafe GpuLoad Read(NvmlLibrary library, CudaDevice device)
    {
        nint handle;
        int result;
        fixed (byte* uuid = Encoding.ASCII.GetBytes(device.UuidText + '\0'))
        {
            result = library.GetDeviceByUuid(uuid, &handle);
        }

        if (result != NvmlLibrary.Success)
        {
            return new GpuLoad(null, null, null, null, $"NVML does not know {device}: {library.Describe(result)}.");
        }

        string obstacle = "";
        NvmlMemory memory;
        bool hasMemory = Has(library.GetMemory(handle, &memory), "the memory in use");
        NvmlUtilisation utilisation;
        bool hasUtilisation = Has(library.GetUtilisation(handle, &utilisation), "the utilisation");
        uint decoder;
        uint period;
        bool hasDecoder = Has(library.GetDecoderUtilisation(handle, &decoder, &period), "the utilisation of the decoder");
        return new GpuLoad(
            hasMemory ? (long)memory.Used : null,
            hasMemory ? (long)memory.Total : null,
            hasUtilisation ? utilisation.Gpu / 100.0 : null,
            hasDecoder ? decoder / 100.0 : null,
            obstacle);

        bool Has(int result, string what)
        {
            if (result != NvmlLibrary.Success && obstacle.Length == 0)
            {
                obstacle = $"NVML does not tell {what} of {device}: {library.Describe(result)}.";
            }

            return result == NvmlLibrary.Success;
        }
    }
}
