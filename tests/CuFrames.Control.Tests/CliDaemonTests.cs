using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;
using CuFrames.Cli.Tests;
using CuFrames.Client;
using CuFrames.Daemon.Tests;
using Xunit;

namespace CuFrames.Control.Tests;

/// <summary>The commands that ask a daemon, as somebody uses them for a long time, in a narrow window, or among programs that do not mean well.</summary>
public sealed partial class CliDaemonTests
{
    private const int Kill = 9;

    /// <summary>Sets the title of a terminal's window, and then begins a line of its own.</summary>
    private const string Attack = "\u001b]0;owned\u0007\nfront  live";

    private const string Shown = @"\x1b]0;owned\x07\nfront  live";

    private const string Configuration = """
        directory: {run}
        cameras:
          front:
            source: test:nv12@320x240@25
            renditions:
              small: { size: 160x120 }
          a-camera-with-a-rather-long-key:
            source: /nonexistent/camera.mp4
        """;

    [Fact]
    public void Top_goes_on_with_the_next_daemon_and_does_not_grow()
    {
        using ControlScenario scenario = new("CuFrames", Configuration);
        using CliProcess top = CliProcess.Start(scenario.Daemon.RuntimeDirectory, "top", "--json", "--interval", "0.1");
        int first = scenario.Daemon.ProcessId;
        top.WaitForObject(look => ProcessOf(look) == first && look.GetProperty("process").GetProperty("cpu_load").ValueKind == JsonValueKind.Number);
        for (int i = 0; i < 5; i++)
        {
            scenario.KillAndStart();
            JsonElement look = top.WaitForObject(look => ProcessOf(look) == scenario.Daemon.ProcessId);

            // What the killed one had used says nothing of this one.
            Assert.Equal(JsonValueKind.Null, look.GetProperty("process").GetProperty("cpu_load").ValueKind);
            top.WaitForObject(look => ProcessOf(look) == scenario.Daemon.ProcessId && look.GetProperty("cameras").GetArrayLength() == 2);

            // It has tried many times: no attempt leaves anything.
            Assert.InRange(SocketsOf(top.Id), 1, 4);
        }

        top.Signal("INT");
        CliResult result = top.WaitForEnd();
        Assert.Equal(0, result.ExitCode);
        string[] remarks = result.Errors.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.All(remarks, remark => Assert.Matches("^cuframes: UNAVAILABLE: .* Waiting for it.$", remark));

        // One for each time at most: a start that is quicker than two looks is not noticed.
        Assert.InRange(remarks.Length, 0, 5);
    }

    [Fact]
    public async Task Events_go_on_with_the_next_daemon_and_none_comes_twice_or_is_left_out()
    {
        using ControlScenario scenario = new("CuFrames", Configuration);
        scenario.Daemon.WaitForLog("[302 camera-lost]");
        using CliProcess events = CliProcess.Start(scenario.Daemon.RuntimeDirectory, "events", "--reconnect", "--json", "--past", "1000");
        events.WaitForObject(happening => NameOf(happening) == "camera-lost");

        // What comes behind the past comes from the watch that goes on, which has seen the past too by then.
        Assert.Equal(RpcStatus.Ok, (await scenario.AddAsync("shed", "source: test:nv12@320x240@25")).Status);
        events.WaitForObject(happening => NameOf(happening) == "control-done");
        for (int i = 0; i < 3; i++)
        {
            scenario.KillAndStart();
            Assert.Equal(RpcStatus.Ok, (await scenario.AddAsync($"garden{i}", "source: test:nv12@320x240@25")).Status);
            events.WaitForObject(happening => NameOf(happening) == "control-done" && happening.GetProperty("stream").GetString() == $"garden{i}");
        }

        events.Signal("INT");
        CliResult result = events.WaitForEnd();
        Assert.Equal(0, result.ExitCode);
        Assert.All(result.Errors.Split('\n', StringSplitOptions.RemoveEmptyEntries), remark => Assert.Matches("^cuframes: UNAVAILABLE: .* Waiting for it.$", remark));

        // Each daemon counts from 1 on: of the first and of those that follow, all from the first event on, each once.
        ulong[] sequences = [.. result.Objects.Select(happening => happening.GetProperty("sequence").GetUInt64())];
        int daemons = 0;
        ulong before = 0;
        foreach (ulong sequence in sequences)
        {
            daemons += sequence == 1 ? 1 : 0;
            Assert.Equal(sequence == 1 ? 1 : before + 1, sequence);
            before = sequence;
        }

        Assert.Equal(4, daemons);
    }

