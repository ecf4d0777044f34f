using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;
using CuFrames.Client;
using CuFrames.Protocol;
using CuFrames.Protocol.Messages;
using CuFrames.TestKit;
using Xunit;

namespace CuFrames.Daemon.Tests;

/// <summary>systemd, the runtime directory, other daemons, readers that may not read, the log.</summary>
public sealed class ServiceTests
{
    /// <summary>Sends a HELLO to each socket and prints the type of the answer (docs/protocol.md 2.1).</summary>
    private const string AskScript =
        """
        import socket, sys
        for path in sys.argv[2:]:
            with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as connection:
                connection.connect(path)
                connection.send(bytes.fromhex(sys.argv[1]))
                print(connection.recv(65536)[5])
        """;

    private const string OneCamera = "cameras: {a: {source: 'test:64x48@50', readers: everyone}}";

    [Fact]
    public void Systemd_is_told_of_start_reload_watchdog_and_end()
    {
        using NotifySocket systemd = new();
        using DaemonProcess daemon = new("cameras: {a: {source: 'test:64x48'}, off: {source: 'rtsp://127.0.0.1:1/'}}");
        daemon.Environment["NOTIFY_SOCKET"] = systemd.Path;

        // Not shorter: the kernel keeps ten messages, and the daemon waits for room for the next while the test looks at something else.
        daemon.Environment["WATCHDOG_USEC"] = "3000000";
        daemon.Start();

        // Ready means started: one camera will never be connected.
        string ready = systemd.WaitFor("READY=1");
        Assert.Matches(@"^READY=1\nSTATUS=\d of 2 cameras live: .*off ", ready);
        Assert.Equal(["a", "off"], StreamDirectory.Keys(daemon.RuntimeDirectory));

        // When it took a while to be ready, that says so already, and what stays the same is not said again.
        if (!ready.Contains("STATUS=1 of 2 cameras live: off source lost", StringComparison.Ordinal))
        {
            systemd.WaitFor("STATUS=1 of 2 cameras live: off source lost");
        }

        for (int i = 0; i < 3; i++)
        {
            systemd.WaitFor("WATCHDOG=1");
        }

        daemon.Write(OneCamera);
        daemon.Signal(Signals.HangUp);
        Assert.Matches(@"^RELOADING=1\nMONOTONIC_USEC=\d+$", systemd.WaitFor("RELOADING=1"));
        systemd.WaitFor("READY=1");

        // A camera that is another now comes when its old threads have ended, which the reload does not wait for.
        daemon.WaitFor("a", info => info.Description is { State: StreamState.Live });
        Assert.Equal(["a"], StreamDirectory.Keys(daemon.RuntimeDirectory));

        // An invalid file ends the reload, too.
        daemon.Write("cameras: [");
        daemon.Signal(Signals.HangUp);
        systemd.WaitFor("RELOADING=1");
        systemd.WaitFor("READY=1");

        daemon.Signal(Signals.Terminate);
        systemd.WaitFor("STOPPING=1");
        Assert.Equal(0, daemon.WaitForExit());

        // However long it took to be ready: until then it says nothing but that it lives.
        Assert.All(systemd.Messages.TakeWhile(message => !message.StartsWith("READY", StringComparison.Ordinal)), message => Assert.Equal("WATCHDOG=1", message));
    }

