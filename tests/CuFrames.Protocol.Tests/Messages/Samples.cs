using CuFrames.Protocol.Messages;

namespace CuFrames.Protocol.Tests.Messages;

internal static class Samples
{
    public static readonly Guid Device = new("00112233-4455-6677-8899-aabbccddeeff");

    public static HelloMessage Hello { get; } = new()
    {
        LowestVersion = 1,
        HighestVersion = 3,
        Features = 0x8000000000000001,
        Program = "detector (größer)",
        Delivery = Delivery.InOrder,
        Leases = 4,
        Domains = [DomainOffer.Host, new DomainOffer(MemoryDomain.Cuda, 0b1100, Device)],
        Fences = Fence.Cpu | Fence.Stream,
        Wakes = Wake.Futex | Wake.Doorbell,
    };

    public static WelcomeMessage Welcome { get; } = new()
    {
        Version = 1,
        Features = 5,
        Epoch = 0xFEDCBA9876543210,
        Key = "front-door@small",
        Description = new StreamDescription
        {
            PixelFormat = PixelFormat.P010,
            Width = 1920,
            Height = 1080,
            State = StreamState.Live,
            FrameRateNumerator = 30000,
            FrameRateDenominator = 1001,
            Domain = MemoryDomain.Cuda,
            Slots = 8,
            MaxSlots = 64,
            Subscribers = 3,
            Head = 1UL << 40,
            Dropped = 7,
            MemoryBytes = 1UL << 33,
            Device = Device,
            ColourMatrix = 9,
            ColourRange = ColourRange.Limited,
            ColourPrimaries = 9,
            ColourTransfer = 16,
            LeaseTimeoutMilliseconds = 2000,
            Evicted = 2,
        },
        Program = "cuframesd",
        Source = "rtsp://camera/…",
        StateText = "no answer from the camera",
        SubscriberId = 12,
        Delivery = Delivery.Newest,
        Leases = 2,
        Fences = Fence.Cpu,
        Wakes = Wake.Futex | Wake.Doorbell,
        Start = 1UL << 40,
    };

    public static SegmentMessage Segment { get; } = new(
        new SegmentDescription(7, MemoryDomain.Cuda, HandleKind.CudaIpc, 3, Wire.MaxSegmentSize, Device, 8),
        Enumerable.Range(0, Wire.CudaIpcHandleSize).Select(i => (byte)i).ToArray());

    public static PacketWelcomeMessage PacketWelcome { get; } = new()
    {
        Version = 1,
        Features = 5,
        Epoch = 0xFEDCBA9876543210,
        Key = "front-door",
        Description = new PacketStreamDescription
        {
            State = StreamState.Live,
            Tracks = 2,
            Subscribers = 3,
            Head = 1UL << 40,
            Oldest = (1UL << 40) - 700,
            ByteCapacity = 1UL << 25,
            BufferedTime = 9_000_000_000,
            Refused = 7,
            Evicted = 2,
        },
        Tracks =
        [
            new TrackDescription
            {
                Track = 0, Kind = TrackKind.Video, Codec = Codec.Hevc, CodecName = "hevc", Width = 3840, Height = 2160,
                FrameRateNumerator = 30000, FrameRateDenominator = 1001, Packets = 1UL << 39,
            },
            new TrackDescription
            {
                Track = 1, Kind = TrackKind.Audio, Codec = Codec.Aac, CodecName = "aac", Language = "deu", SampleRate = 48000, Channels = 2, Packets = 9,
            },
        ],
        Program = "cuframesd",
        Source = "rtsp://camera/…",
        StateText = "no answer from the camera",
        SubscriberId = 12,
        Wakes = Wake.Futex | Wake.Doorbell,
    };

    public static TheoryData<string> Names => [.. All.Select(sample => sample.Name)];