    [Fact]
    public void Events_wait_for_a_daemon_that_is_not_there_only_if_they_are_told_to()
    {
        using DaemonProcess daemon = new(Configuration);
        CliProcess.Run(daemon.RuntimeDirectory, "events").RequireFailure(3, "UNAVAILABLE");
        CliProcess.Run(daemon.RuntimeDirectory, "events", "--once", "--reconnect").RequireFailure(2, "USAGE");
        using CliProcess events = CliProcess.Start(daemon.RuntimeDirectory, "events", "--reconnect", "--json", "--past", "1000");
        daemon.Start();
        events.WaitForObject(happening => NameOf(happening) == "control-ready");
        events.Signal("TERM");
        Assert.Equal(0, events.WaitForEnd().ExitCode);
    }

    [Fact]
    public void What_a_reader_calls_itself_does_nothing_to_a_terminal()
    {
        using ControlScenario scenario = new("CuFrames", Configuration);
        using FrameSubscriber subscriber = FrameSubscriber.Connect(
            "front", new SubscriberOptions { Directory = scenario.Daemon.RuntimeDirectory, Program = Attack, WaitForStream = true });
        Assert.True(subscriber.TryNext(DaemonProcess.Patience, out Frame frame));
        frame.Dispose();
        scenario.Daemon.WaitForLog("[400 reader-joined]");
        foreach (string command in (string[])["readers", "top --count 1 --interval 0.2", "events --once --past 1000"])
        {
            foreach (bool isTerminal in (bool[])[false, true])
            {
                CliResult result = Run(scenario, command, isTerminal ? 250 : null);
                Assert.Equal(0, result.ExitCode);
                Assert.DoesNotContain("\u001b]0;", result.Output, StringComparison.Ordinal);
                Assert.DoesNotContain("\u0007", result.Output, StringComparison.Ordinal);
                Assert.DoesNotContain(result.Lines, line => line.StartsWith("front  live", StringComparison.Ordinal));
                if (command == "readers")
                {
                    Assert.Contains(Shown, result.Output, StringComparison.Ordinal);
                }
            }
        }

        // Programs get what was said.
        CliResult json = CliProcess.Run(scenario.Daemon.RuntimeDirectory, "readers", "--json");
        Assert.Equal(Attack, json.Json.GetProperty("readers")[0].GetProperty("program").GetString());
    }

    [Fact]
    public void A_narrow_terminal_gets_no_wider_table_and_no_colour_when_none_is_wanted()
    {
        const int Columns = 60;
        using ControlScenario scenario = new("CuFrames", Configuration);
        scenario.Daemon.WaitForLog("[302 camera-lost]");
        using FrameSubscriber subscriber = scenario.Daemon.Subscribe("front");
        Assert.True(subscriber.TryNext(DaemonProcess.Patience, out Frame frame));
        frame.Dispose();
        foreach (string command in (string[])["daemon", "camera list", "readers", "top --count 1 --interval 0.2", "log-level", "events --once --past 1000"])
        {
            CliResult result = Run(scenario, command, Columns);
            Assert.True(result.ExitCode == 0, result.Output);
            Assert.DoesNotMatch("\u001b\\[[0-9;]*3[0-9]", result.Output);
            if (!command.StartsWith("events", StringComparison.Ordinal))
            {
                // Its lines are text that the terminal breaks itself.
                Assert.All(result.Lines, line => Assert.InRange(Escapes().Replace(line, "").TrimEnd('\r').Length, 0, Columns));
            }
        }
    }

