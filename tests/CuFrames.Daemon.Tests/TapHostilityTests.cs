using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using CuFrames.Client;
using CuFrames.Protocol;
using CuFrames.TestKit;
using Xunit;

namespace CuFrames.Daemon.Tests;

/// <summary>Clients of taps that are slow, broken, malicious or have no right: nobody else notices, and the daemon does not grow.</summary>
public sealed class TapHostilityTests
{
    private const int Width = 640, Height = 360, PictureBytes = Width * Height * 3 / 2;

    /// <summary>Frames of this camera are counted: a lossless reader gets each, unless something holds it or the camera up.</summary>
    private const string Camera = "a: {source: 'test:i420@640x360@25', lossless: 30s, slots: 6, max_slots: 6}";

    [Fact]
    public void A_slow_client_gets_whole_frames_and_skips_and_nobody_else_notices()
    {
        using DaemonProcess daemon = DaemonProcess.Run($"cameras: {{{Camera}}}");
        using FrameCounter counter = new(daemon, "a");
        using Socket slow = TapReader.Connect(daemon, "a.rawvideo", receiveBuffer: 4096);
        byte[] picture = new byte[PictureBytes];
        List<long> numbers = [];
        for (int i = 0; i < 12; i++)
        {
            // In pieces, and the camera goes on between them, so that the frame is sent while the ring has come round several times.
            for (int length = 0; length < PictureBytes;)
            {
                length += slow.Receive(picture.AsSpan(length, Math.Min(40_000, PictureBytes - length)));
                counter.WaitForNext(); // What makes it slow, however busy the machine is.
            }

            numbers.Add(TapReader.NumberOf(picture, PixelFormat.I420, Width, Height, isExact: true));
        }

        TapReader.AssertGrowing(numbers);
        Assert.True(numbers[^1] - numbers[0] > 2 * numbers.Count, $"nothing was skipped: {string.Join(' ', numbers)}");
        counter.Finish();
        Assert.Equal(0UL, daemon.Probe("a").Description!.Dropped);
        Assert.Equal(0UL, daemon.Probe("a").Description!.Evicted);
    }

    [Fact]
    public void Who_takes_nothing_for_half_a_minute_is_disconnected()
    {
        int port = Ports.Free();
        using DaemonProcess daemon = DaemonProcess.Run($"taps: {{http: '127.0.0.1:{port}'}}\ncameras: {{{Camera}}}");
        daemon.WaitForLog("[600 taps-http]");
        using FrameCounter counter = new(daemon, "a");
        Stopwatch time = Stopwatch.StartNew();
        using Socket stalled = TapReader.Connect(daemon, "a.y4m", receiveBuffer: 4096);
        using Socket http = Request(port, "GET /a.rawvideo HTTP/1.1\r\nHost: localhost\r\n\r\n", receiveBuffer: 4096);
        using Socket pictures = TapReader.Connect(daemon, "a.mjpeg", receiveBuffer: 4096);
        foreach (string tap in (string[])["a.y4m", "a.rawvideo", "a.mjpeg"])
        {
            string line = daemon.WaitForLog("[604 tap-cut] a: ", tap);
            Assert.Contains("the client has taken nothing for 30 s", line, StringComparison.Ordinal);
        }

        Assert.True(time.Elapsed > TimeSpan.FromSeconds(25), $"{time.Elapsed}");
        counter.Finish();
    }

    [Fact]
    public void Thousands_of_connections_garbage_and_half_requests_do_no_harm()
    {
        int port = Ports.Free();
        using DaemonProcess daemon = DaemonProcess.Run($"taps: {{http: '127.0.0.1:{port}', clients: 40, stream_clients: 20}}\ncameras: {{{Camera}}}");
        daemon.WaitForLog("[600 taps-http]");
        using FrameCounter counter = new(daemon, "a");

        // The first round fills caches and pools.
        Attack(daemon, port);
        WaitForPeace(daemon);
        int descriptors = Descriptors(daemon);
        long memory = Memory(daemon);
        for (int round = 0; round < 4; round++)
        {
            Attack(daemon, port);
        }

        WaitForPeace(daemon);

        // 1,200 clients more, of which each that was let in had a buffer of a frame: 400 MB if they stayed.
        WaitForDescriptors(daemon, descriptors + 4);
        Assert.InRange(Memory(daemon), 1, memory + (64 << 20));
        using Socket client = TapReader.Connect(daemon, "a.rawvideo");
        byte[] picture = new byte[PictureBytes];
        Assert.Equal(PictureBytes, TapReader.ReadWhole(client, picture));
        TapReader.NumberOf(picture, PixelFormat.I420, Width, Height, isExact: true);
        Assert.Equal(0, TapReader.Run("curl", "-s", "-f", "-o", "/dev/null", $"http://127.0.0.1:{port}/a.jpeg").ExitCode);
        counter.Finish();
        Assert.DoesNotContain("internal-error", daemon.LogText, StringComparison.Ordinal);
    }

