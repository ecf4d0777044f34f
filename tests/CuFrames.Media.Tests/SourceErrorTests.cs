using System.Net;
using System.Net.Sockets;
using CuFrames.TestKit;
using Xunit;

namespace CuFrames.Media.Tests;

/// <summary>Every way in which a source cannot be opened or is lost has its own sentence, and none of them holds a secret.</summary>
public sealed class SourceErrorTests : IDisposable
{
    private const string Password = "Geh3imnis-Passwort";
    private readonly MediaClips _clips = new();

    public void Dispose() => _clips.Dispose();

    [Fact]
    public void A_file_that_is_not_there() => RequireFailure(_clips.PathOf("none.mp4"), MediaError.FileNotFound, "does not exist");

    [Fact]
    public void A_file_that_is_no_media()
    {
        string path = _clips.PathOf("noise.bin");
        byte[] noise = new byte[100_000];
        new Random(2).NextBytes(noise);
        File.WriteAllBytes(path, noise);
        RequireFailure(path, MediaError.InvalidData, "not a media format");
    }

    [Fact]
    public void A_file_cut_off_before_its_index()
    {
        string whole = _clips.H264("whole.mp4", 320, 240, 1);
        string path = _clips.PathOf("half.mp4");
        File.WriteAllBytes(path, File.ReadAllBytes(whole)[..4000]);
        RequireFailure(path, MediaError.InvalidData, "damaged");
    }

    [Fact]
    public void An_empty_file()
    {
        string path = _clips.PathOf("empty.mp4");
        File.WriteAllBytes(path, []);
        Assert.NotEqual(MediaError.Internal, Fail(path).Error);
    }

    [Fact]
    public void A_file_without_video() =>
        RequireFailure(_clips.Make("tone.wav", "-f", "lavfi", "-i", "sine=duration=0.2"), MediaError.NoVideo, "no video stream");

    [Fact]
    public void Music_with_a_cover_picture_is_not_video()
    {
        string cover = _clips.Make("cover.jpg", [.. MediaClips.Moving(64, 64, 0.04), "-frames:v", "1"]);
        string path = _clips.Make("song.mp3", "-f", "lavfi", "-i", "sine=duration=0.2", "-i", cover, "-map", "0", "-map", "1", "-c:v", "copy", "-disposition:v", "attached_pic");
        RequireFailure(path, MediaError.NoVideo, "no video stream");
    }

    [Fact]
    public void A_codec_that_libav_cannot_decode()
    {
        // A type of video that no decoder knows: the tag of a valid file is changed.
        string path = _clips.Make("v.mov", [.. MediaClips.Moving(64, 64, 0.2), "-c:v", "mpeg4"]);
        byte[] content = File.ReadAllBytes(path);
        int tag = content.AsSpan().IndexOf("mp4v"u8);
        "zzzz"u8.CopyTo(content.AsSpan(tag));
        while ((tag = content.AsSpan().IndexOf("esds"u8)) >= 0)
        {
            "skip"u8.CopyTo(content.AsSpan(tag));
        }

        string damaged = _clips.PathOf("unknown.mov");
        File.WriteAllBytes(damaged, content);
        RequireFailure(damaged, MediaError.UnsupportedCodec, "cannot decode");
    }

    [Fact]
    public void A_name_that_has_no_address() =>
        RequireFailure($"rtsp://u:{Password}@no-such-camera.invalid/s", MediaError.NameNotResolved, "no-such-camera.invalid has no address");

    [Fact]
    public void A_port_where_nothing_listens() =>
        RequireFailure($"rtsp://u:{Password}@127.0.0.1:1/s?token={Password}", MediaError.ConnectionRefused, "nothing listens");

    [Fact]
    public void A_scheme_that_libav_does_not_know() =>
        RequireFailure($"nonsense://u:{Password}@h/s", MediaError.UnsupportedProtocol, "does not know the scheme");

    [Fact]
    public void A_host_that_accepts_and_says_nothing()
    {
        using TcpListener listener = new(IPAddress.Loopback, 0);
        listener.Start();
        long before = Environment.TickCount64;
        RequireFailure($"rtsp://u:{Password}@127.0.0.1:{PortOf(listener)}/s", MediaError.ConnectTimeout, "no answer within 1 s", TimeSpan.FromSeconds(1));
        // The limit is the guarantee here: ten times of it is a hang.
        Assert.InRange(Environment.TickCount64 - before, 900, 10_000);
    }

    [Theory]
    [InlineData(401, MediaError.Unauthorized, "401")]
    [InlineData(403, MediaError.Forbidden, "403")]
    [InlineData(404, MediaError.RemoteNotFound, "404")]
    [InlineData(500, MediaError.RemoteRefused, "refused the request")]
    public async Task A_web_server_that_refuses(int status, MediaError error, string sentence)
    {
        using TcpListener listener = new(IPAddress.Loopback, 0);
        listener.Start();
        using CancellationTokenSource over = new();
        Task server = ServeAsync(listener, $"HTTP/1.1 {status} No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", over.Token);
        RequireFailure($"http://u:{Password}@127.0.0.1:{PortOf(listener)}/a.ts?key={Password}", error, sentence);
        over.Cancel();
        await Task.WhenAny(server);
    }

