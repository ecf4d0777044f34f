namespace CuFrames.Protocol;

/// <summary>TLV types (docs/protocol.md 2.8).</summary>
public enum TlvType : ushort
{
    /// <summary>Lowest and highest version spoken.</summary>
    VersionRange = 1,

    /// <summary>Feature bits.</summary>
    Features = 2,

    /// <summary>Program name.</summary>
    Program = 3,

    /// <summary>A <see cref="Protocol.Delivery"/>.</summary>
    Delivery = 4,

    /// <summary>Frames that may be held at once.</summary>
    Leases = 5,

    /// <summary>A memory domain that can be mapped; repeated.</summary>
    Domain = 6,

    /// <summary>Mask of <see cref="Fence"/>.</summary>
    Fences = 7,

    /// <summary>Mask of <see cref="Wake"/>.</summary>
    Wakes = 8,

    /// <summary>Only the description is wanted.</summary>
    Probe = 9,

    /// <summary>The version chosen.</summary>
    Version = 10,

    /// <summary>Random id of the publisher's run.</summary>
    Epoch = 11,

    /// <summary>The key.</summary>
    StreamKey = 12,

    /// <summary>A <see cref="StreamDescriptionLayout"/>.</summary>
    StreamDescription = 13,

    /// <summary>Where frames come from, without secrets.</summary>
    Source = 14,

    /// <summary>Number of the subscriber.</summary>
    SubscriberId = 15,

    /// <summary>An <see cref="Protocol.ErrorCode"/>.</summary>
    ErrorCode = 16,

    /// <summary>A sentence for people.</summary>
    ErrorText = 17,

    /// <summary>A <see cref="SegmentDescriptionLayout"/>.</summary>
    Segment = 18,

    /// <summary>A legacy CUDA IPC handle.</summary>
    CudaIpcHandle = 19,

    /// <summary>Which segment.</summary>
    SegmentId = 20,

    /// <summary>A <see cref="Protocol.NoticeKind"/>.</summary>
    NoticeKind = 21,

    /// <summary>Why the stream is in its state.</summary>
    StateText = 22,

    /// <summary>A <see cref="CudaEventLayout"/>.</summary>
    CudaEvent = 23,

    /// <summary>Packets are wanted, or are what is offered.</summary>
    Packets = 24,

    /// <summary>A <see cref="PacketStreamDescriptionLayout"/>.</summary>
    PacketStream = 25,

    /// <summary>A <see cref="TrackDescriptionLayout"/>; repeated.</summary>
    Track = 26,

    /// <summary>The cursor that a subscriber begins with.</summary>
    Start = 27,
}
