using CuFrames.Client;
using CuFrames.Interop;
using CuFrames.Protocol;
using CuFrames.TestKit;
using Xunit;

namespace CuFrames.Media.Tests;

/// <summary>Every frame that NVDEC gives equals ffmpeg's own NVDEC output byte for byte, and software decoding where the codec leaves no choice.</summary>
[Trait("needs", "gpu")]
[Trait("only", "gpu")]
[Collection("cuda")]
public sealed class NvdecTests : IDisposable
{
    private readonly MediaClips _files = new();
    private readonly CudaContext _context = OpenContext();

    public void Dispose()
    {
        _context.Dispose();
        _files.Dispose();
    }

    [Theory]
    [InlineData("h264-1080p.mp4", PixelFormat.Nv12, 1920, 1080, 30)]
    [InlineData("h264-full-range.mp4", PixelFormat.Nv12, 1280, 720, 10)]
    [InlineData("hevc-1080p.mp4", PixelFormat.Nv12, 1920, 1080, 30)]
    [InlineData("hevc-main10-1080p.mp4", PixelFormat.P010, 1920, 1080, 20)]
    [InlineData("hevc-many-references.mp4", PixelFormat.Nv12, 640, 360, 100)]
    public void Frames_equal_those_of_ffmpeg_and_of_software(string clip, PixelFormat format, int width, int height, int count)
    {
        string path = GpuClips.PathOf(clip);
        List<DecodedFrame> frames = Decode(path);
        Assert.Equal(count, frames.Count);
        Assert.All(frames, frame => Assert.Equal((format, width, height), (frame.Frame.Format, frame.Frame.Width, frame.Frame.Height)));
        RequireEqual(_files.DecodeNvdecReference(path, format == PixelFormat.P010 ? "p010le" : "nv12"), frames, "ffmpeg -hwaccel cuda");
        RequireEqualToSoftware(path, frames);
    }

    /// <summary>ffmpeg leaves a crop on the left and the top on pictures in device memory, so software is the measure.</summary>
    [Theory]
    [InlineData("h264-crop.mp4", PixelFormat.Nv12)]
    [InlineData("hevc-crop.mp4", PixelFormat.P010)]
    public void A_crop_on_all_sides_is_exact(string clip, PixelFormat format)
    {
        string path = GpuClips.PathOf(clip);
        List<DecodedFrame> frames = Decode(path);
        Assert.Equal(20, frames.Count);
        Assert.All(frames, frame => Assert.Equal((format, 640 - 16, 368 - 6), (frame.Frame.Format, frame.Frame.Width, frame.Frame.Height)));
        RequireEqualToSoftware(path, frames);
    }

    [Theory]
    [InlineData("h264-size-change.ts", 1280, 720, 1920, 1080, 45)]
    [InlineData("hevc-size-and-depth-change.ts", 640, 360, 1280, 720, 30)]
    public void A_change_in_mid_stream_is_followed(string clip, int firstWidth, int firstHeight, int nextWidth, int nextHeight, int count)
    {
        string path = GpuClips.PathOf(clip);
        List<DecodedFrame> frames = Decode(path);
        Assert.Equal(count, frames.Count);
        Assert.Equal((firstWidth, firstHeight), (frames[0].Frame.Width, frames[0].Frame.Height));
        Assert.Equal((nextWidth, nextHeight), (frames[20].Frame.Width, frames[20].Frame.Height));
        RequireEqualToSoftware(path, frames);
        if (clip.StartsWith("h264", StringComparison.Ordinal))
        {
            RequireEqual(_files.DecodeNvdecReference(path, "nv12"), frames, "ffmpeg -hwaccel cuda");
        }
    }

    [Theory]
    [InlineData("h264-top-first.mp4", true)]
    [InlineData("h264-bottom-first.mp4", false)]
    public void Interlaced_frames_are_marked_with_their_field_order(string clip, bool topFirst)
    {
        string path = GpuClips.PathOf(clip);
        List<DecodedFrame> frames = Decode(path);
        Assert.All(frames, frame => Assert.True(frame.Frame.Metadata.Flags.HasFlag(FrameFlags.Interlaced)));
        Assert.All(frames, frame => Assert.Equal(topFirst, frame.Frame.Metadata.Flags.HasFlag(FrameFlags.TopFieldFirst)));
        RequireEqual(_files.DecodeNvdecReference(path, "nv12"), frames, "ffmpeg -hwaccel cuda");
        RequireEqualToSoftware(path, frames);
    }

