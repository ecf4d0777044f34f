using CuFrames.Interop;
using CuFrames.Protocol;

namespace CuFrames.Client.Internal;

/// <summary>Where a publisher's segments come from: main memory, or one device. Immutable.</summary>
internal sealed class SegmentMemory : IDisposable
{
    private readonly bool _ownsContext;

    /// <exception cref="CudaException">CUDA_UNAVAILABLE, or the device lacks what the kind of memory needs.</exception>
    public SegmentMemory(string key, PublisherOptions options)
    {
        Kind = options.Memory switch
        {
            FrameMemory.Cuda => HandleKind.CudaVmm,
            FrameMemory.CudaIpc => HandleKind.CudaIpc,
            _ => HandleKind.HostMemfd,
        };
        if (Kind == HandleKind.HostMemfd)
        {
            return;
        }

        Context = options.Cuda;
        if (Context is null)
        {
            CudaDriver.Initialise();
            Context = CudaDriver.Devices[0].OpenContext();
            _ownsContext = true;
        }

        try
        {
            CudaDevice device = Context.Device;
            if (Kind == HandleKind.CudaVmm && !(device.HasVirtualMemory && device.HasPosixHandles))
            {
                throw new CuFramesException(ErrorCode.ConfigurationInvalid,
                    $"Stream '{key}' is to lie in shareable memory of {device.Name} ({device.UuidText}), and that device " +
                    $"{(device.HasVirtualMemory ? "cannot export it as a file descriptor" : "has no virtual memory management")}. Use the memory kind cuda-ipc.");
            }

            Granularity = Kind == HandleKind.CudaVmm ? CudaMemory.GranularityOf(Context) : 1;
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    public HandleKind Kind { get; }

    /// <summary>Null in main memory.</summary>
    public CudaContext? Context { get; }

    public MemoryDomain Domain => Context is null ? MemoryDomain.Host : MemoryDomain.Cuda;

    public Guid Device => Context?.Device.Uuid ?? Guid.Empty;

    /// <summary>Sizes of segments are multiples of this.</summary>
    public long Granularity { get; } = 1;

    public long SizeOf(long slotSize, int slots) => ((slotSize * slots) + Granularity - 1) / Granularity * Granularity;

    /// <summary>The context of the device that copies into segments in main memory; those that are made from now on are pinned for it.</summary>
    public CudaContext? CopiesFrom { get; set; }

    /// <summary>Why the newest segment is not pinned although a device copies into it; null if it is.</summary>
    public string? PinningFault { get; private set; }

    public Segment Create(uint id, uint generation, long size, int slots)
    {
        if (Context is not null)
        {
            return CudaSegment.Create(Context, Kind, id, generation, size, slots);
        }

        HostSegment segment = HostSegment.Create(id, generation, size, slots);
        PinningFault = null;
        if (CopiesFrom is { } context)
        {
            try
            {
                segment.Pin(context);
            }
            catch (CudaException error)
            {
                // Copies work all the same: the driver takes them through pinned memory of its own.
                PinningFault = error.Message;
            }
        }

        return segment;
    }

    /// <summary>Why a subscriber with these offers cannot map our segments; null if it can.</summary>
    public string? FindObstacle(string key, IReadOnlyList<DomainOffer> offers)
    {
        List<string> devices = [];
        bool seesDevice = false;
        foreach (DomainOffer offer in offers)
        {
            if (offer.Fits(Domain, Kind, Device))
            {
                return null;
            }

            if (offer.Domain == MemoryDomain.Cuda)
            {
                devices.Add(TextOf(offer.Device));
                seesDevice |= offer.Device == Device;
            }
        }

        if (Context is null)
        {
            return $"Stream '{key}' lies in main memory, in sealed memfds, and the subscriber does not say that it can map those.";
        }

        string ours = $"Stream '{key}' lies in the memory of {TextOf(Device)} ({Context.Device.Name})";
        if (seesDevice)
        {
            return $"{ours} and is shared as {(Kind == HandleKind.CudaVmm ? "VMM descriptors (cuda)" : "legacy handles (cuda-ipc)")}, which the subscriber cannot map there.";
        }

        return devices.Count == 0
            ? $"{ours}, and the subscriber offers main memory only. Run it where it sees that device, with the NVIDIA driver (in a container: --gpus)."
            : $"{ours}, and the subscriber sees {string.Join(", ", devices)}. Let it see that device: check CUDA_VISIBLE_DEVICES and the container's devices.";
    }

    public void Dispose()
    {
        if (_ownsContext)
        {
            Context?.Dispose();
        }
    }

    private static string TextOf(Guid device) => $"GPU-{device}";
}