    /// <summary>A camera that answers everything and then sends no picture.</summary>
    [Fact]
    public async Task A_camera_that_connects_and_sends_nothing()
    {
        using TcpListener listener = new(IPAddress.Loopback, 0);
        listener.Start();
        Task camera = SilentCameraAsync(listener);
        RequireFailure($"rtsp://u:{Password}@127.0.0.1:{PortOf(listener)}/s", MediaError.NoData, "no picture came within 10 s", TimeSpan.FromSeconds(10));
        await Task.WhenAny(camera);
    }

    [Fact]
    public async Task Abort_ends_an_open_that_waits()
    {
        using TcpListener listener = new(IPAddress.Loopback, 0);
        listener.Start();
        using MediaSource source = new(new MediaSourceOptions
        {
            Url = new RedactedUrl($"rtsp://u:{Password}@127.0.0.1:{PortOf(listener)}/s"),
            OpenTimeout = TimeSpan.FromSeconds(60),
        });
        Task<MediaException> open = Task.Run(() => Assert.Throws<MediaException>(source.Open));
        using TcpClient connection = await listener.AcceptTcpClientAsync();
        source.Abort();
        MediaException error = await open.WaitAsync(TimeSpan.FromSeconds(90));
        Assert.Equal(MediaError.Aborted, error.Error);
        RequireNoSecret(error.ToString());
    }

    [Fact]
    public void Options_out_of_range_are_refused()
    {
        RedactedUrl url = new("a.mp4");
        Assert.Throws<MediaException>(() => new MediaSource(new MediaSourceOptions { Url = url, DecodeThreads = 65 }));
        Assert.Throws<MediaException>(() => new MediaSource(new MediaSourceOptions { Url = url, DecodeThreads = -1 }));
        Assert.Throws<MediaException>(() => new MediaSource(new MediaSourceOptions { Url = url, OpenTimeout = TimeSpan.Zero }));
        Assert.Throws<MediaException>(() => new MediaSource(new MediaSourceOptions { Url = url, StallTimeout = TimeSpan.FromSeconds(-1) }));
    }

    [Fact]
    public void Sources_leave_no_descriptor_behind()
    {
        string path = _clips.H264("a.mp4", 64, 64, 0.2);
        string broken = _clips.PathOf("broken.mp4");
        File.WriteAllBytes(broken, File.ReadAllBytes(path)[..1000]);
        for (int i = 0; i < 50; i++)
        {
            using MediaSource source = new(new MediaSourceOptions { Url = new RedactedUrl(path) });
            source.Open();
            Assert.True(source.TryReadFrame(out _));
            Fail(broken);
        }

        // Other tests of this process open files of their own meanwhile; these two are this test's.
        Assert.DoesNotContain(
            Directory.GetFiles("/proc/self/fd").Select(link => new FileInfo(link).LinkTarget), target => target == path || target == broken);
    }

    private static int PortOf(TcpListener listener) => ((IPEndPoint)listener.LocalEndpoint).Port;

    private static MediaException Fail(string url, TimeSpan? timeout = null)
    {
        using MediaSource source = new(new MediaSourceOptions { Url = new RedactedUrl(url), OpenTimeout = timeout ?? TimeSpan.FromSeconds(60) });
        MediaException error = Assert.Throws<MediaException>(source.Open);
        RequireNoSecret(error.ToString());
        RequireNoSecret(source.TakeLog());
        return error;
    }

    private static void RequireFailure(string url, MediaError error, string sentence, TimeSpan? timeout = null)
    {
        MediaException exception = Fail(url, timeout);
        Assert.True(error == exception.Error, $"{exception.Error}: {exception.Message}");
        Assert.Contains(sentence, exception.Message, StringComparison.Ordinal);
    }

    private static void RequireNoSecret(string text) => Assert.DoesNotContain(Password, text, StringComparison.OrdinalIgnoreCase);

    private static async Task ServeAsync(TcpListener listener, string answer, CancellationToken over)
    {
        while (true)
        {
            using TcpClient client = await listener.AcceptTcpClientAsync(over);
            byte[] request = new byte[4096];
            int length = await client.GetStream().ReadAsync(request, over);
            Assert.True(length > 0);
            await client.GetStream().WriteAsync(System.Text.Encoding.ASCII.GetBytes(answer), over);
        }
    }

    private static async Task SilentCameraAsync(TcpListener listener)
    {
        using TcpClient client = await listener.AcceptTcpClientAsync();
        using StreamReader reader = new(client.GetStream());
        while (true)
        {
            string? line = await reader.ReadLineAsync();
            if (line is null)
            {
                return;
            }

            string method = line.Split(' ')[0];
            string sequence = "";
            while (!string.IsNullOrEmpty(line = await reader.ReadLineAsync()))
            {
                sequence = line.StartsWith("CSeq", StringComparison.OrdinalIgnoreCase) ? line : sequence;
            }

            const string Description = "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=x\r\nt=0 0\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=control:track1\r\n";
            string more = method switch
            {
                "OPTIONS" => "Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN\r\n\r\n",
                "DESCRIBE" => $"Content-Type: application/sdp\r\nContent-Length: {Description.Length}\r\n\r\n{Description}",
                "SETUP" => "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\nSession: 1\r\n\r\n",
                _ => "Session: 1\r\n\r\n",
            };
            await client.GetStream().WriteAsync(System.Text.Encoding.ASCII.GetBytes($"RTSP/1.0 200 OK\r\n{sequence}\r\n{more}"));
        }
    }
}
