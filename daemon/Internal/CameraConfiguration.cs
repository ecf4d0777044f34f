using System.Text.Json.Serialization;
using CuFrames.Client;
using CuFrames.Daemon.Internal.Limits;
using CuFrames.Media;

namespace CuFrames.Daemon.Internal;

/// <summary>One camera as configured, defaults included. Immutable. Exactly one of <see cref="Url"/> and <see cref="Pattern"/> is set.</summary>
internal sealed record CameraConfiguration
{
    /// <summary>Key of the stream.</summary>
    public required string Key { get; init; }

    /// <summary>Camera, file or other URL, with its credentials.</summary>
    public RedactedUrl? Url { get; init; }

    /// <summary>The test pattern.</summary>
    public TestPatternOptions? Pattern { get; init; }

    public required bool Enabled { get; init; }

    public required MediaTransport Transport { get; init; }

    public required DecodeConfiguration Decode { get; init; }

    public required int DecodeThreads { get; init; }

    /// <summary>Null: as the source is.</summary>
    public required bool? Paced { get; init; }

    public required bool Loop { get; init; }

    /// <summary>Where the ring lies.</summary>
    public required FrameMemory Memory { get; init; }

    public required int Slots { get; init; }

    public required int MaxSlots { get; init; }

    /// <summary>Bytes; 0: twice what <see cref="MaxSlots"/> frames need.</summary>
    public required long MemoryLimit { get; init; }

    public required TimeSpan OpenTimeout { get; init; }

    public required TimeSpan StallTimeout { get; init; }

    public required TimeSpan LeaseTimeout { get; init; }

    /// <summary>Longest wait for lossless readers; zero: not offered.</summary>
    public required TimeSpan LosslessTimeout { get; init; }

    public required ReaderAccess Readers { get; init; }

    /// <summary>Whether it runs in a worker process of its own.</summary>
    public bool Isolated { get; init; }

    /// <summary>A thread that takes longer over a step is stuck; zero: it may take for ever.</summary>
    public TimeSpan StuckTimeout { get; init; }

    /// <summary>Quotas for each user, shared by all cameras; null: none.</summary>
    [JsonIgnore]
    public ReaderQuotas? Quotas { get; init; }

    /// <summary>Its renditions. They have the camera's slots and times, and its readers unless they say otherwise.</summary>
    public required IReadOnlyList<RenditionConfiguration> Renditions { get; init; }

    /// <summary>How its packets are published; null: not at all.</summary>
    public required PacketConfiguration? Packets { get; init; }

    /// <summary>Keys of its streams of frames: its own, then those of its renditions.</summary>
    internal IEnumerable<string> StreamKeys => Renditions.Select(rendition => $"{Key}@{rendition.Name}").Prepend(Key);

    /// <summary>The source without secrets.</summary>
    public string SourceText => Url?.Display ?? Pattern!.ToText();

    /// <summary><see cref="Memory"/> as one writes it in the configuration.</summary>
    public string MemoryText => NameOf(Memory);

    /// <summary>Whether the camera cannot run without a CUDA device.</summary>
    public bool NeedsGpu => Memory != FrameMemory.Host || Decode.Mode == DecodeMode.Nvdec;

    /// <summary>Whether the camera need not be touched when the other configuration takes the place of this one. Renditions come and go without it.</summary>
    /// <param name="other">The other.</param>
    public bool IsSameAs(CameraConfiguration other) =>
        // Five members compare by reference; everything else, also what is added later, the record compares by value.
        (this with { Url = null, Readers = other.Readers, Renditions = other.Renditions, Packets = other.Packets, Quotas = other.Quotas }) == (other with { Url = null }) &&
        (Packets is null ? other.Packets is null : other.Packets is not null && Packets.IsSameAs(other.Packets)) &&
        Url?.Reveal() == other.Url?.Reveal() && Url?.IsFile == other.Url?.IsFile &&
        Readers.IsSameAs(other.Readers);

    /// <summary>A text with <c>***</c> in place of the source's secrets.</summary>
    /// <param name="text">The text.</param>
    public string Redact(string text) => Url?.Redact(text) ?? text;

