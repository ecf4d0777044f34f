using CuFrames.TestKit;
using Xunit;

namespace CuFrames.Ffmpeg.Tests;

/// <summary>Clips that are published over and over, where a reader meets every picture in any state of the ring. On a host with a GPU, from the archive that gpu/build-bundle.sh makes.</summary>
[Trait("needs", "gpu")]
[Trait("only", "gpu")]
public sealed class NvdecLoopTests
{
    // FFmpeg 7.1 and 8.1 have several threads: with as few leases as this their last frames may wait in queues until the reader gives up.
    private const string Short = "6000000";

    public static TheoryData<string> Versions { get; } = [.. FfmpegBuild.Versions];

    /// <summary>A ring as small as can be and a publisher as fast as can be: a slot that was given back before the reader's kernels are done would be overwritten under them.</summary>
    [Theory]
    [MemberData(nameof(Versions))]
    public void A_frame_is_given_back_behind_the_kernels_that_read_it(string version)
    {
        const int Many = 300;
        string chain = $"{NvdecClip.Scale},{NvdecClip.Scale},hwdownload,format=nv12";
        string[] seen = ReadLooped(version, NvdecClip.Path, chain, Many, [], ":slots=2:max_slots=4", ["-leases", "2"], out string[] expected, Short);
        Assert.All(seen, hash => Assert.Contains(hash, expected));
        Assert.True(seen.Distinct().Count() > 20, $"{seen.Distinct().Count()} different pictures of {seen.Length}.");
    }

    [Theory]
    [MemberData(nameof(Versions))]
    public void Ten_bits_pass_unchanged(string version)
    {
        string[] seen = ReadLooped(version, NvdecClip.Other("hevc-main10-1080p.mp4"), "hwdownload,format=p010le", NvdecClip.Read, ["-re"], "", [], out string[] expected);
        Assert.Equal(20, expected.Distinct().Count());
        Assert.All(seen, hash => Assert.Contains(hash, expected));
        Assert.True(seen.Distinct().Count() > 10, $"{seen.Distinct().Count()} different pictures of {seen.Length}.");
    }

    [Theory]
    [MemberData(nameof(Versions))]
    public void A_reader_goes_on_over_a_change_of_size(string version)
    {
        // 1280x720 for 20 pictures, then 1920x1080 for 25.
        const int First = 20;
        string[] seen = ReadLooped(version, NvdecClip.Other("h264-size-change.ts"), $"{NvdecClip.Scale},hwdownload,format=nv12", 2 * NvdecClip.Read, ["-re"], "", [], out string[] expected);
        Assert.Equal(45, expected.Length);
        Assert.All(seen, hash => Assert.Contains(hash, expected));
        Assert.Contains(seen, hash => Array.IndexOf(expected, hash) < First);
        Assert.Contains(seen, hash => Array.IndexOf(expected, hash) >= First);
    }

    /// <summary>Publishes a clip over and over, and reads some of it.</summary>
    /// <returns>The hashes of the pictures read; <paramref name="expected"/> are those of the clip without a stream, in its order.</returns>
    private static string[] ReadLooped(string version, string clip, string chain, int frames, string[] pace, string publisherOptions, string[] readerOptions, out string[] expected, string patience = NvdecClip.Patience)
    {
        using TemporaryDirectory directory = new();
        expected = [.. DigestLine.ReadAll(FilterTests.Succeed(FfmpegProcess.Run(
            FfmpegBuild.Ffmpeg(version), directory.Path, ["-v", "error", .. NvdecClip.Hardware, "-i", clip, "-an", "-vf", chain, .. NvdecClip.Hashes]))).Select(line => line.Hash)];

        // At each new beginning the decoder is another one and ffmpeg makes its filters anew; it then wants to scale to the first size, which its filter for
        // main memory cannot do with frames on the device.
        using FfmpegProcess publisher = FfmpegProcess.Start(
            FfmpegBuild.Ffmpeg(version), directory.Path,
            ["-v", "error", .. pace, "-stream_loop", "-1", .. NvdecClip.Hardware, "-i", clip, "-an", "-noautoscale", "-vf", $"cuda_ipc_export=key={NvdecClip.Key}{publisherOptions}", "-f", "null", "-"]);
        (int status, string output, string messages) = FfmpegProcess.Run(
            FfmpegBuild.Ffmpeg(version), directory.Path,
            ["-v", "error", .. readerOptions, "-timeout", patience, "-f", "cuframes", "-i", NvdecClip.Key, "-vf", chain, "-frames:v", $"{frames}", .. NvdecClip.Hashes]);
        TestContext.Current.TestOutputHelper?.WriteLine($"FFmpeg {version}: {messages}");
        Assert.Equal(0, status);
        string[] seen = [.. DigestLine.ReadAll(output).Select(line => line.Hash)];
        Assert.Equal(frames, seen.Length);
        return seen;
    }
}
