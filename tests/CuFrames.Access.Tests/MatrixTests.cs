using System.Text;
using System.Text.Json.Nodes;
using CuFrames.Daemon.Internal;
using CuFrames.Daemon.Tests;
using CuFrames.Interop;
using CuFrames.Protocol;
using CuFrames.Protocol.Messages;
using CuFrames.TestKit;
using Xunit;

namespace CuFrames.Access.Tests;

/// <summary>
/// Every rule, every way to the daemon, and every kind of user: processes that really run as these users ask, and what they are told is compared with
/// what the rule says. Whoever is refused is told the rule's place.
/// </summary>
public sealed class MatrixTests : IDisposable
{
    private const int Width = 64, Height = 48, PictureBytes = Width * Height * 3 / 2;
    private const int SmallBytes = PictureBytes / 4;

    private readonly MediaClips _clips = new();

    public static TheoryData<string> Rules => ["own", "everyone", "{users: [news]}", "{groups: [man]}", "{users: [9], groups: [12]}"];

    public void Dispose() => _clips.Dispose();

    [Theory]
    [MemberData(nameof(Rules))]
    public void Who_may_read_see_and_change(string rule)
    {
        Assert.True(Environment.IsPrivilegedProcess, "This test changes users and has to run as root.");
        int taps = Ports.Free(), web = Ports.Free();
        string clip = _clips.H264("clip.mkv", Width, Height, 4);
        File.SetUnixFileMode(_clips.Folder, (UnixFileMode)0b111_101_101);
        string streams = $$"""
            taps: {http: '127.0.0.1:{{taps}}'}
            web: 127.0.0.1:{{web}}
            cameras:
              frames:
                source: 'test:i420@{{Width}}x{{Height}}@25'
                readers: {{rule}}
              inner:
                source: 'test:i420@{{Width}}x{{Height}}@25'
                readers: {users: [nobody]}
                renditions:
                  out: { size: {{Width / 2}}x{{Height / 2}}, readers: {{rule}} }
              clip:
                source: {{clip}}
                loop: true
                readers: {users: [nobody]}
                packets: { readers: {{rule}} }
            """;
        using AccessDaemon daemon = AccessDaemon.Run($"directory: {{run}}\npermissions: {{view: {rule}, control: own}}\n{streams}");
        daemon.Process.WaitForLog("[600 taps-http]");
        daemon.Process.WaitForLog("[720 web-ready]");
        daemon.Process.WaitFor("frames", stream => stream.Description?.Head > 2);
        daemon.Process.WaitForLog("[301 camera-live] clip: ");
        List<string> wrong = [];
        Actor[] actors = [.. Account.All.Select(account => new Actor(account))];
        try
        {
            foreach (Actor actor in actors)
            {
                Ask(daemon, actor, rule, "own", taps, web, wrong);
            }

            // The rules are replaced as a whole, for connections that are there too.
            daemon.Reload($"directory: {{run}}\npermissions: {{view: own, control: {rule}}}\n{streams}");
            foreach (Actor actor in actors)
            {
                Ask(daemon, actor, "own", rule, taps, web, wrong, isAgain: true);
            }
        }
        finally
        {
            Array.ForEach(actors, actor => actor.Dispose());
        }

        Assert.True(wrong.Count == 0, string.Join('\n', wrong));
        Assert.DoesNotContain("internal-error", daemon.Process.LogText, StringComparison.Ordinal);
        Assert.Equal(0, daemon.Process.End().ExitCode);
    }

    [Theory]
    [InlineData(null)]
    [InlineData("own")]
    [InlineData("everyone")]
    [InlineData("{group: man}")]
    public void Who_may_publish(string? rule)
    {
        string permissions = rule is null ? "" : $"permissions: {{publish: {rule}}}\n";
        using AccessDaemon daemon = AccessDaemon.Run($"directory: {{run}}\n{permissions}cameras: {{a: {{source: 'test:i420@64x48@25'}}}}");
        string folder = daemon.Process.RuntimeDirectory;
        daemon.Process.WaitFor("a", stream => stream.Description?.Head > 0);
        UnixFileMode expected = rule switch
        {
            "everyone" => (UnixFileMode)0b1_111_111_111,
            "{group: man}" => (UnixFileMode)0b1_111_111_101,
            _ => (UnixFileMode)0b111_101_101,
        };
        Assert.Equal(expected, File.GetUnixFileMode(folder));
        foreach (Account account in Account.All)
        {
            using Actor actor = new(account);
            bool isAllowed = account == Account.Root || account == Account.Own || rule == "everyone" || (rule == "{group: man}" && account == Account.ListedGroupMember);
            Assert.Equal((account, isAllowed ? "" : "EACCES"), (account, actor.Publish(folder, "mine")));
            if (account == Account.Root || account == Account.Own)
            {
                continue;
            }

            // Whoever may publish may do nothing to what the daemon publishes.
            foreach (string file in (string[])["a.sock", "a.lock", "cuframesd.control", "cuframesd.control.lock"])
            {
                System.Text.Json.JsonElement found = actor.Do(new JsonObject { ["do"] = "attack", ["path"] = Path.Combine(folder, file) });
                Assert.All(found.EnumerateObject(), attempt => Assert.True(
                    attempt.Value.GetString() is "EACCES" or "EPERM" || (attempt.Name == "lock" && attempt.Value.GetString() == "ENXIO"), $"{account}: {attempt.Name} {file}: '{attempt.Value}'"));
            }
        }

        Assert.Equal(0, daemon.Process.End().ExitCode);
    }

