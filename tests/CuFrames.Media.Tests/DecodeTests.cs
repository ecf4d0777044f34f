using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using CuFrames.Protocol;
using CuFrames.TestKit;
using Xunit;

namespace CuFrames.Media.Tests;

/// <summary>Every frame of real files equals ffmpeg's decode bit for bit.</summary>
public sealed class DecodeTests : IDisposable
{
    private static readonly string[] Limited709 = ["-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709", "-color_range", "tv"];
    private readonly MediaClips _clips = new();

    public void Dispose() => _clips.Dispose();

    [Theory]
    [InlineData(1, false)]
    [InlineData(4, false)]
    [InlineData(4, true)]
    public void H264_1080p_is_cropped_from_1088_and_equals_ffmpeg(int threads, bool lowDelay)
    {
        string path = _clips.H264("a.mp4", 1920, 1080, 1, Limited709);
        List<MediaFrame> frames = RequireEqual(path, "yuv420p", PixelFormat.I420, 1920, 1080, options => options with { DecodeThreads = threads, LowDelay = lowDelay });
        Assert.Equal(25, frames.Count);
        Assert.All(frames, frame =>
        {
            Assert.Equal(1, frame.Metadata.ColourMatrix);
            Assert.Equal(1, frame.Metadata.ColourPrimaries);
            Assert.Equal(1, frame.Metadata.ColourTransfer);
            Assert.Equal(ColourRange.Limited, frame.Metadata.ColourRange);
            Assert.Equal(FrameFlags.None, frame.Metadata.Flags & ~FrameFlags.Key);
            Assert.Equal(40_000_000, frame.Metadata.Duration);
            Assert.NotEqual(0, frame.Metadata.ArrivalTime);
            Assert.False(frame.IsConverted);
        });
        Assert.Equal(FrameFlags.Key, frames[0].Metadata.Flags);
        Assert.Equal(PictureType.Intra, frames[0].Metadata.PictureType);
        Assert.Contains(frames, frame => frame.Metadata.PictureType == PictureType.Predicted);
        Assert.Contains(frames, frame => frame.Metadata.PictureType == PictureType.Bidirectional);
        Assert.All(frames.Zip(frames.Skip(1)), pair => Assert.Equal(40_000_000, pair.Second.Metadata.Pts - pair.First.Metadata.Pts));
        // Pictures are shown in another order than they are sent, yet each names the packet that it came from.
        Assert.Equal(25, frames.Select(frame => frame.Metadata.SourcePacket).Distinct().Count());
        Assert.Equal(1UL, frames[0].Metadata.SourcePacket);
        Assert.True(frames[1].Metadata.SourcePacket > 2);
    }

    [Fact]
    public void Full_range_is_carried()
    {
        string path = _clips.H264("full.mp4", 1920, 1080, 0.4, "-pix_fmt", "yuvj420p");
        List<MediaFrame> frames = RequireEqual(path, "yuvj420p", PixelFormat.I420, 1920, 1080);
        Assert.All(frames, frame => Assert.Equal(ColourRange.Full, frame.Metadata.ColourRange));
        Assert.All(frames, frame => Assert.Equal(2, frame.Metadata.ColourMatrix));
    }

    [Fact]
    public void H265_1080p_equals_ffmpeg()
    {
        string path = _clips.H265("b.mp4", 1920, 1080, 0.6);
        Assert.Equal(15, RequireEqual(path, "yuv420p", PixelFormat.I420, 1920, 1080).Count);
    }

