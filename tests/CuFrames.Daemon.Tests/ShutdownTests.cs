using System.Diagnostics;
using System.Net.Sockets;
using CuFrames.Client;
using CuFrames.Protocol;
using CuFrames.TestKit;
using Xunit;

namespace CuFrames.Daemon.Tests;

/// <summary>The end of the daemon: within two seconds, whatever cameras do.</summary>
public sealed class ShutdownTests
{
    /// <summary>The guarantee of docs/configuration.md. What the machine keeps from everybody on it comes on top.</summary>
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(2);

    [Theory]
    [InlineData(Signals.Terminate)]
    [InlineData(Signals.Interrupt)]
    public void A_signal_ends_it_within_two_seconds_although_cameras_hang(int signal)
    {
        using MediaClips clips = new();
        using SilentServer silent = new();
        using RtspServer camera = new(new RtspServerOptions { File = clips.H264("a.mp4", 320, 240, 1), Repeat = TimeSpan.FromSeconds(60) });
        using DaemonProcess daemon = DaemonProcess.Run(
            $$"""
            defaults: {open_timeout: 10min, stall_timeout: 10min}
            cameras:
              opening: {source: "{{silent.Url}}"}
              reading: {source: "{{camera.Url}}"}
              waiting: {source: "test:64x48@50", lossless: 10min}
              idle: {source: "rtsp://127.0.0.1:1/"}
              live: {source: "test:64x48@50"}
            """);
        using TcpClient connection = silent.Accept();

        // One camera hangs in the middle of a read, one waits for a lossless reader that takes nothing.
        List<SubscriberEvent> readingEvents = [], liveEvents = [];
        using FrameSubscriber reading = daemon.Subscribe("reading", onEvent: readingEvents.Add);
        reading.Next(DaemonProcess.Patience).Dispose();
        camera.Hang();
        using FrameSubscriber waiting = daemon.Subscribe("waiting", Delivery.Lossless);
        using Frame held = waiting.Next(DaemonProcess.Patience);
        using FrameSubscriber live = daemon.Subscribe("live", Delivery.InOrder, liveEvents.Add, reconnect: false);
        ulong head = daemon.Probe("live").Description!.Head;
        daemon.WaitFor("live", info => info.Description!.Head > head + 100);

        RequireEnd(daemon, signal);
        Assert.Contains("[103 stopped]", daemon.Log[^1], StringComparison.Ordinal);
        Assert.DoesNotContain("internal-error", daemon.LogText, StringComparison.Ordinal);
        Assert.Empty(Directory.EnumerateFileSystemEntries(daemon.RuntimeDirectory));

        // Readers of all kinds are told; what they hold stays.
        Assert.Throws<StreamUnavailableException>(() =>
        {
            while (live.TryNext(DaemonProcess.Patience, out Frame frame))
            {
                frame.Dispose();
            }
        });
        Assert.Contains(liveEvents, happening => happening is { Kind: SubscriberEventKind.Disconnected, Code: ErrorCode.ShuttingDown });
        while (reading.TryNext(TimeSpan.Zero, out Frame frame))
        {
            frame.Dispose();
        }

        Assert.Contains(readingEvents, happening => happening is { Kind: SubscriberEventKind.Disconnected, Code: ErrorCode.ShuttingDown });
        Assert.True(held.IsValid);
    }