    [Fact]
    public void What_is_told_of_a_frame_is_the_same_as_in_software()
    {
        foreach (string clip in (string[])["h264-1080p.mp4", "hevc-main10-1080p.mp4", "h264-full-range.mp4", "h264-top-first.mp4"])
        {
            string path = GpuClips.PathOf(clip);
            List<DecodedFrame> frames = Decode(path);
            List<DecodedFrame> software = Decode(path, DecodeMode.Software, out _);
            Assert.Equal(software.Count, frames.Count);
            for (int i = 0; i < frames.Count; i++)
            {
                FrameMetadata expected = software[i].Frame.Metadata;
                FrameMetadata actual = frames[i].Frame.Metadata;
                expected.ArrivalTime = actual.ArrivalTime;
                Assert.Equal(expected, actual);
            }
        }
    }

    /// <summary>What the device supports differs: what it does not support has to be refused in so many words.</summary>
    [Theory]
    [InlineData("av1.mp4", "av1", 8, "nv12", false)]
    [InlineData("av1-10-bit.mp4", "av1", 10, "p010le", false)]
    [InlineData("vp9.webm", "vp9", 8, "nv12", true)]
    [InlineData("mpeg2.ts", "mpeg2video", 8, "nv12", false)]
    public void Other_codecs_are_decoded_where_the_device_can(string clip, string codec, int depth, string pixelFormat, bool equalsSoftware)
    {
        string path = GpuClips.PathOf(clip);
        if (!MediaLibrary.NvdecCodecs.Contains(codec) || !MediaLibrary.GetNvdecCapabilities(_context, codec, depth).IsSupported)
        {
            MediaException error = Assert.Throws<MediaException>(() => Decode(path));
            Assert.Equal(MediaError.NvdecUnsupported, error.Error);
            return;
        }

        List<DecodedFrame> frames = Decode(path);
        RequireEqual(_files.DecodeNvdecReference(path, pixelFormat), frames, "ffmpeg -hwaccel cuda");
        if (equalsSoftware)
        {
            RequireEqualToSoftware(path, frames);
        }
    }

    [Theory]
    [InlineData("h264-10-bit.mp4", PixelFormat.P010)]
    [InlineData("h264-422.mp4", PixelFormat.I420)]
    [InlineData("hevc-444.mp4", PixelFormat.I420)]
    [InlineData("mjpeg.mp4", PixelFormat.I420)]
    public void What_NVDEC_cannot_decode_is_decoded_in_software_and_says_so(string clip, PixelFormat format)
    {
        string path = GpuClips.PathOf(clip);
        MediaException error = Assert.Throws<MediaException>(() => Decode(path));
        Assert.Equal(MediaError.NvdecUnsupported, error.Error);
        Assert.Equal(ErrorCode.SourceFailed, error.Code);

        List<DecodedFrame> frames = Decode(path, DecodeMode.Auto, out MediaInfo info);
        Assert.Equal("software", info.Decoder);
        Assert.StartsWith("NVDEC cannot be used: ", info.DecoderReason, StringComparison.Ordinal);
        Assert.Equal(10, frames.Count);
        Assert.All(frames, frame => Assert.Equal(format, frame.Frame.Format));
        Assert.All(frames, frame => Assert.False(frame.Frame.Metadata.Flags.HasFlag(FrameFlags.Corrupt)));
        RequireEqualToSoftware(path, frames);
    }

