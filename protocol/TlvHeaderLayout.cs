namespace CuFrames.Protocol;

/// <summary>The head of each TLV of a payload (docs/protocol.md 2.6).</summary>
public static class TlvHeaderLayout
{
    /// <summary>Size of the layout in bytes.</summary>
    public const int Size = 8;

    /// <summary>Offset of <c>type</c>: a <see cref="TlvType"/>.</summary>
    [WireField("u16", 2)]
    public const int TypeOffset = 0;

    /// <summary>Offset of <c>flags</c>: bit 15: must-understand.</summary>
    [WireField("u16", 2)]
    public const int FlagsOffset = 2;

    /// <summary>Offset of <c>length</c>: length of the value in bytes.</summary>
    [WireField("u32", 4)]
    public const int LengthOffset = 4;
}
