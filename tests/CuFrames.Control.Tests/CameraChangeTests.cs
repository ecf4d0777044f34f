using System.Text.Json;
using CuFrames.Client;
using CuFrames.Daemon.Tests;
using Xunit;

namespace CuFrames.Control.Tests;

/// <summary>Cameras that come and go by calls: every method, every error, with each caller.</summary>
public sealed class CameraChangeTests
{
    private const string Configuration = """
        directory: {run}
        limits: {cameras: 4}
        defaults:
          max_slots: 8
        cameras:
          front:
            source: test:nv12@320x240@25
            renditions:
              small: { size: 160x120 }
          resting:
            source: test:nv12@320x240@25
            enabled: false
        """;

    public static TheoryData<string> Callers { get; } = [.. ControlCaller.Kinds];

    [Theory]
    [MemberData(nameof(Callers))]
    public async Task A_camera_is_added_changed_started_anew_and_removed(string kind)
    {
        using ControlScenario scenario = new(kind, Configuration);
        JsonElement added = (await scenario.AddAsync("garden", "source: test:nv12@640x480@25\nslots: 3\n")).Message;
        Assert.Equal("garden", added.GetProperty("key").GetString());
        Assert.Equal("ORIGIN_API", added.GetProperty("origin").GetString());
        Assert.Equal("source: test:nv12@640x480@25\nslots: 3\n", added.GetProperty("settings").GetString());
        ulong epoch = scenario.RequireFrame("garden");
        Assert.Equal(["front", "resting", "garden"], await scenario.KeysAsync());
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(scenario.StatePath));
        scenario.Daemon.WaitForLog("[703 control-done]", "Camera 'garden' was added by user");

        // A rendition comes without the camera noticing; its defaults are the file's.
        JsonElement changed = (await scenario.UpdateAsync("garden", """{"source": "test:nv12@640x480@25", "slots": 3, "renditions": {"tiny": {"size": "64x48"}}}""")).Message;
        Assert.Contains("tiny:\n    size: 64x48", changed.GetProperty("settings").GetString(), StringComparison.Ordinal);
        scenario.RequireFrame("garden@tiny");
        Assert.Equal(epoch, scenario.RequireFrame("garden"));

        Assert.Equal(RpcStatus.Ok, (await scenario.CallAsync("RestartCamera", ("key", "garden"))).Status);
        Assert.NotEqual(epoch, scenario.RequireFrame("garden"));
        scenario.Daemon.WaitForLog("[703 control-done]", "Camera 'garden' was started anew by user");

        JsonElement disabled = (await scenario.UpdateAsync("garden", "source: test\nenabled: false\n")).Message;
        Assert.Equal(("CAMERA_STATE_DISABLED", "disabled in its settings"), (disabled.GetProperty("state").GetString(), disabled.GetProperty("reason").GetString()));
        await ControlScenario.RequireAsync(scenario.CallAsync("RestartCamera", ("key", "garden")), RpcStatus.FailedPrecondition, "enabled: false");

