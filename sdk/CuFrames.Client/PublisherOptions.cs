using CuFrames.Interop;
using CuFrames.Protocol;

namespace CuFrames.Client;

/// <summary>How a stream is published.</summary>
public sealed record PublisherOptions
{
    /// <summary>Most slots that <see cref="MaxSlots"/> may ask for: the slot table has 64 entries, and a change of format needs
    /// room for the new ring beside the old one.</summary>
    public const int SlotLimit = 48;

    /// <summary>Directory for socket and lock; null: <see cref="StreamDirectory.RuntimeDirectory"/>.</summary>
    public string? Directory { get; init; }

    /// <summary>Where frames lie.</summary>
    public FrameMemory Memory { get; init; }

    /// <summary>Context of the device that frames lie on; it stays the caller's. Null: the primary context of the first device, if
    /// <see cref="Memory"/> asks for one. One context for all streams of a process saves over 500 MiB of device memory a stream.</summary>
    public CudaContext? Cuda { get; init; }

    /// <summary>A limit that this publisher shares with others; null: none but <see cref="MemoryLimit"/>.</summary>
    public MemoryBudget? Budget { get; init; }

    /// <summary>Slots that the ring begins with, 2 to <see cref="MaxSlots"/>.</summary>
    public int Slots { get; init; } = 6;

    /// <summary>Limit to which the ring grows when its slots are held, up to <see cref="SlotLimit"/>.</summary>
    public int MaxSlots { get; init; } = 24;

    /// <summary>Limit of the memory of all segments in bytes, those included that readers still have to give back; 0: twice
    /// what <see cref="MaxSlots"/> frames need.</summary>
    public long MemoryLimit { get; init; }

    /// <summary>How long the ring must have been larger than needed before it shrinks to <see cref="Slots"/> again.</summary>
    public TimeSpan ShrinkAfter { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>How long a lease is safe while frames are dropped for want of slots.</summary>
    public TimeSpan LeaseTimeout { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>Longest time for which <see cref="FramePublisher.TryBeginFrame"/> waits for a lossless subscriber, which is evicted then.
    /// Zero: lossless delivery is not offered, as live sources want it.</summary>
    public TimeSpan LosslessTimeout { get; init; }

    /// <summary>Most subscribers at once.</summary>
    public int MaxSubscribers { get; init; } = 64;

    /// <summary>A limit of descriptors: subscribers that would go beyond are refused; null: none.</summary>
    public DescriptorLimit? Descriptors { get; init; }

    /// <summary>Most frames that one subscriber may hold at once, 1 to 64. More are asked for in vain, not refused.</summary>
    public int MaxLeases { get; init; } = 8;

    /// <summary>Who may read.</summary>
    public ReaderAccess Readers { get; init; } = ReaderAccess.OwnUserAndGroup;

    /// <summary>Quotas for each user, shared with other publishers; null: none. What they refuse is TOO_MANY_SUBSCRIBERS.</summary>
    public ReaderQuotas? Quotas { get; init; }

    /// <summary>Program name that readers are told; null: the name of this process.</summary>
    public string? Program { get; init; }

    /// <summary>Where frames come from, told to readers. Must not hold secrets.</summary>
    public string Source { get; init; } = "";

    /// <summary>Is told of joins, departures, evictions and growth, on the thread where they happen: it must return soon, must not
    /// throw and must not call the publisher.</summary>
    public Action<PublisherEvent>? OnEvent { get; init; }

    internal void Validate()
    {
        if (MaxSlots is < 2 or > SlotLimit || Slots < 2 || Slots > MaxSlots)
        {
            throw new CuFramesException(ErrorCode.ConfigurationInvalid,
                $"A ring of {Slots} slots with a limit of {MaxSlots} is not possible. Use 2 to {SlotLimit} slots, and a limit not below them.");
        }

        if (!Enum.IsDefined(Memory) || (Cuda is not null && Memory == FrameMemory.Host))
        {
            throw new CuFramesException(ErrorCode.ConfigurationInvalid,
                "A publisher was given a CUDA context for frames in main memory, or an unknown kind of memory. Set Memory to Cuda or CudaIpc.");
        }

        if (MaxLeases is < 1 or > ControlBlockLayout.SlotCapacity || MaxSubscribers < 1 || MemoryLimit < 0 ||
            LeaseTimeout <= TimeSpan.Zero || LosslessTimeout < TimeSpan.Zero || ShrinkAfter <= TimeSpan.Zero)
        {
            throw new CuFramesException(ErrorCode.ConfigurationInvalid,
                "A publisher's options are out of range: MaxLeases is 1 to 64, MaxSubscribers at least 1, time-outs are greater than zero and limits not negative.");
        }
    }
}