    /// <summary>How the stream is published.</summary>
    /// <param name="directory">The runtime directory.</param>
    /// <param name="onEvent">Is told what happens to readers.</param>
    /// <param name="gpu">The GPU, open if the camera needs it; null: for a stream without frames.</param>
    /// <param name="ceilings">What all cameras may take; null: whatever they like.</param>
    public PublisherOptions ToPublisherOptions(string directory, Action<PublisherEvent> onEvent, Gpu? gpu, Ceilings? ceilings = null) => new()
    {
        Budget = ceilings?.Memory,
        Descriptors = ceilings?.Descriptors,
        Directory = directory,
        Memory = gpu is null ? FrameMemory.Host : Memory,
        Cuda = Memory == FrameMemory.Host ? null : gpu?.Context,
        Slots = Slots,
        MaxSlots = MaxSlots,
        MemoryLimit = MemoryLimit,
        LeaseTimeout = LeaseTimeout,
        LosslessTimeout = LosslessTimeout,
        Readers = Readers,
        Quotas = Quotas,
        Program = "cuframesd",
        Source = SourceText,
        OnEvent = onEvent,
    };

    /// <summary>A kind of memory as one writes it in the configuration.</summary>
    /// <param name="memory">The kind.</param>
    public static string NameOf(FrameMemory memory) => CameraKey.Memories.Single(named => memory.Equals(named.Memory)).Name;

    /// <summary>Where a rendition's ring lies.</summary>
    /// <param name="rendition">One of this camera's.</param>
    public FrameMemory MemoryOf(RenditionConfiguration rendition) => rendition.Memory ?? Memory;

    /// <summary>
    /// The limit of the device memory of the camera and its renditions; null: none. <see cref="MemoryLimit"/> of a camera in device memory holds for all of them, and
    /// in it the camera's own ring is limited to as much.
    /// </summary>
    /// <param name="gpu">The GPU.</param>
    public MemoryBudget? ToBudget(Gpu gpu) =>
        !NeedsGpu ? null
        : Memory == FrameMemory.Host || MemoryLimit == 0 ? gpu.Budget
        : new MemoryBudget(MemoryLimit, $"GPU memory of camera '{Key}' and its renditions ({CameraKey.MemoryLimit})", gpu.Budget);

    /// <summary>How a rendition is published.</summary>
    /// <param name="rendition">One of this camera's.</param>
    /// <param name="directory">The runtime directory.</param>
    /// <param name="onEvent">Is told what happens to readers.</param>
    /// <param name="gpu">The GPU that the camera uses, open; null: none.</param>
    /// <param name="budget">The limit of the camera's device memory; null: none.</param>
    /// <param name="ceilings">What all cameras may take; null: whatever they like.</param>
    public PublisherOptions ToRenditionOptions(
        RenditionConfiguration rendition, string directory, Action<PublisherEvent> onEvent, Gpu? gpu, MemoryBudget? budget, Ceilings? ceilings = null)
    {
        FrameMemory memory = MemoryOf(rendition);
        bool isOnDevice = memory != FrameMemory.Host;
        return ToPublisherOptions(directory, onEvent, null, ceilings) with
        {
            Memory = memory,
            Cuda = isOnDevice ? gpu?.Context : null,
            Budget = isOnDevice ? budget : ceilings?.Memory,
            Readers = rendition.Readers ?? Readers,

            // The limit is that of the camera's own ring; what it is for all of them, the budget says.
            MemoryLimit = 0,
        };
    }

    /// <summary>How the packets are published.</summary>
    /// <param name="directory">The runtime directory.</param>
    /// <param name="onEvent">Is told what happens to readers.</param>
    /// <param name="ceilings">What all cameras may take; null: whatever they like.</param>
    /// <returns>Null when they are not.</returns>
    public PacketPublisherOptions? ToPacketOptions(string directory, Action<PublisherEvent> onEvent, Ceilings? ceilings = null) => Packets is null ? null : new()
    {
        Budget = ceilings?.Memory,
        Descriptors = ceilings?.Descriptors,
        Directory = directory,
        ByteCapacity = Packets.Memory,
        MaxPackets = Packets.MaxPackets,
        MaxAge = Packets.Time,
        Readers = Packets.Readers ?? Readers,
        Quotas = Quotas,
        Program = "cuframesd",
        Source = SourceText,
        OnEvent = onEvent,
    };

    /// <summary>How the source is read.</summary>
    /// <param name="gpu">The GPU, open if the camera needs it.</param>
    public CameraOptions ToCameraOptions(Gpu gpu) => new()
    {
        OnDemand = Decode.OnDemand,
        Pattern = Pattern is null ? null : Pattern with { Paced = Paced ?? true },
        Source = Url is null ? null : new MediaSourceOptions
        {
            Url = Url,
            Transport = Transport,
            OpenTimeout = OpenTimeout,
            StallTimeout = StallTimeout,
            Decode = Decode.Mode,
            KeyframesOnly = Decode.KeyframesOnly,
            Cuda = NeedsGpu ? gpu.Context : null,
            Admission = NeedsGpu ? gpu.Decoders : null,
            DecodeThreads = DecodeThreads,
            Paced = Paced,
            Loop = Loop,
        },
    };
}