    /// <summary>The daemon's own name for a trial of the directory is no way to have it write elsewhere.</summary>
    [Fact]
    public void A_link_in_the_runtime_directory_is_not_followed()
    {
        using TemporaryDirectory folder = new();
        string victim = Path.Combine(folder.Path, "victim"), run = Path.Combine(folder.Path, "run");
        File.WriteAllText(victim, "precious");
        Directory.CreateDirectory(run);
        File.CreateSymbolicLink(Path.Combine(run, $".probe-{Environment.ProcessId}"), victim);
        Assert.Null(RuntimeDirectory.FindObstacle(run));
        Assert.Equal("precious", File.ReadAllText(victim));
        Assert.Single(Directory.GetFileSystemEntries(run));
    }

    /// <summary>Who owns the folder of the taps could put sockets of his own there.</summary>
    [Theory]
    [InlineData("mkdir {taps}")]
    [InlineData("mkdir {run}/mine && ln -s {run}/mine {taps}")]
    public void Taps_are_not_put_into_another_users_folder(string command)
    {
        using AccessDaemon daemon = new("directory: {run}\npermissions: {publish: everyone}\ncameras:\n  front: {source: 'test:i420@64x48@25'}\n");
        string run = daemon.Process.RuntimeDirectory, taps = Path.Combine(run, "taps"), socket = Path.Combine(taps, "front.jpeg");
        TapReader.Get("chmod", "1777", run);
        TapReader.Get("setpriv", [.. Account.Stranger.Arguments, "sh", "-c", command.Replace("{taps}", taps, StringComparison.Ordinal).Replace("{run}", run, StringComparison.Ordinal)]);
        daemon.Start();
        daemon.Process.WaitForLog("[601 taps-unavailable]", $"The folder of the taps, {taps}, belongs to user {Account.Stranger.User}, who could replace what is in it. Remove it as root.");
        Assert.False(File.Exists(socket));

        // As root does it, and then they come.
        TapReader.Get("rm", "-r", taps);
        using Actor own = new(Account.Own);
        long end = Environment.TickCount64 + (long)DaemonProcess.Patience.TotalMilliseconds;
        while (!File.Exists(socket) && Environment.TickCount64 < end)
        {
            // The daemon tries again each second, and says nothing when it has.
            Thread.Sleep(20);
        }

        Assert.Equal(100, own.Tap(socket, 100).Length);
        Assert.Equal(Account.Own.User, FileStatus.At(taps)!.Value.UserId);
    }

    [Fact]
    public void A_directory_that_is_another_users_is_told_and_stays()
    {
        using AccessDaemon daemon = new("directory: {run}\npermissions: {publish: everyone}\ncameras: {}");
        TapReader.Get("chown", "0:0", daemon.Process.RuntimeDirectory);
        daemon.Process.Start();
        string line = daemon.Process.WaitForLog("[732 publish-unavailable]");
        Assert.Contains("belongs to user 0, and this daemon runs as user 34", line, StringComparison.Ordinal);
        Assert.Contains($"chmod 1777 {daemon.Process.RuntimeDirectory}", line, StringComparison.Ordinal);
        Assert.Equal((UnixFileMode)0b111_101_101, File.GetUnixFileMode(daemon.Process.RuntimeDirectory));
    }

