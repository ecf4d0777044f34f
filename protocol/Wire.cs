namespace CuFrames.Protocol;

/// <summary>Constants of the protocol (docs/protocol.md).</summary>
public static class Wire
{
    /// <summary>The version that this library speaks (2.9).</summary>
    public const byte Version = 1;

    /// <summary>The bytes <c>CUFR</c> (2.5).</summary>
    public const uint MessageMagic = 0x52465543;

    /// <summary>The bytes <c>CUFRCTRL</c> (4.1).</summary>
    public const ulong ControlBlockMagic = 0x4C52544352465543;

    /// <summary>The bytes <c>CUFRPAGE</c> (5.1).</summary>
    public const ulong SubscriberPageMagic = 0x4547415052465543;

    /// <summary>The bytes <c>CUFRPKTS</c> (14.5).</summary>
    public const ulong PacketBlockMagic = 0x53544B5052465543;

    /// <summary>Longest message in bytes, header included (2.2).</summary>
    public const int MaxMessageSize = 65536;

    /// <summary>Most descriptors in one message (2.2).</summary>
    public const int MaxDescriptors = 16;

    /// <summary>Bit of a TLV's flags: a receiver that does not know the type refuses the message (2.6).</summary>
    public const ushort TlvMustUnderstand = 0x8000;

    /// <summary>Longest program name in bytes (2.8).</summary>
    public const int MaxProgramLength = 64;

    /// <summary>Longest error text and source description in bytes (2.8).</summary>
    public const int MaxTextLength = 1024;

    /// <summary>Length of a legacy CUDA IPC handle in bytes (2.8).</summary>
    public const int CudaIpcHandleSize = 64;

    /// <summary>Largest segment in bytes (6.3).</summary>
    public const ulong MaxSegmentSize = 1UL << 40;

    /// <summary>Most columns and most rows of a picture (4.8).</summary>
    public const int MaxDimension = 16384;

    /// <summary>Plane offsets and pitches are multiples of this many bytes (4.9).</summary>
    public const int PlaneAlignment = 64;

    /// <summary>Most planes of a picture (4.8).</summary>
    public const int MaxPlanes = 4;
}
