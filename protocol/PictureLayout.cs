namespace CuFrames.Protocol;

/// <summary>Where a frame's planes lie and what they hold (docs/protocol.md 4.8).</summary>
public static class PictureLayout
{
    /// <summary>Size of the layout in bytes.</summary>
    public const int Size = 96;

    /// <summary>Offset of <c>width</c>: visible columns.</summary>
    [WireField("u32", 4)]
    public const int WidthOffset = 0;

    /// <summary>Offset of <c>height</c>: visible rows.</summary>
    [WireField("u32", 4)]
    public const int HeightOffset = 4;

    /// <summary>Offset of <c>pixel_format</c>: a <see cref="PixelFormat"/>.</summary>
    [WireField("u32", 4)]
    public const int PixelFormatOffset = 8;

    /// <summary>Offset of <c>plane_count</c>: planes in use.</summary>
    [WireField("u32", 4)]
    public const int PlaneCountOffset = 12;

    /// <summary>Offset of <c>crop_left</c>: columns before the visible picture.</summary>
    [WireField("u16", 2)]
    public const int CropLeftOffset = 16;

    /// <summary>Offset of <c>crop_top</c>: rows before it.</summary>
    [WireField("u16", 2)]
    public const int CropTopOffset = 18;

    /// <summary>Offset of <c>crop_right</c>: columns after it.</summary>
    [WireField("u16", 2)]
    public const int CropRightOffset = 20;

    /// <summary>Offset of <c>crop_bottom</c>: rows after it.</summary>
    [WireField("u16", 2)]
    public const int CropBottomOffset = 22;

    /// <summary>Offset of <c>reserved</c>: zero.</summary>
    [WireField("bytes", 8)]
    public const int ReservedOffset = 24;

    /// <summary>Offset of <c>plane0_offset</c>: first byte of plane 0 in the segment.</summary>
    [WireField("u64", 8)]
    public const int Plane0OffsetOffset = 32;

    /// <summary>Offset of <c>plane1_offset</c>: first byte of plane 1 in the segment.</summary>
    [WireField("u64", 8)]
    public const int Plane1OffsetOffset = 40;

    /// <summary>Offset of <c>plane2_offset</c>: first byte of plane 2 in the segment.</summary>
    [WireField("u64", 8)]
    public const int Plane2OffsetOffset = 48;

    /// <summary>Offset of <c>plane3_offset</c>: first byte of plane 3 in the segment.</summary>
    [WireField("u64", 8)]
    public const int Plane3OffsetOffset = 56;

    /// <summary>Offset of <c>plane0_pitch</c>: bytes from row to row of plane 0.</summary>
    [WireField("u32", 4)]
    public const int Plane0PitchOffset = 64;

    /// <summary>Offset of <c>plane1_pitch</c>: bytes from row to row of plane 1.</summary>
    [WireField("u32", 4)]
    public const int Plane1PitchOffset = 68;

    /// <summary>Offset of <c>plane2_pitch</c>: bytes from row to row of plane 2.</summary>
    [WireField("u32", 4)]
    public const int Plane2PitchOffset = 72;

    /// <summary>Offset of <c>plane3_pitch</c>: bytes from row to row of plane 3.</summary>
    [WireField("u32", 4)]
    public const int Plane3PitchOffset = 76;

    /// <summary>Offset of <c>modifier</c>: zero: linear.</summary>
    [WireField("u64", 8)]
    public const int ModifierOffset = 80;
}
