using CuFrames.Interop;
using CuFrames.Protocol;
using CuFrames.TestKit;
using Xunit;

namespace CuFrames.Media.Tests;

/// <summary>A real RTSP server, over TCP and UDP.</summary>
public sealed class RtspTests : IDisposable
{
    private const string Password = "Geh3im@nis:Passwort";
    private readonly MediaClips _clips = new();

    public void Dispose() => _clips.Dispose();

    [Theory]
    [InlineData(MediaTransport.Tcp, false)]
    [InlineData(MediaTransport.Tcp, true)]
    [InlineData(MediaTransport.Udp, false)]
    public void Frames_from_RTSP_equal_ffmpegs_decode_of_the_file(MediaTransport transport, bool isH265)
    {
        // UDP may lose datagrams on a loaded machine, so its pictures are small.
        string path = transport == MediaTransport.Udp ? _clips.H264("a.mp4", 320, 240, 1)
            : isH265 ? _clips.H265("a.mp4", 1920, 1080, 1) : _clips.H264("a.mp4", 1920, 1080, 1);
        byte[] reference = _clips.DecodeReference(path, "yuv420p");
        using RtspServer server = new(new RtspServerOptions { File = path, IsH265 = isH265 });
        using MediaSource source = new(new MediaSourceOptions { Url = new RedactedUrl(server.Url), Transport = transport, StallTimeout = TimeSpan.FromSeconds(15) });
        source.Open();
        Assert.True(source.Info.IsLive);
        Assert.Equal(isH265 ? "hevc" : "h264", source.Info.Codec);
        int frames = 0;
        long? origin = null;
        try
        {
            while (source.TryReadFrame(out MediaFrame frame))
            {
                using FrameBuffer buffer = new(frame.Format, frame.Width, frame.Height);
                source.CopyFrame(buffer.Planes);
                byte[] samples = buffer.Samples();
                // libav's RTSP client does not know the pts of the very first packet.
                int index = frames;
                if (frame.Metadata.Pts != FrameMetadata.UnknownPts)
                {
                    origin ??= frame.Metadata.Pts - (frames * 40_000_000L);
                    index = (int)Math.Round((frame.Metadata.Pts - origin.Value) / 40e6);
                }

                Assert.NotEqual(0, frame.Metadata.ArrivalTime);
                bool isEqual = reference.AsSpan(index * samples.Length, samples.Length).SequenceEqual(samples);
                // Over UDP the server's BYE may overtake the last datagrams: that picture is damaged, and says so.
                bool isCutOff = transport == MediaTransport.Udp && index >= 22 && frame.Metadata.Flags.HasFlag(FrameFlags.Corrupt);
                Assert.True(isEqual || isCutOff, $"frame {index} ({frames} before it, {frame.Metadata.Flags}, {frame.Metadata.PictureType}) differs; {source.TakeLog()}");
                frames++;
            }
        }
        catch (MediaException e) when (e.Error == MediaError.Stalled)
        {
            // How a server ends a stream over UDP is its own affair: it may say so or just send nothing more.
        }

        // What the decoder still holds when a connection stalls is lost with it: at most the reordering delay.
        Assert.InRange(frames, 22, 25);

        // What the server says comes by another way than its pictures.
        Assert.True(SpinWait.SpinUntil(() => server.Connections >= 1 && server.Transports.Count >= 1, TimeSpan.FromSeconds(90)));
        Assert.Equal(1, server.Connections);
        Assert.Equal([transport == MediaTransport.Udp ? "udp" : "tcp"], server.Transports);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_login_is_used_and_a_wrong_one_is_told_without_showing_it(bool digest)
    {
        string path = _clips.H264("a.mp4", 320, 240, 1);
        using RtspServer server = new(new RtspServerOptions { File = path, User = "admin", Password = Password, Digest = digest });
        using (MediaSource source = new(new MediaSourceOptions { Url = new RedactedUrl(server.Url).WithCredentials("admin", Password) }))
        {
            source.Open();
            Assert.True(source.TryReadFrame(out _));
            Assert.DoesNotContain("Passwort", source.TakeLog(), StringComparison.Ordinal);
        }

        foreach (RedactedUrl url in (RedactedUrl[])[new RedactedUrl(server.Url), new RedactedUrl(server.Url).WithCredentials("admin", Password + "X")])
        {
            using MediaSource source = new(new MediaSourceOptions { Url = url });
            MediaException error = Assert.Throws<MediaException>(source.Open);
            Assert.Equal(MediaError.Unauthorized, error.Error);
            Assert.Contains(url.HasCredentials ? "refused the user name or the password" : "asks for a user name", error.Message, StringComparison.Ordinal);
            Assert.DoesNotContain("Passwort", error + source.TakeLog(), StringComparison.Ordinal);
        }
    }

    [Fact]
    public void A_camera_that_hangs_is_noticed_within_the_stall_timeout()
    {
        string path = _clips.H264("a.mp4", 320, 240, 1);
        using RtspServer server = new(new RtspServerOptions { File = path, Repeat = TimeSpan.FromSeconds(60) });
        using MediaSource source = new(new MediaSourceOptions { Url = new RedactedUrl(server.Url), StallTimeout = TimeSpan.FromSeconds(4) });
        source.Open();
        for (int i = 0; i < 10; i++)
        {
            Assert.True(source.TryReadFrame(out _));
        }

        server.Hang();
        long before = Environment.TickCount64;
        MediaException error = Assert.Throws<MediaException>(() =>
        {
            while (source.TryReadFrame(out _))
            {
                // What was on its way.
            }
        });
        // libav's own limit would come after 14 s.
        Assert.InRange(Environment.TickCount64 - before, 3_900, 13_000);
        Assert.Equal(MediaError.Stalled, error.Error);
        Assert.Contains("sent no picture for 4 s", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Abort_ends_a_read_that_waits()
    {
        string path = _clips.H264("a.mp4", 320, 240, 1);
        using RtspServer server = new(new RtspServerOptions { File = path, Repeat = TimeSpan.FromSeconds(60) });
        using MediaSource source = new(new MediaSourceOptions { Url = new RedactedUrl(server.Url), StallTimeout = TimeSpan.FromSeconds(60) });
        source.Open();
        Assert.True(source.TryReadFrame(out _));
        server.Hang();
        using Timer timer = new(_ => source.Abort(), null, 300, Timeout.Infinite);
        MediaException error = Assert.Throws<MediaException>(() =>
        {
            while (source.TryReadFrame(out _))
            {
                // Until aborted.
            }
        });
        Assert.Equal(MediaError.Aborted, error.Error);
    }

    /// <summary>The server's sender reports tie its RTP time to its wall clock, which is this machine's.</summary>
    [Fact]
    public void The_cameras_wall_clock_is_carried()
    {
        string path = _clips.H264("a.mp4", 320, 240, 1);
        using RtspServer server = new(new RtspServerOptions { File = path, Repeat = TimeSpan.FromSeconds(60) });
        using MediaSource source = new(new MediaSourceOptions { Url = new RedactedUrl(server.Url) });
        source.Open();
        MediaFrame frame = default;
        for (int i = 0; i < 400 && frame.Metadata.CaptureTime == 0; i++)
        {
            Assert.True(source.TryReadFrame(out frame));
        }

        // A clock of another epoch or unit would be off by years; we read late when the machine is busy.
        Assert.InRange(WallClock.NowNanoseconds - frame.Metadata.CaptureTime, -60_000_000_000, 60_000_000_000);
    }

    [Fact]
    public void An_unknown_path_is_told()
    {
        using RtspServer server = new(new RtspServerOptions { File = _clips.H264("a.mp4", 320, 240, 0.2) });
        using MediaSource source = new(new MediaSourceOptions { Url = new RedactedUrl(server.Url + "-other") });
        Assert.Equal(MediaError.RemoteNotFound, Assert.Throws<MediaException>(source.Open).Error);
    }

    [Fact]
    public void Ten_bits_come_through_RTSP()
    {
        string path = _clips.H265("a.mp4", 640, 360, 0.6, "-pix_fmt", "yuv420p10le");
        using RtspServer server = new(new RtspServerOptions { File = path, IsH265 = true });
        using MediaSource source = new(new MediaSourceOptions { Url = new RedactedUrl(server.Url) });
        source.Open();
        Assert.True(source.TryReadFrame(out MediaFrame frame));
        Assert.Equal(PixelFormat.P010, frame.Format);
        Assert.False(frame.IsConverted);
    }
}
