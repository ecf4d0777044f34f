using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace CuFrames.Protocol;

/// <summary>Where a frame's planes lie in their segment and what they hold, in the wire's layout (docs/protocol.md 4.8). 96 bytes.</summary>
[StructLayout(LayoutKind.Explicit, Size = PictureLayout.Size)]
public struct Picture
{
    /// <summary>Visible columns.</summary>
    [FieldOffset(PictureLayout.WidthOffset)]
    public int Width;

    /// <summary>Visible rows.</summary>
    [FieldOffset(PictureLayout.HeightOffset)]
    public int Height;

    /// <summary>How samples lie in memory.</summary>
    [FieldOffset(PictureLayout.PixelFormatOffset)]
    public PixelFormat PixelFormat;

    /// <summary>Planes in use.</summary>
    [FieldOffset(PictureLayout.PlaneCountOffset)]
    public int PlaneCount;

    /// <summary>Columns in the planes before the visible picture.</summary>
    [FieldOffset(PictureLayout.CropLeftOffset)]
    public ushort CropLeft;

    /// <summary>Rows in the planes before the visible picture.</summary>
    [FieldOffset(PictureLayout.CropTopOffset)]
    public ushort CropTop;

    /// <summary>Columns in the planes after the visible picture.</summary>
    [FieldOffset(PictureLayout.CropRightOffset)]
    public ushort CropRight;

    /// <summary>Rows in the planes after the visible picture.</summary>
    [FieldOffset(PictureLayout.CropBottomOffset)]
    public ushort CropBottom;

    /// <summary>First byte of each plane in the segment.</summary>
    [FieldOffset(PictureLayout.Plane0OffsetOffset)]
    public PlaneOffsets PlaneOffset;

    /// <summary>Bytes from one row to the next of each plane.</summary>
    [FieldOffset(PictureLayout.Plane0PitchOffset)]
    public PlanePitches PlanePitch;

    [FieldOffset(PictureLayout.ModifierOffset)]
    private readonly ulong _modifier;

    /// <summary>Four offsets.</summary>
    [InlineArray(Wire.MaxPlanes)]
    public struct PlaneOffsets
    {
        private ulong _first;
    }

    /// <summary>Four pitches.</summary>
    [InlineArray(Wire.MaxPlanes)]
    public struct PlanePitches
    {
        private uint _first;
    }

    /// <summary>Lays a picture out from offset zero, without crop: the layout that CuFrames' own publishers use.</summary>
    /// <param name="format">A format of the protocol.</param>
    /// <param name="width">Columns, 1 to 16,384.</param>
    /// <param name="height">Rows, 1 to 16,384.</param>
    /// <param name="size">Bytes that the picture occupies, a multiple of the page size.</param>
    /// <exception cref="CuFramesException">The format or a dimension is not supported.</exception>
    /// <remarks>Pitches are multiples of 64 bytes, the width of an AVX-512 register and of a cache line; each plane and each picture
    /// starts at a multiple of 4,096 bytes, so that pictures share no page. A tensor has no padding: its pitch is what a row holds.</remarks>
    public static Picture Create(PixelFormat format, int width, int height, out long size)
    {
        if (!PixelFormats.IsKnown(format) || width is < 1 or > Wire.MaxDimension || height is < 1 or > Wire.MaxDimension)
        {
            throw new CuFramesException(ErrorCode.FormatUnsupported,
                $"A picture of {width}x{height} in format {PixelFormats.Name(format)} is not supported. " +
                $"Use 1 to {Wire.MaxDimension} columns and rows in one of {string.Join(", ", PixelFormats.All.ToArray().Select(PixelFormats.Name))}.");
        }

        const int planeAlignment = 4096;
        Picture picture = new() { Width = width, Height = height, PixelFormat = format, PlaneCount = PixelFormats.PlaneCount(format) };
        ulong offset = 0;
        for (int plane = 0; plane < picture.PlaneCount; plane++)
        {
            uint pitch = (uint)PixelFormats.RowBytes(format, plane, width);
            pitch = PixelFormats.IsTensor(format) ? pitch : (pitch + Wire.PlaneAlignment - 1) & ~(uint)(Wire.PlaneAlignment - 1);
            picture.PlaneOffset[plane] = offset;
            picture.PlanePitch[plane] = pitch;
            offset += (ulong)pitch * (ulong)PixelFormats.Rows(format, plane, height);
            offset = (offset + planeAlignment - 1) & ~(ulong)(planeAlignment - 1);
        }

        size = (long)offset;
        return picture;
    }

