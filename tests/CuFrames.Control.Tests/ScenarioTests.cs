using System.Text.Json;
using CuFrames.Client;
using CuFrames.Daemon.Tests;
using CuFrames.Protocol;
using Xunit;

namespace CuFrames.Control.Tests;

/// <summary>Every method and every error of control.proto, called by our own client, by Google's and by the program cuframes.</summary>
public sealed class ScenarioTests
{
    private const string Configuration = """
        directory: {run}
        limits: {cameras: 77, descriptors: 500, memory: 256MiB}
        cameras:
          pattern:
            source: test:nv12@320x240@25
            renditions:
              small: { size: 160x120 }
          missing:
            source: /nonexistent/camera.mp4
        """;

    public static TheoryData<string> Callers { get; } = [.. ControlCaller.Kinds];

    [Theory]
    [MemberData(nameof(Callers))]
    public async Task The_daemon_says_what_it_is(string kind)
    {
        using DaemonProcess daemon = Start();
        daemon.WaitForLog("[302 camera-lost]");
        daemon.WaitFor("pattern", stream => stream.Description?.Head > 0);
        using ControlCaller caller = ControlCaller.Create(kind, SocketOf(daemon));
        JsonElement said = (await caller.CallAsync("GetDaemon")).Message;
        Assert.Equal(daemon.ProcessId, said.GetProperty("processId").GetInt32());
        Assert.Equal(daemon.ConfigurationPath, said.GetProperty("configurationPath").GetString());
        Assert.Equal(daemon.RuntimeDirectory, said.GetProperty("runtimeDirectory").GetString());
        Assert.NotEqual("0", said.GetProperty("uptimeMs").GetString());
        Assert.StartsWith("0.", said.GetProperty("version").GetString(), StringComparison.Ordinal);
        Assert.Equal(daemon.StateDirectory, said.GetProperty("stateDirectory").GetString());
        Assert.Equal("SEVERITY_INFORMATION", said.GetProperty("logLevel").GetString());
        Assert.Contains("missing", said.GetProperty("status").GetString(), StringComparison.Ordinal);
        JsonElement limits = said.GetProperty("limits");
        Assert.Equal((77, 500), (limits.GetProperty("cameras").GetInt32(), limits.GetProperty("descriptors").GetInt32()));
        Assert.Equal("268435456", limits.GetProperty("memoryBytes").GetString());
        Assert.InRange(ulong.Parse(limits.GetProperty("memoryInUseBytes").GetString()!), 320UL * 240, 268435456UL);
        Assert.False(said.TryGetProperty("controlTcp", out JsonElement tcp) && tcp.GetString() != "");
    }

    [Theory]
    [MemberData(nameof(Callers))]
    public async Task Cameras_are_listed_with_state_reason_and_streams(string kind)
    {
        using DaemonProcess daemon = Start();
        daemon.WaitFor("pattern", stream => stream.Description?.Head > 5);
        daemon.WaitForLog("[302 camera-lost]");
        using ControlCaller caller = ControlCaller.Create(kind, SocketOf(daemon));
        JsonElement[] cameras = [.. (await caller.CallAsync("ListCameras")).Message.GetProperty("cameras").EnumerateArray()];
        Assert.Equal(["pattern", "missing"], cameras.Select(camera => camera.GetProperty("key").GetString()));
        Assert.Equal("CAMERA_STATE_LIVE", cameras[0].GetProperty("state").GetString());
        JsonElement[] streams = [.. cameras[0].GetProperty("streams").EnumerateArray()];
        Assert.Equal(["pattern", "pattern@small"], streams.Select(stream => stream.GetProperty("key").GetString()));
        Assert.Equal("nv12", streams[0].GetProperty("format").GetString());
        Assert.Equal((320, 240), (streams[0].GetProperty("width").GetInt32(), streams[0].GetProperty("height").GetInt32()));
        Assert.True(ulong.Parse(streams[0].GetProperty("published").GetString()!) > 5);
        Assert.Equal("CAMERA_STATE_SOURCE_LOST", cameras[1].GetProperty("state").GetString());
        Assert.Contains("does not exist", cameras[1].GetProperty("reason").GetString(), StringComparison.Ordinal);

        Assert.Equal("missing", (await caller.CallAsync("GetCamera", """{"key": "missing"}""")).Message.GetProperty("key").GetString());
        CallResult unknown = await caller.CallAsync("GetCamera", """{"key": "Küche 100%"}""");
        Assert.Equal((RpcStatus.NotFound, "There is no camera 'Küche 100%'. There are: pattern, missing."), (unknown.Status, unknown.Text));
    }

