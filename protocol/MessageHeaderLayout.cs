namespace CuFrames.Protocol;

/// <summary>The 16 bytes that begin every message (docs/protocol.md 2.5).</summary>
public static class MessageHeaderLayout
{
    /// <summary>Size of the layout in bytes.</summary>
    public const int Size = 16;

    /// <summary>Offset of <c>magic</c>: <see cref="Wire.MessageMagic"/>.</summary>
    [WireField("u32", 4)]
    public const int MagicOffset = 0;

    /// <summary>Offset of <c>version</c>: the protocol's major version.</summary>
    [WireField("u8", 1)]
    public const int VersionOffset = 4;

    /// <summary>Offset of <c>type</c>: a <see cref="MessageType"/>.</summary>
    [WireField("u8", 1)]
    public const int TypeOffset = 5;

    /// <summary>Offset of <c>flags</c>: zero.</summary>
    [WireField("u16", 2)]
    public const int FlagsOffset = 6;

    /// <summary>Offset of <c>payload_length</c>: bytes after the header.</summary>
    [WireField("u32", 4)]
    public const int PayloadLengthOffset = 8;

    /// <summary>Offset of <c>correlation_id</c>: repeated in the answer.</summary>
    [WireField("u32", 4)]
    public const int CorrelationIdOffset = 12;
}
