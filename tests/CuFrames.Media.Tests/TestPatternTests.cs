using CuFrames.Protocol;
using CuFrames.TestKit;
using Xunit;

namespace CuFrames.Media.Tests;

public sealed class TestPatternTests
{
    public static TheoryData<PixelFormat, int, int> Shapes()
    {
        TheoryData<PixelFormat, int, int> shapes = [];
        foreach (PixelFormat format in PixelFormats.All.ToArray().Where(format => !PixelFormats.IsTensor(format)))
        {
            shapes.Add(format, 640, 360);
            shapes.Add(format, 32, 32);
            shapes.Add(format, 333, 127);
        }

        return shapes;
    }

    [Theory]
    [MemberData(nameof(Shapes))]
    public void A_frame_verifies_with_its_own_number_only(PixelFormat format, int width, int height)
    {
        TestPattern pattern = new(format, width, height);
        using FrameBuffer buffer = new(format, width, height);
        foreach (long number in (long[])[0, 1, 7, 219, 220, 1_000_000, (1L << 48) - 1])
        {
            pattern.Fill(buffer.Planes, number);
            Assert.True(buffer.PaddingIsUntouched());
            Assert.True(pattern.Verify(buffer.Planes, number, out string? difference), difference);
            Assert.Null(difference);
            Assert.True(pattern.TryReadNumber(buffer.Planes, out long read));
            Assert.Equal(number, read);
            for (long other = Math.Max(0, number - 64); other <= number + 64; other++)
            {
                Assert.Equal(other == number, pattern.Verify(buffer.Planes, other, out _));
            }
        }
    }

    [Theory]
    [MemberData(nameof(Shapes))]
    public void The_same_number_gives_the_same_bytes_from_another_object(PixelFormat format, int width, int height)
    {
        using FrameBuffer first = new(format, width, height);
        using FrameBuffer second = new(format, width, height, padding: 0);
        TestPattern pattern = new(format, width, height);
        pattern.Fill(first.Planes, 12345);
        pattern.Fill(first.Planes, 678);
        new TestPattern(format, width, height).Fill(second.Planes, 678);
        Assert.Equal(first.Samples(), second.Samples());
    }

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Every_changed_byte_is_found(PixelFormat format, int width, int height)
    {
        TestPattern pattern = new(format, width, height);
        using FrameBuffer buffer = new(format, width, height);
        pattern.Fill(buffer.Planes, 42);
        Random random = new(3);
        for (int plane = 0; plane < PixelFormats.PlaneCount(format); plane++)
        {
            int bytes = PixelFormats.RowBytes(format, plane, width), rows = PixelFormats.Rows(format, plane, height);
            for (int i = 0; i < 200; i++)
            {
                (int row, int column) = i == 0 ? (0, 0) : i == 1 ? (rows - 1, bytes - 1) : (random.Next(rows), random.Next(bytes));
                buffer.At(plane, row, column) ^= 0x40;
                Assert.False(pattern.Verify(buffer.Planes, 42, out string? difference));
                Assert.Contains($"plane {plane}, row {row}, byte {column}", difference, StringComparison.Ordinal);
                buffer.At(plane, row, column) ^= 0x40;
            }
        }

        Assert.True(pattern.Verify(buffer.Planes, 42, out _));
    }

    /// <summary>A frame whose lower part belongs to another of the last 64 frames is found, wherever it is torn.</summary>
    [Fact]
    public void A_torn_frame_is_found_at_any_row()
    {
        const int Width = 320, Height = 240;
        TestPattern pattern = new(PixelFormat.Nv12, Width, Height);
        using FrameBuffer torn = new(PixelFormat.Nv12, Width, Height);
        using FrameBuffer other = new(PixelFormat.Nv12, Width, Height);
        for (int step = 1; step <= 64; step++)
        {
            pattern.Fill(torn.Planes, 100);
            pattern.Fill(other.Planes, 100 + step);
            int row = (step * 37) % Height;
            for (int column = 0; column < Width; column++)
            {
                torn.At(0, row, column) = other.At(0, row, column);
            }

            Assert.False(pattern.Verify(torn.Planes, 100, out _), $"row {row} of frame {100 + step}");
        }
    }