    /// <summary>Checks a copy of a peer's descriptor (docs/protocol.md 4.9).</summary>
    /// <param name="segmentSize">Size of the segment that the picture claims to lie in.</param>
    /// <returns>Null when the picture is sound, else the sentence that says what is wrong.</returns>
    /// <remarks>Allocates only when something is wrong.</remarks>
    public readonly string? FindFault(ulong segmentSize)
    {
        int planes = PixelFormats.PlaneCount(PixelFormat);
        if (planes == 0)
        {
            return $"the pixel format is 0x{(uint)PixelFormat:x8}, which the protocol does not have";
        }

        if (PlaneCount != planes)
        {
            return $"{PixelFormats.Name(PixelFormat)} has {planes} planes and the descriptor names {PlaneCount}";
        }

        if (Width is < 1 or > Wire.MaxDimension || Height is < 1 or > Wire.MaxDimension)
        {
            return $"the size is {Width}x{Height}; 1 to {Wire.MaxDimension} are allowed";
        }

        if (PixelFormats.IsSubsampled(PixelFormat) && ((CropLeft | CropTop) & 1) != 0)
        {
            return $"the crop begins at {CropLeft},{CropTop}, which halves a chroma sample";
        }

        if (_modifier != 0)
        {
            return $"the memory layout modifier is 0x{_modifier:x}; only linear pictures are known";
        }

        bool isTensor = PixelFormats.IsTensor(PixelFormat);
        if (isTensor && (CropLeft | CropTop | CropRight | CropBottom) != 0)
        {
            return $"a tensor of {PixelFormats.Name(PixelFormat)} has a crop of {CropLeft},{CropTop},{CropRight},{CropBottom}; tensors have none";
        }

        int columns = CropLeft + Width + CropRight;
        int rows = CropTop + Height + CropBottom;
        for (int plane = 0; plane < planes; plane++)
        {
            ulong offset = PlaneOffset[plane];
            uint pitch = PlanePitch[plane];
            uint rowBytes = (uint)PixelFormats.RowBytes(PixelFormat, plane, columns);
            if (isTensor && pitch != rowBytes)
            {
                return $"the tensor's rows hold {rowBytes} bytes and its pitch is {pitch}; they must be the same";
            }

            if (offset % Wire.PlaneAlignment != 0 || (!isTensor && pitch % Wire.PlaneAlignment != 0))
            {
                return $"plane {plane} has offset {offset} and pitch {pitch}; both must be multiples of {Wire.PlaneAlignment}";
            }

            if (pitch < rowBytes)
            {
                return $"plane {plane} has a pitch of {pitch} bytes and rows of {rowBytes}";
            }

            // Below 2^18 rows (16,384 and two crops of 65,535, or three times 16,384) of 2^32 bytes: no overflow. The offset is compared by subtraction for the same reason.
            ulong length = ((ulong)(PixelFormats.Rows(PixelFormat, plane, rows) - 1) * pitch) + rowBytes;
            if (offset > segmentSize || length > segmentSize - offset)
            {
                return $"plane {plane} reaches from {offset} over {length} bytes; the segment has {segmentSize}";
            }
        }

        return null;
    }

    /// <summary>Offset in the segment of the first visible byte of a plane.</summary>
    /// <param name="plane">The plane, from 0.</param>
    public readonly ulong VisibleOffset(int plane)
    {
        int top = PixelFormats.Rows(PixelFormat, plane, CropTop);
        return PlaneOffset[plane] + ((ulong)top * PlanePitch[plane]) + (ulong)PixelFormats.RowBytes(PixelFormat, plane, CropLeft);
    }
}