    /// <summary>The probe sees only the beginning; the change is found when NVDEC is to decode it.</summary>
    [Fact]
    public void A_change_to_what_NVDEC_cannot_decode_goes_on_in_software()
    {
        string path = GpuClips.PathOf("h264-depth-change.ts");
        MediaException error = Assert.Throws<MediaException>(() => Decode(path));
        Assert.Equal(MediaError.NvdecUnsupported, error.Error);

        List<DecodedFrame> software = Decode(path, DecodeMode.Software, out _);
        List<DecodedFrame> frames = Decode(path, DecodeMode.Auto, out MediaInfo info);
        Assert.Equal("software", info.Decoder);
        DecodedFrame[] first = [.. frames.TakeWhile(frame => frame.Frame.IsInDeviceMemory)];
        DecodedFrame[] then = [.. frames.Skip(first.Length)];

        // The pictures that NVDEC held back to put them into order are lost with it, at most as many as are reordered.
        Assert.InRange(first.Length, 15 - 3, 15);
        Assert.Equal(15, then.Length);
        Assert.All(frames, frame => Assert.False(frame.Frame.Metadata.Flags.HasFlag(FrameFlags.Corrupt)));
        RequireEqual([.. software.Take(first.Length).SelectMany(AsNvdec)], [.. first], "software");
        RequireEqual([.. software.Skip(15).SelectMany(AsNvdec)], [.. then], "software");
    }

    [Theory]
    [InlineData("h264-1080p.mp4", 30)]
    [InlineData("hevc-main10-1080p.mp4", 20)]
    public void A_frame_is_copied_once_per_plane_on_the_device_and_nowhere_else(string clip, int frames)
    {
        CopyAudit audit = CopyAudit.Publish(GpuClips.PathOf(clip));
        Assert.Equal(new CopyAudit(frames, "nvdec", 0, 0, frames * 2, 0), audit with { Reason = null });
    }

    [Fact]
    public void Frames_of_NVDEC_reach_main_memory_too()
    {
        string path = GpuClips.PathOf("h264-1080p.mp4");
        List<DecodedFrame> frames = Decode(path);
        using MediaSource source = Open(path, DecodeMode.Nvdec);
        foreach (DecodedFrame expected in frames)
        {
            Assert.True(source.TryReadFrame(out MediaFrame frame));
            using FrameBuffer buffer = new(frame.Format, frame.Width, frame.Height);
            source.CopyFrame(buffer.Planes);
            Assert.True(buffer.Samples().AsSpan().SequenceEqual(expected.Samples));
            Assert.True(buffer.PaddingIsUntouched());
        }

        Assert.False(source.TryReadFrame(out _));
    }

    /// <summary>A surface that NVDEC gets back too early holds a later picture.</summary>
    [Fact]
    public void A_surface_is_kept_until_its_copy_has_finished()
    {
        string path = GpuClips.PathOf("h264-1080p.mp4");
        byte[] expected = [.. Decode(path).SelectMany(frame => frame.Samples)];
        using MediaSource source = Open(path, DecodeMode.Nvdec);
        DeviceBuffer[] buffers = [.. Enumerable.Range(0, 30).Select(_ => new DeviceBuffer(_context, source.Stream!, PixelFormat.Nv12, 1920, 1080))];
        try
        {
            foreach (DeviceBuffer buffer in buffers)
            {
                Assert.True(source.TryReadFrame(out _));
                source.EnqueueCopy(buffer.Planes);
            }

            Assert.False(source.TryReadFrame(out _));
            Assert.True(expected.AsSpan().SequenceEqual([.. buffers.SelectMany(buffer => buffer.Samples(source.Stream!))]));
        }
        finally
        {
            Array.ForEach(buffers, buffer => buffer.Dispose());
        }
    }

    [Theory]
    [InlineData("h264-long.ts")]
    [InlineData("hevc-long.ts")]
    public void Damaged_video_is_counted_and_the_next_key_frame_heals_it(string clip)
    {
        byte[] content = File.ReadAllBytes(GpuClips.PathOf(clip));
        Random random = new(4711);
        // Only the first half is hit, and only payload: sync bytes and packet headers stay.
        for (int packet = 40; packet < content.Length / 2 / 188; packet += 7)
        {
            content[(packet * 188) + 20 + random.Next(160)] ^= (byte)(1 << random.Next(8));
        }

        string damaged = _files.PathOf(clip);
        File.WriteAllBytes(damaged, content);
        Dictionary<long, byte[]> whole = Decode(GpuClips.PathOf(clip)).ToDictionary(frame => frame.Frame.Metadata.Pts, frame => frame.Samples);
        long[] times = [.. whole.Keys.Order()];
        List<DecodedFrame> frames = Decode(damaged);
        int healed = 0;
        foreach (DecodedFrame frame in frames.Where(frame => Array.IndexOf(times, frame.Frame.Metadata.Pts) >= 70))
        {
            Assert.True(frame.Samples.AsSpan().SequenceEqual(whole[frame.Frame.Metadata.Pts]), $"frame at {frame.Frame.Metadata.Pts} differs");
            healed++;
        }

        Assert.Equal(30, healed);
        Assert.True(frames.Count > 50, $"{frames.Count} frames");
    }

