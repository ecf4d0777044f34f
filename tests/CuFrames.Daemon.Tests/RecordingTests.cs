using System.Globalization;
using System.Text.Json;
using CuFrames.Cli.Tests;
using CuFrames.TestKit;
using Xunit;

namespace CuFrames.Daemon.Tests;

/// <summary>A camera, cuframesd and cuframes record, all of them real, against the file that the camera plays.</summary>
public sealed class RecordingTests : IDisposable
{
    private const int Kill = 9;

    /// <summary>Longer than any connection of a test: what the server sends where a file begins again is its own affair.</summary>
    private const double ClipSeconds = 50;

    private readonly MediaClips _clips = new();

    public void Dispose() => _clips.Dispose();

    /// <summary>The camera goes and comes back, the daemon is killed twice, the camera comes back with another size of picture.</summary>
    [Theory]
    [InlineData(false, "mkv")]
    [InlineData(false, "mp4")]
    [InlineData(true, "ts")]
    public void Recordings_have_the_cameras_packets_whatever_is_restarted(bool isH265, string ending)
    {
        string codec = isH265 ? "hevc" : "h264";
        string small = Clip("small.mp4", 320, 240, isH265);
        string large = Clip("large.mp4", 640, 360, isH265);
        TimeSpan repeat = TimeSpan.FromSeconds(300);
        RtspServer camera = new(new RtspServerOptions { File = small, IsH265 = isH265, Audio = "aac", Repeat = repeat });
        int port = camera.Port;
        try
        {
            using DaemonProcess daemon = DaemonProcess.Run($"cameras: {{a: {{source: '{camera.Url}', stall_timeout: 20s, open_timeout: 20s}}}}");
            using CliProcess recorder = CliProcess.Start(daemon.RuntimeDirectory, "record", "a", _clips.PathOf("recording." + ending), "--json");
            long published = WaitForMore(recorder, 0);

            // As a cable that is pulled: no packet is cut in two.
            camera.Hang();
            camera.Dispose();
            camera = new RtspServer(new RtspServerOptions { File = small, IsH265 = isH265, Audio = "aac", Repeat = repeat, Port = port });
            WaitForFile(recorder, "discontinuity");
            published = WaitForMore(recorder, published);

            for (int i = 0; i < 2; i++)
            {
                daemon.Signal(Kill);
                daemon.WaitForExit();
                WaitForFile(recorder, "publisher");
                daemon.Start();
                published = WaitForMore(recorder, published);
            }

            camera.Hang();
            camera.Dispose();
            camera = new RtspServer(new RtspServerOptions { File = large, IsH265 = isH265, Audio = "aac", Repeat = repeat, Port = port });
            WaitForFile(recorder, "discontinuity");
            WaitForMore(recorder, published);
            recorder.Signal("INT");
            CliResult result = recorder.WaitForEnd();
            result.RequireSuccess();
            JsonElement total = result.Objects.Single(line => line.GetProperty("type").GetString() == "total");
            Assert.Equal(2, total.GetProperty("reconnects").GetInt32());
            Assert.Equal(total.GetProperty("published").GetInt64(), total.GetProperty("written").GetInt64() + total.GetProperty("missed").GetProperty("total").GetInt64());
            // Only sound that came before the first key frame of a new connection or a new daemon.
            long beforeKey = total.GetProperty("missed").GetProperty("no_key").GetInt64();
            Assert.Equal(beforeKey, total.GetProperty("missed").GetProperty("total").GetInt64());
            Assert.InRange(beforeKey, 0, 40);
            string[] paths = [.. result.Objects.Where(line => line.GetProperty("type").GetString() == "file").Select(line => line.GetProperty("path").GetString()!)];
            Assert.Equal(5, paths.Length);
            for (int i = 0; i < paths.Length; i++)
            {
                Assert.Equal("", PacketDigest.Faults(paths[i]));
                RequireRun(i < 4 ? small : large, paths[i], "v:0", codec);
                RequireRun(i < 4 ? small : large, paths[i], "a:0", "aac");
            }
        }
        finally
        {
            camera.Dispose();
        }
    }

