using System.Diagnostics;
using System.Net.NetworkInformation;
using System.Text.Json;
using CuFrames.Daemon.Tests;
using CuFrames.Protocol;
using CuFrames.TestKit;
using Xunit;

namespace CuFrames.Acceptance.Tests;

/// <summary>One camera, one connection, one decode, and everybody who wants something of it at the same time.</summary>
public sealed class OneConnectionTests : IDisposable
{
    private const int Seconds = 10;

    // A picture that went through JPEG has 35 dB and more; another picture of the clip, or wrong colours, less than 30.
    private const double LeastQuality = 32;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(90);

    private readonly CameraClip _clip = new();
    private readonly TemporaryDirectory _folder = new();

    public void Dispose()
    {
        _clip.Dispose();
        _folder.Dispose();
    }

    [Fact]
    public void A_recorder_a_detector_a_reader_two_ffmpegs_and_a_browser_share_one_connection_and_one_decode()
    {
        using RtspServer camera = new(new RtspServerOptions { File = _clip.Path, Repeat = TimeSpan.FromMinutes(10) });
        int port = Ports.Free();
        DecoderAudit audit = new(_folder.Path);
        using DaemonProcess daemon = new(
            $$"""
            taps: { http: 127.0.0.1:{{port}} }
            cameras:
              front:
                source: '{{camera.Url}}'
                slots: 16
                renditions:
                  detector: { size: 640x360, fps: 5, format: rgb24 }
            """);
        foreach ((string name, string? value) in audit.Environment)
        {
            daemon.Environment[name] = value;
        }

        daemon.Start();
        daemon.WaitForLog("] front: Frames of ");
        string run = daemon.RuntimeDirectory;
        string recording = Path.Combine(_folder.Path, "recording.mkv");
        string copy = Path.Combine(_folder.Path, "copy.ts");
        string raw = Path.Combine(_folder.Path, "raw.framehash");
        string shot = Path.Combine(_folder.Path, "shot.png");
        using StockProgram browser = Browser($"http://127.0.0.1:{port}/front.mjpeg", shot);
        using FrameReading full = new(daemon.Subscribe("front", Delivery.InOrder), PixelFormat.I420, CameraClip.Width, CameraClip.Height, _clip.Full);
        using FrameReading detector = new(
            daemon.Subscribe("front@detector", Delivery.InOrder), PixelFormat.Rgb24, CameraClip.SmallWidth, CameraClip.SmallHeight, _clip.Small);

        // It takes longest to start, and they are to be served at the same time.
        WaitUntil(() => HasConnection(port), () => !browser.HasExited, () => $"{browser.Said}\n{daemon.LogText}");
        using StockProgram recorder = StockProgram.Start(
            "env", $"CUFRAMES_DIR={run}", Path.Combine(AppContext.BaseDirectory, "cuframes"), "record", "front", recording, "--for", $"{Seconds}s", "--json");
        using StockProgram copier = StockProgram.Start(
            "ffmpeg", "-nostdin", "-v", "error", "-i", $"unix:{run}/taps/front.ts", "-c", "copy", "-t", $"{Seconds}", copy);
        using StockProgram taker = StockProgram.Start(
            "ffmpeg", "-nostdin", "-v", "error", "-f", "rawvideo", "-pixel_format", "rgb24", "-video_size", $"{CameraClip.SmallWidth}x{CameraClip.SmallHeight}", "-framerate", "5",
            "-i", $"unix:{run}/taps/front@detector.rawvideo", "-frames:v", $"{5 * Seconds}", "-f", "framehash", "-hash", "sha256", "-flush_packets", "1", raw);

        // The moment at which all of them are served.
        (string Name, StockProgram Program, Func<bool> IsServed)[] programs =
        [
            ("the recorder", recorder, () => HasContent(recording)), ("ffmpeg -c copy", copier, () => HasContent(copy)),
            ("ffmpeg -f rawvideo", taker, () => HasContent(raw)), ("Chromium", browser, () => HasConnection(port)),
        ];
        WaitUntil(
            () => full.Frames > 0 && detector.Frames > 0 && Array.TrueForAll(programs, program => program.IsServed()),
            () => Array.TrueForAll(programs, program => !program.Program.HasExited) && !full.HasFailed && !detector.HasFailed,
            () => string.Join('\n', [$"full {full.Frames}, detector {detector.Frames}", .. programs.Select(program => $"{program.Name}: {program.IsServed()} {program.Program.Said}"), daemon.LogText]));
        Assert.Equal((1, 1), (camera.Connections, camera.OpenConnections));
        Assert.Equal((1, 1), (audit.Read().Opened, audit.Read().Open));

        recorder.End(Patience);
        copier.End(Patience);
        taker.End(Patience);
        browser.End(Patience);
        full.End();
        detector.End();

        // Nobody made the camera or the decoder do anything twice.
        DecoderCounts decoded = audit.Read();
        Assert.Equal((1, 1), (camera.Connections, camera.OpenConnections));
        Assert.Equal((1, 1), (decoded.Opened, decoded.Open));
        long published = (long)daemon.Probe("front").Description!.Head;
        Assert.InRange(decoded.Pictures, full.Frames, published + 1);
        Assert.Equal(0, daemon.End().ExitCode);
        Assert.DoesNotContain("internal-error", daemon.LogText, StringComparison.Ordinal);

        // All saw pictures of the clip and nothing else: the readers looked at each, the others at what they wrote.
        Assert.InRange(full.Frames, 25 * Seconds * 3 / 4, int.MaxValue);
        Assert.InRange((detector.Pts.Last - detector.Pts.First) / 1e9 / (detector.Frames - 1), 0.19, 0.21);
        JsonElement total = JsonDocument.Parse(recorder.Said.TrimEnd().Split('\n')[^1]).RootElement;
        Assert.Equal("total", total.GetProperty("type").GetString());
        Assert.Equal(total.GetProperty("published").GetInt64(), total.GetProperty("written").GetInt64());

        // It records for a time of the clock, in which the camera of a busy machine sends less: all of that, and more than one group of pictures.
        List<string> recorded = CameraClip.HashesOf(recording, "yuv420p");
        Assert.Equal(total.GetProperty("written").GetInt64(), recorded.Count);
        RequireInOrder("the recording", recorded, CameraClip.GroupOfPictures + 1);
        RequireInOrder("the copy", CameraClip.HashesOf(copy, "yuv420p"), 25 * Seconds * 3 / 4);
        List<string> taken = CameraClip.Parse(File.ReadAllText(raw));
        Assert.Equal(5 * Seconds, taken.Count);
        Assert.All(taken, hash => Assert.Contains(hash, _clip.Small));
        RequireShown(shot);
        Keep(shot);
    }

