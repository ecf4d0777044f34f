using System.Text.Json;
using CuFrames.Daemon.Internal;
using CuFrames.Daemon.Internal.Access;
using CuFrames.Daemon.Tests;
using CuFrames.TestKit;
using Xunit;

namespace CuFrames.Access.Tests;

/// <summary>The audit file.</summary>
public sealed class AuditTests
{
    private const string Cameras = """
        cameras:
          a: {source: 'test:i420@64x48@25'}
          b: {source: 'test:i420@64x48@25'}
          apart: {source: 'test:i420@64x48@25', isolated: true}
        """;

    /// <summary>Strangers choose paths and names that stand in it: what each may add to the disk has an end.</summary>
    [Fact]
    public void A_line_has_a_greatest_length()
    {
        using TemporaryDirectory folder = new();
        string path = Path.Combine(folder.Path, "audit.jsonl");
        using (AuditLog audit = new((_, _) => { }))
        {
            audit.Open(path);

            // The cut goes through the middle of a character of two halves.
            audit.Write(LogEvents.ControlRefused, new string('x', Log.MaxText - 1) + "\U0001F600" + new string('y', 50_000));
            audit.Write(LogEvents.ControlRefused, "short");
            long end = Environment.TickCount64 + (long)DaemonProcess.Patience.TotalMilliseconds;
            while ((!File.Exists(path) || File.ReadAllLines(path).Length < 2) && Environment.TickCount64 < end)
            {
                // The audit's own thread writes, and says nothing when it has.
                Thread.Sleep(10);
            }
        }

        string[] texts = [.. File.ReadAllLines(path).Select(line => JsonDocument.Parse(line).RootElement.GetProperty("text").GetString()!)];
        Assert.Equal(2, texts.Length);
        Assert.Equal(Log.MaxText + 3, texts[0].Length);
        Assert.StartsWith("xxx", texts[0], StringComparison.Ordinal);
        Assert.EndsWith("...", texts[0], StringComparison.Ordinal);
        Assert.Equal("short", texts[1]);
    }