    [Fact]
    public void Who_may_not_read_the_stream_gets_no_byte_of_its_taps()
    {
        Assert.True(Environment.IsPrivilegedProcess, "This test changes users and has to run as root.");
        using DaemonProcess daemon = DaemonProcess.Run(
            "cameras: {own: {source: 'test:i420@64x48@25'}, open: {source: 'test:i420@64x48@25', readers: everyone}}");
        File.SetUnixFileMode(daemon.Folder, (UnixFileMode)0b111_101_101);
        TapReader.WaitForSocket(TapReader.PathOf(daemon, "own.rawvideo"));
        TapReader.WaitForSocket(TapReader.PathOf(daemon, "open.rawvideo"));
        Assert.Equal(0, Bytes("own.rawvideo"));
        Assert.Contains("(user 12345) does not get own.rawvideo: User 12345 (process ", daemon.WaitForLog("[605 tap-refused] own: "), StringComparison.Ordinal);
        Assert.Equal(0, Bytes("own.jpeg"));
        Assert.Equal(64 * 48 * 3 / 2, Bytes("open.rawvideo"));

        int Bytes(string tap)
        {
            const string Script = "import socket,sys; s=socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); s.settimeout(30)\n" +
                "n=0\nwhile n<4608:\n  d=s.recv(4608-n)\n  if not d: break\n  n+=len(d)\nprint(n)";
            byte[] output = TapReader.Get("setpriv", "--reuid=12345", "--regid=12345", "--clear-groups", "/usr/bin/python3", "-c", Script, TapReader.PathOf(daemon, tap));
            return int.Parse(Encoding.ASCII.GetString(output), CultureInfo.InvariantCulture);
        }
    }

    private static void Attack(DaemonProcess daemon, int port)
    {
        byte[] garbage = new byte[100_000];
        new Random(1).NextBytes(garbage);
        string[] taps = ["a.rawvideo", "a.y4m", "a.mjpeg", "a.jpeg"];
        List<Socket> open = [];
        for (int i = 0; i < 300; i++)
        {
            Socket socket = TapReader.Connect(daemon, taps[i % taps.Length], receiveBuffer: 4096);
            switch (i % 5)
            {
                case 0:
                    // In the middle of a frame.
                    Try(() => socket.Receive(garbage, 1000, SocketFlags.None));
                    socket.Dispose();
                    break;
                case 1:
                    Try(() => socket.Send(garbage));
                    open.Add(socket);
                    break;
                case 2:
                    Try(() => socket.Shutdown(SocketShutdown.Send));
                    open.Add(socket);
                    break;
                case 3:
                    open.Add(socket);
                    break;
                default:
                    socket.Dispose();
                    break;
            }
        }

        string[] requests =
        [
            "GET /a.mjpeg HT", "GET /a.rawvideo HTTP/1.1\r\nHost: x\r\n\r\n", "GET /a.rawvideo HTTP/1.1\r\nHost: localhost\r\n\r\n", "\r\n\r\n\r\n", "GET / HTTP/9.9\r\n\r\n",
            "POST /a.jpeg HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999\r\n\r\n", "GET /a.mjpeg HTTP/1.1\r\nHost: localhost\r\n\r\n",
            $"GET /{new string('a', 5000)} HTTP/1.1\r\nHost: localhost\r\n\r\n", $"GET / HTTP/1.1\r\nHost: localhost\r\nX: {new string('a', 40_000)}\r\n\r\n",
            "GET /a.jpeg HTTP/1.1\r\nHost: localhost\r\n\r\nGET /a.jpeg HTTP/1.1\r\nHost: localhost\r\n\r\nGET /a.jpeg HTTP/1.1\r\nHost: localhost\r\n\r\n", "GET /a.jpeg HTTP/1.1\r\nHost: a b\r\n\r\n",
            Encoding.Latin1.GetString(garbage, 0, 3000),
        ];
        for (int i = 0; i < 240; i++)
        {
            Socket? socket = null;
            Try(() => socket = Request(port, requests[i % requests.Length], receiveBuffer: 4096));
            if (i % 3 == 0)
            {
                socket?.Dispose();
            }
            else if (socket is not null)
            {
                open.Add(socket);
            }
        }

        open.ForEach(socket => socket.Dispose());

        static void Try(Action action)
        {
            try
            {
                action();
            }
            catch (SocketException)
            {
                // It was turned away, which is what is to be.
            }
        }
    }

