using System.Buffers.Binary;
using System.Runtime.InteropServices;
using CuFrames.Protocol;
using static CuFrames.Fuzz.BrokenInvariantException;

namespace CuFrames.Fuzz.Targets;

/// <summary>Picture.FindFault against a second judge in 128-bit arithmetic. The input is the segment's size and a Picture.</summary>
internal sealed class PictureTarget : FuzzTarget
{
    private const int InputSize = 8 + PictureLayout.Size;

    /// <summary>Offset in the input and size of every number.</summary>
    private static readonly (int At, int Size)[] Numbers =
    [
        (0, 8), (8, 4), (12, 4), (16, 4), (20, 4), (24, 2), (26, 2), (28, 2), (30, 2), (32, 8),
        (40, 8), (48, 8), (56, 8), (64, 8), (72, 4), (76, 4), (80, 4), (84, 4), (88, 8), (96, 8),
    ];

    public override string Name => "picture";

    public override IEnumerable<byte[]> Seeds(TestVectors vectors)
    {
        foreach (System.Text.Json.JsonElement vector in vectors.Of("pictures"))
        {
            yield return Input(TestVectors.UInt64(vector, "segment_size"), TestVectors.Bytes(vector));
        }

        byte[] bytes = new byte[PictureLayout.Size];
        foreach (uint format in PictureJudge.Formats)
        {
            Picture picture = Picture.Create((PixelFormat)format, 1279, 719, out long size);
            MemoryMarshal.Write(bytes, picture);
            yield return Input((ulong)size, bytes);
        }
    }

    public override void Mutate(InputBuffer input, FuzzRandom random, ReadOnlySpan<byte> other)
    {
        if (input.Length < InputSize)
        {
            input.Set(other);
        }

        (int at, int size) = Numbers[random.Below(Numbers.Length)];
        switch (random.Below(10))
        {
            case 0:
                input.Write(16, 4, PictureJudge.Formats[random.Below(PictureJudge.Formats.Length)]);
                break;
            case 1:
                input.Bytes[random.Below(input.Length)] ^= (byte)(1 << random.Below(8));
                break;
            case 2 when other.Length >= at + size:
                other.Slice(at, size).CopyTo(input.Bytes[at..]);
                break;
            case 3:
                // Aligned numbers, or the alignment hides all that comes after it.
                input.ChangeNumber(at, size, random);
                input.Write(at, size, input.Read(at, size) & ~63UL);
                break;
            case 4:
                SetToEnd(input, (int)random.Next() & 3, random);
                break;
            default:
                input.ChangeNumber(at, size, random);
                break;
        }
    }

    public override void Run(ReadOnlySpan<byte> input, OutcomeMap outcomes)
    {
        if (input.Length < InputSize)
        {
            return;
        }

        ulong segment = BinaryPrimitives.ReadUInt64LittleEndian(input);
        ReadOnlySpan<byte> bytes = input.Slice(8, PictureLayout.Size);
        Picture picture = MemoryMarshal.Read<Picture>(bytes);
        string? fault = picture.FindFault(segment);
        bool isSound = PictureJudge.IsSound(bytes, segment);
        Require(isSound == (fault is null), isSound ? $"A sound picture was refused: {fault}" : "A picture that is not sound was accepted.");
        if (fault is not null)
        {
            outcomes.Add(0x6000, fault);
            return;
        }

        outcomes.Add(0x7000 + ((int)((uint)picture.PixelFormat % 251) << 3) + (picture.CropLeft > 0 ? 1 : 0) + (picture.CropTop > 0 ? 2 : 0) +
            (picture.CropRight + picture.CropBottom > 0 ? 4 : 0));
        for (int plane = 0; plane < picture.PlaneCount; plane++)
        {
            // What a reader touches: the visible rows.
            UInt128 end = picture.VisibleOffset(plane) +
                ((UInt128)(PixelFormats.Rows(picture.PixelFormat, plane, picture.Height) - 1) * picture.PlanePitch[plane]) +
                (UInt128)PixelFormats.RowBytes(picture.PixelFormat, plane, picture.Width);
            Require(picture.VisibleOffset(plane) >= picture.PlaneOffset[plane] && end <= segment, $"The visible rows of plane {plane} reach out of the segment.");
        }
    }

    /// <summary>Moves a plane so that it ends with the segment, or a step before or after.</summary>
    private static void SetToEnd(InputBuffer input, int plane, FuzzRandom random)
    {
        Picture picture = MemoryMarshal.Read<Picture>(input.Bytes[8..]);
        ulong rows = (ulong)Math.Max(0, PixelFormats.Rows(picture.PixelFormat, plane, picture.CropTop + picture.Height + picture.CropBottom));
        ulong rowBytes = (ulong)PixelFormats.RowBytes(picture.PixelFormat, plane, picture.CropLeft + picture.Width + picture.CropRight);
        ulong end = picture.PlaneOffset[plane] + ((rows - 1) * picture.PlanePitch[plane]) + rowBytes;
        input.Write(0, 8, end + (ulong)(random.Below(3) - 1));
    }

    private static byte[] Input(ulong segment, byte[] picture) => [.. BitConverter.GetBytes(segment), .. picture];
}
