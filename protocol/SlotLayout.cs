namespace CuFrames.Protocol;

/// <summary>A slot's descriptor in the control block (docs/protocol.md 4.3).</summary>
public static class SlotLayout
{
    /// <summary>Size of the layout in bytes.</summary>
    public const int Size = 256;

    /// <summary>Offset of <c>state</c>: the sequence that the slot holds, zero while it is written or empty.</summary>
    [WireField("u64", 8)]
    public const int StateOffset = 0;

    /// <summary>Offset of <c>segment_id</c>: the segment that the picture lies in.</summary>
    [WireField("u32", 4)]
    public const int SegmentIdOffset = 8;

    /// <summary>Offset of <c>segment_generation</c>: the generation at the time of writing.</summary>
    [WireField("u32", 4)]
    public const int SegmentGenerationOffset = 12;

    /// <summary>Offset of <c>meta</c>: a <see cref="FrameMetaLayout"/>.</summary>
    [WireField("struct", 64)]
    public const int MetaOffset = 64;

    /// <summary>Offset of <c>picture</c>: a <see cref="PictureLayout"/>.</summary>
    [WireField("struct", 96)]
    public const int PictureOffset = 128;
}
