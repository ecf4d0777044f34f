using CuFrames.Daemon.Tests;
using CuFrames.TestKit;
using Xunit;

namespace CuFrames.Ffmpeg.Tests;

/// <summary>The command lines of docs/ffmpeg.md, as they stand there, with a real camera: only the camera's address and the detector are put in.</summary>
public sealed class DocumentedLinesTests
{
    private const int Width = 320;
    private const int Height = 180;
    private const int DetectorFrames = 5;

    // A picture of 640x360 in yuv420p.
    private const int DetectorBytes = DetectorFrames * 640 * 360 * 3 / 2;

    public static TheoryData<string> Versions { get; } = [.. FfmpegBuild.Versions];

    [Theory]
    [MemberData(nameof(Versions))]
    public void An_ffmpeg_publishes_a_camera_and_others_read_it(string version)
    {
        using MediaClips clips = new();
        string clip = clips.H264("camera.mp4", Width, Height, 4);
        using RtspServer camera = new(new RtspServerOptions { File = clip, Repeat = TimeSpan.FromMinutes(5) });
        using TemporaryDirectory directory = new();
        HashSet<string> pictures = [.. DigestLine.ReadAll(FilterTests.Succeed(FfmpegProcess.Run(
            FfmpegBuild.Ffmpeg(version), directory.Path, "-v", "error", "-i", clip, "-vf", "format=nv12", "-f", "framehash", "-"))).Select(line => line.Hash)];

        string publish = Line("-vf format=nv12,cuda_ipc_export").Replace("rtsp://camera/stream", camera.Url, StringComparison.Ordinal);
        using FfmpegProcess publisher = Shell(publish);
        DigestLine[] read = DigestLine.ReadAll(FilterTests.Succeed(FfmpegProcess.Run(
            FfmpegBuild.Ffmpeg(version), directory.Path, "-v", "error", "-f", "cuframes", "-i", "cam1", "-c", "copy", "-frames:v", "50", "-f", "framehash", "-")));
        Assert.Equal(50, read.Length);
        Assert.All(read, line => Assert.Contains(line.Hash, pictures));
        Assert.All(read.Zip(read.Skip(1)), pair => Assert.True(pair.Second.Pts > pair.First.Pts));

        // A detector takes some pictures and ends.
        (_, string count, _) = Shell(Line("-f cuframes -i cam1 -vf fps=5,scale=").Replace("./detector", $"head -c {DetectorBytes} | wc -c", StringComparison.Ordinal)).End();
        Assert.Equal($"{DetectorBytes}", count.Trim());
        (int status, string probed, string messages) = Shell(Line("ffprobe ")).End();
        Assert.True(status == 0, messages);
        Assert.Contains($"width={Width}", probed, StringComparison.Ordinal);
        Assert.Equal(1, camera.Connections);

        FfmpegProcess Shell(string line) => FfmpegProcess.Start(
            "bash", directory.Path, "-c", $"export PATH={Path.GetDirectoryName(FfmpegBuild.Ffmpeg(version))}:$PATH; {line}");
    }

    /// <summary>The one line of the document that holds a text.</summary>
    private static string Line(string text) => Assert.Single(
        File.ReadAllLines(Path.Combine(Repository.Root, "docs", "ffmpeg.md")), line => line.StartsWith("    ff", StringComparison.Ordinal) && line.Contains(text, StringComparison.Ordinal)).Trim();
}