    [Theory]
    [InlineData("libx265")]
    [InlineData("libx264")]
    public void Ten_bit_becomes_P010_without_losing_a_bit(string codec)
    {
        string path = codec == "libx265"
            ? _clips.H265("c.mp4", 1920, 1080, 0.4, "-pix_fmt", "yuv420p10le", "-colorspace", "bt2020nc", "-color_trc", "smpte2084", "-color_primaries", "bt2020")
            : _clips.H264("c.mp4", 1918, 1078, 0.4, "-pix_fmt", "yuv420p10le", "-colorspace", "bt2020nc", "-color_trc", "smpte2084", "-color_primaries", "bt2020");
        (int width, int height) = codec == "libx265" ? (1920, 1080) : (1918, 1078);
        byte[] reference = _clips.DecodeReference(path, "yuv420p10le");
        int luma = width * height * 2, chroma = luma / 4;
        byte[] expected = new byte[reference.Length];
        for (int frame = 0; frame < reference.Length; frame += luma + (2 * chroma))
        {
            ReadOnlySpan<byte> planar = reference.AsSpan(frame);
            Span<byte> target = expected.AsSpan(frame);
            for (int i = 0; i < luma; i += 2)
            {
                Shift(planar[i..], target[i..]);
            }

            for (int i = 0; i < chroma; i += 2)
            {
                Shift(planar[(luma + i)..], target[(luma + (2 * i))..]);
                Shift(planar[(luma + chroma + i)..], target[(luma + (2 * i) + 2)..]);
            }
        }

        List<MediaFrame> frames = RequireEqual(path, expected, PixelFormat.P010, width, height);
        Assert.All(frames, frame => Assert.Equal((9, 9, 16), (frame.Metadata.ColourMatrix, frame.Metadata.ColourPrimaries, frame.Metadata.ColourTransfer)));
        Assert.All(frames, frame => Assert.False(frame.IsConverted));

        static void Shift(ReadOnlySpan<byte> from, Span<byte> to) =>
            BinaryPrimitives.WriteUInt16LittleEndian(to, (ushort)(BinaryPrimitives.ReadUInt16LittleEndian(from) << 6));
    }

    [Theory]
    [InlineData("nv12", PixelFormat.Nv12, 322, 242)]
    [InlineData("yuv420p", PixelFormat.I420, 323, 241)]
    [InlineData("gray", PixelFormat.Gray8, 323, 241)]
    [InlineData("rgb24", PixelFormat.Rgb24, 323, 241)]
    [InlineData("bgr24", PixelFormat.Bgr24, 323, 241)]
    [InlineData("rgba", PixelFormat.Rgba, 323, 241)]
    [InlineData("bgra", PixelFormat.Bgra, 323, 241)]
    public void Formats_that_the_ring_carries_pass_through(string name, PixelFormat format, int width, int height)
    {
        string path = _clips.Make("raw.nut", [.. MediaClips.Moving(640, 480, 0.2), "-vf", $"format={name},scale={width}:{height}", "-c:v", "rawvideo", "-pix_fmt", name]);
        Assert.All(RequireEqual(path, name, format, width, height), frame => Assert.False(frame.IsConverted));
    }

    [Theory]
    [InlineData("yuv422p", "yuv420p", PixelFormat.I420)]
    [InlineData("yuv444p", "yuv420p", PixelFormat.I420)]
    [InlineData("yuv422p10le", "p010le", PixelFormat.P010)]
    [InlineData("bgr0", "rgb24", PixelFormat.Rgb24)]
    public void Other_formats_are_converted_and_say_so(string name, string nearest, PixelFormat format)
    {
        string path = _clips.Make("raw.nut", [.. MediaClips.Moving(320, 240, 0.2), "-c:v", "ffv1", "-pix_fmt", name]);
        byte[] reference = _clips.PathOf("converted.raw") is var raw && Run(path, nearest, raw) ? File.ReadAllBytes(raw) : [];
        List<MediaFrame> frames = RequireEqual(path, reference, format, 320, 240);
        Assert.All(frames, frame => Assert.True(frame.IsConverted));
        Assert.All(frames, frame => Assert.Equal(name, frame.SourceFormat));

        static bool Run(string path, string nearest, string raw)
        {
            MediaClips.Ffmpeg("-i", path, "-vf", $"scale=flags=bicubic+accurate_rnd+full_chroma_inp,format={nearest}", "-f", "rawvideo", raw);
            return true;
        }
    }

