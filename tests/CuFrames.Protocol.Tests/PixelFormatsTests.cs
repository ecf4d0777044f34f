namespace CuFrames.Protocol.Tests;

public sealed class PixelFormatsTests
{
    [Fact]
    public void All_names_every_format_once() => Assert.Equal(
        Enum.GetValues<PixelFormat>().Where(format => format != PixelFormat.Unknown).Order(),
        PixelFormats.All.ToArray().Order());

    [Theory]
    [InlineData(PixelFormat.Unknown)]
    [InlineData((PixelFormat)1)]
    [InlineData((PixelFormat)0x3231564F)]
    [InlineData((PixelFormat)0xFFFFFFFF)]
    public void Other_formats_are_not_known(PixelFormat format)
    {
        Assert.False(PixelFormats.IsKnown(format));
        Assert.Equal(0, PixelFormats.PlaneCount(format));
        Assert.Equal(0, PixelFormats.PictureBytes(format, 640, 480));
    }

    /// <summary>Sizes of a frame in a rawvideo file as ffmpeg's av_image_get_buffer_size gives them.</summary>
    [Theory]
    [InlineData(PixelFormat.Nv12, 1920, 1080, 3110400)]
    [InlineData(PixelFormat.Nv12, 3, 3, 17)]
    [InlineData(PixelFormat.I420, 1920, 1080, 3110400)]
    [InlineData(PixelFormat.I420, 1, 1, 3)]
    [InlineData(PixelFormat.P010, 1920, 1080, 6220800)]
    [InlineData(PixelFormat.Gray8, 5, 7, 35)]
    [InlineData(PixelFormat.Rgb24, 5, 7, 105)]
    [InlineData(PixelFormat.Bgr24, 16384, 16384, 805306368)]
    [InlineData(PixelFormat.Rgba, 16384, 16384, 1073741824)]
    [InlineData(PixelFormat.Bgra, 5, 7, 140)]
    [InlineData(PixelFormat.Rgbp, 5, 7, 105)]
    [InlineData(PixelFormat.BgrpF16, 5, 7, 210)]
    [InlineData(PixelFormat.RgbpF32, 16384, 16384, 3221225472)]
    public void Bytes_of_a_picture(PixelFormat format, int width, int height, long bytes) =>
        Assert.Equal(bytes, PixelFormats.PictureBytes(format, width, height));

    [Fact]
    public void Names_are_read_back() => Assert.All(PixelFormats.All.ToArray(), format =>
    {
        Assert.True(PixelFormats.TryParse(PixelFormats.Name(format), out PixelFormat found));
        Assert.Equal(format, found);
        Assert.True(PixelFormats.TryParse(PixelFormats.Name(format).ToUpperInvariant(), out found));
        Assert.Equal(format, found);
        Assert.Equal(Enum.GetName(format)!.ToLowerInvariant(), PixelFormats.Name(format).Replace("_", "", StringComparison.Ordinal));
    });

    [Theory]
    [InlineData("")]
    [InlineData("unknown")]
    [InlineData("yuv420p")]
    [InlineData("nv12 ")]
    public void Other_names_are_not(string name)
    {
        Assert.False(PixelFormats.TryParse(name, out PixelFormat format));
        Assert.Equal(PixelFormat.Unknown, format);
    }

    [Fact]
    public void Samples_have_their_size() => Assert.All(PixelFormats.All.ToArray(), format =>
    {
        string name = PixelFormats.Name(format);
        int bytes = name.EndsWith("f32", StringComparison.Ordinal) ? 4 : name.EndsWith("f16", StringComparison.Ordinal) || name == "p010" ? 2 : 1;
        Assert.Equal(bytes, PixelFormats.SampleBytes(format));
        Assert.Equal(name.Contains("_f", StringComparison.Ordinal), PixelFormats.IsFloat(format));
        Assert.Equal(name.StartsWith("rgbp", StringComparison.Ordinal) || name.StartsWith("bgrp", StringComparison.Ordinal), PixelFormats.IsTensor(format));
    });

    [Fact]
    public void An_unknown_format_has_a_name_for_people() => Assert.Equal("0x0000002a", PixelFormats.Name((PixelFormat)42));
}
