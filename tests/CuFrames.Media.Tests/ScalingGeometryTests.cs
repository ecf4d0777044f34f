using CuFrames.Media.Internal;
using Xunit;

namespace CuFrames.Media.Tests;

public sealed class ScalingGeometryTests
{
    [Theory]
    // Same shape: everything everywhere.
    [InlineData(PictureFit.Letterbox, 1920, 1080, 2, 640, 360, true, "0,0 1920x1080 -> 0,0 640x360")]
    [InlineData(PictureFit.Crop, 1920, 1080, 2, 640, 360, true, "0,0 1920x1080 -> 0,0 640x360")]
    [InlineData(PictureFit.Stretch, 1920, 1080, 2, 333, 77, true, "0,0 1920x1080 -> 0,0 333x77")]
    // Wider than the result: borders above and below, or the sides cut off.
    [InlineData(PictureFit.Letterbox, 1920, 1080, 2, 640, 640, true, "0,0 1920x1080 -> 0,140 640x360")]
    [InlineData(PictureFit.Crop, 1920, 1080, 2, 640, 640, true, "420,0 1080x1080 -> 0,0 640x640")]
    // Taller: borders left and right, or top and bottom cut off.
    [InlineData(PictureFit.Letterbox, 480, 640, 2, 640, 360, true, "0,0 480x640 -> 184,0 270x360")]
    [InlineData(PictureFit.Crop, 480, 640, 2, 640, 360, true, "0,184 480x270 -> 0,0 640x360")]
    // Odd sizes: borders of a result with halved chroma begin and end between two of its samples.
    [InlineData(PictureFit.Letterbox, 321, 241, 2, 101, 101, true, "0,0 321x241 -> 0,12 101x76")]
    [InlineData(PictureFit.Letterbox, 321, 241, 1, 101, 101, false, "0,0 321x241 -> 0,12 101x76")]
    [InlineData(PictureFit.Letterbox, 320, 180, 2, 100, 99, true, "0,0 320x180 -> 0,20 100x56")]
    [InlineData(PictureFit.Letterbox, 320, 182, 2, 100, 99, false, "0,0 320x182 -> 0,21 100x57")]
    [InlineData(PictureFit.Crop, 321, 241, 2, 101, 101, true, "38,0 242x241 -> 0,0 101x101")]
    [InlineData(PictureFit.Crop, 321, 241, 1, 101, 101, false, "40,0 241x241 -> 0,0 101x101")]
    [InlineData(PictureFit.Crop, 333, 100, 8, 101, 100, false, "112,0 104x100 -> 0,0 101x100")]
    // Extremes leave at least one sample, and never more than there are.
    [InlineData(PictureFit.Letterbox, 16384, 1, 2, 2, 100, true, "0,0 16384x1 -> 0,48 2x2")]
    [InlineData(PictureFit.Letterbox, 1, 16384, 1, 1, 1, true, "0,0 1x16384 -> 0,0 1x1")]
    [InlineData(PictureFit.Crop, 16384, 1, 2, 1, 100, true, "8190,0 2x1 -> 0,0 1x100")]
    [InlineData(PictureFit.Crop, 1, 16384, 2, 100, 1, true, "0,8190 1x2 -> 0,0 100x1")]
    public void A_picture_is_placed(PictureFit fit, int sourceWidth, int sourceHeight, int crop, int width, int height, bool isSubsampled, string expected)
    {
        ScalingGeometry part = ScalingGeometry.Of(fit, sourceWidth, sourceHeight, crop, crop, width, height, isSubsampled);
        Assert.Equal(
            expected,
            $"{part.SourceX},{part.SourceY} {part.SourceWidth}x{part.SourceHeight} -> {part.TargetX},{part.TargetY} {part.TargetWidth}x{part.TargetHeight}");
    }

    [Fact]
    public void Every_part_lies_inside_and_is_aligned()
    {
        Random random = new(11);
        for (int i = 0; i < 200_000; i++)
        {
            int sourceWidth = random.Next(1, 400), sourceHeight = random.Next(1, 400), width = random.Next(1, 400), height = random.Next(1, 400);
            int cropX = 1 << random.Next(4), cropY = 1 << random.Next(3);
            bool isSubsampled = random.Next(2) == 0;
            PictureFit fit = (PictureFit)random.Next(3);
            ScalingGeometry part = ScalingGeometry.Of(fit, sourceWidth, sourceHeight, cropX, cropY, width, height, isSubsampled);
            string what = $"{fit} {sourceWidth}x{sourceHeight} by {cropX},{cropY} to {width}x{height} {isSubsampled}: {part}";
            Assert.True(part is { SourceX: >= 0, SourceY: >= 0, SourceWidth: > 0, SourceHeight: > 0, TargetX: >= 0, TargetY: >= 0, TargetWidth: > 0, TargetHeight: > 0 }, what);
            Assert.True(part.SourceX + part.SourceWidth <= sourceWidth && part.SourceY + part.SourceHeight <= sourceHeight, what);
            Assert.True(part.TargetX + part.TargetWidth <= width && part.TargetY + part.TargetHeight <= height, what);
            Assert.True(part.SourceX % cropX == 0 && part.SourceY % cropY == 0, what);
            if (isSubsampled)
            {
                Assert.True(part.TargetX % 2 == 0 && part.TargetY % 2 == 0, what);
                Assert.True(part.TargetWidth % 2 == 0 || part.TargetX + part.TargetWidth == width, what);
                Assert.True(part.TargetHeight % 2 == 0 || part.TargetY + part.TargetHeight == height, what);
            }

            Assert.True(fit == PictureFit.Crop || part is { SourceX: 0, SourceY: 0 }, what);
            Assert.True(fit == PictureFit.Letterbox || part is { TargetX: 0, TargetY: 0 }, what);
        }
    }
}