    private static Socket Request(int port, string request, int receiveBuffer)
    {
        Socket socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { ReceiveBufferSize = receiveBuffer };
        socket.Connect(IPAddress.Loopback, port);
        socket.Send(Encoding.Latin1.GetBytes(request));
        return socket;
    }

    /// <summary>Waits until nobody but the counter reads, and the last connections are closed.</summary>
    private static void WaitForPeace(DaemonProcess daemon)
    {
        daemon.WaitFor("a", info => info.Description!.Subscribers == 1);
        int last = 0;
        for (int same = 0; same < 5; Thread.Sleep(200))
        {
            // Closed connections are not announced outside of the daemon: their number comes to rest.
            int now = Descriptors(daemon);
            (same, last) = (now == last ? same + 1 : 0, now);
        }
    }

    /// <summary>Waits for the descriptors to become as few: a ring that grew while the machine was busy has one for each segment until it shrinks.</summary>
    private static void WaitForDescriptors(DaemonProcess daemon, int most)
    {
        Stopwatch time = Stopwatch.StartNew();
        while (Descriptors(daemon) > most)
        {
            Assert.True(time.Elapsed < 3 * DaemonProcess.Patience, $"more than {most}: {string.Join(' ', Links(daemon).Order())}\n{daemon.LogText}");
            Thread.Sleep(200); // Nothing tells when one is closed.
        }
    }

    /// <summary>How many descriptors the daemon has; not those of the runtime's own files, which it opens when it first needs what is in them.</summary>
    private static int Descriptors(DaemonProcess daemon) => Links(daemon).Count();

    private static IEnumerable<string> Links(DaemonProcess daemon) => Directory.GetFiles($"/proc/{daemon.ProcessId}/fd")
        .Select(path => new FileInfo(path).LinkTarget ?? "").Where(target => !target.EndsWith(".dll", StringComparison.Ordinal) && target.Length > 0);

    private static long Memory(DaemonProcess daemon)
    {
        string line = File.ReadLines($"/proc/{daemon.ProcessId}/status").First(line => line.StartsWith("VmRSS:", StringComparison.Ordinal));
        return long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture) << 10;
    }

    /// <summary>A reader that must get every frame, whole: every sample is checked.</summary>
    private sealed class FrameCounter : IDisposable
    {
        private readonly FrameSubscriber _reader;
        private readonly Task _task;
        private volatile bool _isEnding;
        private long _count;

        public FrameCounter(DaemonProcess daemon, string key)
        {
            _reader = daemon.Subscribe(key, Delivery.Lossless);
            PatternReader.Next(_reader);
            _task = Task.Factory.StartNew(Count, TaskCreationOptions.LongRunning);
        }

        /// <summary>Waits until another frame has come, or something was wrong with one.</summary>
        public void WaitForNext()
        {
            long before = Interlocked.Read(ref _count);
            Stopwatch time = Stopwatch.StartNew();
            while (Interlocked.Read(ref _count) == before && !_task.IsCompleted)
            {
                Assert.True(time.Elapsed < DaemonProcess.Patience, "no frame comes");
                Thread.Sleep(5); // They are counted by another thread.
            }
        }

        /// <summary>Ends, and fails if a frame was missing or damaged.</summary>
        public void Finish()
        {
            _isEnding = true;
            _task.GetAwaiter().GetResult();
            Assert.Equal(0UL, _reader.Missed);
            Assert.Equal(0, _reader.Evictions);
            Assert.True(_count > 20, $"{_count} frames");
        }

        public void Dispose()
        {
            _isEnding = true;
            Assert.True(_task.ContinueWith(_ => { }, TaskScheduler.Default).Wait(DaemonProcess.Patience));
            _reader.Dispose();
        }

        private void Count()
        {
            ulong last = 0;
            while (!_isEnding)
            {
                ulong sequence = PatternReader.Next(_reader).Sequence;
                Assert.True(last == 0 || sequence == last + 1, $"frame {sequence} came after {last}");
                last = sequence;
                Interlocked.Increment(ref _count);
            }
        }
    }
}