    [Fact]
    public void What_the_daemon_is_is_shown_with_a_name_before_each_value()
    {
        using ControlScenario scenario = new("CuFrames", Configuration);
        string[] lines = CliProcess.Run(scenario.Daemon.RuntimeDirectory, "daemon").Lines;
        Assert.Equal(
            ["cuframesd", "status", "configuration", "sockets", "control by TCP", "dashboard", "state", "log level", "limits"], lines.Select(line => line.Split("  ")[0]));
        Assert.Contains(lines, line => line.EndsWith($"  {scenario.Daemon.ConfigurationPath}", StringComparison.Ordinal));
        Assert.Contains(lines, line => line.Contains(string.Create(CultureInfo.InvariantCulture, $", process {scenario.Daemon.ProcessId}, up "), StringComparison.Ordinal));
    }

    [Fact]
    public void A_snapshot_is_made_by_the_daemon_that_is_named_and_by_nobody_else()
    {
        using ControlScenario scenario = new("CuFrames", Configuration);
        string picture = Path.Combine(scenario.Daemon.Folder, "front.jpg");

        // Nothing of a container but the control socket: the streams are not there.
        using TestKit.TemporaryDirectory elsewhere = new();
        CliProcess.Run(elsewhere.Path, "snapshot", "front", picture).RequireFailure(3, "STREAM_NOT_FOUND");
        CliResult result = CliProcess.RunWith([$"CUFRAMES_CONTROL={scenario.SocketPath}"], elsewhere.Path, "snapshot", "front", picture, "--max-width", "100", "--json");
        result.RequireSuccess();
        Assert.Equal(scenario.SocketPath, result.Json.GetProperty("daemon").GetString());
        Assert.Equal(("image/jpeg", 100, 75), (result.Json.GetProperty("content_type").GetString(), result.Json.GetProperty("width").GetInt32(), result.Json.GetProperty("height").GetInt32()));
        Assert.Equal(JsonValueKind.Null, result.Json.GetProperty("format").ValueKind);
        Assert.Equal([0xFF, 0xD8], File.ReadAllBytes(picture)[..2]);
        CliProcess.Run(elsewhere.Path, "snapshot", "front", picture, "--control", scenario.SocketPath).RequireFailure(2, "CONFIGURATION_INVALID");
        CliProcess.Run(elsewhere.Path, "snapshot", "front", picture, "--force", "--control", scenario.SocketPath, "--timeout", "11").RequireFailure(2, "CONFIGURATION_INVALID");
        CliProcess.Run(elsewhere.Path, "snapshot", "back", picture, "--force", "--control", scenario.SocketPath).RequireFailure(3, "NOT_FOUND");
        CliProcess.Run(elsewhere.Path, "snapshot", "front", picture, "--force", "--control", scenario.SocketPath + ".missing").RequireFailure(3, "UNAVAILABLE");
        Assert.Equal([picture], Directory.GetFiles(scenario.Daemon.Folder));
    }

    /// <summary>Runs a command outside of a terminal, or in one of so many columns, without colours.</summary>
    private static CliResult Run(ControlScenario scenario, string command, int? columns)
    {
        // script(1) gives the program a terminal of its own.
        using CliProcess process = columns is { } width
            ? CliProcess.StartOther(
                scenario.Daemon.RuntimeDirectory, "env", "TERM=xterm-256color", "NO_COLOR=1", "script", "-qec", $"stty cols {width} rows 40; exec {CliProcess.Program} {command}", "/dev/null")
            : CliProcess.Start(scenario.Daemon.RuntimeDirectory, command.Split(' '));
        return process.WaitForEnd();
    }

    private static int SocketsOf(int process) => Directory.EnumerateFiles($"/proc/{process}/fd").Count(path =>
    {
        try
        {
            return new FileInfo(path).LinkTarget?.StartsWith("socket:", StringComparison.Ordinal) == true;
        }
        catch (IOException)
        {
            // It was closed between the two looks.
            return false;
        }
    });

    private static int ProcessOf(JsonElement look) => look.GetProperty("process").GetProperty("process_id").GetInt32();

    private static string? NameOf(JsonElement happening) => happening.GetProperty("name").GetString();

    [GeneratedRegex("\u001b(\\[[0-9;?]*[a-zA-Z]|=)")]
    private static partial Regex Escapes();
}