    [Fact]
    public void Many_cameras_decode_at_the_same_time_in_one_context()
    {
        string[] clips = ["h264-1080p.mp4", "hevc-1080p.mp4", "hevc-main10-1080p.mp4", "h264-16-references.mp4"];
        List<DecodedFrame>[] expected = [.. clips.Select(clip => Decode(GpuClips.PathOf(clip)))];
        Parallel.For(0, 12, new ParallelOptions { MaxDegreeOfParallelism = 12 }, camera =>
        {
            List<DecodedFrame> frames = Decode(GpuClips.PathOf(clips[camera % clips.Length]));
            RequireEqual([.. expected[camera % clips.Length].SelectMany(frame => frame.Samples)], frames, $"camera {camera} alone");
        });
    }

    [Fact]
    public void A_camera_brings_the_frames_of_NVDEC_to_three_readers()
    {
        string path = GpuClips.PathOf("h264-1080p.mp4");
        List<DecodedFrame> expected = Decode(path);
        using CameraHarness camera = new(CameraHarness.File(path), memory: FrameMemory.Cuda, cuda: _context, readers: 3);
        camera.Pump.Start();
        for (int i = 0; i < expected.Count; i++)
        {
            for (int reader = 0; reader < 3; reader++)
            {
                (FrameMetadata metadata, string format, byte[] samples) = camera.Next(reader);
                Assert.Equal("nv12 1920x1080", format);
                Assert.True(samples.AsSpan().SequenceEqual(expected[i].Samples), $"frame {i} differs for reader {reader}");
                Assert.Equal(i == expected.Count - 1, metadata.Flags.HasFlag(FrameFlags.EndOfStream));
            }
        }

        CameraStatus live = camera.Statuses.Single(status => status.State == CameraState.Live);
        Assert.Equal("nvdec", live.Info!.Decoder);
        Assert.Contains("decoded by NVDEC", live.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void A_camera_that_changes_to_what_NVDEC_cannot_decode_says_so_in_its_state()
    {
        using CameraHarness camera = new(CameraHarness.File(GpuClips.PathOf("h264-depth-change.ts")), subscribe: false, memory: FrameMemory.Cuda, cuda: _context);
        camera.Pump.Start();
        Assert.True(camera.Pump.WaitForEnd(TimeSpan.FromSeconds(60)));
        CameraStatus[] live = [.. camera.Statuses.Where(status => status.State == CameraState.Live)];
        Assert.Equal("nvdec", live[0].Info!.Decoder);
        Assert.Equal("software", live[^1].Info!.Decoder);
        Assert.Contains("decoded in software and uploaded. NVDEC cannot be used: ", live[^1].Reason, StringComparison.Ordinal);
        Assert.Equal(0, camera.Pump.Statistics.Reconnects);
    }

    [Fact]
    public void A_camera_beyond_the_limit_is_not_admitted_until_another_ends()
    {
        DecoderAdmission admission = new(1);
        using CameraHarness first = new(Looped(admission), subscribe: false, memory: FrameMemory.Cuda, cuda: _context);
        first.Pump.Start();
        first.WaitFor(CameraState.Live);
        Assert.Equal(1, admission.InUse);
        using CameraHarness second = new(Looped(admission), subscribe: false, memory: FrameMemory.Cuda, cuda: _context);
        second.Pump.Start();
        CameraStatus refused = second.WaitFor(CameraState.SourceLost);
        Assert.Equal((MediaError.NotAdmitted, ErrorCode.OutOfResources), (refused.Error, refused.Code));
        Assert.Contains("the limit is 1 decoder sessions at once, 1 are in use, and this would be number 2", refused.Reason, StringComparison.Ordinal);
        Assert.Contains("Next attempt within", refused.Reason, StringComparison.Ordinal);
        first.Pump.Stop(TimeSpan.FromSeconds(90));
        second.WaitFor(CameraState.Live);
        second.Pump.Stop(TimeSpan.FromSeconds(90));
        Assert.Equal(0, admission.InUse);

        static CameraOptions Looped(DecoderAdmission admission) => CameraHarness.Of(new MediaSourceOptions
        {
            Url = new RedactedUrl(GpuClips.PathOf("h264-long.ts")),
            Decode = DecodeMode.Auto,
            Admission = admission,
            // Four seconds: in a loop the session would be free between two runs.
            Paced = true,
        });
    }

    /// <summary>Other programs on the device may free memory meanwhile; then this test cannot tell, and fails.</summary>
    [Fact]
    public void Memory_that_has_run_out_is_no_reason_for_software()
    {
        List<CudaMemory> ballast = [];
        List<MediaSource> sources = [];
        try
        {
            for (long size = _context.GetMemory().Free; size >= 1 << 20;)
            {
                try
                {
                    ballast.Add(CudaMemory.Allocate(_context, size));
                }
                catch (CudaException e) when (e.Result == CudaResult.OutOfMemory)
                {
                    size /= 2;
                }
            }

            // What the driver has kept of earlier decoders is enough for some.
            MediaException error = Assert.Throws<MediaException>(() =>
            {
                for (int i = 0; i < 64; i++)
                {
                    sources.Add(Open(GpuClips.PathOf("hevc-main10-1080p.mp4"), DecodeMode.Auto));
                    Assert.True(sources[^1].TryReadFrame(out _));
                }
            });
            Assert.Equal((MediaError.NotAdmitted, ErrorCode.OutOfResources), (error.Error, error.Code));
            Assert.Contains(_context.Device.UuidText, error.Message, StringComparison.Ordinal);
        }
        finally
        {
            sources.ForEach(source => source.Dispose());
            ballast.ForEach(memory => memory.Dispose());
        }

        Assert.Equal(20, Decode(GpuClips.PathOf("hevc-main10-1080p.mp4")).Count);
    }

    /// <summary>ffmpeg asks for more surfaces than NVDEC has and gives up, so software alone is the reference.</summary>
    [Fact]
    public void A_stream_that_asks_for_more_surfaces_than_there_are_is_decoded_with_those()
    {
        string path = GpuClips.PathOf("h264-16-references.mp4");
        List<DecodedFrame> frames = Decode(path);
        Assert.Equal(100, frames.Count);
        RequireEqualToSoftware(path, frames);
    }

    [Fact]
    public void Sources_give_all_device_memory_back()
    {
        string path = GpuClips.PathOf("h264-1080p.mp4");
        Decode(path);
        long before = _context.GetMemory().Free;
        for (int i = 0; i < 20; i++)
        {
            Decode(path);
        }

        // The driver keeps some of it for the next decoder; twenty decoders of 1080p have ten times as much.
        Assert.InRange(before - _context.GetMemory().Free, long.MinValue, 64 << 20);
    }

    [Fact]
    public void Reading_and_copying_a_frame_allocates_nothing()
    {
        using MediaSource source = Open(GpuClips.PathOf("h264-16-references.mp4"), DecodeMode.Nvdec);
        using DeviceBuffer buffer = new(_context, source.Stream!, PixelFormat.Nv12, 640, 368);
        for (int i = 0; i < 20; i++)
        {
            Assert.True(source.TryReadFrame(out _));
            source.EnqueueCopy(buffer.Planes);
        }

        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 60; i++)
        {
            if (source.TryReadFrame(out _))
            {
                source.EnqueueCopy(buffer.Planes);
            }
        }

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    [Fact]
    public void The_driver_tells_what_the_device_decodes()
    {
        NvdecCapabilities h264 = MediaLibrary.GetNvdecCapabilities(_context, "h264", 8);
        Assert.True(h264 is { IsSupported: true, Engines: > 0, MaxWidth: >= 4096, MaxHeight: >= 4096, MinWidth: > 0 }, h264.ToString());
        Assert.True(MediaLibrary.GetNvdecCapabilities(_context, "hevc", 10).IsSupported);
        Assert.False(MediaLibrary.GetNvdecCapabilities(_context, "h264", 12).IsSupported);
        Assert.Contains("NVDEC knows no ffv1", Assert.Throws<MediaException>(() => MediaLibrary.GetNvdecCapabilities(_context, "ffv1", 8)).Message, StringComparison.Ordinal);
        Assert.Contains("h264", MediaLibrary.NvdecCodecs);
        Assert.Contains("hevc", MediaLibrary.NvdecCodecs);
    }

    private static CudaContext OpenContext()
    {
        CudaDriver.Initialise();
        return CudaDriver.Devices[0].OpenContext();
    }

    private MediaSource Open(string path, DecodeMode mode)
    {
        MediaSource source = new(new MediaSourceOptions { Url = new RedactedUrl(path), Decode = mode, Cuda = _context });
        try
        {
            source.Open();
            return source;
        }
        catch
        {
            source.Dispose();
            throw;
        }
    }

    /// <summary>All frames by NVDEC.</summary>
    private List<DecodedFrame> Decode(string path)
    {
        List<DecodedFrame> frames = Decode(path, DecodeMode.Nvdec, out MediaInfo info);
        Assert.Equal("nvdec", info.Decoder);
        Assert.All(frames, frame => Assert.True(frame.Frame.IsInDeviceMemory));
        return frames;
    }

    /// <summary>All frames, copied into device memory and read back.</summary>
    private List<DecodedFrame> Decode(string path, DecodeMode mode, out MediaInfo info)
    {
        using MediaSource source = Open(path, mode);
        List<DecodedFrame> frames = [];
        while (source.TryReadFrame(out MediaFrame frame))
        {
            using DeviceBuffer buffer = new(_context, source.Stream!, frame.Format, frame.Width, frame.Height);
            source.EnqueueCopy(buffer.Planes);
            source.Stream!.Synchronize();
            frames.Add(new DecodedFrame(frame, buffer.Samples(source.Stream)));
        }

        info = source.Info;
        return frames;
    }

    private void RequireEqualToSoftware(string path, List<DecodedFrame> frames)
    {
        List<DecodedFrame> software = Decode(path, DecodeMode.Software, out MediaInfo info);
        Assert.Equal("software", info.Decoder);
        Assert.Equal(software.Count, frames.Count);
        bool isSoftware = !frames[0].Frame.IsInDeviceMemory;
        RequireEqual([.. software.SelectMany(frame => isSoftware ? frame.Samples : AsNvdec(frame))], frames, "software");
    }

    private static void RequireEqual(byte[] reference, List<DecodedFrame> frames, string what)
    {
        int position = 0;
        for (int i = 0; i < frames.Count; i++)
        {
            byte[] samples = frames[i].Samples;
            Assert.True(position + samples.Length <= reference.Length, $"{what} gave no frame {i}");
            Assert.True(
                reference.AsSpan(position, samples.Length).SequenceEqual(samples),
                $"frame {i} differs from {what} at byte {reference.AsSpan(position).CommonPrefixLength(samples)} of {samples.Length}");
            position += samples.Length;
        }

        Assert.Equal(reference.Length, position);
        Assert.NotEmpty(frames);
    }

    /// <summary>The same samples as NVDEC lays them out: I420 as NV12.</summary>
    private static byte[] AsNvdec(DecodedFrame frame)
    {
        if (frame.Frame.Format != PixelFormat.I420)
        {
            return frame.Samples;
        }

        int luma = frame.Frame.Width * frame.Frame.Height;
        int chroma = (frame.Frame.Width + 1) / 2 * ((frame.Frame.Height + 1) / 2);
        byte[] result = new byte[frame.Samples.Length];
        frame.Samples.AsSpan(0, luma).CopyTo(result);
        for (int i = 0; i < chroma; i++)
        {
            result[luma + (2 * i)] = frame.Samples[luma + i];
            result[luma + (2 * i) + 1] = frame.Samples[luma + chroma + i];
        }

        return result;
    }

    private sealed record DecodedFrame(MediaFrame Frame, byte[] Samples);
}