    [Fact]
    public void A_crop_on_the_left_and_the_top_is_exact()
    {
        string whole = _clips.H264("whole.h264", 640, 368, 0.4);
        string path = _clips.Make("crop.mp4", "-i", whole, "-c", "copy", "-bsf:v", "h264_metadata=crop_left=6:crop_top=4:crop_right=10:crop_bottom=2");
        byte[] reference = _clips.DecodeReference(path, "yuv420p", "-flags", "unaligned");
        RequireEqual(path, reference, PixelFormat.I420, 640 - 16, 368 - 6);
    }

    [Fact]
    public void A_change_of_size_in_mid_stream_is_followed()
    {
        string first = _clips.H264("first.ts", 1280, 720, 0.4);
        string second = _clips.H264("second.ts", 1920, 1080, 0.4);
        string path = _clips.Join("joined.ts", first, second);
        byte[] reference = [.. _clips.DecodeReference(first, "yuv420p"), .. _clips.DecodeReference(second, "yuv420p")];
        List<MediaFrame> frames = RequireEqual(path, reference, PixelFormat.I420, 0, 0);
        Assert.Equal(10, frames.Count(frame => frame is { Width: 1280, Height: 720 }));
        Assert.Equal(10, frames.Count(frame => frame is { Width: 1920, Height: 1080 }));
    }

