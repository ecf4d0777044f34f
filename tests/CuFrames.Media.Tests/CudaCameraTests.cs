using CuFrames.Client;
using CuFrames.Interop;
using CuFrames.Protocol;
using CuFrames.TestKit;
using Xunit;

namespace CuFrames.Media.Tests;

/// <summary>Frames of software and of the test pattern in device memory, on the double of the CUDA driver.</summary>
[Collection("cuda")]
public sealed class CudaCameraTests : IDisposable
{
    private readonly MediaClips _clips = new();
    private readonly CudaContext _context = CudaDouble.OpenContext();

    public void Dispose()
    {
        _context.Dispose();
        _clips.Dispose();
    }

    [Fact]
    public void Software_frames_reach_three_readers_by_one_upload_per_plane()
    {
        string path = _clips.H264("a.mp4", 1920, 1080, 1);
        byte[] reference = _clips.DecodeReference(path, "yuv420p");
        const int size = 1920 * 1080 * 3 / 2;
        using CameraHarness camera = new(InSoftware(path), memory: FrameMemory.Cuda, cuda: _context, readers: 3);
        (long HostToDevice, long DeviceToHost, long DeviceToDevice) before = CudaDouble.Copies;
        camera.Pump.Start();
        for (int i = 0; i < 25; i++)
        {
            for (int reader = 0; reader < 3; reader++)
            {
                (FrameMetadata metadata, string format, byte[] samples) = camera.Next(reader);
                Assert.Equal("i420 1920x1080", format);
                Assert.True(reference.AsSpan(i * size, size).SequenceEqual(samples), $"frame {i} differs for reader {reader}");
                Assert.Equal(i == 24, metadata.Flags.HasFlag(FrameFlags.EndOfStream));
            }
        }

        Assert.True(camera.Pump.WaitForEnd(TimeSpan.FromSeconds(90)));
        (long HostToDevice, long DeviceToHost, long DeviceToDevice) after = CudaDouble.Copies;
        Assert.Equal((25 * 3, 0), (after.HostToDevice - before.HostToDevice, after.DeviceToDevice - before.DeviceToDevice));
        // The three readers' own.
        Assert.Equal(25 * 3 * 3, after.DeviceToHost - before.DeviceToHost);

        CameraStatus live = camera.Statuses.Single(status => status.State == CameraState.Live);
        Assert.Equal("software", live.Info!.Decoder);
        Assert.Contains("They are decoded in software and uploaded. Software was asked for.", live.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void A_process_that_uploads_copies_each_plane_once()
    {
        // That folder has a driver and no libnvcuvid.so.1.
        CopyAudit audit = CopyAudit.Publish(_clips.H264("a.mp4", 320, 240, 1), Path.Combine(AppContext.BaseDirectory, "fakecuda"));
        Assert.Equal(new CopyAudit(25, "software", 25 * 3, 0, 0, 0), audit with { Reason = null });
        Assert.StartsWith("NVDEC cannot be used: libnvcuvid.so.1 cannot be loaded (", audit.Reason, StringComparison.Ordinal);
        Assert.Contains("NVIDIA_DRIVER_CAPABILITIES", audit.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void A_change_of_size_reaches_readers_in_device_memory()
    {
        string first = _clips.H264("first.ts", 640, 360, 0.4);
        string second = _clips.H264("second.ts", 1280, 720, 0.4);
        byte[] reference = [.. _clips.DecodeReference(first, "yuv420p"), .. _clips.DecodeReference(second, "yuv420p")];
        using CameraHarness camera = new(InSoftware(_clips.Join("joined.ts", first, second)), memory: FrameMemory.Cuda, cuda: _context);
        camera.Pump.Start();
        int position = 0;
        for (int i = 0; i < 20; i++)
        {
            (_, string format, byte[] samples) = camera.Next();
            Assert.Equal(i < 10 ? "i420 640x360" : "i420 1280x720", format);
            Assert.True(reference.AsSpan(position, samples.Length).SequenceEqual(samples), $"frame {i} differs");
            position += samples.Length;
        }
    }

    [Fact]
    public unsafe void The_test_pattern_verifies_whole_in_every_format()
    {
        foreach (PixelFormat format in PixelFormats.All.ToArray().Where(format => !PixelFormats.IsTensor(format)))
        {
            using CameraHarness camera = new(
                new CameraOptions { Pattern = new TestPatternOptions { Width = 322, Height = 182, Format = format, Paced = false, FrameCount = 20 } },
                memory: FrameMemory.Cuda, cuda: _context);
            camera.Pump.Start();
            TestPattern pattern = new(format, 322, 182);
            for (int number = 0; number < 20; number++)
            {
                (FrameMetadata metadata, _, byte[] samples) = camera.Next();
                Assert.True(samples.Length > 0);
                fixed (byte* first = samples)
                {
                    PicturePlane[] planes = new PicturePlane[PixelFormats.PlaneCount(format)];
                    byte* position = first;
                    for (int plane = 0; plane < planes.Length; plane++)
                    {
                        int rowBytes = PixelFormats.RowBytes(format, plane, 322);
                        planes[plane] = new PicturePlane((nint)position, (nuint)rowBytes);
                        position += rowBytes * PixelFormats.Rows(format, plane, 182);
                    }

                    Assert.True(pattern.Verify(planes, number, out string? difference), difference);
                }

                Assert.Equal(number == 19, metadata.Flags.HasFlag(FrameFlags.EndOfStream));
            }

            Assert.True(camera.Pump.WaitForEnd(TimeSpan.FromSeconds(90)));
            Assert.Equal("", camera.Pump.Status.Info!.Decoder);
        }
    }

    [Theory]
    [InlineData("nv12", PixelFormat.Nv12, 322, 242)]
    [InlineData("yuv420p", PixelFormat.I420, 323, 241)]
    [InlineData("gray", PixelFormat.Gray8, 323, 241)]
    [InlineData("rgb24", PixelFormat.Rgb24, 323, 241)]
    [InlineData("bgra", PixelFormat.Bgra, 323, 241)]
    public void Uploaded_frames_are_whole_and_touch_nothing_else(string name, PixelFormat format, int width, int height)
    {
        string path = _clips.Make("raw.nut", [.. MediaClips.Moving(640, 480, 0.4), "-vf", $"format={name},scale={width}:{height}", "-c:v", "rawvideo", "-pix_fmt", name]);
        byte[] reference = _clips.DecodeReference(path, name);
        using MediaSource source = Open(path, DecodeMode.Auto, _context);
        Assert.Equal("software", source.Info.Decoder);
        DeviceBuffer[] buffers = [.. Enumerable.Range(0, 10).Select(_ => new DeviceBuffer(_context, source.Stream!, format, width, height))];
        try
        {
            // Nobody waits in between: a frame must not be written over the one before while that is under way.
            foreach (DeviceBuffer buffer in buffers)
            {
                Assert.True(source.TryReadFrame(out MediaFrame frame));
                Assert.False(frame.IsInDeviceMemory);
                Assert.Equal((format, width, height), (frame.Format, frame.Width, frame.Height));
                source.EnqueueCopy(buffer.Planes);
            }

            Assert.False(source.TryReadFrame(out _));
            byte[] samples = [.. buffers.SelectMany(buffer => buffer.Samples(source.Stream!))];
            Assert.True(reference.AsSpan().SequenceEqual(samples), $"differs at byte {reference.AsSpan().CommonPrefixLength(samples)} of {reference.Length}");
        }
        finally
        {
            Array.ForEach(buffers, buffer => buffer.Dispose());
        }
    }

    [Fact]
    public void NVDEC_by_name_is_refused_where_it_is_not()
    {
        string path = _clips.Make("a.ts", [.. MediaClips.Moving(320, 240, 0.4), "-c:v", "mpeg2video"]);
        MediaException error = Assert.Throws<MediaException>(() => Open(path, DecodeMode.Nvdec, _context).Dispose());
        Assert.Equal((MediaError.NvdecUnsupported, ErrorCode.SourceFailed), (error.Error, error.Code));
        Assert.Contains("this GPU's NVDEC does not decode mpeg2video with 8 bits", error.Message, StringComparison.Ordinal);
        Assert.Contains(path, error.Message, StringComparison.Ordinal);
        error = Assert.Throws<MediaException>(() => Open(path, DecodeMode.Nvdec, null).Dispose());
        Assert.Equal(MediaError.InvalidArgument, error.Error);

        using CameraHarness camera = new(
            CameraHarness.Of(new MediaSourceOptions { Url = new RedactedUrl(path), Decode = DecodeMode.Nvdec }), subscribe: false, memory: FrameMemory.Cuda, cuda: _context);
        camera.Pump.Start();
        Assert.Equal(MediaError.NvdecUnsupported, camera.WaitFor(CameraState.SourceLost).Error);
    }

    [Fact]
    public void Video_that_no_ring_carries_as_NVDEC_gives_it_is_told_before_the_driver_is_asked()
    {
        string path = _clips.H264("a.mp4", 320, 240, 0.2, "-pix_fmt", "yuv422p");
        using MediaSource source = Open(path, DecodeMode.Auto, _context);
        Assert.Equal("NVDEC cannot be used: the video is yuv422p, and NVDEC is used for 4:2:0 with 8 or 10 bits only.", source.Info.DecoderReason);
        using MediaSource gif = Open(_clips.Make("a.gif", [.. MediaClips.Moving(64, 64, 0.2)]), DecodeMode.Auto, _context);
        Assert.Equal("NVDEC cannot be used: the installed libavcodec has no NVDEC decoder for gif.", gif.Info.DecoderReason);
    }

    [Fact]
    public void Without_device_memory_and_when_asked_for_it_is_software()
    {
        string path = _clips.H264("a.mp4", 320, 240, 0.2);
        using (MediaSource source = Open(path, DecodeMode.Auto, null))
        {
            Assert.Equal(("software", "The frames go to main memory."), (source.Info.Decoder, source.Info.DecoderReason));
            Assert.Null(source.Stream);
            Assert.True(source.TryReadFrame(out _));
            Assert.Equal(MediaError.InvalidArgument, Assert.Throws<MediaException>(() => source.EnqueueCopy(new CudaPlane[3])).Error);
        }

        using (MediaSource source = Open(path, DecodeMode.Software, _context))
        {
            Assert.Equal(("software", "Software was asked for."), (source.Info.Decoder, source.Info.DecoderReason));
            Assert.Equal(MediaError.InvalidArgument, Assert.Throws<MediaException>(() => source.EnqueueCopy(new CudaPlane[3])).Error);
            Assert.True(source.TryReadFrame(out _));
            Assert.Equal(MediaError.InvalidArgument, Assert.Throws<MediaException>(() => source.EnqueueCopy(new CudaPlane[2])).Error);
        }
    }

    [Fact]
    public void The_driver_and_libavcodec_tell_what_they_decode()
    {
        Assert.Equal(new NvdecCapabilities(true, 2, 48, 48, 4096, 4096, 65536), MediaLibrary.GetNvdecCapabilities(_context, "h264", 8));
        Assert.True(MediaLibrary.GetNvdecCapabilities(_context, "hevc", 10).IsSupported);
        Assert.Equal(new NvdecCapabilities(false, 0, 0, 0, 0, 0, 0), MediaLibrary.GetNvdecCapabilities(_context, "h264", 10));
        Assert.False(MediaLibrary.GetNvdecCapabilities(_context, "hevc", 8, chroma: 3).IsSupported);
        MediaException error = Assert.Throws<MediaException>(() => MediaLibrary.GetNvdecCapabilities(_context, "ffv1", 8));
        Assert.Equal(MediaError.NvdecUnsupported, error.Error);
        Assert.Contains("NVDEC knows no ffv1", error.Message, StringComparison.Ordinal);
        Assert.Contains("h264", MediaLibrary.NvdecCodecs);
        Assert.Contains("hevc", MediaLibrary.NvdecCodecs);
        Assert.Contains("av1", MediaLibrary.NvdecCodecs);
        Assert.Equal(MediaLibrary.NvdecCodecs.Count, MediaLibrary.NvdecCodecs.Distinct().Count());
    }

    [Fact]
    public void Cameras_that_come_and_go_leave_nothing_in_the_driver()
    {
        string path = _clips.H264("a.mp4", 320, 240, 0.4);
        long before = CudaDouble.LiveObjects;
        for (int i = 0; i < 5; i++)
        {
            using CameraHarness camera = new(InSoftware(path), memory: FrameMemory.Cuda, cuda: _context);
            camera.Pump.Start();
            for (int frame = 0; frame < 10; frame++)
            {
                camera.Next();
            }

            Assert.True(camera.Pump.WaitForEnd(TimeSpan.FromSeconds(90)));
        }

        Assert.Equal(before, CudaDouble.LiveObjects);
    }

    /// <summary>Measured on the pump's own thread, between its first and its last report.</summary>
    [Fact]
    public void A_frame_costs_no_allocation()
    {
        string path = _clips.H264("a.mp4", 128, 128, 8);
        using TemporaryDirectory directory = new();
        using FramePublisher publisher = FramePublisher.Create("camera", new PublisherOptions { Directory = directory.Path, Memory = FrameMemory.Cuda, Cuda = _context });
        long atStart = 0, atEnd = 0;
        using CameraPump pump = new(publisher, InSoftware(path), status =>
        {
            atStart = status.State == CameraState.Live ? GC.GetAllocatedBytesForCurrentThread() : atStart;
            atEnd = GC.GetAllocatedBytesForCurrentThread();
        });
        pump.Start();
        Assert.True(pump.WaitForEnd(TimeSpan.FromSeconds(90)));
        Assert.Equal(200, pump.Statistics.Frames);
        // The last report itself is a record and a text. The smallest object per frame would be 199 x 24 bytes.
        Assert.InRange(atEnd - atStart, 0, 4000);
    }

    private static CameraOptions InSoftware(string path)
    {
        CameraOptions options = CameraHarness.File(path);
        return options with { Source = options.Source! with { Decode = DecodeMode.Software } };
    }

    private static MediaSource Open(string path, DecodeMode mode, CudaContext? cuda)
    {
        MediaSource source = new(new MediaSourceOptions { Url = new RedactedUrl(path), Decode = mode, Cuda = cuda });
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
}
