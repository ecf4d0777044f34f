using System.Numerics;
using System.Runtime.InteropServices;

namespace CuFrames.Protocol.Tests;

public sealed class PictureTests
{
    public static TheoryData<PixelFormat> Formats => [.. PixelFormats.All.ToArray()];

    private static readonly int[] Sizes = [1, 2, 3, 63, 64, 65, 719, 1080, 1088, 1920, 4097, 16383, 16384];

    [Theory]
    [MemberData(nameof(Formats))]
    public void A_created_picture_is_sound_and_its_planes_do_not_touch(PixelFormat format)
    {
        foreach (int width in Sizes)
        {
            foreach (int height in Sizes)
            {
                Picture picture = Picture.Create(format, width, height, out long size);
                Assert.Equal((width, height, format, PixelFormats.PlaneCount(format)), (picture.Width, picture.Height, picture.PixelFormat, picture.PlaneCount));
                Assert.Null(picture.FindFault((ulong)size));
                Assert.Equal(0, size % 4096);
                Assert.InRange(size, PixelFormats.PictureBytes(format, width, height), long.MaxValue);
                ulong end = 0;
                for (int plane = 0; plane < picture.PlaneCount; plane++)
                {
                    Assert.True(picture.PlaneOffset[plane] >= end);
                    Assert.Equal(0u, picture.PlaneOffset[plane] % 4096);
                    Assert.Equal(0u, PixelFormats.IsTensor(format)
                        ? picture.PlanePitch[plane] - (uint)PixelFormats.RowBytes(format, plane, width)
                        : picture.PlanePitch[plane] % Wire.PlaneAlignment);
                    end = picture.PlaneOffset[plane] + ((ulong)picture.PlanePitch[plane] * (ulong)PixelFormats.Rows(format, plane, height));
                }

                Assert.InRange((ulong)size, end, end + 4095);
                for (int plane = picture.PlaneCount; plane < Wire.MaxPlanes; plane++)
                {
                    Assert.Equal((0UL, 0u), (picture.PlaneOffset[plane], picture.PlanePitch[plane]));
                }
            }
        }
    }

