using System.Text.Json;
using System.Text.RegularExpressions;
using CuFrames.Daemon.Tests;
using CuFrames.Ffmpeg.Tests;
using CuFrames.TestKit;
using Xunit;

namespace CuFrames.Frigate.Tests;

/// <summary>What Frigate does to ffmpeg, with the configurations of docs/frigate.md.</summary>
public sealed partial class FrigateTests : IDisposable
{
    private const int Kill = 9;

    // Time of the whole, in seconds, as issue 6 asks for it. What happens meanwhile stands in Disturb.
    private const int Seconds = 600;

    private readonly MediaClips _clips = new();
    private readonly TemporaryDirectory _folder = new();

    public void Dispose()
    {
        _clips.Dispose();
        _folder.Dispose();
    }

    [Fact]
    public void Every_ffmpeg_lives_through_ten_minutes_with_restarts_of_the_daemon()
    {
        CameraClip[] clips = [.. Enumerable.Range(0, Document.Cameras.Length).Select(number => new CameraClip(_clips, number))];
        RtspServer[] servers = [.. clips.Select(clip => Serve(clip))];
        int[] connections = new int[servers.Length];
        try
        {
            using DaemonProcess daemon = new(Document.Daemon([.. servers.Select(server => server.Url)], "{run}"));
            string run = daemon.RuntimeDirectory;
            object pictures = Document.Cameras.Zip(clips).ToDictionary(pair => pair.First, pair => new { detect = pair.Second.Small, record = pair.Second.Full });
            double began = Outage.Now;
            List<NvrProcess> processes = [];
            try
            {
                foreach (string version in FfmpegBuild.Versions)
                {
                    processes.Add(new NvrProcess(
                        $"FFmpeg {version}", Document.Patched(), Path.GetDirectoryName(Path.GetDirectoryName(FfmpegBuild.Ffmpeg(version)))!, run, pictures, "--seconds", $"{Seconds}"));
                }

                processes.Add(new NvrProcess("FFmpeg of Debian, taps", Document.Taps(run), "/usr", run, pictures, "--seconds", $"{Seconds}"));
                List<Outage> outages = Disturb(daemon, servers, clips, connections, began);

                List<string> faults = [];
                foreach (NvrProcess process in processes)
                {
                    NvrReport report = process.Report();
                    Assert.Equal(Document.Cameras.Order(), report.Cameras.Keys.Order());
                    foreach ((string name, NvrReport.Camera camera) in report.Cameras)
                    {
                        Way way = process.Name.EndsWith("taps", StringComparison.Ordinal) ? Way.Taps : name == "front2" ? Way.PatchedWithTimeout : Way.Patched;
                        faults.AddRange(new Verdict($"{process.Name}, {name}", report, camera, way, [.. outages.Where(outage => outage.Camera == name)]).Faults());
                    }
                }

                Assert.True(faults.Count == 0, string.Join('\n', [.. faults, .. outages, daemon.LogText]));
                for (int i = 0; i < servers.Length; i++)
                {
                    // However many read, the camera is connected to once, by each life of the daemon and after each loss.
                    string name = Document.Cameras[i];
                    int lives = daemon.Log.Count(line => line.Contains($"[301 camera-live] {name}:", StringComparison.Ordinal));
                    int losses = daemon.Log.Count(line => line.Contains($"[302 camera-lost] {name}:", StringComparison.Ordinal));
                    Assert.Equal(1, servers[i].OpenConnections);
                    Assert.InRange(connections[i] + servers[i].Connections, lives, losses == 0 ? lives : lives + losses);
                }

                Assert.Equal(0, daemon.End().ExitCode);
                Assert.DoesNotContain("internal-error", daemon.LogText, StringComparison.Ordinal);
            }
            finally
            {
                processes.ForEach(process => process.Dispose());
            }
        }
        finally
        {
            Array.ForEach(servers, server => server.Dispose());
        }
    }

    [Fact]
    public void The_fall_back_is_plain_rtsp()
    {
        CameraClip[] clips = [.. Enumerable.Range(0, Document.Cameras.Length).Select(number => new CameraClip(_clips, number))];
        RtspServer[] servers = [.. clips.Select(clip => Serve(clip))];
        try
        {
            object pictures = Document.Cameras.Zip(clips).ToDictionary(pair => pair.First, pair => new { detect = pair.Second.ScaledByFfmpeg, record = pair.Second.Full });
            using NvrProcess process = new("RTSP", Document.Rtsp([.. servers.Select(server => server.Url)]), "/usr", _folder.Path, pictures, "--seconds", "30", "--probe-every", "3600");
            NvrReport report = process.Report();
            Assert.Equal(Document.Cameras.Order(), report.Cameras.Keys.Order());
            Assert.All(report.Cameras.Values, camera =>
            {
                Assert.Empty(camera.Restarts);
                Assert.NotEmpty(camera.Segments);
                Assert.Equal(0, camera.Detect.Unknown);
                Assert.InRange(camera.Detect.Distinct, CameraClip.Pictures / 2, CameraClip.Pictures);
                Assert.All(camera.Segments, segment => Assert.Equal(0, segment.Unknown));
            });
            Assert.All(servers, server => Assert.Equal(1, server.Connections));
        }
        finally
        {
            Array.ForEach(servers, server => server.Dispose());
        }
    }