    public static IReadOnlyList<Sample> All { get; } =
    [
        Of("HELLO", Hello.Write(new byte[1024]),
            payload => Describe(HelloMessage.Read(payload)),
            payload => HelloMessage.Read(payload).Write(new byte[65536]).ToArray(),
            TlvType.VersionRange, TlvType.Delivery, TlvType.Leases),
        Of("HELLO, one domain", (Hello with { Domains = [DomainOffer.Host] }).Write(new byte[1024]),
            payload => Describe(HelloMessage.Read(payload)),
            payload => HelloMessage.Read(payload).Write(new byte[65536]).ToArray(),
            TlvType.VersionRange, TlvType.Delivery, TlvType.Leases, TlvType.Domain),
        Of("HELLO of a probe", (Hello with { IsProbe = true }).Write(new byte[1024]),
            payload => Describe(HelloMessage.Read(payload)),
            payload => HelloMessage.Read(payload).Write(new byte[65536]).ToArray(),
            TlvType.VersionRange, TlvType.Probe),
        Of("HELLO for packets", (Hello with { IsForPackets = true }).Write(new byte[1024]),
            payload => Describe(HelloMessage.Read(payload)),
            payload => HelloMessage.Read(payload).Write(new byte[65536]).ToArray(),
            TlvType.VersionRange, TlvType.Packets),
        Of("WELCOME of packets", PacketWelcome.Write(new byte[2048], 1),
            payload => Describe(PacketWelcomeMessage.Read(payload)),
            payload => PacketWelcomeMessage.Read(payload).Write(new byte[65536], 1).ToArray(),
            TlvType.Packets, TlvType.Version, TlvType.Features, TlvType.Epoch, TlvType.StreamKey, TlvType.PacketStream, TlvType.Track),
        Of("WELCOME", Welcome.Write(new byte[1024], 1),
            payload => WelcomeMessage.Read(payload).ToString(),
            payload => WelcomeMessage.Read(payload).Write(new byte[65536], 1).ToArray(),
            TlvType.Version, TlvType.Features, TlvType.Epoch, TlvType.StreamKey, TlvType.StreamDescription),
        Of("REFUSE", new RefuseMessage(ErrorCode.VersionMismatch, "speak 1").WriteRefuse(new byte[1024], 1),
            payload => RefuseMessage.ReadRefuse(payload).ToString(),
            payload => RefuseMessage.ReadRefuse(payload).WriteRefuse(new byte[65536], 1).ToArray(),
            TlvType.ErrorCode, TlvType.ErrorText),
        Of("BYE", new RefuseMessage(ErrorCode.FrameInvalid, "frame 7 lies outside its segment").WriteBye(new byte[1024]),
            payload => RefuseMessage.Read(payload).ToString(),
            payload => RefuseMessage.Read(payload).WriteBye(new byte[65536]).ToArray()),
        Of("SEGMENT", Segment.Write(new byte[1024]),
            payload => Describe(SegmentMessage.Read(payload)),
            payload => SegmentMessage.Read(payload).Write(new byte[65536]).ToArray(),
            TlvType.Segment, TlvType.CudaIpcHandle),
        Of("RETIRE", SegmentIdMessage.Write(new byte[1024], MessageType.Retire, 9),
            payload => SegmentIdMessage.Read(payload).ToString(System.Globalization.CultureInfo.InvariantCulture),
            payload => SegmentIdMessage.Write(new byte[65536], MessageType.Retire, SegmentIdMessage.Read(payload)).ToArray(),
            TlvType.SegmentId),
        Of("NOTICE", new NoticeMessage(NoticeKind.Evicted, ErrorCode.LeaseTimeout, "held for 3 s").Write(new byte[1024]),
            payload => NoticeMessage.Read(payload).ToString(),
            payload => NoticeMessage.Read(payload).Write(new byte[65536]).ToArray(),
            TlvType.NoticeKind),
    ];

    public static Sample Get(string name) => All.Single(sample => sample.Name == name);

    /// <summary>Records print their members, but not those of a list.</summary>
    private static string Describe(HelloMessage hello) => $"{hello} {string.Join(", ", hello.Domains)}";

    private static string Describe(PacketWelcomeMessage welcome) => $"{welcome} {string.Join(", ", welcome.Tracks)}";

    private static string Describe(SegmentMessage segment) => $"{segment.Description} {Convert.ToHexString(segment.CudaIpcHandle.Span)}";

    private static Sample Of(string name, ReadOnlySpan<byte> message, Func<byte[], string> read, Func<byte[], byte[]> rewrite, params TlvType[] required) =>
        new(name, read, rewrite, required, [.. Tlv.Split(message[MessageHeaderLayout.Size..])]);
}