    [Fact]
    public void Everything_is_in_it_however_much_it_is()
    {
        using AccessDaemon daemon = new("cameras: {}");
        string path = Path.Combine(daemon.Files, "audit.jsonl");
        daemon.Give(daemon.Files);
        int web = Ports.Free();
        daemon.Write($"directory: {{run}}\nweb: 127.0.0.1:{web}\npermissions: {{audit: {path}, view: everyone}}\n{Cameras}");
        daemon.Start();
        daemon.Process.WaitForLog("[720 web-ready]");
        foreach (string key in (string[])["a", "apart"])
        {
            daemon.Process.WaitFor(key, stream => stream.Description?.Head > 0);
        }

        // Many more than the log has lines for.
        const int Times = 150;
        using Actor member = new(Account.OwnGroupMember), stranger = new(Account.Stranger);
        foreach (string key in (string[])["a", "apart"])
        {
            for (int i = 0; i < Times; i++)
            {
                Assert.Null(member.Hello(daemon.StreamSocket(key)));
                Assert.NotNull(stranger.Hello(daemon.StreamSocket(key)));
            }
        }

        for (int i = 0; i < Times; i++)
        {
            stranger.Tap(Path.Combine(daemon.Process.RuntimeDirectory, "taps", "a.rawvideo"), 1);
        }

        string socket = $"unix:{daemon.ControlSocket}";
        Assert.Equal("OK", stranger.Call(socket, "ListCameras").Status);
        Assert.Equal("PERMISSION_DENIED", stranger.Call(socket, "EvictReader").Status);
        Assert.Equal("NOT_FOUND", member.Call(socket, "EvictReader", Convert.ToHexString(Google.Protobuf.MessageExtensions.ToByteArray(new CuFrames.Control.V1.EvictReaderRequest { Stream = "a", Id = 4711, Reason = "why not" }))).Status);
        const string Eviction = """{"stream": "a", "id": 4711}""";
        Assert.Equal(403, stranger.Web(web, "/api/readers/evict", body: Eviction).Status);
        Assert.Equal(404, member.Web(web, "/api/readers/evict", body: Eviction).Status);
        Assert.Equal(0, daemon.Process.End().ExitCode);
        Assert.Equal((UnixFileMode)0b110_100_000, File.GetUnixFileMode(path));
        JsonElement[] lines = [.. File.ReadAllLines(path).Select(line => JsonDocument.Parse(line).RootElement)];
        foreach (string key in (string[])["a", "apart"])
        {
            Assert.Equal((key, Times), (key, Count("reader-joined", key, Account.OwnGroupMember, member)));
            Assert.Equal((key, Times), (key, Count("reader-left", key, Account.OwnGroupMember, member)));
            Assert.Equal((key, Times), (key, Count("reader-refused", key, Account.Stranger, stranger)));
        }

        Assert.Equal(Times, Count("tap-refused", "a", Account.Stranger, stranger));
        Assert.Single(lines, line => Is(line, "control-refused", Account.Stranger) && Text(line, "status") == "PermissionDenied" && Text(line, "text").StartsWith("/cuframes.control.v1.Control/EvictReader: User 10 ", StringComparison.Ordinal));
        JsonElement done = Assert.Single(lines, line => Is(line, "control-done", Account.OwnGroupMember) && Text(line, "text").StartsWith("/cuframes", StringComparison.Ordinal));
        Assert.Equal(("NotFound", "/cuframes.control.v1.Control/EvictReader (stream: a, reads_packets: False, id: 4711, reason: why not)"), (Text(done, "status"), Text(done, "text")));
        Assert.Equal($"user 5 (process {member.ProcessId})", Text(done, "caller"));
        Assert.Single(lines, line => Is(line, "web-refused", Account.Stranger) && Text(line, "text").StartsWith("POST /api/readers/evict: User 10 may not control", StringComparison.Ordinal));
        Assert.Single(lines, line => Is(line, "control-done", Account.OwnGroupMember) && Text(line, "status") == "NotFound" && Text(line, "text").StartsWith("/api/readers/evict: ", StringComparison.Ordinal));
        Assert.All(lines, line => Assert.True(DateTime.TryParse(Text(line, "time"), out _)));
        Assert.Contains(lines, line => Text(line, "event") == "reader-joined" && Text(line, "program") == "actor");

        // The log said less.
        Assert.InRange(daemon.Process.Log.Count(line => line.Contains("] a: ", StringComparison.Ordinal)), 1, Times);

        int Count(string name, string key, Account account, Actor actor) =>
            lines.Count(line => Is(line, name, account) && Text(line, "stream") == key && line.GetProperty("process").GetInt32() == actor.ProcessId);

        static bool Is(JsonElement line, string name, Account account) =>
            Text(line, "event") == name && line.TryGetProperty("user", out JsonElement user) && user.GetUInt32() == account.User;

        static string Text(JsonElement line, string name) => line.TryGetProperty(name, out JsonElement value) ? value.GetString()! : "";
    }