    [Theory]
    [MemberData(nameof(Callers))]
    public async Task A_reader_is_listed_and_evicted_and_told_why(string kind)
    {
        using DaemonProcess daemon = Start();
        List<SubscriberEvent> told = [];
        using FrameSubscriber subscriber = daemon.Subscribe("pattern", onEvent: told.Add, reconnect: false);
        Assert.True(subscriber.TryNext(DaemonProcess.Patience, out Frame frame));
        frame.Dispose();
        using ControlCaller caller = ControlCaller.Create(kind, SocketOf(daemon));
        JsonElement reader = (await caller.CallAsync("ListReaders", """{"stream": "pattern"}""")).Message.GetProperty("readers").EnumerateArray().Single();
        Assert.Equal(Environment.ProcessId, reader.GetProperty("processId").GetInt32());
        Assert.Equal("newest", reader.GetProperty("delivery").GetString());

        string id = reader.GetProperty("id").GetString()!;
        CallResult tooLong = await caller.CallAsync("EvictReader", $$"""{"stream": "pattern", "id": "{{id}}", "reason": "{{new string('x', 201)}}"}""");
        Assert.Equal(RpcStatus.InvalidArgument, tooLong.Status);
        Assert.Equal(RpcStatus.Ok, (await caller.CallAsync("EvictReader", $$"""{"stream": "pattern", "id": "{{id}}", "reason": "the night shift is over"}""")).Status);
        CuFramesException end = Assert.ThrowsAny<CuFramesException>(() => ReadOn(subscriber));
        Assert.Equal(ErrorCode.EvictedByOperator, end.Code);
        Assert.Contains("the night shift is over", end.Message, StringComparison.Ordinal);
        daemon.WaitForLog("[703 control-done]", "the night shift is over");

        CallResult again = await caller.CallAsync("EvictReader", $$"""{"stream": "pattern", "id": "{{id}}"}""");
        Assert.Equal(RpcStatus.NotFound, again.Status);
        Assert.Equal(RpcStatus.NotFound, (await caller.CallAsync("ListReaders", """{"stream": "other"}""")).Status);
        Assert.DoesNotContain("readers", (await caller.CallAsync("ListReaders")).Message.EnumerateObject().Where(property => property.Value.GetArrayLength() > 0).Select(property => property.Name));
    }

    [Theory]
    [MemberData(nameof(Callers))]
    public async Task Events_come_as_they_happen_after_those_of_the_past(string kind)
    {
        using DaemonProcess daemon = Start();
        using ControlCaller caller = ControlCaller.Create(kind, SocketOf(daemon));
        TaskCompletionSource past = new();
        int count = 0;

        // Of the camera: started, live, decoder; then a reader comes and goes.
        daemon.WaitForLog("[311 camera-decoder]");
        Task<CallResult> watching = caller.CallAsync("WatchEvents", """{"camera": "pattern", "past": 1000}""", timeout: null, take: 6, onMessage: _ =>
        {
            if (Interlocked.Increment(ref count) == 4)
            {
                past.SetResult();
            }
        });
        await past.Task.WaitAsync(DaemonProcess.Patience, TestContext.Current.CancellationToken);
        using (FrameSubscriber subscriber = daemon.Subscribe("pattern"))
        {
            Assert.True(subscriber.TryNext(DaemonProcess.Patience, out Frame frame));
            frame.Dispose();
        }

        Assert.True(await Task.WhenAny(watching, Task.Delay(DaemonProcess.Patience, TestContext.Current.CancellationToken)) == watching, $"{count} events came:\n{daemon.LogText}");
        CallResult events = await watching;
        Assert.Equal(RpcStatus.Cancelled, events.Status);
        Assert.Equal(
            ["camera-started", "rendition-started", "camera-live", "camera-decoder", "reader-joined", "reader-left"],
            events.Messages.Select(message => message.GetProperty("name").GetString()).Order(new ByFirst(["camera-started", "rendition-started", "camera-live", "camera-decoder", "reader-joined", "reader-left"])));
        Assert.All(events.Messages, message => Assert.Contains(message.GetProperty("stream").GetString(), (string[])["pattern", "pattern@small"]));
        Assert.All(events.Messages.Zip(events.Messages.Skip(1)), pair => Assert.True(SequenceOf(pair.Second) > SequenceOf(pair.First)));

        CallResult last = await caller.CallAsync("WatchEvents", """{"camera": "pattern", "past": 2, "pastOnly": true}""");
        Assert.Equal(["reader-joined", "reader-left"], last.Messages.Select(message => message.GetProperty("name").GetString()));
        Assert.Equal(RpcStatus.Ok, last.Status);
        Assert.Equal(RpcStatus.InvalidArgument, (await caller.CallAsync("WatchEvents", """{"past": 1001}""")).Status);
        Assert.Equal(RpcStatus.NotFound, (await caller.CallAsync("WatchEvents", """{"camera": "other"}""")).Status);
    }