    [Fact]
    public void By_a_socket_the_groups_of_the_process_count_and_by_tcp_those_of_its_account()
    {
        int taps = Ports.Free();
        using AccessDaemon daemon = AccessDaemon.Run(
            $"directory: {{run}}\ntaps: {{http: '127.0.0.1:{taps}'}}\ncameras: {{a: {{source: 'test:i420@64x48@25', readers: {{groups: [man]}}}}}}");
        daemon.Process.WaitForLog("[600 taps-http]");
        daemon.Process.WaitFor("a", stream => stream.Description?.Head > 0);
        using Actor more = new(Account.Stranger with { Others = [Account.ListedGroup] });
        Assert.Null(more.Hello(daemon.StreamSocket("a")));
        Assert.Equal(403, more.Web(taps, "/a.jpeg").Status);

        // And who gave the group up has it still in the account.
        using Actor less = new(Account.ListedGroupMember with { Group = 6 });
        Assert.Equal(ErrorCode.AccessDenied, less.Hello(daemon.StreamSocket("a"))?.Code);
        Assert.Equal(200, less.Web(taps, "/a.jpeg").Status);
    }

    [Fact]
    public void Whoever_is_gone_before_he_is_asked_for_is_not_the_root_user()
    {
        // The kernel says user 0 of a socket without an owner. The request itself arrives whole.
        int web = Ports.Free(), taps = Ports.Free();
        using AccessDaemon daemon = AccessDaemon.Run(
            $"directory: {{run}}\nweb: 127.0.0.1:{web}\ntaps: {{http: '127.0.0.1:{taps}'}}\npermissions: {{audit: {{folder}}/audit.jsonl}}\ncameras: {{a: {{source: 'test:i420@64x48@25'}}}}");
        daemon.Give(daemon.Files);
        daemon.Process.WaitForLog("[600 taps-http]");
        daemon.Process.WaitForLog("[720 web-ready]");
        using Actor stranger = new(Account.Stranger);
        const int Requests = 300;
        for (int i = 0; i < Requests; i++)
        {
            stranger.Do(new JsonObject { ["do"] = "vanish", ["port"] = taps, ["request"] = "GET /a.jpeg HTTP/1.1\r\nHost: localhost\r\n\r\n" });
            stranger.Do(new JsonObject
            {
                ["do"] = "vanish",
                ["port"] = web,
                ["request"] = "POST /api/readers/evict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 44\r\n\r\n{\"stream\": \"a\", \"id\": 12345, \"packets\": false}",
            });
        }

        // Each of them was refused, whichever came first, the look or the end.
        using Actor member = new(Account.OwnGroupMember);
        Assert.Equal(200, member.Web(taps, "/a.jpeg").Status);
        daemon.Process.WaitForLog("[602 tap-joined] a: user 5");
        Assert.DoesNotContain(daemon.Process.Log, line => line.Contains("user 0", StringComparison.Ordinal));
        Assert.Single(daemon.Process.Log, line => line.Contains("tap-joined", StringComparison.Ordinal));
        Assert.Contains(daemon.Process.Log, line => line.Contains("tap-refused", StringComparison.Ordinal));
    }