    [Fact]
    public void The_watchdog_ping_stops_when_the_control_loop_stops()
    {
        // The loop is held up where it can be: in a look-up of a user name, by a passwd file that is a pipe nobody writes.
        using NotifySocket systemd = new();
        using DaemonProcess daemon = new(OneCamera)
        {
            Prefix = ["unshare", "--map-root-user", "--mount", "sh", "-c", "passwd=$1; shift; mount --bind \"$passwd\" /etc/passwd && exec \"$@\"", "sh", "{passwd}"],
        };
        string pipe = Path.Combine(daemon.Folder, "passwd");
        using (Process make = Process.Start("mkfifo", [pipe]))
        {
            make.WaitForExit();
        }

        daemon.Prefix[^1] = pipe;
        daemon.Environment["NOTIFY_SOCKET"] = systemd.Path;
        daemon.Environment["WATCHDOG_USEC"] = "300000";
        daemon.Start();
        systemd.WaitFor("READY=1");
        systemd.WaitFor("WATCHDOG=1");
        daemon.Write("cameras: {a: {source: test, readers: {users: [nobody]}}}");
        daemon.Signal(Signals.HangUp);
        systemd.WaitFor("RELOADING=1");
        Assert.Null(systemd.TryTake(TimeSpan.FromSeconds(2)));

        // Readers are served all the while.
        using FrameSubscriber reader = daemon.Subscribe("a");
        PatternReader.Next(reader);
        // The C library goes on when somebody opens the other end, and refuses a file in which it cannot seek: that ends the reload.
        new FileStream(pipe, FileMode.Open, FileAccess.Write, FileShare.ReadWrite, bufferSize: 0).Dispose();
        systemd.WaitFor("READY=1");
        systemd.WaitFor("WATCHDOG=1");
    }

    [Fact]
    public void A_notify_socket_that_is_gone_is_told_once_and_does_no_harm()
    {
        using DaemonProcess daemon = new(OneCamera);
        daemon.Environment["NOTIFY_SOCKET"] = Path.Combine(daemon.Folder, "nowhere");
        daemon.Environment["WATCHDOG_USEC"] = "200000";
        daemon.Start();
        daemon.WaitForLog("[105 systemd-failed]");
        using FrameSubscriber reader = daemon.Subscribe("a");
        PatternReader.Next(reader);
        Assert.Equal(0, daemon.End().ExitCode);
        Assert.Single(daemon.Log, line => line.Contains("[105 ", StringComparison.Ordinal));
    }

    [Fact]
    public void A_missing_runtime_directory_is_made_for_everybody_to_see()
    {
        using DaemonProcess daemon = new(OneCamera) { Prefix = ["sh", "-c", "umask 077; exec \"$@\"", "sh"] };
        daemon.Start();
        daemon.WaitForLog("[107 directory-made]");
        daemon.WaitForLog("[101 ready]");
        Assert.Equal((UnixFileMode)0b111_101_101, File.GetUnixFileMode(daemon.RuntimeDirectory));
        Assert.Equal((UnixFileMode)0b110_110_110, File.GetUnixFileMode(Path.Combine(daemon.RuntimeDirectory, "a.sock")));
    }