    [Theory]
    [InlineData(1, "/usr/lib/ffmpeg/cuframes", "-f cuframes -i cuframes:front@detect DETECT", "-f cuframes_packets -i cuframes_packets:front RECORD")]
    [InlineData(2, "/usr", "-f yuv4mpegpipe -i unix:/run/cuframes/taps/front@detect.y4m DETECT", "-f matroska -i unix:/run/cuframes/taps/front.mkv RECORD")]
    [InlineData(3, "/usr", "RTSP -i rtsp://192.0.2.10/stream1 RECORD DETECT")]
    public void Command_lines_are_those_of_Frigate(int block, string path, params string[] expected)
    {
        using NvrProcess process = new("commands", Document.AsItStands(block), path, _folder.Path, null, "--commands", "--cache", "/tmp/cache");
        string[][] commands = JsonSerializer.Deserialize<Dictionary<string, string[][]>>(process.End())!["front"];
        Assert.Equal(
            expected.Select(line => $"{path}/bin/ffmpeg -hide_banner -loglevel warning -threads 2 " + line
                .Replace("DETECT", "-r 5 -vf fps=5,scale=640:360 -threads 2 -f rawvideo -pix_fmt yuv420p pipe:", StringComparison.Ordinal)
                .Replace("RECORD", "-f segment -segment_time 10 -segment_format mp4 -reset_timestamps 1 -strftime 1 -c:v copy -c:a aac /tmp/cache/front@DATE.mp4", StringComparison.Ordinal)
                .Replace(
                    "RTSP",
                    "-user_agent FFmpeg Frigate -avoid_negative_ts make_zero -fflags +genpts+discardcorrupt -rtsp_transport tcp -timeout 10000000 -use_wallclock_as_timestamps 1",
                    StringComparison.Ordinal)),
            commands.Select(command => Version().Replace(Date().Replace(string.Join(' ', command), "@DATE."), "Frigate")));
    }

    private static RtspServer Serve(CameraClip clip, int port = 0) =>
        new(new RtspServerOptions { File = clip.Path, Audio = "aac", Repeat = TimeSpan.FromMinutes(20), Port = port });

    /// <summary>Takes the daemon and cameras away and gives them back, for about <see cref="Seconds"/>.</summary>
    private static List<Outage> Disturb(DaemonProcess daemon, RtspServer[] servers, CameraClip[] clips, int[] connections, double began)
    {
        List<Outage> outages = [];
        const int Hanging = 1, Lost = 2;

        // Nobody is there when Frigate starts.
        WaitFor(12);
        Start(began);

        WaitFor(90);
        Restart(Signals.Terminate);
        WaitFor(150);
        Restart(Kill);

        // A camera that says nothing any more is found out and connected to again.
        WaitFor(210);
        Away(Hanging, servers[Hanging].Hang);

        // Longer than Frigate waits.
        WaitFor(270);
        double killed = Outage.Now;
        _ = daemon.End(Kill);
        WaitFor(305);
        Start(killed);

        WaitFor(370);
        Away(Lost, () =>
        {
            // As a cable that is pulled: no picture is cut in two.
            servers[Lost].Hang();
            connections[Lost] += servers[Lost].Connections;
            int port = servers[Lost].Port;
            servers[Lost].Dispose();
            WaitFor(410);
            servers[Lost] = Serve(clips[Lost], port);
        });

        WaitFor(470);
        Restart(Kill);
        WaitFor(530);
        Restart(Signals.Terminate);
        WaitFor(Seconds);
        return outages;

        void Start(double from)
        {
            int seen = daemon.Log.Count;
            daemon.Start();
            foreach (string camera in Document.Cameras)
            {
                daemon.WaitForLog($"[301 camera-live] {camera}:", seen: seen);
                outages.Add(new Outage(camera, from, Outage.Now));
            }
        }

        void Restart(int signal)
        {
            double from = Outage.Now;
            _ = daemon.End(signal);
            Start(from);
        }

        void Away(int camera, Action take)
        {
            double from = Outage.Now;
            int seen = daemon.Log.Count;
            take();
            daemon.WaitForLog($"[301 camera-live] {Document.Cameras[camera]}:", seen: seen);
            outages.Add(new Outage(Document.Cameras[camera], from, Outage.Now));
        }

        // What happens is spread over the ten minutes: this is no limit for anything.
        void WaitFor(double second) => Thread.Sleep(TimeSpan.FromSeconds(Math.Max(0, began + second - Outage.Now)));
    }

    [GeneratedRegex("@%Y%m%d%H%M%S%z\\.")]
    private static partial Regex Date();

    [GeneratedRegex("Frigate/[0-9.]+")]
    private static partial Regex Version();
}