    [Theory]
    [InlineData(PixelFormat.Nv12, 0, 1)]
    [InlineData(PixelFormat.Nv12, 1, 0)]
    [InlineData(PixelFormat.Nv12, -1, 1)]
    [InlineData(PixelFormat.Nv12, 16385, 1)]
    [InlineData(PixelFormat.Nv12, 1, 16385)]
    [InlineData(PixelFormat.Unknown, 1, 1)]
    [InlineData((PixelFormat)7, 1, 1)]
    public void A_picture_that_the_protocol_does_not_have_is_refused(PixelFormat format, int width, int height)
    {
        CuFramesException error = Assert.Throws<CuFramesException>(() => Picture.Create(format, width, height, out _));
        Assert.Equal(ErrorCode.FormatUnsupported, error.Code);
        Assert.Contains($"{width}x{height}", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Formats))]
    public void The_last_byte_of_the_last_row_decides(PixelFormat format)
    {
        foreach ((int width, int height) in ((int, int)[])[(1, 1), (2, 1), (1, 2), (65, 33), (1920, 1088), (16384, 16384)])
        {
            Picture picture = Picture.Create(format, width, height, out _);
            int last = picture.PlaneCount - 1;
            ulong needed = picture.PlaneOffset[last] +
                ((ulong)(PixelFormats.Rows(format, last, height) - 1) * picture.PlanePitch[last]) + (ulong)PixelFormats.RowBytes(format, last, width);
            Assert.Null(picture.FindFault(needed));
            Assert.NotNull(picture.FindFault(needed - 1));
            Assert.NotNull(picture.FindFault(0));
        }
    }

    [Fact]
    public void Each_broken_rule_is_named()
    {
        Check("pixel format", (ref Picture picture) => picture.PixelFormat = PixelFormat.Unknown);
        Check("pixel format", (ref Picture picture) => picture.PixelFormat = (PixelFormat)0x41424344);
        Check("2 planes and the descriptor names 3", (ref Picture picture) => picture.PlaneCount = 3);
        Check("2 planes", (ref Picture picture) => picture.PlaneCount = 0);
        Check("2 planes", (ref Picture picture) => picture.PlaneCount = -2);
        Check("2 planes", (ref Picture picture) => picture.PlaneCount = int.MaxValue);
        Check("size", (ref Picture picture) => picture.Width = 0);
        Check("size", (ref Picture picture) => picture.Height = 0);
        Check("size", (ref Picture picture) => picture.Width = Wire.MaxDimension + 1);
        Check("size", (ref Picture picture) => picture.Height = Wire.MaxDimension + 1);
        Check("size", (ref Picture picture) => picture.Width = int.MinValue);
        Check("size", (ref Picture picture) => picture.Height = -1);
        Check("crop", (ref Picture picture) => picture.CropLeft = 1);
        Check("crop", (ref Picture picture) => picture.CropTop = 65535);
        Check("multiples of 64", (ref Picture picture) => picture.PlaneOffset[1] += 32);
        Check("multiples of 64", (ref Picture picture) => picture.PlanePitch[0] += 1);
        Check("pitch of 64", (ref Picture picture) => picture.PlanePitch[0] = 64);
        Check("pitch of 0", (ref Picture picture) => picture.PlanePitch[1] = 0);
        Check("pitch of 640 bytes and rows of 642", (ref Picture picture) => picture.CropRight = 2);
        Check("the segment has", (ref Picture picture) => picture.PlanePitch[1] = 0xFFFFFFC0);
        Check("the segment has", (ref Picture picture) => picture.PlaneOffset[0] = 0xFFFFFFFFFFFFFFC0);
        Check("the segment has", (ref Picture picture) => picture.PlaneOffset[1] = 1UL << 40);
        Check("the segment has", (ref Picture picture) => picture.CropBottom = 65534);

        static void Check(string expected, Change change)
        {
            Picture picture = Picture.Create(PixelFormat.Nv12, 640, 480, out long size);
            change(ref picture);
            Assert.Contains(expected, picture.FindFault((ulong)size), StringComparison.Ordinal);
        }
    }

    [Fact]
    public void A_tensor_has_no_padding_and_no_crop()
    {
        Check("its pitch is 1344", (ref Picture picture) => picture.PlanePitch[0] = 1344);
        Check("its pitch is 1280", (ref Picture picture) => picture.PlanePitch[0] = 1280);
        Check("its pitch is 0", (ref Picture picture) => picture.PlanePitch[0] = 0);
        Check("crop", (ref Picture picture) => picture.CropLeft = 1);
        Check("crop", (ref Picture picture) => picture.CropTop = 1);
        Check("crop", (ref Picture picture) => picture.CropRight = 1);
        Check("crop", (ref Picture picture) => picture.CropBottom = 1);
        Check("multiples of 64", (ref Picture picture) => picture.PlaneOffset[0] = 32);
        Check("1 planes and the descriptor names 3", (ref Picture picture) => picture.PlaneCount = 3);
        Check("the segment has", (ref Picture picture) => picture.Height = 16384);

        static void Check(string expected, Change change)
        {
            Picture picture = Picture.Create(PixelFormat.RgbpF16, 641, 480, out long size);
            Assert.Equal((1282u, (long)(641 * 480 * 6) + 4095 & ~4095L), (picture.PlanePitch[0], size));
            Assert.Null(picture.FindFault((ulong)size));
            change(ref picture);
            Assert.Contains(expected, picture.FindFault((ulong)size), StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Unused_planes_are_ignored()
    {
        Picture picture = Picture.Create(PixelFormat.Nv12, 640, 480, out long size);
        (picture.PlaneOffset[2], picture.PlanePitch[2], picture.PlaneOffset[3], picture.PlanePitch[3]) = (ulong.MaxValue, uint.MaxValue, 1, 1);
        Assert.Null(picture.FindFault((ulong)size));
    }

    [Fact]
    public void A_format_without_chroma_may_be_cropped_anywhere()
    {
        Picture picture = Picture.Create(PixelFormat.Rgb24, 64, 64, out long size);
        (picture.Width, picture.Height, picture.CropLeft, picture.CropTop, picture.CropRight, picture.CropBottom) = (60, 58, 1, 3, 3, 3);
        Assert.Null(picture.FindFault((ulong)size));
        Assert.Equal((3UL * picture.PlanePitch[0]) + 3, picture.VisibleOffset(0));
    }

    [Fact]
    public void Visible_bytes_begin_after_the_crop()
    {
        Picture picture = Picture.Create(PixelFormat.P010, 1920, 1088, out long size);
        (picture.Width, picture.Height, picture.CropLeft, picture.CropTop, picture.CropRight, picture.CropBottom) = (1910, 1080, 4, 2, 6, 6);
        Assert.Null(picture.FindFault((ulong)size));
        Assert.Equal((2UL * 3840) + 8, picture.VisibleOffset(0));
        Assert.Equal(picture.PlaneOffset[1] + (1UL * 3840) + 8, picture.VisibleOffset(1));
    }

    /// <summary>Random descriptors near and far from the limits; the check in the test is made of big integers, the one in the code is not.</summary>
    [Fact]
    public void Whatever_is_accepted_lies_in_the_segment()
    {
        Random random = new(20261121);
        byte[] bytes = new byte[PictureLayout.Size];
        int accepted = 0;
        for (int round = 0; round < 200_000; round++)
        {
            PixelFormat format = PixelFormats.All[random.Next(PixelFormats.All.Length)];
            Picture picture = Picture.Create(format, random.Next(1, 200), random.Next(1, 200), out long size);
            MemoryMarshal.Write(bytes, picture);
            for (int changes = random.Next(0, 3); changes > 0; changes--)
            {
                int at = random.Next(bytes.Length);
                bytes[at] = random.Next(3) switch { 0 => (byte)random.Next(256), 1 => (byte)(bytes[at] ^ (1 << random.Next(8))), _ => 0xFF };
            }

            picture = MemoryMarshal.Read<Picture>(bytes);
            ulong segment = random.Next(4) switch { 0 => (ulong)random.NextInt64(), 1 => (ulong)size - (ulong)random.Next(0, 8192) % (ulong)size, _ => (ulong)size };
            if (picture.FindFault(segment) is not null)
            {
                continue;
            }

            accepted++;
            Assert.InRange(picture.Width, 1, Wire.MaxDimension);
            Assert.InRange(picture.Height, 1, Wire.MaxDimension);
            BigInteger columns = (BigInteger)picture.CropLeft + picture.Width + picture.CropRight;
            BigInteger lines = (BigInteger)picture.CropTop + picture.Height + picture.CropBottom;
            bool chroma = picture.PixelFormat is PixelFormat.Nv12 or PixelFormat.I420 or PixelFormat.P010;
            for (int plane = 0; plane < picture.PlaneCount; plane++)
            {
                BigInteger samples = chroma && plane > 0 ? (columns + 1) / 2 : columns;
                BigInteger rowBytes = samples * picture.PixelFormat switch
                {
                    PixelFormat.Nv12 => plane == 0 ? 1 : 2,
                    PixelFormat.P010 => plane == 0 ? 2 : 4,
                    PixelFormat.Rgb24 or PixelFormat.Bgr24 => 3,
                    PixelFormat.Rgba or PixelFormat.Bgra or PixelFormat.RgbpF32 or PixelFormat.BgrpF32 => 4,
                    PixelFormat.RgbpF16 or PixelFormat.BgrpF16 => 2,
                    _ => 1,
                };
                bool tensor = PixelFormats.IsTensor(picture.PixelFormat);
                BigInteger rows = chroma && plane > 0 ? (lines + 1) / 2 : tensor ? lines * 3 : lines;
                Assert.True(tensor ? picture.PlanePitch[plane] == rowBytes : picture.PlanePitch[plane] >= rowBytes);
                Assert.True(!tensor || (columns == picture.Width && lines == picture.Height));
                Assert.True(picture.PlaneOffset[plane] + ((rows - 1) * picture.PlanePitch[plane]) + rowBytes <= segment);
            }
        }

        Assert.InRange(accepted, 20_000, 190_000);
    }

    [Fact]
    public void A_sound_picture_is_checked_without_allocation()
    {
        Picture picture = Picture.Create(PixelFormat.I420, 1920, 1080, out long size);
        Assert.Null(picture.FindFault((ulong)size));
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 1000; i++)
        {
            if (picture.FindFault((ulong)size) is not null)
            {
                throw new InvalidOperationException();
            }
        }

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    private delegate void Change(ref Picture picture);
}
