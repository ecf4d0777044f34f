using CuFrames.Daemon.Tests;
using CuFrames.TestKit;
using Xunit;

namespace CuFrames.Ffmpeg.Tests;

/// <summary>The demuxer cuframes_packets, in each version of FFmpeg.</summary>
public sealed class PacketDemuxerTests
{
    private const int Kill = 9;

    public static TheoryData<string> Versions { get; } = [.. FfmpegBuild.Versions];

    [Theory]
    [MemberData(nameof(Versions))]
    public void Packets_are_those_of_the_source_over_a_killed_daemon(string version)
    {
        using MediaClips clips = new();
        string clip = clips.WithSound("clip.mp4", 320, 180, 4);
        HashSet<(int Stream, string Hash)> expected =
            [.. Digests(FfmpegProcess.Run(FfmpegBuild.Ffmpeg(version), clips.Folder, "-v", "error", "-i", clip, "-c", "copy", "-f", "framehash", "-")).Select(line => (line.Stream, line.Hash))];
        using DaemonProcess daemon = DaemonProcess.Run($"cameras: {{cam1: {{source: '{clip}', loop: true}}}}");
        using FfmpegProcess reader = FfmpegProcess.Start(
            FfmpegBuild.Ffmpeg(version), daemon.RuntimeDirectory,
            "-v", "error", "-i", "cuframes_packets:cam1", "-map", "0", "-c", "copy", "-flush_packets", "1", "-f", "framehash", "pipe:1");
        using StreamReader lines = new(reader.Output);
        List<string> text = [];
        for (int run = 0; run < 2; run++)
        {
            // More than one time round.
            for (int packets = 0; packets < 400;)
            {
                string line = lines.ReadLine() ?? throw new EndOfStreamException(reader.End().Messages);
                text.Add(line);
                packets += line.StartsWith('#') ? 0 : 1;
            }

            if (run == 0)
            {
                _ = daemon.End(Kill);
                daemon.Start();
            }
        }

        DigestLine[] read = DigestLine.ReadAll(string.Join('\n', text));
        Assert.Equal([0, 1], read.Select(line => line.Stream).Distinct().Order());
        Assert.All(read, line => Assert.Contains((line.Stream, line.Hash), expected));
        foreach (IGrouping<int, DigestLine> stream in read.GroupBy(line => line.Stream))
        {
            Assert.All(stream.Zip(stream.Skip(1)), pair => Assert.True(pair.Second.Dts > pair.First.Dts, $"{pair.First} is followed by {pair.Second}"));
        }
    }

    [Theory]
    [MemberData(nameof(Versions))]
    public void Frigates_command_records_and_detects(string version)
    {
        using MediaClips clips = new();
        string clip = clips.WithSound("clip.mp4", 320, 180, 6);
        using DaemonProcess daemon = DaemonProcess.Run($"cameras: {{cam1: {{source: '{clip}', loop: true}}}}");
        string[] begin =
            ["-hide_banner", "-loglevel", "warning", "-threads", "2", "-user_agent", "FFmpeg Frigate/0.18", "-avoid_negative_ts", "make_zero", "-fflags", "+genpts+discardcorrupt", "-rtsp_transport", "tcp",
            "-timeout", "10000000", "-use_wallclock_as_timestamps", "1", "-i"];
        using FfmpegProcess recorder = FfmpegProcess.Start(
            FfmpegBuild.Ffmpeg(version), daemon.RuntimeDirectory,
            [.. begin, "cuframes_packets:cam1", "-f", "segment", "-segment_time", "2", "-segment_format", "mp4", "-reset_timestamps", "1", "-strftime", "1", "-c:v", "copy", "-c:a", "aac",
            Path.Combine(clips.Folder, "cam1@%Y%m%d%H%M%S.mp4")]);
        using FfmpegProcess detector = FfmpegProcess.Start(
            FfmpegBuild.Ffmpeg(version), daemon.RuntimeDirectory,
            [.. begin, "cuframes:cam1", "-r", "5", "-vf", "fps=5,scale=w=160:h=90", "-threads", "2", "-f", "rawvideo", "-pix_fmt", "yuv420p", "pipe:"]);
        byte[] picture = new byte[160 * 90 * 3 / 2];
        for (int i = 0; i < 30; i++)
        {
            detector.Output.ReadExactly(picture);
            Assert.True(picture.AsSpan(0, 160 * 90).ToArray().Distinct().Count() > 10, "The picture is empty.");
        }

        string[] segments;
        while ((segments = Directory.GetFiles(clips.Folder, "cam1@*.mp4")).Length < 3)
        {
            Assert.False(recorder.HasExited, "The recorder has ended.");
            Thread.Sleep(50); // between two looks
        }

        recorder.Terminate();
        recorder.End();
        foreach (string segment in segments.Order().SkipLast(1))
        {
            // Its times are those of arrival, as Frigate wants them: sounds that come together overlap. What is coded has to be whole.
            Assert.Equal("", PacketDigest.Run("ffprobe", "-v", "error", "-show_packets", segment).Messages);
            Assert.Equal("", PacketDigest.Run("ffmpeg", "-v", "error", "-i", segment, "-map", "0:v", "-vf", "setpts=N/25/TB", "-f", "rawvideo", "-y", "/dev/null").Messages);
            Assert.Equal("", PacketDigest.Run("ffmpeg", "-v", "error", "-i", segment, "-map", "0:a", "-af", "asetpts=N/SR/TB", "-f", "s16le", "-y", "/dev/null").Messages);
        }
    }

    private static DigestLine[] Digests((int Status, string Output, string Messages) end) => DigestLine.ReadAll(FilterTests.Succeed(end));
}