    /// <summary>libav's MPEG-TS demuxer goes on with the old codec: the source has to be opened again, so it must be given up.</summary>
    [Fact]
    public async Task A_change_of_codec_in_mid_stream_is_told()
    {
        byte[] first = File.ReadAllBytes(_clips.H264("first.ts", 640, 480, 1));
        byte[] second = File.ReadAllBytes(_clips.H265("second.ts", 640, 480, 2));
        using TcpListener listener = new(IPAddress.Loopback, 0);
        listener.Start();
        using CancellationTokenSource over = new();
        Task sender = Task.Run(async () =>
        {
            using TcpClient client = await listener.AcceptTcpClientAsync();
            NetworkStream stream = client.GetStream();
            await stream.WriteAsync(first);
            // Ten whole packets of MPEG-TS at a time, from the beginning again at the end.
            for (int position = 0; !over.IsCancellationRequested; position = position + 3760 > second.Length ? 0 : position + 1880)
            {
                await stream.WriteAsync(second.AsMemory(position, 1880));
                await Task.Delay(5);
            }
        });
        using MediaSource source = new(new MediaSourceOptions
        {
            Url = new RedactedUrl($"tcp://127.0.0.1:{((IPEndPoint)listener.LocalEndpoint).Port}"),
            StallTimeout = TimeSpan.FromSeconds(5),
        });
        source.Open();
        MediaException error = Assert.Throws<MediaException>(() =>
        {
            while (source.TryReadFrame(out _))
            {
                // Until the source gives up.
            }
        });
        over.Cancel();
        source.Dispose();
        // It may also end with the error that its connection was closed.
        await Task.WhenAny(sender);
        Assert.Equal(MediaError.NotDecodable, error.Error);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Interlaced_frames_are_marked_with_their_field_order(bool topFirst)
    {
        string path = _clips.H264("i.mp4", 720, 576, 0.4, "-flags", "+ildct+ilme", "-vf", topFirst ? "setfield=tff" : "setfield=bff", "-top", topFirst ? "1" : "0");
        List<MediaFrame> frames = RequireEqual(path, "yuv420p", PixelFormat.I420, 720, 576);
        Assert.All(frames, frame => Assert.True(frame.Metadata.Flags.HasFlag(FrameFlags.Interlaced)));
        Assert.All(frames, frame => Assert.Equal(topFirst, frame.Metadata.Flags.HasFlag(FrameFlags.TopFieldFirst)));
    }

    [Theory]
    [InlineData(270, 1)]
    [InlineData(180, 2)]
    [InlineData(90, 3)]
    public void Rotation_is_carried_as_clockwise_quarter_turns(int counterClockwise, int quarters)
    {
        string upright = _clips.H264("u.mp4", 320, 240, 0.2);
        string path = _clips.Make("r.mp4", "-i", upright, "-c", "copy", "-metadata:s:v:0", $"rotate={counterClockwise}");
        List<MediaFrame> frames = RequireEqual(path, "yuv420p", PixelFormat.I420, 320, 240);
        Assert.All(frames, frame => Assert.Equal(quarters, frame.Metadata.Rotation));

        // What the turns mean is checked against the picture that ffmpeg shows when it rotates by itself.
        string shown = _clips.PathOf("shown.raw");
        MediaClips.Ffmpeg("-i", path, "-frames:v", "1", "-vf", "extractplanes=y", "-f", "rawvideo", shown);
        using MediaSource source = Open(path);
        Assert.True(source.TryReadFrame(out MediaFrame first));
        using FrameBuffer buffer = new(first.Format, first.Width, first.Height);
        source.CopyFrame(buffer.Planes);
        byte[] luma = buffer.Samples()[..(320 * 240)];
        (int width, int height) = (320, 240);
        for (int turn = 0; turn < quarters; turn++, (width, height) = (height, width))
        {
            byte[] turned = new byte[luma.Length];
            for (int i = 0; i < luma.Length; i++)
            {
                turned[(i % width * height) + (height - 1 - (i / width))] = luma[i];
            }

            luma = turned;
        }

        Assert.True(luma.AsSpan().SequenceEqual(File.ReadAllBytes(shown)));
    }

    [Fact]
    public void Damaged_video_is_counted_and_marked_and_the_next_key_frame_heals_it()
    {
        string path = _clips.H264("d.ts", 640, 480, 3, "-muxrate", "4M");
        byte[] reference = _clips.DecodeReference(path, "yuv420p");
        List<long> times = RequireEqual(path, reference, PixelFormat.I420, 640, 480).ConvertAll(frame => frame.Metadata.Pts);
        byte[] content = File.ReadAllBytes(path);
        Random random = new(4711);
        // Only the first second is hit, and only payload: sync bytes and packet headers stay.
        for (int packet = 40; packet < content.Length / 3 / 188; packet += 7)
        {
            content[(packet * 188) + 20 + random.Next(160)] ^= (byte)(1 << random.Next(8));
        }

        string damaged = _clips.PathOf("damaged.ts");
        File.WriteAllBytes(damaged, content);
        using MediaSource source = Open(damaged);
        int frameBytes = 640 * 480 * 3 / 2;
        int corrupt = 0, healed = 0;
        while (source.TryReadFrame(out MediaFrame frame))
        {
            corrupt += frame.Metadata.Flags.HasFlag(FrameFlags.Corrupt) ? 1 : 0;
            using FrameBuffer buffer = new(frame.Format, frame.Width, frame.Height);
            source.CopyFrame(buffer.Planes);
            Assert.True(buffer.PaddingIsUntouched());
            int index = times.IndexOf(frame.Metadata.Pts);
            if (index >= 50)
            {
                Assert.True(reference.AsSpan(index * frameBytes, frameBytes).SequenceEqual(buffer.Samples()), $"frame {index} differs");
                Assert.False(frame.Metadata.Flags.HasFlag(FrameFlags.Corrupt));
                healed++;
            }
        }

        Assert.True(source.DecodeErrors > 0, "the decoder reported nothing");
        Assert.True(corrupt > 0, "no frame is marked");
        Assert.True(healed >= 20, $"{healed} frames after the damage");
        Assert.NotEqual("", source.TakeLog());
    }

    [Fact]
    public void A_truncated_file_gives_what_it_has()
    {
        string path = _clips.H264("t.ts", 640, 480, 1);
        byte[] content = File.ReadAllBytes(path);
        string truncated = _clips.PathOf("truncated.ts");
        File.WriteAllBytes(truncated, content[..(content.Length / 2)]);
        using MediaSource source = Open(truncated);
        int frames = 0;
        while (source.TryReadFrame(out _))
        {
            frames++;
        }

        Assert.InRange(frames, 5, 24);
    }

    [Fact]
    public unsafe void Reading_and_copying_a_frame_allocates_nothing()
    {
        string path = _clips.H264("n.mp4", 640, 480, 2);
        using MediaSource source = Open(path);
        using FrameBuffer buffer = new(PixelFormat.I420, 640, 480);
        for (int i = 0; i < 10; i++)
        {
            Assert.True(source.TryReadFrame(out _));
            source.CopyFrame(buffer.Planes);
        }

        int frames = 10;
        // The runtime allocates now and then on whichever thread is there, for its compiler for example. What allocates by itself does so in every round.
        long least = long.MaxValue;
        for (int round = 0; round < 5 && least > 0; round++)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            for (int i = 0; i < 6; i++)
            {
                if (source.TryReadFrame(out _))
                {
                    source.CopyFrame(buffer.Planes);
                    frames++;
                }
            }

            least = Math.Min(least, GC.GetAllocatedBytesForCurrentThread() - before);
        }

        Assert.Equal(0, least);
        Assert.Equal(frames, source.Packets - 2, 2.0);
    }