    /// <summary>The picture's size changes within one connection, without any interruption.</summary>
    [Theory]
    [InlineData("ts")]
    [InlineData("mkv")]
    public void A_change_of_the_parameter_sets_begins_a_new_file(string ending)
    {
        string source = _clips.Join("joined.ts", _clips.H264("one.ts", 320, 240, 3), _clips.H264("two.ts", 640, 360, 3));
        string[] expected = PacketDigest.Of(source, "v:0", "h264");
        using DaemonProcess daemon = DaemonProcess.Run($"cameras: {{a: {{source: '{source}'}}}}");
        using CliProcess recorder = CliProcess.Start(daemon.RuntimeDirectory, "record", "a", _clips.PathOf("recording." + ending), "--start", "oldest", "--json");
        recorder.WaitForObject(line => IsInterval(line) && line.GetProperty("published").GetInt64() == expected.Length);
        recorder.Signal("TERM");
        CliResult result = recorder.WaitForEnd();
        result.RequireSuccess();
        JsonElement total = result.Objects.Single(line => line.GetProperty("type").GetString() == "total");
        Assert.Equal(expected.Length, total.GetProperty("written").GetInt64());
        string[] paths = [.. result.Objects.Where(line => line.GetProperty("type").GetString() == "file").Select(line => line.GetProperty("path").GetString()!)];
        Assert.Equal(2, paths.Length);
        Assert.Equal(expected, paths.SelectMany(path => PacketDigest.Of(path, "v:0", "h264")));
        Assert.All(paths, path => Assert.Equal("", PacketDigest.Faults(path)));
        Assert.Equal("320x240", SizeOf(paths[0]));
        Assert.Equal("640x360", SizeOf(paths[1]));
    }

    private static bool IsInterval(JsonElement line) => line.GetProperty("type").GetString() == "interval";

    /// <summary>Waits until more than three seconds of packets have come.</summary>
    private static long WaitForMore(CliProcess recorder, long before) => recorder.WaitForObject(
        line => IsInterval(line) && line.GetProperty("published").GetInt64() > before + 220).GetProperty("published").GetInt64();

    private static void WaitForFile(CliProcess recorder, string reason) =>
        recorder.WaitForObject(line => line.GetProperty("type").GetString() == "file" && line.GetProperty("reason").GetString() == reason);

    private static string SizeOf(string path) =>
        PacketDigest.Run("ffprobe", "-v", "error", "-select_streams", "v:0", "-show_entries", "stream=width,height", "-of", "csv=p=0:s=x", path).Output.Split('\n')[0];

    /// <summary>The recording is one piece of what the camera plays, without a gap.</summary>
    private static void RequireRun(string source, string recording, string track, string codec)
    {
        string[] clip = PacketDigest.Of(source, track, codec);
        string[] found = PacketDigest.Of(recording, track, codec);
        Assert.True(found.Length > 50, $"{found.Length} packets of {track} in {recording}");
        int start = Array.IndexOf(clip, found[0]);
        Assert.True(start >= 0, $"the first packet of {track} in {recording} is none of the source's");
        for (int i = 0; i < found.Length; i++)
        {
            Assert.True(clip[start + i] == found[i], $"packet {i} of {found.Length} of {track} in {recording} is not the one that the camera sent there");
        }
    }

    private string Clip(string name, int width, int height, bool isH265) => _clips.Make(
        name,
        [
            .. MediaClips.Moving(width, height, ClipSeconds), "-f", "lavfi", "-i", "anoisesrc=sample_rate=48000:amplitude=0.1", "-t", ClipSeconds.ToString(CultureInfo.InvariantCulture),
            .. isH265
                ? (string[])["-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=error:pools=1:keyint=25"]
                : ["-c:v", "libx264", "-preset", "ultrafast", "-g", "25", "-threads", "1"],
            "-c:a", "aac",
        ]);
}