        Assert.Equal(RpcStatus.Ok, (await scenario.CallAsync("RemoveCamera", ("key", "garden"))).Status);
        Assert.Equal(["front", "resting"], await scenario.KeysAsync());
        Assert.DoesNotContain(Directory.EnumerateFileSystemEntries(scenario.Daemon.RuntimeDirectory), path => path.Contains("garden", StringComparison.Ordinal));
        Assert.DoesNotContain("garden", File.ReadAllText(scenario.StatePath), StringComparison.Ordinal);
        await ControlScenario.RequireAsync(scenario.CallAsync("GetCamera", ("key", "garden")), RpcStatus.NotFound, "There are: front, resting.");
    }

    [Theory]
    [MemberData(nameof(Callers))]
    public async Task What_cannot_be_is_refused_with_every_reason_and_changes_nothing(string kind)
    {
        using ControlScenario scenario = new(kind, Configuration);
        Assert.Equal(RpcStatus.Ok, (await scenario.AddAsync("garden", "source: test")).Status);
        string kept = File.ReadAllText(scenario.StatePath);

        // Settings: each problem with its place, those of the defaults' sum too.
        await ControlScenario.RequireAsync(
            scenario.AddAsync("shed", "source: test\nslots: 1\nmemroy: host\n"),
            RpcStatus.InvalidArgument,
            "settings:2:8: slots: found '1'.",
            "settings:3:1: memroy: unknown key 'memroy' (did you mean 'memory'?).");
        await ControlScenario.RequireAsync(scenario.AddAsync("shed", "source: test\nslots: 9\n"), RpcStatus.InvalidArgument, "max_slots is 8 and slots is 9");
        await ControlScenario.RequireAsync(scenario.AddAsync("shed", ""), RpcStatus.InvalidArgument, "the key 'source' is missing");
        await ControlScenario.RequireAsync(scenario.AddAsync("shed", "[1, 2]"), RpcStatus.InvalidArgument, "settings:1:1: found a list.");
        await ControlScenario.RequireAsync(scenario.AddAsync("shed", "source: [unclosed"), RpcStatus.InvalidArgument, "this is not YAML");
        await ControlScenario.RequireAsync(
            scenario.AddAsync("shed", "source: &a test\nmemory: *a\n"), RpcStatus.InvalidArgument, "settings:2:9", "An alias stands here");
        await ControlScenario.RequireAsync(scenario.AddAsync("shed", $"source: test # {new string('x', 64 << 10)}"), RpcStatus.InvalidArgument, "at most 65536 are taken");
        await ControlScenario.RequireAsync(scenario.AddAsync("shed", "source: rtsp://viewer:***@192.0.2.1/"), RpcStatus.InvalidArgument, "*** stands for a secret");
        await ControlScenario.RequireAsync(scenario.AddAsync("Shed", "source: test"), RpcStatus.InvalidArgument, "'Shed' is not a stream key");

        // Keys: of the file, of another one, of a rendition.
        await ControlScenario.RequireAsync(scenario.AddAsync("front", "source: test"), RpcStatus.AlreadyExists, scenario.Daemon.ConfigurationPath);
        await ControlScenario.RequireAsync(scenario.AddAsync("garden", "source: test"), RpcStatus.AlreadyExists, "Update it");
        await ControlScenario.RequireAsync(scenario.AddAsync("front@small", "source: test"), RpcStatus.InvalidArgument, "the stream 'front@small' is one of camera front too");

        await ControlScenario.RequireAsync(scenario.UpdateAsync("front", "source: test"), RpcStatus.FailedPrecondition, $"in {scenario.Daemon.ConfigurationPath}: change it there");
        await ControlScenario.RequireAsync(scenario.CallAsync("RemoveCamera", ("key", "front")), RpcStatus.FailedPrecondition, "change it there");
        await ControlScenario.RequireAsync(scenario.UpdateAsync("garden", "source: test\nslots: 1"), RpcStatus.InvalidArgument, "settings:2:8: slots");
        foreach (string method in (string[])["RemoveCamera", "RestartCamera", "GetCamera"])
        {
            await ControlScenario.RequireAsync(scenario.CallAsync(method, ("key", "shed")), RpcStatus.NotFound, "There are: front, resting, garden.");
        }

        await ControlScenario.RequireAsync(scenario.UpdateAsync("shed", "source: test"), RpcStatus.NotFound, "There is no camera 'shed'.");
        await ControlScenario.RequireAsync(scenario.CallAsync("RestartCamera", ("key", "resting")), RpcStatus.FailedPrecondition, "enabled: false");
        Assert.Equal(["front", "resting", "garden"], await scenario.KeysAsync());
        Assert.Equal(kept, File.ReadAllText(scenario.StatePath));
        Assert.Equal([scenario.StatePath], Directory.EnumerateFileSystemEntries(scenario.Daemon.StateDirectory));

        Assert.Equal(RpcStatus.Ok, (await scenario.AddAsync("shed", "source: test")).Status);
        await ControlScenario.RequireAsync(scenario.AddAsync("attic", "source: test"), RpcStatus.ResourceExhausted, "one more than limits.cameras, which is 4");
    }

    [Theory]
    [MemberData(nameof(Callers))]
    public async Task Secrets_are_kept_and_not_told(string kind)
    {
        const string Secret = "Geh3imnis";
        using ControlScenario scenario = new(kind, Configuration);
        JsonElement added = (await scenario.AddAsync("garden", $"source: rtsp://viewer:{Secret}@127.0.0.1:1/main\nopen_timeout: 1s\n")).Message;
        const string Shown = "source: rtsp://viewer:***@127.0.0.1:1/main\nopen_timeout: 1s\n";
        Assert.Equal(Shown, added.GetProperty("settings").GetString());

        // What was told is sent back with a change: the secret stays. Another host does not get it.
        Assert.Equal(RpcStatus.Ok, (await scenario.UpdateAsync("garden", Shown + "slots: 3\n")).Status);
        Assert.Contains($"viewer:{Secret}@", File.ReadAllText(scenario.StatePath), StringComparison.Ordinal);
        await ControlScenario.RequireAsync(scenario.UpdateAsync("garden", "source: rtsp://viewer:***@192.0.2.66/main"), RpcStatus.InvalidArgument, "*** stands for a secret");

        Assert.Equal(RpcStatus.Ok, (await scenario.UpdateAsync("garden", $"source: rtsp://127.0.0.1:1/main\nusername: viewer\npassword: {Secret}\n")).Status);
        JsonElement shown = (await scenario.CallAsync("GetCamera", ("key", "garden"))).Message;
        Assert.Contains("password: \"***\"", shown.GetProperty("settings").GetString(), StringComparison.Ordinal);
        Assert.Equal(RpcStatus.Ok, (await scenario.UpdateAsync("garden", shown.GetProperty("settings").GetString()!)).Status);
        Assert.Contains($"password: {Secret}", File.ReadAllText(scenario.StatePath), StringComparison.Ordinal);

        await ControlScenario.RequireAsync(scenario.UpdateAsync("garden", $"source: {{{Secret}: 1}}\npassword: [{Secret}]"), RpcStatus.InvalidArgument, "source: found a mapping");
        CallResult events = await scenario.Caller.CallAsync("WatchEvents", """{"past": 1000, "pastOnly": true}""");
        string everything = string.Join('\n', events.Messages) + string.Join('\n', (await scenario.CallAsync("ListCameras")).Messages) + scenario.Daemon.LogText;
        Assert.DoesNotContain(Secret, everything, StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Callers))]
    public async Task Statistics_tell_rates_readers_and_the_process(string kind)
    {
        using ControlScenario scenario = new(kind, Configuration);
        using FrameSubscriber subscriber = scenario.Daemon.Subscribe("front");
        Assert.True(subscriber.TryNext(DaemonProcess.Patience, out Frame frame));
        frame.Dispose();
        JsonElement statistics;
        JsonElement camera;

        // A rate needs two looks that lie a while apart.
        do
        {
            statistics = (await scenario.CallAsync("GetStatistics", ("camera", "front"))).Message;
            camera = Assert.Single(statistics.GetProperty("cameras").EnumerateArray().ToArray());
        }
        while (!camera.GetProperty("streams")[0].TryGetProperty("framesPerSecond", out _) || !camera.TryGetProperty("latency", out _));

        JsonElement stream = camera.GetProperty("streams")[0];
        Assert.Equal("front", stream.GetProperty("stream").GetProperty("key").GetString());
        Assert.InRange(stream.GetProperty("framesPerSecond").GetDouble(), 0.1, 50);
        Assert.Equal("CAMERA_STATE_LIVE", camera.GetProperty("state").GetString());
        JsonElement latency = camera.GetProperty("latency");
        Assert.InRange(latency.GetProperty("p50Us").GetDouble(), 0.001, latency.GetProperty("p99Us").GetDouble());
        JsonElement process = statistics.GetProperty("process");
        Assert.Equal(scenario.Daemon.ProcessId, process.GetProperty("processId").GetInt32());
        Assert.True(process.GetProperty("cpuSeconds").GetDouble() > 0);
        Assert.True(process.GetProperty("threads").GetInt32() > 1);
        JsonElement reader = Assert.Single(statistics.GetProperty("readers").EnumerateArray().ToArray());
        Assert.Equal(Environment.ProcessId, reader.GetProperty("processId").GetInt32());

        // Cameras that are disabled have no statistics.
        Assert.Equal(["front"], (await scenario.CallAsync("GetStatistics")).Message.GetProperty("cameras").EnumerateArray().Select(each => each.GetProperty("key").GetString()));
        await ControlScenario.RequireAsync(scenario.CallAsync("GetStatistics", ("camera", "shed")), RpcStatus.NotFound, "There is no camera 'shed'.");
    }

    [Theory]
    [MemberData(nameof(Callers))]
    public async Task The_log_level_changes_what_is_logged_and_not_what_happens(string kind)
    {
        using ControlScenario scenario = new(kind, Configuration);
        await ControlScenario.RequireAsync(scenario.CallAsync("SetLogLevel", ("level", "SEVERITY_UNSPECIFIED")), RpcStatus.InvalidArgument);
        Assert.Equal(RpcStatus.Ok, (await scenario.CallAsync("SetLogLevel", ("level", "SEVERITY_ERROR"))).Status);
        Assert.Equal(RpcStatus.Ok, (await scenario.AddAsync("garden", "source: test")).Status);
        Assert.Equal(RpcStatus.Ok, (await scenario.CallAsync("SetLogLevel", ("level", "SEVERITY_INFORMATION"))).Status);
        Assert.Equal(RpcStatus.Ok, (await scenario.AddAsync("shed", "source: test")).Status);
        scenario.Daemon.WaitForLog("Camera 'shed' was added");
        Assert.DoesNotContain("Camera 'garden' was added", scenario.Daemon.LogText, StringComparison.Ordinal);
        CallResult events = await scenario.Caller.CallAsync("WatchEvents", """{"camera": "garden", "past": 1000, "pastOnly": true}""");
        Assert.Contains("control-done", events.Messages.Select(message => message.GetProperty("name").GetString()));
    }

    [Fact]
    public async Task Fifty_cameras_that_come_and_go_leave_nothing_behind()
    {
        using ControlScenario scenario = new("CuFrames", Configuration);
        const string Settings = "source: test:nv12@320x240@25\nrenditions: {small: {size: 160x120}}\n";
        await ComeAndGoAsync(scenario, Settings);
        (string[] Files, int Descriptors, int Threads) before = Look(scenario);
        for (int i = 0; i < 50; i++)
        {
            await ComeAndGoAsync(scenario, Settings);
        }

        // Threads of the pool come and go by themselves; what a camera leaves would be 50 of something.
        (string[] Files, int Descriptors, int Threads) after = Look(scenario);
        for (long end = Environment.TickCount64 + 60_000; (after.Descriptors > before.Descriptors + 10 || after.Threads > before.Threads + 10) && Environment.TickCount64 < end;)
        {
            await Task.Delay(200, TestContext.Current.CancellationToken);
            after = Look(scenario);
        }

        Assert.Equal(before.Files, after.Files);
        Assert.InRange(after.Descriptors, 0, before.Descriptors + 10);
        Assert.InRange(after.Threads, 0, before.Threads + 10);
        Assert.Equal(["front", "resting"], await scenario.KeysAsync());

        static async Task ComeAndGoAsync(ControlScenario scenario, string settings)
        {
            Assert.Equal(RpcStatus.Ok, (await scenario.AddAsync("garden", settings)).Status);
            scenario.RequireFrame("garden@small");
            Assert.Equal(RpcStatus.Ok, (await scenario.CallAsync("RemoveCamera", ("key", "garden"))).Status);
        }

        static (string[] Files, int Descriptors, int Threads) Look(ControlScenario scenario)
        {
            string process = $"/proc/{scenario.Daemon.ProcessId}";
            return (
                [.. Directory.EnumerateFileSystemEntries(scenario.Daemon.Folder, "*", SearchOption.AllDirectories).Order()],
                Directory.GetFileSystemEntries($"{process}/fd").Length,
                Directory.GetDirectories($"{process}/task").Length);
        }
    }

    [Theory]
    [MemberData(nameof(Callers))]
    public async Task Frames_that_are_dropped_are_an_event(string kind)
    {
        using ControlScenario scenario = new(kind, Configuration);
        Assert.Equal(RpcStatus.Ok, (await scenario.AddAsync("garden", "source: test:nv12@320x240@25\nslots: 2\nmax_slots: 2\nlease_timeout: 10min\n")).Status);
        using FrameSubscriber subscriber = scenario.Daemon.Subscribe("garden");
        Assert.True(subscriber.TryNext(DaemonProcess.Patience, out Frame first));
        Assert.True(subscriber.TryNext(DaemonProcess.Patience, out Frame second));
        scenario.Daemon.WaitForLog("[408 frames-dropped]", "garden: ");
        CallResult events = await scenario.Caller.CallAsync("WatchEvents", """{"camera": "garden", "past": 1000, "pastOnly": true}""");
        JsonElement dropped = Assert.Single(events.Messages, message => message.GetProperty("name").GetString() == "frames-dropped");
        Assert.Equal("SEVERITY_WARNING", dropped.GetProperty("severity").GetString());
        Assert.Contains("readers held all 2 slots", dropped.GetProperty("text").GetString(), StringComparison.Ordinal);
        first.Dispose();
        second.Dispose();
    }
}