    [Fact]
    public void The_number_survives_lossy_coding()
    {
        using MediaClips clips = new();
        string raw = clips.PathOf("pattern.raw");
        TestPattern pattern = new(PixelFormat.I420, 640, 360);
        using (FileStream file = File.Create(raw))
        {
            using FrameBuffer buffer = new(PixelFormat.I420, 640, 360);
            for (int number = 1000; number < 1020; number++)
            {
                pattern.Fill(buffer.Planes, number);
                file.Write(buffer.Samples());
            }
        }

        string coded = clips.Make("coded.mp4", "-f", "rawvideo", "-pix_fmt", "yuv420p", "-s", "640x360", "-r", "25", "-i", raw, "-c:v", "libx264", "-preset", "ultrafast", "-crf", "35");
        using MediaSource source = new(new MediaSourceOptions { Url = new RedactedUrl(coded) });
        source.Open();
        for (long number = 1000; number < 1020; number++)
        {
            Assert.True(source.TryReadFrame(out MediaFrame frame));
            using FrameBuffer buffer = new(frame.Format, frame.Width, frame.Height);
            source.CopyFrame(buffer.Planes);
            Assert.True(pattern.TryReadNumber(buffer.Planes, out long read));
            Assert.Equal(number, read);
        }
    }

    [Fact]
    public void A_picture_without_the_code_has_no_number()
    {
        TestPattern pattern = new(PixelFormat.Gray8, 320, 240);
        using FrameBuffer buffer = new(PixelFormat.Gray8, 320, 240);
        for (int level = 0; level < 256; level++)
        {
            for (int row = 0; row < 240; row++)
            {
                for (int column = 0; column < 320; column++)
                {
                    buffer.At(0, row, column) = (byte)level;
                }
            }

            Assert.False(pattern.TryReadNumber(buffer.Planes, out _));
        }
    }

    [Fact]
    public void Filling_and_verifying_allocate_nothing()
    {
        TestPattern pattern = new(PixelFormat.Nv12, 640, 360);
        using FrameBuffer buffer = new(PixelFormat.Nv12, 640, 360);
        pattern.Fill(buffer.Planes, 1);
        pattern.Verify(buffer.Planes, 1, out _);
        Assert.Equal(0, Allocation.OfBestRound(() =>
        {
            for (int i = 0; i < 50; i++)
            {
                pattern.Fill(buffer.Planes, i);
                pattern.Verify(buffer.Planes, i, out _);
                pattern.TryReadNumber(buffer.Planes, out _);
            }
        }));
    }

    [Fact]
    public void The_source_counts_frames_and_time()
    {
        using TestPatternSource source = new(new TestPatternOptions { Width = 64, Height = 64, FrameRateNumerator = 30_000, FrameRateDenominator = 1001, FrameCount = 100 });
        source.Open();
        TestPattern pattern = new(PixelFormat.Nv12, 64, 64);
        using FrameBuffer buffer = new(PixelFormat.Nv12, 64, 64);
        for (long number = 0; number < 100; number++)
        {
            Assert.True(source.TryReadFrame(out MediaFrame frame));
            Assert.Equal(number * 1_001_000_000_000 / 30_000, frame.Metadata.Pts);
            Assert.InRange(frame.Metadata.Duration, 33_366_666, 33_366_667);
            source.CopyFrame(buffer.Planes);
            Assert.True(pattern.Verify(buffer.Planes, number, out string? difference), difference);
        }

        Assert.False(source.TryReadFrame(out _));
        source.Abort();
        Assert.Equal(MediaError.Aborted, Assert.Throws<MediaException>(() => source.TryReadFrame(out _)).Error);
    }

    [Fact]
    public void Impossible_patterns_are_refused()
    {
        Assert.Throws<MediaException>(() => new TestPattern(PixelFormat.Unknown, 64, 64));
        Assert.Throws<MediaException>(() => new TestPattern(PixelFormat.Nv12, 31, 64));
        Assert.Throws<MediaException>(() => new TestPattern(PixelFormat.Nv12, 64, 16385));
        Assert.Throws<MediaException>(() => new TestPatternSource(new TestPatternOptions { FrameRateNumerator = 0 }));
        Assert.Throws<MediaException>(() => new TestPatternSource(new TestPatternOptions { FrameCount = -1 }));
    }
}
