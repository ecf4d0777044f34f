using System.Buffers.Binary;
using System.Security.Cryptography;

namespace CuFrames.Conformance.Spec;

/// <summary>A checked copy of a frame's Picture (4.8, 4.9).</summary>
internal sealed class Picture
{
    private Picture(PixelFormat format, uint width, uint height, ushort[] crop, ulong[] offsets, uint[] pitches)
    {
        Format = format;
        Width = width;
        Height = height;
        Crop = crop;
        Offsets = offsets;
        Pitches = pitches;
    }

    public PixelFormat Format { get; }

    public uint Width { get; }

    public uint Height { get; }

    /// <summary>Left, top, right, bottom.</summary>
    public ushort[] Crop { get; }

    public ulong[] Offsets { get; }

    public uint[] Pitches { get; }

    /// <summary>Bytes of the visible picture.</summary>
    public long VisibleBytes => Enumerable.Range(0, Format.PlaneCount)
        .Sum(plane => Format.RowBytes(plane, Width) * Format.Rows(plane, Height));

    /// <summary>Checks a copy of a descriptor.</summary>
    /// <returns>The picture, or null with the reason in <paramref name="fault"/>.</returns>
    public static Picture? Read(ReadOnlySpan<byte> bytes, ulong segmentSize, out string fault)
    {
        uint width = BinaryPrimitives.ReadUInt32LittleEndian(bytes[Layout.Picture.Width..]);
        uint height = BinaryPrimitives.ReadUInt32LittleEndian(bytes[Layout.Picture.Height..]);
        uint fourCc = BinaryPrimitives.ReadUInt32LittleEndian(bytes[Layout.Picture.PixelFormat..]);
        uint planeCount = BinaryPrimitives.ReadUInt32LittleEndian(bytes[Layout.Picture.PlaneCount..]);
        var crop = new ushort[4];
        for (int side = 0; side < 4; side++)
        {
            crop[side] = BinaryPrimitives.ReadUInt16LittleEndian(bytes[(Layout.Picture.CropLeft + (2 * side))..]);
        }

        fault = string.Empty;
        PixelFormat? format = PixelFormat.Find(fourCc);
        if (format is null)
        {
            fault = $"pixel_format 0x{fourCc:x8} is not in table 10.1";
        }
        else if (planeCount != format.PlaneCount)
        {
            fault = $"plane_count is {planeCount}, {format.Name} has {format.PlaneCount}";
        }
        else if (width is 0 or > 16_384 || height is 0 or > 16_384)
        {
            fault = $"the size {width}x{height} is outside 1 to 16,384";
        }
        else if (crop[0] % format.Subsampling != 0 || crop[1] % format.Subsampling != 0)
        {
            fault = $"crop_left {crop[0]} or crop_top {crop[1]} is no multiple of the subsampling {format.Subsampling}";
        }
        else if (format.IsTensor && crop.Any(side => side != 0))
        {
            fault = $"a tensor has a crop of {string.Join(", ", crop)}";
        }
        else if (bytes.Slice(Layout.Picture.Modifier, Layout.Picture.ModifierSize).ContainsAnyExcept((byte)0))
        {
            fault = "the modifier is not zero";
        }

        if (fault.Length > 0)
        {
            return null;
        }

        long columns = (long)crop[0] + width + crop[2];
        long rows = (long)crop[1] + height + crop[3];
        var offsets = new ulong[planeCount];
        var pitches = new uint[planeCount];
        for (int plane = 0; plane < planeCount; plane++)
        {
            ulong offset = BinaryPrimitives.ReadUInt64LittleEndian(bytes[(Layout.Picture.PlaneOffset + (8 * plane))..]);
            uint pitch = BinaryPrimitives.ReadUInt32LittleEndian(bytes[(Layout.Picture.PlanePitch + (4 * plane))..]);
            UInt128 rowBytes = (UInt128)format!.RowBytes(plane, columns);
            UInt128 end = offset + ((UInt128)(format.Rows(plane, rows) - 1) * pitch) + rowBytes;
            if (offset % 64 != 0 || (pitch % 64 != 0 && !format.IsTensor))
            {
                fault = $"plane {plane}: offset {offset} or pitch {pitch} is no multiple of 64";
            }
            else if (pitch < rowBytes)
            {
                fault = $"plane {plane}: pitch {pitch} is below the {rowBytes} bytes of a row";
            }
            else if (format.IsTensor && pitch != rowBytes)
            {
                fault = $"plane {plane}: pitch {pitch} of a tensor with rows of {rowBytes} bytes";
            }
            else if (end > segmentSize)
            {
                fault = $"plane {plane} ends at {end}, the segment has {segmentSize} bytes";
            }

            if (fault.Length > 0)
            {
                return null;
            }

            offsets[plane] = offset;
            pitches[plane] = pitch;
        }

        return new Picture(format!, width, height, crop, offsets, pitches);
    }

    /// <summary>SHA-256 of the visible picture: planes in order, rows without padding, in lower-case hexadecimal.</summary>
    public string Hash(Func<long, int, ReadOnlySpan<byte>> segment)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        for (int plane = 0; plane < Format.PlaneCount; plane++)
        {
            long rowBytes = Format.RowBytes(plane, Width);
            long first = (long)Offsets[plane] + (Format.Rows(plane, Crop[1]) * Pitches[plane]) + Format.RowBytes(plane, Crop[0]);
            for (long row = 0; row < Format.Rows(plane, Height); row++)
            {
                hash.AppendData(segment(first + (row * Pitches[plane]), (int)rowBytes));
            }
        }

        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }
}