    [Theory]
    [MemberData(nameof(Callers))]
    public async Task A_daemon_that_ends_ends_its_calls(string kind)
    {
        using DaemonProcess daemon = Start();
        using ControlCaller caller = ControlCaller.Create(kind, SocketOf(daemon));
        TaskCompletionSource begun = new();
        Task<CallResult> watching = caller.CallAsync("WatchEvents", """{"past": 1}""", timeout: null, onMessage: _ => begun.TrySetResult());
        await begun.Task.WaitAsync(DaemonProcess.Patience, TestContext.Current.CancellationToken);
        Assert.Equal(0, daemon.End().ExitCode);
        Assert.Equal(RpcStatus.Unavailable, (await watching.WaitAsync(DaemonProcess.Patience, TestContext.Current.CancellationToken)).Status);
        Assert.Empty(Directory.EnumerateFileSystemEntries(daemon.RuntimeDirectory));
    }

    [Theory]
    [MemberData(nameof(Callers))]
    public async Task A_killed_daemon_is_seen_and_its_successor_serves_the_same_socket(string kind)
    {
        using DaemonProcess daemon = Start();
        using ControlCaller caller = ControlCaller.Create(kind, SocketOf(daemon));
        TaskCompletionSource begun = new();
        Task<CallResult> watching = caller.CallAsync("WatchEvents", """{"past": 1}""", timeout: null, onMessage: _ => begun.TrySetResult());
        await begun.Task.WaitAsync(DaemonProcess.Patience, TestContext.Current.CancellationToken);
        const int Kill = 9;
        daemon.End(Kill);
        Assert.Equal(RpcStatus.Unavailable, (await watching.WaitAsync(DaemonProcess.Patience, TestContext.Current.CancellationToken)).Status);
        Assert.Equal(RpcStatus.Unavailable, (await caller.CallAsync("ListCameras")).Status);

        int seen = daemon.Log.Count;
        daemon.Start();
        daemon.WaitForLog("[700 control-ready]", seen: seen);
        CallResult answer = await caller.CallAsync("ListCameras");

        // Google's client waits before it connects again, and answers from what it knows until then.
        while (answer.Status == RpcStatus.Unavailable)
        {
            await Task.Delay(100, TestContext.Current.CancellationToken);
            answer = await caller.CallAsync("ListCameras");
        }

        Assert.Equal(2, answer.Message.GetProperty("cameras").GetArrayLength());
    }

    [Theory]
    [MemberData(nameof(Callers))]
    public async Task A_call_whose_time_is_over_ends(string kind)
    {
        using DaemonProcess daemon = Start();
        using ControlCaller caller = ControlCaller.Create(kind, SocketOf(daemon));
        Assert.Equal(RpcStatus.Ok, (await caller.CallAsync("ListCameras")).Status);
        const int Stop = 19;
        const int Continue = 18;
        daemon.Signal(Stop);
        CallResult late = await caller.CallAsync("ListCameras", timeout: 0.3);
        daemon.Signal(Continue);
        Assert.Equal(RpcStatus.DeadlineExceeded, late.Status);
        Assert.Equal(RpcStatus.Ok, (await caller.CallAsync("ListCameras")).Status);
    }

    [Theory]
    [MemberData(nameof(Callers))]
    public async Task Whoever_is_not_in_the_group_may_not_call(string kind)
    {
        // The daemon as a user of its own; this process is root, which may, so it is the daemon's peer that changes: through a relay as another user.
        using DaemonProcess daemon = Start();
        using UserRelay relay = new(SocketOf(daemon), user: 2990);
        using ControlCaller caller = ControlCaller.Create(kind, relay.SocketPath);
        CallResult refused = await caller.CallAsync("ListCameras");
        Assert.Equal(RpcStatus.PermissionDenied, refused.Status);
        Assert.Contains("User 2990", refused.Text, StringComparison.Ordinal);
        Assert.Contains("Add the user to the group", refused.Text, StringComparison.Ordinal);
        daemon.WaitForLog("[702 control-refused]", "User 2990");
    }

    private static DaemonProcess Start()
    {
        DaemonProcess daemon = DaemonProcess.Run(Configuration);
        daemon.WaitForLog("[700 control-ready]");
        return daemon;
    }

    private static string SocketOf(DaemonProcess daemon) => Path.Combine(daemon.RuntimeDirectory, ControlClient.SocketName);

    private static ulong SequenceOf(JsonElement message) => ulong.Parse(message.GetProperty("sequence").GetString()!);

    private static void ReadOn(FrameSubscriber subscriber)
    {
        while (subscriber.TryNext(DaemonProcess.Patience, out Frame frame))
        {
            frame.Dispose();
        }
    }

    /// <summary>Orders names as a list has them: what a camera and its rendition do at their start may come in any order.</summary>
    private sealed class ByFirst(string[] order) : IComparer<string?>
    {
        public int Compare(string? x, string? y) => Array.IndexOf(order, x).CompareTo(Array.IndexOf(order, y));
    }
}
