using CuFrames.TestKit;
using Xunit;

namespace CuFrames.Ffmpeg.Tests;

/// <summary>What ffmpeg decodes by NVDEC, publishes, reads and scales on the device: the same as the same ffmpeg with the same filters makes of it without a stream. On a host with a GPU, from the archive that gpu/build-bundle.sh makes.</summary>
[Trait("needs", "gpu")]
[Trait("only", "gpu")]
public sealed class NvdecTests
{
    /// <summary>Each version with itself, and the oldest with the newest.</summary>
    public static TheoryData<string, string> Pairs { get; } =
        [.. FfmpegBuild.Versions.Select(version => (version, version)), (FfmpegBuild.Versions[0], FfmpegBuild.Versions[^1]), (FfmpegBuild.Versions[^1], FfmpegBuild.Versions[0])];

    [Theory]
    [MemberData(nameof(Pairs))]
    public void Frames_of_a_stream_are_those_of_the_same_filters_without_one(string publishing, string reading)
    {
        using TemporaryDirectory directory = new();
        string[] chains = ["hwdownload,format=nv12", $"{NvdecClip.Scale},hwdownload,format=nv12"];
        Dictionary<long, string>[] expected =
            [.. chains.Select(chain => Run(reading, [.. NvdecClip.Hardware, "-i", NvdecClip.Path, "-an", "-vf", chain, .. NvdecClip.Hashes]).ToDictionary(line => line.Pts, line => line.Hash))];
        Assert.All(expected, pictures => Assert.Equal(NvdecClip.Frames, pictures.Values.Distinct().Count()));

        FfmpegProcess[] readers = [.. chains.Select(chain => FfmpegProcess.Start(
            FfmpegBuild.Ffmpeg(reading), directory.Path,
            ["-v", "error", .. NvdecClip.Hardware, "-copyts", "-timeout", NvdecClip.Patience, "-f", "cuframes", "-i", NvdecClip.Key, "-vf", chain, "-frames:v", $"{NvdecClip.Read}", .. NvdecClip.Hashes]))];
        try
        {
            using FfmpegProcess publisher = FfmpegProcess.Start(
                FfmpegBuild.Ffmpeg(publishing), directory.Path,
                ["-v", "error", "-re", .. NvdecClip.Hardware, "-i", NvdecClip.Path, "-an", "-vf", $"cuda_ipc_export=key={NvdecClip.Key}:max_slots=48", "-f", "null", "-"]);
            foreach ((FfmpegProcess reader, Dictionary<long, string> pictures) in readers.Zip(expected))
            {
                DigestLine[] lines = DigestLine.ReadAll(FilterTests.Succeed(reader.End()));
                Assert.Equal(NvdecClip.Read, lines.Length);
                Assert.All(lines, line => Assert.Equal(pictures[line.Pts], line.Hash));
                Assert.All(lines.Zip(lines.Skip(1)), pair => Assert.True(pair.Second.Pts > pair.First.Pts, $"{pair.First} is followed by {pair.Second}"));
            }
        }
        finally
        {
            Array.ForEach(readers, reader => reader.Dispose());
        }

        DigestLine[] Run(string version, string[] arguments) =>
            DigestLine.ReadAll(FilterTests.Succeed(FfmpegProcess.Run(FfmpegBuild.Ffmpeg(version), directory.Path, ["-v", "error", .. arguments])));
    }
}
