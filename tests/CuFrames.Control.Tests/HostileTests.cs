using System.Diagnostics;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using CuFrames.Client;
using CuFrames.Control.Internal;
using CuFrames.Daemon.Tests;
using Google.Protobuf;
using Xunit;

namespace CuFrames.Control.Tests;

/// <summary>Callers who do not keep to the protocol: they get an error, and nobody else suffers.</summary>
public sealed class HostileTests
{
    private const string Configuration = """
        directory: {run}
        cameras:
          pattern:
            source: test:nv12@320x240@25
        """;

    [Fact]
    public async Task What_is_no_call_gets_an_answer_that_says_so()
    {
        using DaemonProcess daemon = Start();
        using HttpClient http = Http(SocketOf(daemon));
        byte[] empty = [0, 0, 0, 0, 0];
        using HttpResponseMessage get = await http.GetAsync(new Uri("/cuframes.control.v1.Control/GetDaemon", UriKind.Relative), TestContext.Current.CancellationToken);
        Assert.Equal(HttpStatusCode.MethodNotAllowed, get.StatusCode);
        Assert.Contains("gRPC", await get.Content.ReadAsStringAsync(TestContext.Current.CancellationToken), StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.UnsupportedMediaType, (await Post(http, "GetDaemon", empty, type: "application/json")).Code);

        // Two messages, none, a compressed one, one that breaks off, one that is too long, one that is none.
        Assert.Equal("13", (await Post(http, "GetDaemon", [.. empty, .. empty])).Status);
        Assert.Equal("13", (await Post(http, "GetDaemon", [])).Status);
        Assert.Equal("12", (await Post(http, "GetDaemon", [1, 0, 0, 0, 0])).Status);
        Assert.Equal("13", (await Post(http, "GetDaemon", [0, 0, 0, 0, 9, 1])).Status);
        Assert.Equal("8", (await Post(http, "GetDaemon", [0, 0xFF, 0xFF, 0xFF, 0xFF])).Status);
        Assert.Equal("13", (await Post(http, "GetCamera", [0, 0, 0, 0, 2, 0x0A, 0xFF])).Status);

        // Heads.
        Assert.Equal("12", (await Post(http, "Unknown", empty)).Status);
        Assert.Equal("12", (await Post(http, "GetDaemon", empty, (RpcWire.EncodingHeader, "gzip"))).Status);
        Assert.Equal("3", (await Post(http, "GetDaemon", empty, (RpcWire.TimeoutHeader, "soon"))).Status);
        Assert.Equal("4", (await Post(http, "WatchEvents", empty, (RpcWire.TimeoutHeader, "50m"))).Status);

        Assert.Equal("0", (await Post(http, "GetDaemon", empty)).Status);
        Assert.DoesNotContain(daemon.Log, line => line.Contains("internal-error", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Who_sends_garbage_or_nothing_at_all_holds_up_nobody()
    {
        using DaemonProcess daemon = Start();
        string socket = SocketOf(daemon);
        Random random = new(11);
        List<Socket> silent = [];
        byte[] preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"u8.ToArray();
        for (int i = 0; i < 300; i++)
        {
            Socket connection = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            await connection.ConnectAsync(new UnixDomainSocketEndPoint(socket), TestContext.Current.CancellationToken);
            byte[] garbage = new byte[random.Next(2000)];
            random.NextBytes(garbage);
            try
            {
                switch (i % 3)
                {
                    case 0:
                        await connection.SendAsync(garbage);
                        break;
                    case 1:
                        await connection.SendAsync(preface);
                        await connection.SendAsync(garbage);
                        break;
                }
            }
            catch (SocketException)
            {
                // It was disconnected before it had sent all.
            }

            // Some stay, half-open or silent, until the end; fewer than there may be at once.
            if (i % 10 == 2)
            {
                silent.Add(connection);
            }
            else
            {
                connection.Dispose();
            }
        }

        using ControlClient client = new(socket) { Timeout = DaemonProcess.Patience };
        Assert.Equal(daemon.ProcessId, await AnsweredAsync(client));
        using FrameSubscriber subscriber = daemon.Subscribe("pattern");
        Assert.True(subscriber.TryNext(DaemonProcess.Patience, out Frame frame));
        frame.Dispose();
        silent.ForEach(connection => connection.Dispose());
        Assert.DoesNotContain(daemon.Log, line => line.Contains("internal-error", StringComparison.Ordinal));
    }

    /// <summary>
    /// The process that answers. Connections that their user closed count among the 128 of his until the daemon has come to them, so a busy machine may
    /// refuse one more at first.
    /// </summary>
    private static async Task<int> AnsweredAsync(ControlClient client)
    {
        long begin = Stopwatch.GetTimestamp();
        while (true)
        {
            try
            {
                return (await client.GetDaemonAsync(TestContext.Current.CancellationToken)).ProcessId;
            }
            catch (RpcException error) when (error.Status == RpcStatus.Unavailable && Stopwatch.GetElapsedTime(begin) < DaemonProcess.Patience)
            {
                await Task.Delay(20, TestContext.Current.CancellationToken);
            }
        }
    }

    [Fact]
    public async Task A_watcher_who_takes_nothing_learns_later_how_much_was_lost_and_holds_up_nobody()
    {
        using DaemonProcess daemon = Start();
        string socket = SocketOf(daemon);
        using Process stopped = Process.Start(new ProcessStartInfo("/usr/bin/python3", ["-c", """
            import socket, sys, time
            s = socket.socket(socket.AF_UNIX); s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096); s.connect(sys.argv[1])
            def frame(kind, flags, stream, payload): return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload
            def literal(name, value): return b"\x00" + bytes([len(name)]) + name + bytes([len(value)]) + value
            head = b"".join(literal(*pair) for pair in ((b":method", b"POST"), (b":scheme", b"http"), (b":authority", b"x"),
                (b":path", b"/cuframes.control.v1.Control/WatchEvents"), (b"content-type", b"application/grpc"), (b"te", b"trailers")))
            s.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0, b"") + frame(1, 4, 1, head) + frame(0, 1, 1, b"\0\0\0\0\0"))
            print("sent", flush=True)
            time.sleep(1000)
            """, socket]) { RedirectStandardOutput = true })!;
        try
        {
            Assert.Equal("sent", await stopped.StandardOutput.ReadLineAsync(TestContext.Current.CancellationToken));
            using ControlClient client = new(socket) { Timeout = DaemonProcess.Patience };

            // More events than may wait for one watcher and its connection: each refused call is one.
            using UserRelay relay = new(socket, user: 2991);
            using ControlClient stranger = new(relay.SocketPath) { Timeout = DaemonProcess.Patience };
            for (int i = 0; i < 6000; i++)
            {
                RpcException refused = await Assert.ThrowsAsync<RpcException>(() => stranger.GetDaemonAsync(TestContext.Current.CancellationToken));
                Assert.Equal(RpcStatus.PermissionDenied, refused.Status);
            }

            Assert.Equal(daemon.ProcessId, (await client.GetDaemonAsync(TestContext.Current.CancellationToken)).ProcessId);
        }
        finally
        {
            stopped.Kill();
        }
    }

    /// <summary>A picture that is not taken lies in the daemon's memory: there are never more than a few, and not for long.</summary>
    [Fact]
    public async Task Pictures_that_nobody_takes_are_few_and_end()
    {
        using DaemonProcess daemon = new("directory: {run}\ncameras: {noise: {source: noise.y4m, loop: true}}");

        // Noise stays large as PNG.
        byte[] samples = new byte[640 * 480 * 3 / 2];
        new Random(5).NextBytes(samples);
        File.WriteAllBytes(Path.Combine(Path.GetDirectoryName(daemon.ConfigurationPath)!, "noise.y4m"), [.. "YUV4MPEG2 W640 H480 F25:1 C420jpeg\nFRAME\n"u8, .. samples]);
        daemon.Start();
        daemon.WaitForLog("[700 control-ready]");
        string socket = SocketOf(daemon);
        using ControlClient client = new(socket) { Timeout = DaemonProcess.Patience };
        V1.Snapshot picture = await client.TakeSnapshotAsync("noise", V1.PictureFormat.Png, 0, TestContext.Current.CancellationToken);
        Assert.True(picture.Picture.Length > 64 << 10, $"{picture.Picture.Length} bytes fit into buffers");
        int calls = 1;
        byte[] request = new V1.TakeSnapshotRequest { Stream = "noise", Format = V1.PictureFormat.Png }.ToByteArray();
        using Process idle = Process.Start(new ProcessStartInfo("/usr/bin/python3", ["-c", """
            import socket, sys, time
            s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); request = bytes.fromhex(sys.argv[2])
            def frame(kind, flags, stream, payload): return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload
            def literal(name, value): return b"\x00" + bytes([len(name)]) + name + bytes([len(value)]) + value
            head = b"".join(literal(*pair) for pair in ((b":method", b"POST"), (b":scheme", b"http"), (b":authority", b"x"),
                (b":path", b"/cuframes.control.v1.Control/TakeSnapshot"), (b"content-type", b"application/grpc"), (b"te", b"trailers")))
            s.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0, b""))
            for call in range(40):
                s.sendall(frame(1, 4, 2 * call + 1, head) + frame(0, 1, 2 * call + 1, b"\0" + len(request).to_bytes(4, "big") + request))
            print("sent", flush=True)
            time.sleep(1000)
            """, socket, Convert.ToHexString(request)]) { RedirectStandardOutput = true })!;
        try
        {
            Assert.Equal("sent", await idle.StandardOutput.ReadLineAsync(TestContext.Current.CancellationToken));
            await Until(async () => await StatusAsync() == RpcStatus.ResourceExhausted, "pictures without end are made");
            Assert.Equal(daemon.ProcessId, (await client.GetDaemonAsync(TestContext.Current.CancellationToken)).ProcessId);
            await Until(async () => await StatusAsync() == RpcStatus.Ok, "pictures that nobody takes stay");
            Assert.False(idle.HasExited);
        }
        finally
        {
            idle.Kill();
        }

        // The first call may have a place that the idle caller would have taken; the next ones are two, one more than there is room for.
        async Task<RpcStatus> StatusAsync()
        {
            try
            {
                await Task.WhenAll(Enumerable.Range(0, calls).Select(_ => client.TakeSnapshotAsync("noise", V1.PictureFormat.Png, 0, TestContext.Current.CancellationToken)));
                return RpcStatus.Ok;
            }
            catch (RpcException error) when (error.Status == RpcStatus.ResourceExhausted)
            {
                return error.Status;
            }
            finally
            {
                calls = 2;
            }
        }

        async Task Until(Func<Task<bool>> condition, string what)
        {
            long begin = Stopwatch.GetTimestamp();
            while (!await condition())
            {
                Assert.True(Stopwatch.GetElapsedTime(begin) < 2 * DaemonProcess.Patience, $"{what}:\n{daemon.LogText}");
                await Task.Delay(100, TestContext.Current.CancellationToken);
            }
        }
    }

    [Fact]
    public async Task Many_calls_side_by_side_are_all_answered()
    {
        using DaemonProcess daemon = Start();
        using ControlClient client = new(SocketOf(daemon)) { Timeout = DaemonProcess.Patience };
        Task<IReadOnlyList<V1.Camera>>[] calls = [.. Enumerable.Range(0, 2000).Select(_ => client.ListCamerasAsync(TestContext.Current.CancellationToken))];
        foreach (IReadOnlyList<V1.Camera> cameras in await Task.WhenAll(calls))
        {
            Assert.Equal("pattern", Assert.Single(cameras).Key);
        }
    }

    [Fact]
    public void A_second_daemon_in_the_same_directory_leaves_the_first_its_socket()
    {
        using DaemonProcess first = Start();
        using DaemonProcess second = new(Configuration.Replace("pattern", "other", StringComparison.Ordinal)) { RuntimeDirectory = first.RuntimeDirectory };
        second.Environment["CUFRAMES_DIR"] = first.RuntimeDirectory;
        second.Write(Configuration.Replace("pattern", "other", StringComparison.Ordinal));
        second.Start();
        second.WaitForLog("[701 control-unavailable]", "another cuframesd serves it");
        first.End();
        second.WaitForLog("[700 control-ready]");
    }

    private static DaemonProcess Start()
    {
        DaemonProcess daemon = DaemonProcess.Run(Configuration);
        daemon.WaitForLog("[700 control-ready]");
        return daemon;
    }

    private static string SocketOf(DaemonProcess daemon) => Path.Combine(daemon.RuntimeDirectory, ControlClient.SocketName);

    private static HttpClient Http(string path) => new(new SocketsHttpHandler
    {
        ConnectCallback = async (_, cancellation) =>
        {
            Socket socket = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            await socket.ConnectAsync(new UnixDomainSocketEndPoint(path), cancellation);
            return new NetworkStream(socket, ownsSocket: true);
        },
    })
    {
        BaseAddress = new Uri("http://localhost"),
        DefaultRequestVersion = HttpVersion.Version20,
        DefaultVersionPolicy = HttpVersionPolicy.RequestVersionExact,
    };

    private static async Task<(HttpStatusCode Code, string? Status)> Post(HttpClient http, string method, byte[] body, (string Name, string Value)? header = null, string type = RpcWire.ContentType)
    {
        using HttpRequestMessage request = new(HttpMethod.Post, ControlMethods.PathOf(method)) { Version = HttpVersion.Version20, VersionPolicy = HttpVersionPolicy.RequestVersionExact, Content = new ByteArrayContent(body) };
        request.Content.Headers.ContentType = new MediaTypeHeaderValue(type);
        if (header is { } pair)
        {
            request.Headers.Add(pair.Name, pair.Value);
        }

        using HttpResponseMessage response = await http.SendAsync(request, TestContext.Current.CancellationToken);
        await response.Content.ReadAsByteArrayAsync(TestContext.Current.CancellationToken);
        string? status = response.Headers.TryGetValues(RpcWire.StatusHeader, out IEnumerable<string>? values) || response.TrailingHeaders.TryGetValues(RpcWire.StatusHeader, out values)
            ? values.Single()
            : null;
        return (response.StatusCode, status);
    }
}
