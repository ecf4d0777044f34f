using System.Security.Cryptography;
using CuFrames.Daemon.Tests;
using Xunit;

namespace CuFrames.Ffmpeg.Tests;

/// <summary>Frigate's command lines for NVIDIA on hardware frames. On a host with a GPU, from the archive that gpu/build-bundle.sh makes.</summary>
[Trait("needs", "gpu")]
[Trait("only", "gpu")]
public sealed class NvdecFrigateTests
{
    public static TheoryData<string> Versions { get; } = [.. FfmpegBuild.Versions];

    [Theory]
    [MemberData(nameof(Versions))]
    public void Frigates_lines_for_nvidia_read_the_daemons_hardware_frames(string version)
    {
        using DaemonProcess daemon = DaemonProcess.Run($"cameras: {{{NvdecClip.Key}: {{source: '{NvdecClip.Path}', loop: true, memory: cuda, decode: nvdec}}}}");
        daemon.WaitForLog($"[311 camera-decoder] {NvdecClip.Key}: Decoder: nvdec. ");
        string answer = FilterTests.Succeed(FfmpegProcess.Run(
            FfmpegBuild.Ffprobe(version), daemon.RuntimeDirectory,
            "-rtsp_transport", "tcp", "-timeout", "1000000", "-print_format", "json", "-show_entries", "stream=codec_long_name,width,height,bit_rate,duration,display_aspect_ratio,avg_frame_rate",
            "-loglevel", "error", $"cuframes:{NvdecClip.Key}"));
        Assert.Contains($"\"width\": {NvdecClip.Width}", answer, StringComparison.Ordinal);
        Assert.Contains("\"avg_frame_rate\": \"25/1\"", answer, StringComparison.Ordinal);

        string chain = $"{NvdecClip.Scale},hwdownload,format=nv12";
        HashSet<string> expected = [.. DigestLine.ReadAll(FilterTests.Succeed(FfmpegProcess.Run(
            FfmpegBuild.Ffmpeg(version), daemon.RuntimeDirectory,
            ["-v", "error", .. NvdecClip.Hardware, "-i", NvdecClip.Path, "-an", "-vf", chain, "-pix_fmt", "yuv420p", .. NvdecClip.Hashes]))).Select(line => line.Hash)];
        Assert.Equal(NvdecClip.Frames, expected.Count);

        using FfmpegProcess detector = FfmpegProcess.Start(
            FfmpegBuild.Ffmpeg(version), daemon.RuntimeDirectory,
            "-hide_banner", "-loglevel", "warning", "-threads", "2", "-hwaccel_device", "0", "-hwaccel", "cuda", "-hwaccel_output_format", "cuda", "-user_agent", "FFmpeg Frigate/0.18",
            "-avoid_negative_ts", "make_zero", "-fflags", "+genpts+discardcorrupt", "-rtsp_transport", "tcp", "-timeout", "10000000", "-use_wallclock_as_timestamps", "1",
            "-i", $"cuframes:{NvdecClip.Key}", "-r", "5", "-vf", $"fps=5,{chain}", "-threads", "2", "-f", "rawvideo", "-pix_fmt", "yuv420p", "pipe:");
        byte[] picture = new byte[NvdecClip.ScaledBytes];
        HashSet<string> seen = [];
        for (int i = 0; i < 20; i++)
        {
            detector.Output.ReadExactly(picture);
            string hash = Convert.ToHexStringLower(SHA256.HashData(picture));
            Assert.True(expected.Contains(hash), $"Picture {i} is none of the clip's.");
            seen.Add(hash);
        }

        // By its clock of arrival a frame may stand for two.
        Assert.True(seen.Count > 10, $"{seen.Count} different pictures of 20.");
        detector.Terminate();
        TestContext.Current.TestOutputHelper?.WriteLine($"FFmpeg {version}: {detector.End().Messages}");
        Assert.Equal(0, daemon.End().ExitCode);
    }
}
