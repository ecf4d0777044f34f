using System.Text.Json;
using CuFrames.Client;
using CuFrames.Protocol;
using Xunit;

namespace CuFrames.Web.Tests;

/// <summary>
/// A camera whose key is that of another one's tile has it, whichever of the two came first; the other one's own pictures are shown. When it goes, the
/// tile is back.
/// </summary>
public sealed class TileKeyTests
{
    private const string Front = "  front: {source: \"test:nv12@640x360@10\"}\n";
    private const string Other = "  front@tile: {source: \"test:nv12@64x64@10\"}\n";

    [Fact]
    public void Both_in_the_configuration()
    {
        using WebDaemon daemon = new("cameras:\n" + Front + Other);
        RequireTheCamera(daemon);
        RequireNoTrouble(daemon);
    }

    [Fact]
    public void Both_after_a_reload_and_one_after_the_next()
    {
        using WebDaemon daemon = new("cameras:\n" + Front);
        RequireTheTile(daemon);
        Reload(daemon, Front + Other);
        RequireTheCamera(daemon);
        Reload(daemon, Front);
        RequireTheTile(daemon);
        RequireNoTrouble(daemon);
    }

    [Fact]
    public void The_camera_is_added_while_the_tile_is_looked_at()
    {
        using WebDaemon daemon = new("cameras:\n" + Front);
        RequireTheTile(daemon);
        using FrameSubscriber reader = daemon.Daemon.Subscribe("front@tile");
        using (Frame frame = reader.Next(TimeSpan.FromSeconds(60)))
        {
            Assert.Equal(320, frame.Width);
        }

        Assert.Contains("front@tile was added.", Change(daemon, "add", "{\"key\":\"front@tile\",\"settings\":\"source: test:nv12@64x64@10\"}"), StringComparison.Ordinal);
        RequireTheCamera(daemon);

        // Who read the tile reads the camera now: its key is all he asked for.
        WebDaemon.WaitUntil(() => WidthOf(reader) == 64, () => daemon.Daemon.LogText);
        Assert.Contains("front@tile was removed.", Change(daemon, "remove", "{\"key\":\"front@tile\"}"), StringComparison.Ordinal);
        RequireTheTile(daemon);
        RequireNoTrouble(daemon);
    }

    [Fact]
    public void The_other_camera_is_added_last()
    {
        using WebDaemon daemon = new("cameras:\n" + Other);
        Assert.Contains("front was added.", Change(daemon, "add", "{\"key\":\"front\",\"settings\":\"source: test:nv12@640x360@10\"}"), StringComparison.Ordinal);
        RequireTheCamera(daemon);
        Assert.Contains("front was removed.", Change(daemon, "remove", "{\"key\":\"front\"}"), StringComparison.Ordinal);
        WebDaemon.WaitUntil(() => !Cameras(daemon).ContainsKey("front"), () => daemon.Daemon.LogText);
        RequireNoTrouble(daemon);
    }

    private static int WidthOf(FrameSubscriber reader)
    {
        if (!reader.TryNext(TimeSpan.FromSeconds(1), out Frame frame))
        {
            return 0;
        }

        using (frame)
        {
            return frame.Width;
        }
    }

    private static void RequireTheCamera(WebDaemon daemon)
    {
        daemon.Daemon.WaitFor("front@tile", stream => stream.Description is { State: StreamState.Live, Width: 64 });
        daemon.Daemon.WaitFor("front", stream => stream.Description is { State: StreamState.Live, Width: 640 });
        WebDaemon.WaitUntil(
            () => Cameras(daemon) is { Count: 2 } cameras && cameras["front"] == "front" && cameras["front@tile"] == "front@tile", () => daemon.Daemon.LogText);
    }

    private static void RequireTheTile(WebDaemon daemon)
    {
        daemon.Daemon.WaitFor("front@tile", stream => stream.Description is { Width: not 64 });
        daemon.Daemon.WaitFor("front", stream => stream.Description is { State: StreamState.Live, Width: 640 });
        WebDaemon.WaitUntil(() => Cameras(daemon) is { Count: 1 } cameras && cameras["front"] == "front@tile", () => daemon.Daemon.LogText);
    }

    /// <summary>Nobody had to wait for a key.</summary>
    private static void RequireNoTrouble(WebDaemon daemon) => Assert.DoesNotContain(daemon.Daemon.Log, line => line.Contains("-unavailable]", StringComparison.Ordinal));

    private static void Reload(WebDaemon daemon, string cameras)
    {
        int seen = daemon.Daemon.Log.Count;
        daemon.Daemon.Write($"web: 127.0.0.1:{daemon.Port}\ncameras:\n{cameras}");
        daemon.Daemon.Signal(1);
        daemon.Daemon.WaitForLog("[200 ", seen: seen);
    }

    private static string Change(WebDaemon daemon, string what, string content) =>
        daemon.Curl("-H", "Content-Type: application/json", "-d", content, $"{daemon.Url}/api/cameras/{what}");

    /// <summary>What a page is told first: the cameras, and of which stream each is to be shown.</summary>
    private static Dictionary<string, string> Cameras(WebDaemon daemon)
    {
        string begin = WebDaemon.Run("bash", "-c", $"curl -sN --max-time 60 {daemon.Url}/events/stream | grep -m 1 -A 1 '^event: snapshot' | tail -n 1");
        using JsonDocument snapshot = JsonDocument.Parse(begin["data: ".Length..]);
        return snapshot.RootElement.GetProperty("cameras").EnumerateArray().ToDictionary(camera => camera.GetProperty("key").GetString()!, camera => camera.GetProperty("tile").GetString()!);
    }
}
