using System.Buffers.Binary;
using CuFrames.Conformance.Spec;

namespace CuFrames.Conformance.Examples;

/// <summary>Format, size, crop and padding of the pictures that an example publisher makes.</summary>
/// <param name="Format">Pixel format.</param>
/// <param name="Width">Visible columns.</param>
/// <param name="Height">Visible rows.</param>
/// <param name="Crop">Left, top, right, bottom.</param>
/// <param name="ExtraPitch">Bytes added to each row's pitch, a multiple of 64.</param>
internal sealed record PictureShape(PixelFormat Format, int Width, int Height, ushort[] Crop, int ExtraPitch)
{
    public static readonly PictureShape Small = new(PixelFormat.Nv12, 96, 64, [0, 0, 0, 0], 64);

    public static readonly PictureShape Cropped = new(PixelFormat.Nv12, 94, 62, [2, 2, 1, 1], 64);

    private long Columns => Crop[0] + Width + Crop[2];

    private long Rows => Crop[1] + Height + Crop[3];

    /// <summary>Bytes of one picture, a multiple of 4,096.</summary>
    public long SlotBytes
    {
        get
        {
            long end = 0;
            for (int plane = 0; plane < Format.PlaneCount; plane++)
            {
                end += Pitch(plane) * Format.Rows(plane, Rows);
            }

            return (end + 4095) & ~4095L;
        }
    }

    /// <summary>The Picture (4.8) of a picture that begins at an offset of its segment.</summary>
    public byte[] Describe(long start)
    {
        byte[] bytes = new byte[Layout.Picture.Size];
        BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(Layout.Picture.Width), Width);
        BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(Layout.Picture.Height), Height);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(Layout.Picture.PixelFormat), Format.FourCc);
        BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(Layout.Picture.PlaneCount), Format.PlaneCount);
        for (int side = 0; side < 4; side++)
        {
            BinaryPrimitives.WriteUInt16LittleEndian(bytes.AsSpan(Layout.Picture.CropLeft + (2 * side)), Crop[side]);
        }

        long offset = start;
        for (int plane = 0; plane < Format.PlaneCount; plane++)
        {
            BinaryPrimitives.WriteInt64LittleEndian(bytes.AsSpan(Layout.Picture.PlaneOffset + (8 * plane)), offset);
            BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(Layout.Picture.PlanePitch + (4 * plane)), (int)Pitch(plane));
            offset += Pitch(plane) * Format.Rows(plane, Rows);
        }

        return bytes;
    }

    private long Pitch(int plane) => Format.IsTensor
        ? Format.RowBytes(plane, Columns)
        : ((Format.RowBytes(plane, Columns) + 63) & ~63L) + ExtraPitch;
}
