using CuFrames.Daemon.Tests;
using CuFrames.TestKit;
using Xunit;

namespace CuFrames.Ffmpeg.Tests;

/// <summary>The demuxers over sessions of a real camera, whose clock begins anew each time, behind a picture without a time.</summary>
public sealed class CameraSessionTests
{
    private const int Kill = 9;
    private const long Picture = 100_000_000;

    public static TheoryData<string> Versions { get; } = [.. FfmpegBuild.Versions];

    [Theory]
    [MemberData(nameof(Versions))]
    public void Times_of_packets_grow_by_pictures_over_a_killed_daemon(string version)
    {
        using MediaClips clips = new();
        using RtspServer camera = Serve(clips);
        using DaemonProcess daemon = new($"cameras: {{cam1: {{source: '{camera.Url}'}}}}");
        daemon.Start();
        daemon.WaitForLog("[301 camera-live] cam1:");

        // As an NVR asks for them, whose own times of arrival would be all the same for what comes at once.
        using FfmpegProcess reader = FfmpegProcess.Start(
            FfmpegBuild.Ffmpeg(version), daemon.RuntimeDirectory,
            "-v", "error", "-use_wallclock_as_timestamps", "1", "-i", "cuframes_packets:cam1", "-map", "0", "-c", "copy", "-flush_packets", "1", "-f", "framehash", "pipe:1");
        using StreamReader lines = new(reader.Output);
        List<string> text = [];
        for (int run = 0; run < 2; run++)
        {
            // Further than clocks may differ.
            for (int pictures = 0; pictures < 40;)
            {
                string line = lines.ReadLine() ?? throw new EndOfStreamException(reader.End().Messages);
                text.Add(line);
                pictures += line.StartsWith("0,", StringComparison.Ordinal) ? 1 : 0;
            }

            if (run == 0)
            {
                _ = daemon.End(Kill);
                daemon.Start();
            }
        }

        long[] times = [.. DigestLine.ReadAll(string.Join('\n', text)).Where(line => line.Stream == 0).Select(line => line.Dts)];
        long[] steps = [.. times.Zip(times.Skip(1), (one, other) => other - one)];

        // One step is the outage. A session's first picture has no time and stands where it arrived, be that as late as it may: only that the one behind
        // it comes later is certain. It is the first of all, and that behind the outage.
        int outage = Array.IndexOf(steps, steps.Max());
        Assert.All(steps, (step, index) => Assert.True(step >= (index == 0 || index == outage + 1 ? 1 : Picture / 2), $"step {index} is {step} ns: {string.Join(' ', steps)}"));
        Assert.InRange(steps.Count(step => step > Picture * 3 / 2), 0, 3);
    }

    [Theory]
    [MemberData(nameof(Versions))]
    public void The_first_reader_of_a_rendition_knows_its_rate(string version)
    {
        using DaemonProcess daemon = DaemonProcess.Run("cameras: {cam1: {source: 'test:i420@160x120@50', renditions: {small: {size: 80x60, fps: 10}}}}");
        string answer = FilterTests.Succeed(FfmpegProcess.Run(
            FfmpegBuild.Ffprobe(version), daemon.RuntimeDirectory, "-v", "error", "-show_entries", "stream=avg_frame_rate", "-of", "csv=p=0", "-fpsprobesize", "0",
            "cuframes:cam1@small"));
        Assert.Equal("10/1", answer.Trim().TrimEnd(','));

        // Once: it did not have to look again. The log comes through a pipe, and later than the reader's end.
        daemon.WaitForLog("[401 reader-left] cam1@small");
        Assert.Equal(1, daemon.Log.Count(line => line.Contains("[400 reader-joined] cam1@small", StringComparison.Ordinal)));
    }

    private static RtspServer Serve(MediaClips clips)
    {
        string clip = clips.Make(
            "clip.mp4", [.. MediaClips.Moving(160, 120, 4, 10), "-f", "lavfi", "-i", "sine=sample_rate=16000:duration=4", "-c:v", "libx264", "-preset", "ultrafast", "-bf", "0", "-g", "10", "-pix_fmt", "yuv420p", "-c:a", "aac", "-shortest"]);
        return new RtspServer(new RtspServerOptions { File = clip, Audio = "aac", Repeat = TimeSpan.FromMinutes(10) });
    }
}