    [Fact]
    public void Copying_into_planes_that_do_not_fit_is_refused()
    {
        string path = _clips.H264("p.mp4", 320, 240, 0.2);
        using MediaSource source = Open(path);
        using FrameBuffer buffer = new(PixelFormat.I420, 320, 240);
        Assert.Equal(MediaError.InvalidArgument, Assert.Throws<MediaException>(() => source.CopyFrame(buffer.Planes)).Error);
        Assert.True(source.TryReadFrame(out _));
        Assert.Equal(MediaError.InvalidArgument, Assert.Throws<MediaException>(() => source.CopyFrame(buffer.Planes.AsSpan(0, 2))).Error);
        PicturePlane[] narrow = [buffer.Planes[0] with { Pitch = 319 }, buffer.Planes[1], buffer.Planes[2]];
        MediaException error = Assert.Throws<MediaException>(() => source.CopyFrame(narrow));
        Assert.Contains("320", error.Message, StringComparison.Ordinal);
        source.CopyFrame(buffer.Planes);
    }

    private static MediaSource Open(string path, Func<MediaSourceOptions, MediaSourceOptions>? change = null)
    {
        MediaSourceOptions options = new() { Url = new RedactedUrl(path) };
        MediaSource source = new(change is null ? options : change(options));
        source.Open();
        return source;
    }

    private List<MediaFrame> RequireEqual(
        string path, string pixelFormat, PixelFormat format, int width, int height, Func<MediaSourceOptions, MediaSourceOptions>? change = null) =>
        RequireEqual(path, _clips.DecodeReference(path, pixelFormat), format, width, height, change);

    /// <summary>Compares all frames; a width of 0 accepts any size.</summary>
    private static List<MediaFrame> RequireEqual(
        string path, byte[] reference, PixelFormat format, int width, int height, Func<MediaSourceOptions, MediaSourceOptions>? change = null)
    {
        using MediaSource source = Open(path, change);
        List<MediaFrame> frames = [];
        int position = 0;
        while (source.TryReadFrame(out MediaFrame frame))
        {
            Assert.Equal(format, frame.Format);
            Assert.True(width == 0 || (frame.Width == width && frame.Height == height), $"{frame.Width}x{frame.Height}");
            using FrameBuffer buffer = new(frame.Format, frame.Width, frame.Height);
            source.CopyFrame(buffer.Planes);
            byte[] samples = buffer.Samples();
            Assert.True(position + samples.Length <= reference.Length, $"ffmpeg gave no frame {frames.Count}");
            Assert.True(reference.AsSpan(position, samples.Length).SequenceEqual(samples), $"frame {frames.Count} differs at byte {reference.AsSpan(position).CommonPrefixLength(samples)}");
            Assert.True(buffer.PaddingIsUntouched(), $"frame {frames.Count}: bytes outside of the picture were written");
            position += samples.Length;
            frames.Add(frame);
        }

        Assert.Equal(reference.Length, position);
        Assert.NotEmpty(frames);
        return frames;
    }
}
