namespace CuFrames.Protocol;

/// <summary>Error codes, one table for messages and all languages (docs/protocol.md 12).</summary>
public enum ErrorCode : uint
{
    /// <summary>No error.</summary>
    None = 0,

    /// <summary>A message breaks this text.</summary>
    ProtocolError = 1,

    /// <summary>No common version.</summary>
    VersionMismatch = 2,

    /// <summary>An unknown TLV with must-understand.</summary>
    UnsupportedTlv = 3,

    /// <summary>Too many or too few descriptors, or they were truncated.</summary>
    DescriptorCount = 4,

    /// <summary>Not a stream key.</summary>
    InvalidKey = 5,

    /// <summary>Nobody publishes this key.</summary>
    StreamNotFound = 6,

    /// <summary>Another publisher owns this key.</summary>
    AlreadyPublished = 7,

    /// <summary>This user may not read, or may not publish, here.</summary>
    AccessDenied = 8,

    /// <summary>The stream's limit of subscribers is reached.</summary>
    TooManySubscribers = 9,

    /// <summary>Lossless delivery is not offered by this stream.</summary>
    DeliveryNotGranted = 10,

    /// <summary>The subscriber cannot map the stream's memory; the text names both devices.</summary>
    DomainNotMappable = 11,

    /// <summary>No HELLO in time.</summary>
    HandshakeTimeout = 12,

    /// <summary>A frame was held too long while others starved.</summary>
    LeaseTimeout = 13,

    /// <summary>More frames held than granted.</summary>
    LeaseQuotaExceeded = 14,

    /// <summary>Impossible values in the subscriber's page.</summary>
    PageInvalid = 15,

    /// <summary>A lossless subscriber was too slow for the publisher's bound.</summary>
    LosslessTimeout = 16,

    /// <summary>The subscriber does not read its socket.</summary>
    SocketNotRead = 17,

    /// <summary>Somebody asked for it.</summary>
    EvictedByOperator = 18,

    /// <summary>The publisher ends.</summary>
    ShuttingDown = 19,

    /// <summary>Memory, descriptors or a budget are exhausted.</summary>
    OutOfResources = 20,

    /// <summary>A segment lacks seals, size or a usable handle.</summary>
    SegmentInvalid = 21,

    /// <summary>The control block lacks seals or size, or its header is wrong.</summary>
    ControlBlockInvalid = 22,

    /// <summary>A frame's descriptor points outside its segment or contradicts itself.</summary>
    FrameInvalid = 23,

    /// <summary>The frame was released or evicted, its content is not to be trusted.</summary>
    FrameLost = 24,

    /// <summary>A pixel format or size that is not supported.</summary>
    FormatUnsupported = 25,

    /// <summary>Nothing came in the time given.</summary>
    TimedOut = 26,

    /// <summary>The publisher is gone.</summary>
    Disconnected = 27,

    /// <summary>A configuration file or option is wrong.</summary>
    ConfigurationInvalid = 28,

    /// <summary>The camera or file cannot be read.</summary>
    SourceFailed = 29,

    /// <summary>The kernel refused; the text names call and reason.</summary>
    SystemCallFailed = 30,

    /// <summary>The subscriber holds as many frames as it was granted.</summary>
    LeasesExhausted = 31,

    /// <summary>Both processes are PID 1, which the legacy CUDA handle cannot bear.</summary>
    CudaIpcNamespace = 32,

    /// <summary>The CUDA driver refused; the text names the call, the driver's code and what to do.</summary>
    CudaCallFailed = 33,

    /// <summary>There is no CUDA driver, or no device that this process sees.</summary>
    CudaUnavailable = 34,

    /// <summary>A packet's or a track's description points outside its ring or contradicts itself.</summary>
    PacketInvalid = 35,

    /// <summary>The packet was overwritten, its content is not to be trusted.</summary>
    PacketLost = 36,

    /// <summary>A packet that is larger than half of its ring is not published.</summary>
    PacketTooLarge = 37,
}