    private static void Ask(AccessDaemon daemon, Actor actor, string view, string control, int taps, int web, List<string> wrong, bool isAgain = false)
    {
        Account account = actor.Account;
        string folder = daemon.Process.RuntimeDirectory, path = daemon.Process.ConfigurationPath;
        if (!isAgain)
        {
            // One rule holds for all of these, at different places of the configuration.
            CheckReading("frames of a camera", actor.Hello(daemon.StreamSocket("frames")), "cameras.frames.readers");
            CheckReading("frames of a rendition", actor.Hello(daemon.StreamSocket("inner@out")), "cameras.inner.renditions.out.readers");
            CheckReading("packets", actor.Hello(daemon.StreamSocket("clip+packets"), isForPackets: true), "cameras.clip.packets.readers");
            bool isTrusted = account == Account.Root || account == Account.Own;
            Check("frames of a camera for nobody", actor.Hello(daemon.StreamSocket("inner")) is null, isTrusted);
            Check("frames of a clip for nobody", actor.Hello(daemon.StreamSocket("clip")) is null, isTrusted);
            CheckPicture("socket tap of a camera", actor.Tap(Path.Combine(folder, "taps", "frames.rawvideo"), PictureBytes), Width, Height, isExact: true);
            CheckPicture("socket tap of a rendition", actor.Tap(Path.Combine(folder, "taps", "inner@out.rawvideo"), SmallBytes), Width / 2, Height / 2, isExact: false);
            CheckBytes("socket tap of packets", actor.Tap(Path.Combine(folder, "taps", "clip.mkv"), 4), [0x1A, 0x45, 0xDF, 0xA3]);
            Check("socket tap for nobody", actor.Tap(Path.Combine(folder, "taps", "inner.rawvideo"), 1).Length == 1, isTrusted);
            (int status, byte[] picture) = actor.Web(taps, "/frames.rawvideo", count: PictureBytes);
            CheckStatus("HTTP tap of a camera", status, view, "cameras.frames.readers", picture);
            CheckPicture("HTTP tap of a camera", status == 200 ? picture : [], Width, Height, isExact: true);
            (status, picture) = actor.Web(taps, "/inner@out.rawvideo", count: SmallBytes);
            CheckStatus("HTTP tap of a rendition", status, view, "cameras.inner.renditions.out.readers", picture);
            (status, picture) = actor.Web(taps, "/clip.mkv", count: 1000);
            CheckStatus("HTTP tap of packets", status, view, "cameras.clip.packets.readers", picture);
            Check("HTTP tap for nobody", actor.Web(taps, "/inner.jpeg").Status == 200, isTrusted);
            string list = Encoding.UTF8.GetString(actor.Web(taps, "/").Content);
            Check("list of taps", list.Contains("frames.jpeg", StringComparison.Ordinal), account.IsAllowedBy(view));
            Check("list of taps for nobody", list.Contains("inner.jpeg", StringComparison.Ordinal), isTrusted);
        }

        bool mayControl = account.IsAllowedBy(control), mayView = mayControl || account.IsAllowedBy(view);
        string socket = $"unix:{daemon.ControlSocket}";
        CheckCall("control API, view", actor.Call(socket, "ListCameras"), mayView, "OK", "permissions.view");
        CheckCall("control API, change", actor.Call(socket, "EvictReader"), mayControl, "NOT_FOUND", "permissions.control");
        CheckCall("control API, log level", actor.Call(socket, "SetLogLevel"), mayControl, "INVALID_ARGUMENT", "permissions.control");
        CheckCall("control API, restart", actor.Call(socket, "RestartCamera"), mayControl, "NOT_FOUND", "permissions.control");
        (int seen, byte[] page) = actor.Web(web, "/metrics");
        Check("web, view", seen == 200, mayView);
        CheckRefusal("web, view", seen, page, mayView, "permissions.view");
        (seen, page) = actor.Web(web, "/api/readers/evict", body: """{"stream": "frames", "id": 12345}""");
        Check("web, change", seen == 404, mayControl);
        CheckRefusal("web, change", seen, page, mayControl, "permissions.control");
        Check("health", actor.Web(web, "/health/live").Status == 200, true);

        void Check(string what, bool isDone, bool isAllowed)
        {
            if (isDone != isAllowed)
            {
                wrong.Add($"{account}, view: {view}, control: {control}: {what}: {(isDone ? "was done" : "was refused")}");
            }
        }

        void CheckReading(string what, RefuseMessage? refusal, string key)
        {
            Check(what, refusal is null, account.IsAllowedBy(view));
            if (refusal is not null && (refusal.Code != ErrorCode.AccessDenied || !refusal.Text.Contains($"by {key} in {path}. Add the user to the group, or list it under that key.", StringComparison.Ordinal)))
            {
                wrong.Add($"{account}: {what}: {refusal}");
            }
        }

        void CheckBytes(string what, byte[] found, byte[] expected) =>
            Check(what, found.Length == 0 ? false : found.AsSpan().SequenceEqual(expected) ? true : throw new InvalidOperationException($"{what}: other bytes"), account.IsAllowedBy(view));

        void CheckPicture(string what, byte[] found, int width, int height, bool isExact)
        {
            Check(what, found.Length > 0, account.IsAllowedBy(view));
            if (found.Length > 0)
            {
                Assert.Equal(width * height * 3 / 2, found.Length);
                if (isExact)
                {
                    TapReader.NumberOf(found, PixelFormat.I420, width, height, isExact: true);
                }
            }
        }

        void CheckStatus(string what, int status, string rule, string key, byte[] content)
        {
            Check(what, status == 200, account.IsAllowedBy(rule));
            CheckRefusal(what, status, content, account.IsAllowedBy(rule), key);
        }

        void CheckRefusal(string what, int status, byte[] content, bool isAllowed, string key)
        {
            string text = isAllowed ? "" : Encoding.UTF8.GetString(content);
            if (!isAllowed && (status != 403 || !text.Contains(key, StringComparison.Ordinal) || !text.Contains(path, StringComparison.Ordinal)))
            {
                wrong.Add($"{account}: {what}: {status} {text}");
            }
        }

        void CheckCall(string what, (string Status, string Text) answer, bool isAllowed, string allowed, string key)
        {
            Check(what, answer.Status == allowed, isAllowed);
            if (!isAllowed && (answer.Status != "PERMISSION_DENIED" || !answer.Text.Contains(key, StringComparison.Ordinal) || !answer.Text.Contains(path, StringComparison.Ordinal)))
            {
                wrong.Add($"{account}: {what}: {answer}");
            }
        }
    }
}