    [Fact]
    public void It_is_opened_anew_with_SIGHUP_and_a_full_disk_is_counted_and_told()
    {
        using AccessDaemon daemon = new("cameras: {}");
        string path = Path.Combine(daemon.Files, "audit.jsonl"), old = path + ".1";
        daemon.Give(daemon.Files);
        daemon.Write($"directory: {{run}}\npermissions: {{audit: {path}}}\n{Cameras}");
        daemon.Start();
        daemon.Process.WaitFor("a", stream => stream.Description?.Head > 0);
        daemon.Process.WaitFor("b", stream => stream.Description?.Head > 0);
        using Actor member = new(Account.OwnGroupMember);
        int reads = 0;
        Read(3);
        WaitForLines(path, 6);

        // As logrotate does it.
        File.Move(path, old);
        Read(1);
        WaitForLines(old, 8);
        daemon.Reload();
        Read(2);
        WaitForLines(path, 4);
        Assert.Equal(8, File.ReadAllLines(old).Length);

        // The disk is full: /dev/full is what it says.
        File.Move(path, old, overwrite: true);
        File.CreateSymbolicLink(path, "/dev/full");
        daemon.Reload();
        Read(5);
        Assert.Contains("No space left on device", daemon.Process.WaitForLog("[730 audit-unavailable]"), StringComparison.Ordinal);
        Assert.Single(daemon.Process.Log, line => line.Contains("audit-unavailable", StringComparison.Ordinal));

        // There is room again. What was lost stands in the audit and in the log, and no line is a half one.
        File.Delete(path);
        daemon.Reload();
        Read(1);
        WaitForLines(path, 3);
        daemon.Process.WaitForLog("[731 audit-restored]", "10 lines were lost");
        string[] lines = File.ReadAllLines(path);
        Assert.Equal("10 lines were lost before this one.", JsonDocument.Parse(lines[0]).RootElement.GetProperty("text").GetString());
        Assert.All(lines, line => JsonDocument.Parse(line));

        // A folder that is gone and comes again. The configuration may have a fault meanwhile: the file is opened all the same.
        string away = daemon.Files + ".away";
        Directory.Move(daemon.Files, away);
        daemon.Reload("what: {}", "[202 configuration-kept]");
        Read(1);
        daemon.Process.WaitForLog("[730 audit-unavailable]", "cannot be opened");
        Directory.Move(away, daemon.Files);
        daemon.Reload("what: {}", "[202 configuration-kept]");
        Read(1);
        WaitForLines(path, 3 + 3);
        Assert.Equal(0, daemon.Process.End().ExitCode);

        // By turns: the log has only some lines of each.
        void Read(int times)
        {
            for (int i = 0; i < times; i++)
            {
                int seen = daemon.Process.Log.Count;
                string key = reads++ % 2 == 0 ? "a" : "b";
                Assert.Null(member.Hello(daemon.StreamSocket(key)));
                daemon.Process.WaitForLog($"[401 reader-left] {key}: ", seen: seen);
            }
        }
    }

    [Fact]
    public void A_half_line_does_not_stay_when_the_disk_is_full_in_its_middle()
    {
        // A file system of 16 KiB: what is written last fits in part.
        using AccessDaemon daemon = new("cameras: {}");
        string disk = Directory.CreateDirectory(Path.Combine(daemon.Files, "disk")).FullName, path = Path.Combine(disk, "audit.jsonl");
        Assert.Equal(0, TapReader.Run("mount", "-t", "tmpfs", "-o", "size=16k,mode=0777", "tmpfs", disk).ExitCode);
        try
        {
            daemon.Write($"directory: {{run}}\npermissions: {{audit: {path}}}\ncameras: {{a: {{source: 'test:i420@64x48@25'}}}}");
            daemon.Start();
            daemon.Process.WaitFor("a", stream => stream.Description?.Head > 0);
            using Actor member = new(Account.OwnGroupMember);
            for (int i = 0; i < 60; i++)
            {
                Assert.Null(member.Hello(daemon.StreamSocket("a")));
            }

            daemon.Process.WaitForLog("[730 audit-unavailable]");

            // The last readers may be leaving still, and each of these lines is a half one until it is taken back.
            Assert.Equal(0, daemon.Process.End().ExitCode);
            byte[] content = File.ReadAllBytes(path);
            Assert.Equal((byte)'\n', content[^1]);
            Assert.All(File.ReadAllLines(path), line => JsonDocument.Parse(line));
        }
        finally
        {
            TapReader.Run("umount", disk);
        }
    }

    private static void WaitForLines(string path, int count)
    {
        System.Diagnostics.Stopwatch time = System.Diagnostics.Stopwatch.StartNew();
        while (!File.Exists(path) || File.ReadAllLines(path).Length < count)
        {
            Assert.True(time.Elapsed < DaemonProcess.Patience, $"{path} has not {count} lines:\n{(File.Exists(path) ? File.ReadAllText(path) : "")}");
            Thread.Sleep(20); // Nothing tells when a line comes.
        }

        Assert.Equal(count, File.ReadAllLines(path).Length);
    }
}