    [Fact]
    public void A_name_server_that_does_not_answer_holds_up_neither_the_end_nor_a_reload()
    {
        // The C library's look-up cannot be interrupted. It waits here for a server that takes the question and says nothing, in namespaces of
        // our own: ifr_flags of the loopback device is IFF_UP, SIOCSIFFLAGS is 0x8914.
        const string Launcher =
            """
            import fcntl, os, socket, struct, sys
            server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            fcntl.ioctl(server, 0x8914, struct.pack("16sh14x", b"lo", 1))
            server.bind(("127.0.0.1", 53))
            server.set_inheritable(True)
            os.execvp(sys.argv[1], sys.argv[1:])
            """;
        using TemporaryDirectory folder = new();
        string resolver = Path.Combine(folder.Path, "resolv.conf"), switches = Path.Combine(folder.Path, "nsswitch.conf");
        File.WriteAllText(resolver, "nameserver 127.0.0.1\noptions timeout:30 attempts:5\n");
        File.WriteAllText(switches, "hosts: files dns\n");
        string script = $"mount --bind {resolver} /etc/resolv.conf && mount --bind {switches} /etc/nsswitch.conf && exec \"$@\"";
        using DaemonProcess daemon = new("cameras:\n  a: {source: rtsp://camera.example/}\n")
        {
            Prefix = ["unshare", "--map-root-user", "--mount", "--net", "sh", "-c", script, "sh", "/usr/bin/python3", "-c", Launcher],
        };
        daemon.Start();
        daemon.WaitForLog("[300 camera-started]", "a: ");
        List<SubscriberEvent> events = [];
        using FrameSubscriber reader = daemon.Subscribe("a", onEvent: events.Add);
        ulong epoch = daemon.WaitFor("a", info => info.StateText.StartsWith("Opening", StringComparison.Ordinal)).Epoch;
        Assert.False(reader.TryNext(TimeSpan.FromMilliseconds(200), out _));

        // The stream comes back under its key although the thread of its former run still hangs.
        daemon.Write("cameras:\n  a: {source: rtsp://other.example/}\n");
        daemon.Signal(Signals.HangUp);
        daemon.WaitForLog("changed a,");
        daemon.WaitFor("a", info => info.Epoch != 0 && info.Epoch != epoch && info.StateText.Contains("other.example", StringComparison.Ordinal));
        Stopwatch time = Stopwatch.StartNew();
        while (!events.Any(happening => happening is { Kind: SubscriberEventKind.Disconnected, Code: ErrorCode.ShuttingDown }))
        {
            // Events are told by the calls that wait for frames.
            Assert.True(time.Elapsed < DaemonProcess.Patience, string.Join("; ", events));
            Assert.False(reader.TryNext(TimeSpan.FromMilliseconds(100), out _));
        }

        RequireEnd(daemon);
        Assert.Contains("These cameras did not let go of their sources in time, which does no harm: a a.", daemon.Log[^1], StringComparison.Ordinal);
    }

    [Fact]
    public void A_log_on_a_full_disk_ends_nothing() => RequireGoesOn("/dev/full");

    [Fact]
    public void A_log_that_nobody_reads_holds_up_nothing()
    {
        using TemporaryDirectory folder = new();
        string path = Path.Combine(folder.Path, "log");
        using (Process make = Process.Start("mkfifo", [path]))
        {
            make.WaitForExit();
        }

        // A pipe holds 64 KiB (pipe(7)); the next byte waits.
        using FileStream pipe = new(path, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite, bufferSize: 0);
        pipe.Write(new byte[65536]);
        RequireGoesOn(path);
    }

    /// <summary>With standard error on a file that takes nothing, the daemon starts, publishes, reloads and ends.</summary>
    private static void RequireGoesOn(string log)
    {
        using DaemonProcess daemon = new("cameras: {a: {source: 'test:64x48@50'}}") { Prefix = ["sh", "-c", "log=$1; shift; exec \"$@\" 2>\"$log\"", "sh", log] };
        daemon.Start();
        using FrameSubscriber reader = daemon.Subscribe("a");
        PatternReader.Next(reader);
        daemon.Write("cameras: {a: {source: 'test:64x48@50'}, b: {source: 'test:64x48@50'}}");
        daemon.Signal(Signals.HangUp);
        using FrameSubscriber other = daemon.Subscribe("b");
        PatternReader.Next(other);
        PatternReader.Next(reader);
        RequireEnd(daemon);
    }

    private static void RequireEnd(DaemonProcess daemon, int signal = Signals.Terminate)
    {
        using MachineDelay delay = new(daemon.ProcessId);
        (int exitCode, TimeSpan time) = daemon.End(signal);
        delay.Dispose(); // Looks once more: its thread may not have come to it.
        TimeSpan late = delay.Total;
        Assert.Equal(0, exitCode);
        Assert.True(time <= Limit + late, $"{time}, of which the machine has {late}\n{daemon.LogText}");
    }
}
