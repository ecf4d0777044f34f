using System.Diagnostics;
using System.Text.Json;
using CuFrames.Daemon.Tests;
using CuFrames.TestKit;
using Xunit;

namespace CuFrames.Operations.Tests;

/// <summary>Lines of the log, as programs read them.</summary>
public sealed class LogTests
{
    private const string Cameras = """

        directory: {run}
        cameras:
          pattern: { source: "test:nv12@64x64@25" }
          lost: { source: /nonexistent/camera.mp4 }
        """;

    [Fact]
    public void A_line_is_an_object_with_the_events_own_id_and_name()
    {
        using DaemonProcess daemon = new("log: {format: json}" + Cameras);
        daemon.Start();
        daemon.WaitForLog("\"event\":\"camera-live\"");
        daemon.WaitForLog("\"event\":\"camera-lost\"");
        daemon.End();
        foreach (string line in daemon.Log)
        {
            JsonElement found = JsonDocument.Parse(line).RootElement;
            CuFrames.Daemon.Internal.LogEvent kind = CuFrames.Daemon.Internal.LogEvents.All.Single(kind => kind.Id == found.GetProperty("id").GetInt32());
            Assert.Equal(kind.Name, found.GetProperty("event").GetString());
            Assert.Equal(CuFrames.Daemon.Internal.LogKey.NameOf(kind.Level), found.GetProperty("level").GetString());
            Assert.Equal(DateTimeKind.Utc, found.GetProperty("time").GetDateTime().Kind);
            Assert.NotEqual("", found.GetProperty("text").GetString());
        }

        JsonElement lost = daemon.Log.Select(line => JsonDocument.Parse(line).RootElement).First(line => line.GetProperty("id").GetInt32() == 302);
        Assert.Equal("lost", lost.GetProperty("stream").GetString());
    }

    [Fact]
    public void Under_journald_an_object_stands_behind_its_priority()
    {
        using DaemonProcess daemon = new("log: {format: json}" + Cameras);
        daemon.Environment["JOURNAL_STREAM"] = "8:1";
        daemon.Start();
        string lost = daemon.WaitForLog("\"event\":\"camera-lost\"");
        Assert.StartsWith("<4>{", lost, StringComparison.Ordinal);
        Assert.Equal(302, JsonDocument.Parse(lost[3..]).RootElement.GetProperty("id").GetInt32());
        Assert.StartsWith("<6>{", daemon.WaitForLog("\"event\":\"camera-live\""), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_level_leaves_lines_out_but_not_events_and_a_reload_changes_it()
    {
        int port = Ports.Free();
        string web = $"web: 127.0.0.1:{port}\n";
        using DaemonProcess daemon = new(web + "log: {level: warning}" + Cameras);
        daemon.Start();
        daemon.WaitForLog("camera-lost");
        daemon.WaitFor("pattern", stream => stream.Description?.Head > 2);
        Assert.DoesNotContain(daemon.Log, line => line.Contains(" info ", StringComparison.Ordinal));
        using HttpClient client = new(new SocketsHttpHandler { UseProxy = false });
        Stopwatch time = Stopwatch.StartNew();
        while (await CountAsync("camera-live") != 1)
        {
            // What is said may be a quarter of a second old.
            await Task.Delay(100, TestContext.Current.CancellationToken);
        }

        daemon.Write(web + "log: {level: info, format: json}" + Cameras);
        daemon.Signal(Signals.HangUp);
        daemon.WaitForLog("\"event\":\"configuration-loaded\"");
        int seen = daemon.Log.Count;
        daemon.Write(web + "log: {level: error}" + Cameras);
        daemon.Signal(Signals.HangUp);
        while (await CountAsync("configuration-loaded") < 2)
        {
            // At this level a good reload says nothing.
            await Task.Delay(100, TestContext.Current.CancellationToken);
        }

        daemon.Write(web + "log: {level: loud}" + Cameras);
        daemon.Signal(Signals.HangUp);
        daemon.WaitForLog("error [201 configuration-invalid]", "log.level: found 'loud'");
        Assert.DoesNotContain(daemon.Log.Skip(seen), line => line.Contains("configuration-loaded", StringComparison.Ordinal));

        async Task<double> CountAsync(string name)
        {
            string text;
            try
            {
                text = await client.GetStringAsync(new Uri($"http://127.0.0.1:{port}/metrics"), TestContext.Current.CancellationToken);
            }
            catch (HttpRequestException) when (time.Elapsed < DaemonProcess.Patience)
            {
                // The server comes after the cameras, and at this level nothing is said of it.
                return 0;
            }

            return Samples.Parse(text).Value("cuframes_log_events_total", ("event", name));
        }
    }

    [Fact]
    public void The_command_line_takes_precedence()
    {
        using DaemonProcess daemon = new("log: {level: info, format: json}" + Cameras);
        daemon.Start("--log-level", "warning", "--log-format", "text");
        Assert.Contains(" warning [302 camera-lost] lost: ", daemon.WaitForLog("camera-lost"), StringComparison.Ordinal);
        Assert.DoesNotContain(daemon.Log, line => line.Contains("starting]", StringComparison.Ordinal));
        Assert.Equal(2, DaemonProcess.Execute(daemon.Environment, "--log-level", "debug").ExitCode);
    }
}