    [Theory]
    [InlineData("missing/parent", "its parent {folder}/missing does not exist", "missing")]
    [InlineData("etc/cuframes.yaml", "{folder}/etc/cuframes.yaml is a file", "")]
    public void A_runtime_directory_that_cannot_be_made_is_told_and_awaited(string directory, string expected, string remedy)
    {
        using DaemonProcess daemon = new(OneCamera);
        daemon.RuntimeDirectory = Path.Combine(daemon.Folder, directory);
        daemon.Environment["CUFRAMES_DIR"] = daemon.RuntimeDirectory;
        daemon.Start();
        string line = daemon.WaitForLog("[106 directory-unusable]");
        Assert.Contains(expected.Replace("{folder}", daemon.Folder, StringComparison.Ordinal), line, StringComparison.Ordinal);
        Assert.Contains("--directory", line, StringComparison.Ordinal);
        Assert.Contains("$CUFRAMES_DIR", line, StringComparison.Ordinal);
        Assert.Contains("a no runtime directory", daemon.WaitForLog("[101 ready]"), StringComparison.Ordinal);
        if (remedy.Length > 0)
        {
            Directory.CreateDirectory(Path.Combine(daemon.Folder, remedy));
            using FrameSubscriber reader = daemon.Subscribe("a");
            PatternReader.Next(reader);
        }

        Assert.Equal(0, daemon.End().ExitCode);
        Assert.Single(daemon.Log, entry => entry.Contains("[106 ", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_runtime_directory_without_permission_is_told_and_awaited(bool exists)
    {
        // Root without the capability to pass over permissions is bound by them as anybody is.
        string[] prefix = Environment.IsPrivilegedProcess ? ["setpriv", "--bounding-set", "-dac_override,-dac_read_search", "--"] : [];
        using DaemonProcess daemon = new(OneCamera) { Prefix = prefix };
        string parent = Path.Combine(daemon.Folder, "parent");
        daemon.RuntimeDirectory = Path.Combine(parent, "run");
        daemon.Environment["CUFRAMES_DIR"] = daemon.RuntimeDirectory;
        string closed = exists ? daemon.RuntimeDirectory : parent;
        Directory.CreateDirectory(closed);
        File.SetUnixFileMode(closed, (UnixFileMode)0b101_101_101);
        daemon.Start();
        string line = daemon.WaitForLog(exists ? "[307 camera-unavailable] a: " : "[106 directory-unusable]");
        Assert.Contains(exists ? "must be able to write" : "may not write in", line, StringComparison.Ordinal);
        Assert.Contains(exists ? $"chown {Environment.UserName} {daemon.RuntimeDirectory}" : "install -d -m 0755", line, StringComparison.Ordinal);
        Assert.Contains("$CUFRAMES_DIR", line, StringComparison.Ordinal);

        File.SetUnixFileMode(closed, (UnixFileMode)0b111_101_101);
        using FrameSubscriber reader = daemon.Subscribe("a");
        PatternReader.Next(reader);
        Assert.Equal(0, daemon.End().ExitCode);
        Assert.Single(daemon.Log, entry => entry.Contains("unavailable", StringComparison.Ordinal) || entry.Contains("unusable", StringComparison.Ordinal));
    }

    /// <summary>Whoever waits for "ready", as systemd does, may call the API and open the dashboard then.</summary>
    [Fact]
    public void What_it_serves_is_served_before_it_says_that_it_is_ready()
    {
        using DaemonProcess daemon = DaemonProcess.Run($"web: 127.0.0.1:{Ports.Free()}\n{OneCamera}");
        string[] log = [.. daemon.Log];
        int ready = Array.FindIndex(log, line => line.Contains("[101 ready]", StringComparison.Ordinal));
        foreach (string served in (string[])["[700 control-ready]", "[720 web-ready]"])
        {
            Assert.InRange(Array.FindIndex(log, line => line.Contains(served, StringComparison.Ordinal)), 0, ready);
        }
    }

    [Fact]
    public void A_second_daemon_waits_for_the_key_and_takes_it_over()
    {
        using DaemonProcess first = DaemonProcess.Run(OneCamera);
        using DaemonProcess second = new("cameras: {a: {source: 'test:i420@96x64@50'}, b: {source: 'test:64x48@50'}}");
        second.RuntimeDirectory = first.RuntimeDirectory;
        second.Environment["CUFRAMES_DIR"] = first.RuntimeDirectory;
        second.Start();
        string line = second.WaitForLog("[307 camera-unavailable] a: ");
        Assert.Contains($"published already by process {first.ProcessId}", line, StringComparison.Ordinal);
        Assert.Contains("a not available", second.WaitForLog("[101 ready]"), StringComparison.Ordinal);
        using FrameSubscriber other = second.Subscribe("b");
        PatternReader.Next(other);

        using FrameSubscriber reader = first.Subscribe("a");
        ulong epoch = PatternReader.Next(reader).Epoch;
        Assert.Equal(0, first.End().ExitCode);
        (ulong Sequence, ulong Epoch, long Number) next;
        do
        {
            next = PatternReader.Next(reader);
        }
        while (next.Epoch == epoch);

        // The description is of the moment when the reader came back, which may be before the camera's first picture.
        using Frame frame = reader.Next(DaemonProcess.Patience);
        Assert.Equal(96, frame.Width);
        Assert.Single(second.Log, entry => entry.Contains("[307 ", StringComparison.Ordinal));
    }

    [Fact]
    public void A_socket_that_somebody_removed_comes_back()
    {
        using DaemonProcess daemon = DaemonProcess.Run(OneCamera);

        // In one piece: while its files are removed one by one, the daemon could make another in it.
        string removed = Path.Combine(daemon.Folder, "removed");
        Directory.Move(daemon.RuntimeDirectory, removed);
        Directory.Delete(removed, recursive: true);
        daemon.WaitForLog("[308 camera-socket-gone] a: ");
        using FrameSubscriber reader = daemon.Subscribe("a");
        PatternReader.Next(reader);
    }

    [Fact]
    public void Readers_are_let_in_as_configured()
    {
        using DaemonProcess daemon = DaemonProcess.Run(
            "cameras: {own: {source: 'test:64x48@50'}, listed: {source: 'test:64x48@50', readers: {users: [12345], groups: [23456]}}, all: {source: 'test:64x48@50', readers: everyone}}");
        string[] keys = ["own", "listed", "all"];
        Assert.All(keys, key => Assert.Equal(ErrorCode.None, daemon.Probe(key).ErrorCode));

        // Only root can become somebody else.
        if (!Environment.IsPrivilegedProcess)
        {
            return;
        }

        Assert.Equal("Refuse Refuse Welcome", Ask("--reuid=54321", "--regid=54321", "--clear-groups"));
        Assert.Equal("Refuse Welcome Welcome", Ask("--reuid=12345", "--regid=54321", "--clear-groups"));
        Assert.Equal("Refuse Welcome Welcome", Ask("--reuid=54321", "--regid=54321", "--groups=23456"));

        string Ask(params string[] who)
        {
            byte[] buffer = new byte[1024];
            string hello = Convert.ToHexString(new HelloMessage { IsProbe = true }.Write(buffer, 1));
            ProcessStartInfo start = new("setpriv", [.. who, "/usr/bin/python3", "-c", AskScript, hello, .. keys.Select(key => Path.Combine(daemon.RuntimeDirectory, key + ".sock"))])
            {
                RedirectStandardOutput = true,
            };
            using Process process = Process.Start(start)!;
            string[] answers = process.StandardOutput.ReadToEnd().Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);
            process.WaitForExit();
            return string.Join(' ', answers.Select(answer => (MessageType)byte.Parse(answer, CultureInfo.InvariantCulture)));
        }
    }

    [Fact]
    public void Many_refused_connections_do_not_fill_the_log()
    {
        using DaemonProcess daemon = DaemonProcess.Run(OneCamera);
        for (int i = 0; i < 300; i++)
        {
            using Socket socket = new(AddressFamily.Unix, SocketType.Seqpacket, ProtocolType.Unspecified);
            socket.Connect(new UnixDomainSocketEndPoint(Path.Combine(daemon.RuntimeDirectory, "a.sock")));
            socket.Send("noise"u8);
        }

        using FrameSubscriber reader = daemon.Subscribe("a");
        PatternReader.Next(reader);
        daemon.WaitForLog("[404 readers-quiet] a: ");
        Assert.True(daemon.Log.Count(line => line.Contains("[40", StringComparison.Ordinal)) < 60, daemon.LogText);
    }

    [Fact]
    public void The_log_has_a_priority_for_the_journal_and_else_time_and_level()
    {
        using DaemonProcess journal = new(OneCamera);
        journal.Environment["JOURNAL_STREAM"] = "8:12345";
        journal.Start();
        journal.WaitForLog("[101 ready]");
        Assert.All(journal.Log, line => Assert.Matches(@"^<[346]>\[\d{3} [a-z-]+\] ", line));
        using DaemonProcess terminal = DaemonProcess.Run(OneCamera);
        Assert.All(terminal.Log, line => Assert.Matches(@"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (error|warning|info) \[\d{3} [a-z-]+\] ", line));
    }
}
