namespace CuFrames.Protocol;

/// <summary>Message types (docs/protocol.md 2.7).</summary>
public enum MessageType : byte
{
    /// <summary>Subscriber asks for the stream or its description.</summary>
    Hello = 1,

    /// <summary>Publisher accepts.</summary>
    Welcome = 2,

    /// <summary>Publisher refuses and hangs up.</summary>
    Refuse = 3,

    /// <summary>A segment that frames will lie in.</summary>
    Segment = 4,

    /// <summary>The segment is mapped.</summary>
    SegmentReady = 5,

    /// <summary>A segment goes away.</summary>
    Retire = 6,

    /// <summary>The segment is unmapped.</summary>
    Retired = 7,

    /// <summary>Something happened to the source or to this subscriber.</summary>
    Notice = 8,

    /// <summary>A frame was published while the subscriber waited.</summary>
    Doorbell = 9,

    /// <summary>The sender leaves.</summary>
    Bye = 10,

    /// <summary>The event that a slot's lease is released by.</summary>
    Event = 11,
}
