using System.Globalization;
using System.Net;
using System.Net.Sockets;
using CuFrames.TestKit;
using Xunit;

namespace CuFrames.Media.Tests;

/// <summary>Sources over HTTP, HLS and MPEG-TS by UDP.</summary>
public sealed class WebSourceTests : IDisposable
{
    private readonly MediaClips _clips = new();
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _over = new();

    public WebSourceTests()
    {
        _listener.Start();
        _ = ServeAsync();
    }

    public void Dispose()
    {
        _over.Cancel();
        _listener.Dispose();
        _over.Dispose();
        _clips.Dispose();
    }

    [Fact]
    public void A_file_over_HTTP_equals_ffmpegs_decode()
    {
        string path = _clips.H264("a.ts", 640, 360, 1);
        RequireEqual("a.ts?token=geheim", _clips.DecodeReference(path, "yuv420p"), 25);
    }

    [Fact]
    public void HLS_equals_ffmpegs_decode()
    {
        string path = _clips.H264("a.mp4", 640, 360, 3);
        _clips.Make("list.m3u8", "-i", path, "-c", "copy", "-hls_time", "1", "-hls_playlist_type", "vod");
        RequireEqual("list.m3u8", _clips.DecodeReference(path, "yuv420p"), 75);
    }

    [Fact]
    public async Task MPEG_TS_by_UDP_is_decoded()
    {
        string path = _clips.H264("a.ts", 320, 240, 1);
        byte[] reference = _clips.DecodeReference(path, "yuv420p");
        int port = Ports.Free();
        Task sender = Task.Run(() => MediaClips.Ffmpeg(
            "-re", "-stream_loop", "9", "-i", path, "-c", "copy", "-f", "mpegts", string.Create(CultureInfo.InvariantCulture, $"udp://127.0.0.1:{port}?pkt_size=1316")));
        using (MediaSource source = new(new MediaSourceOptions { Url = new RedactedUrl($"udp://127.0.0.1:{port}") }))
        {
            source.Open();
            Assert.True(source.Info.IsLive);
            int size = 320 * 240 * 3 / 2;
            HashSet<string> known = [.. Enumerable.Range(0, 25).Select(i => Convert.ToHexString(System.Security.Cryptography.SHA256.HashData(reference.AsSpan(i * size, size))))];
            int equal = 0;
            for (int i = 0; i < 40; i++)
            {
                Assert.True(source.TryReadFrame(out MediaFrame frame));
                using FrameBuffer buffer = new(frame.Format, frame.Width, frame.Height);
                source.CopyFrame(buffer.Planes);
                equal += known.Contains(Convert.ToHexString(System.Security.Cryptography.SHA256.HashData(buffer.Samples()))) ? 1 : 0;
            }

            // The stream is joined somewhere in the middle: pictures before the first key picture may be damaged.
            Assert.True(equal >= 15, $"{equal} frames of 40 are frames of the file");
        }

        await sender;
    }

    private void RequireEqual(string name, byte[] reference, int count)
    {
        using MediaSource source = new(new MediaSourceOptions { Url = new RedactedUrl($"http://127.0.0.1:{((IPEndPoint)_listener.LocalEndpoint).Port}/{name}") });
        source.Open();
        Assert.False(source.Info.IsLive);
        int position = 0, frames = 0;
        while (source.TryReadFrame(out MediaFrame frame))
        {
            using FrameBuffer buffer = new(frame.Format, frame.Width, frame.Height);
            source.CopyFrame(buffer.Planes);
            byte[] samples = buffer.Samples();
            Assert.True(reference.AsSpan(position, samples.Length).SequenceEqual(samples), $"frame {frames} differs");
            position += samples.Length;
            frames++;
        }

        Assert.Equal(count, frames);
        Assert.DoesNotContain("geheim", source.TakeLog(), StringComparison.Ordinal);
    }

    /// <summary>The smallest web server: one request per connection, files of the clips' folder.</summary>
    private async Task ServeAsync()
    {
        while (!_over.IsCancellationRequested)
        {
            TcpClient client = await _listener.AcceptTcpClientAsync(_over.Token);
            _ = Task.Run(async () =>
            {
                using (client)
                {
                    using StreamReader reader = new(client.GetStream());
                    string name = (await reader.ReadLineAsync())!.Split(' ')[1].Split('?')[0].TrimStart('/');
                    while (!string.IsNullOrEmpty(await reader.ReadLineAsync()))
                    {
                        // The headers do not matter.
                    }

                    byte[] content = await File.ReadAllBytesAsync(_clips.PathOf(name));
                    string head = string.Create(CultureInfo.InvariantCulture, $"HTTP/1.1 200 OK\r\nContent-Length: {content.Length}\r\nConnection: close\r\n\r\n");
                    await client.GetStream().WriteAsync(System.Text.Encoding.ASCII.GetBytes(head));
                    await client.GetStream().WriteAsync(content);
                }
            });
        }
    }
}