    /// <summary>A picture follows on the one before it, and the first on the last.</summary>
    private void RequireInOrder(string what, List<string> hashes, int least)
    {
        Assert.InRange(hashes.Count, least, int.MaxValue);
        int[] pictures = [.. hashes.Select(hash => _clip.Full.IndexOf(hash))];
        for (int i = 0; i < pictures.Length; i++)
        {
            Assert.True(pictures[i] >= 0, $"{what}: picture {i} of {pictures.Length} is none of the clip's");
            Assert.True(i == 0 || pictures[i] == (pictures[i - 1] + 1) % CameraClip.Pictures, $"{what}: picture {pictures[i]} follows on {pictures[Math.Max(0, i - 1)]}");
        }
    }

    private void RequireShown(string shot)
    {
        (int picture, double quality) = _clip.Find(shot);
        Assert.True(quality >= LeastQuality, $"The browser's window is nearest to picture {picture}, with {quality:0.0} dB.");
    }

    private static StockProgram Browser(string address, string shot) => StockProgram.Start(
        "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars", $"--user-data-dir={shot}-profile",
        $"--window-size={CameraClip.Width},{CameraClip.Height}", $"--screenshot={shot}", $"--timeout={Seconds * 1000}", address);

    /// <summary>People look at it too, and docs/ shows it.</summary>
    private static void Keep(string shot)
    {
        string folder = Path.Combine(Repository.Root, "artifacts", "acceptance");
        Directory.CreateDirectory(folder);
        File.Copy(shot, Path.Combine(folder, "mjpeg-chromium.png"), overwrite: true);
    }

    private static void WaitUntil(Func<bool> condition, Func<bool> isPossible, Func<string> describe)
    {
        Stopwatch watch = Stopwatch.StartNew();
        while (!condition())
        {
            Assert.True(isPossible() && watch.Elapsed < Patience, $"Not everybody was served at the same time. {(isPossible() ? "" : "Somebody has ended. ")}{describe()}");

            // Files and connections have to be looked for.
            Thread.Sleep(20);
        }
    }

    private static bool HasContent(string path) => File.Exists(path) && new FileInfo(path).Length > 0;

    private static bool HasConnection(int port) => IPGlobalProperties.GetIPGlobalProperties().GetActiveTcpConnections()
        .Any(connection => connection.LocalEndPoint.Port == port && connection.State == TcpState.Established);
}
