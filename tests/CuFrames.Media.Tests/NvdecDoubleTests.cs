using CuFrames.Client;
using CuFrames.Interop;
using CuFrames.Protocol;
using CuFrames.TestKit;
using Xunit;

namespace CuFrames.Media.Tests;

/// <summary>
/// The way of NVDEC's frames on doubles of the driver and of NVDEC, which hands out surfaces as NVDEC does: each picture has one value in all
/// its bytes, by its number. What the pictures show is tested on a GPU (<see cref="NvdecTests"/>).
/// </summary>
[Collection("cuda")]
public sealed class NvdecDoubleTests : IDisposable
{
    private readonly MediaClips _clips = new();
    private readonly CudaContext _context = CudaDouble.OpenContext();

    public NvdecDoubleTests() => CudaDouble.SetSessionLimit(1000);

    public void Dispose()
    {
        CudaDouble.SetSessionLimit(1000);
        Assert.Equal(0, CudaDouble.Sessions);
        _context.Dispose();
        _clips.Dispose();
    }

    [Theory]
    [InlineData("h264")]
    [InlineData("h264-interlaced")]
    [InlineData("hevc-10")]
    public void Frames_reach_three_readers_by_one_copy_on_the_device_and_plane(string kind)
    {
        string path = kind switch
        {
            "h264" => _clips.H264("a.mp4", 1920, 1080, 1),
            "h264-interlaced" => _clips.H264("a.mp4", 720, 576, 1, "-flags", "+ildct+ilme", "-vf", "setfield=tff", "-top", "1"),
            _ => _clips.H265("a.mp4", 640, 360, 1, "-pix_fmt", "yuv420p10le"),
        };
        using CameraHarness camera = new(CameraHarness.File(path), memory: FrameMemory.Cuda, cuda: _context, readers: 3);
        (long HostToDevice, long DeviceToHost, long DeviceToDevice) before = CudaDouble.Copies;
        camera.Pump.Start();
        HashSet<ulong> packets = [];
        for (int i = 0; i < 25; i++)
        {
            for (int reader = 0; reader < 3; reader++)
            {
                (FrameMetadata metadata, string format, byte[] samples) = camera.Next(reader);
                Assert.Equal(kind switch { "h264" => "nv12 1920x1080", "h264-interlaced" => "nv12 720x576", _ => "p010 640x360" }, format);
                RequireValue(samples, (long)metadata.SourcePacket - 1);
                packets.Add(metadata.SourcePacket);
                Assert.Equal(i == 24, metadata.Flags.HasFlag(FrameFlags.EndOfStream));
                Assert.Equal(kind == "h264-interlaced", metadata.Flags.HasFlag(FrameFlags.Interlaced));
            }
        }

        Assert.Equal(25, packets.Count);
        Assert.True(camera.Pump.WaitForEnd(TimeSpan.FromSeconds(90)));
        (long HostToDevice, long DeviceToHost, long DeviceToDevice) after = CudaDouble.Copies;
        Assert.Equal((0, 25 * 2), (after.HostToDevice - before.HostToDevice, after.DeviceToDevice - before.DeviceToDevice));
        // The three readers' own.
        Assert.Equal(25 * 2 * 3, after.DeviceToHost - before.DeviceToHost);
        Assert.InRange(CudaDouble.MostMapped, 1, 2);

        CameraStatus live = camera.Statuses.Single(status => status.State == CameraState.Live);
        Assert.Equal("nvdec", live.Info!.Decoder);
        Assert.Contains("They are decoded by NVDEC.", live.Reason, StringComparison.Ordinal);
    }

    /// <summary>Renditions of a camera in main memory are made of the decoder's surface: only what they hold is downloaded.</summary>
    [Fact]
    public void Renditions_of_a_camera_that_NVDEC_decodes_into_main_memory_are_scaled_before_they_are_downloaded()
    {
        string path = _clips.H264("a.mp4", 640, 360, 1);
        CameraOptions options = CameraHarness.Of(new MediaSourceOptions { Url = new RedactedUrl(path), Paced = false, Decode = DecodeMode.Nvdec, Cuda = _context });
        using CameraHarness camera = new(options);
        List<FrameSubscriber> readers = [];
        foreach ((string name, RenditionOptions rendition) in ((string, RenditionOptions)[])[("half", new() { Scale = 0.5 }), ("crop", new() { Width = 99, Height = 101, Fit = PictureFit.Crop })])
        {
            FramePublisher publisher = FramePublisher.Create($"camera@{name}", new PublisherOptions { Directory = camera.Directory, LosslessTimeout = TimeSpan.FromSeconds(90) });
            camera.Pump.Add(new Rendition(publisher, rendition));
            readers.Add(FrameSubscriber.Connect(publisher.Key, new SubscriberOptions { Directory = camera.Directory, Delivery = Delivery.Lossless }));
        }

        (long HostToDevice, long DeviceToHost, long DeviceToDevice) before = CudaDouble.Copies;
        camera.Pump.Start();
        for (int i = 0; i < 25; i++)
        {
            ulong packet = camera.Next().Metadata.SourcePacket;
            foreach (FrameSubscriber reader in readers)
            {
                using Frame frame = reader.Next(TimeSpan.FromSeconds(90));
                byte[] samples = new byte[PixelFormats.PictureBytes(frame.PixelFormat, frame.Width, frame.Height)];
                frame.CopyTo(samples);
                Assert.Equal((packet, reader == readers[0] ? (320, 180) : (99, 101)), (frame.Metadata.SourcePacket, (frame.Width, frame.Height)));
                RequireValue(samples, (long)packet - 1);
            }
        }

        Assert.True(camera.Pump.WaitForEnd(TimeSpan.FromSeconds(90)));
        // Two planes of the camera's own frame, and one copy for each rendition.
        Assert.Equal(25 * (2 + 1 + 1), CudaDouble.Copies.DeviceToHost - before.DeviceToHost);
        readers.ForEach(reader => reader.Dispose());
    }

    /// <summary>Of a file with an end the pump reads one frame ahead, which waits for the copy; here only publishing does.</summary>
    [Fact]
    public void A_frame_is_announced_when_its_copy_has_finished()
    {
        using CameraHarness camera = new(CameraHarness.File(_clips.H264("a.mp4", 1280, 720, 1), loop: true), memory: FrameMemory.Cuda, cuda: _context);
        camera.Pump.Start();
        for (int i = 0; i < 60; i++)
        {
            (FrameMetadata metadata, _, byte[] samples) = camera.Next();

            // Each loop has a decoder of its own, which counts its pictures.
            RequireValue(samples, ((long)metadata.SourcePacket - 1) % 25);
        }

        Assert.True(camera.Pump.Stop(TimeSpan.FromSeconds(90)));
    }

    [Fact]
    public void A_process_asks_the_driver_for_no_other_copy()
    {
        CopyAudit audit = CopyAudit.Publish(_clips.H264("a.mp4", 320, 240, 1), CudaDouble.Folder);
        Assert.Equal(new CopyAudit(25, "nvdec", 0, 0, 25 * 2, 0), audit with { Reason = null });
    }

    /// <summary>A surface that NVDEC gets back holds another value at once.</summary>
    [Fact]
    public void A_surface_is_kept_until_its_copy_has_finished()
    {
        using MediaSource source = Open(_clips.H264("a.mp4", 640, 368, 1, "-bf", "0"), DecodeMode.Nvdec);
        DeviceBuffer[] buffers = [.. Enumerable.Range(0, 25).Select(_ => new DeviceBuffer(_context, source.Stream!, PixelFormat.Nv12, 640, 368))];
        try
        {
            foreach (DeviceBuffer buffer in buffers)
            {
                Assert.True(source.TryReadFrame(out MediaFrame frame));
                Assert.True(frame.IsInDeviceMemory);
                source.EnqueueCopy(buffer.Planes);
            }

            Assert.False(source.TryReadFrame(out _));
            for (int i = 0; i < buffers.Length; i++)
            {
                RequireValue(buffers[i].Samples(source.Stream!), i);
            }
        }
        finally
        {
            Array.ForEach(buffers, buffer => buffer.Dispose());
        }
    }

    /// <summary>The same for a kernel that reads it.</summary>
    [Fact]
    public void A_surface_is_kept_until_its_rendition_is_made()
    {
        using MediaSource source = Open(_clips.H264("a.mp4", 640, 368, 1, "-bf", "0"), DecodeMode.Nvdec);
        using CudaPictureScaler scaler = new(_context, PixelFormat.Nv12, 640, 368, PictureFit.Letterbox);
        DeviceBuffer[] buffers = [.. Enumerable.Range(0, 25).Select(_ => new DeviceBuffer(_context, source.Stream!, PixelFormat.Nv12, 640, 368))];
        try
        {
            foreach (DeviceBuffer buffer in buffers)
            {
                Assert.True(source.TryReadFrame(out _));
                Assert.True(source.IsFrameOnDevice);
                source.EnqueueScale(scaler, buffer.Planes);
            }

            Assert.False(source.TryReadFrame(out _));
            Assert.False(source.IsFrameOnDevice);
            Assert.Equal(MediaError.InvalidArgument, Assert.Throws<MediaException>(() => source.EnqueueScale(scaler, buffers[0].Planes)).Error);
            for (int i = 0; i < buffers.Length; i++)
            {
                RequireValue(buffers[i].Samples(source.Stream!), i);
            }
        }
        finally
        {
            Array.ForEach(buffers, buffer => buffer.Dispose());
        }
    }

    /// <summary>As many reference and reordered pictures as the codec allows, in frames and fields, and damage: libavcodec never wants for a surface.</summary>
    [Theory]
    [InlineData("h264", false)]
    [InlineData("h264-interlaced", false)]
    [InlineData("h264-no-reorder", false)]
    [InlineData("hevc", false)]
    [InlineData("h264", true)]
    [InlineData("h264-interlaced", true)]
    [InlineData("hevc", true)]
    public void Surfaces_suffice_for_every_stream(string kind, bool isDamaged)
    {
        string path = kind switch
        {
            "h264" => _clips.H264("a.ts", 320, 240, 4, "-refs", "16", "-bf", "16", "-x264-params", "b-pyramid=normal:b-adapt=0:scenecut=0", "-preset", "veryfast"),
            "h264-interlaced" => _clips.H264("a.ts", 320, 240, 4, "-refs", "16", "-bf", "3", "-flags", "+ildct+ilme", "-preset", "veryfast"),
            "h264-no-reorder" => _clips.H264("a.ts", 320, 240, 4, "-refs", "1", "-bf", "0"),
            _ => _clips.H265("a.ts", 320, 240, 4, "-x265-params", "log-level=error:pools=1:keyint=25:rc-lookahead=12:bframes=8:b-adapt=0:ref=6:b-pyramid=1"),
        };
        if (isDamaged)
        {
            byte[] content = File.ReadAllBytes(path);
            Random random = new(4711);
            for (int packet = 40; packet < content.Length / 188; packet += 5)
            {
                content[(packet * 188) + 20 + random.Next(160)] ^= (byte)(1 << random.Next(8));
            }

            File.WriteAllBytes(path, content);
        }

        using MediaSource source = Open(path, DecodeMode.Nvdec);
        using DeviceBuffer buffer = new(_context, source.Stream!, PixelFormat.Nv12, 320, 240);
        int frames = 0;
        for (; source.TryReadFrame(out MediaFrame frame); frames++)
        {
            Assert.True(frame is { IsInDeviceMemory: true, Width: 320, Height: 240 });
            source.EnqueueCopy(buffer.Planes);
        }

        string log = source.TakeLog();
        Assert.DoesNotContain("surfaces", log, StringComparison.Ordinal);
        Assert.InRange(frames, isDamaged ? 20 : 100, 100);
        Assert.True(isDamaged || source.DecodeErrors == 0, log);
    }

    [Fact]
    public void Frames_reach_main_memory_too()
    {
        using MediaSource source = Open(_clips.H264("a.mp4", 640, 368, 1, "-bf", "0"), DecodeMode.Nvdec);
        for (int i = 0; i < 25; i++)
        {
            Assert.True(source.TryReadFrame(out MediaFrame frame));
            using FrameBuffer buffer = new(frame.Format, frame.Width, frame.Height);
            source.CopyFrame(buffer.Planes);
            RequireValue(buffer.Samples(), i);
            Assert.True(buffer.PaddingIsUntouched());
            Assert.Equal(MediaError.InvalidArgument, Assert.Throws<MediaException>(() => source.CopyFrame(buffer.Planes.AsSpan(0, 1))).Error);
        }

        // A stream in main memory uses NVDEC only where it is asked for by name.
        CameraOptions options = CameraHarness.File(_clips.PathOf("a.mp4"));
        using CameraHarness camera = new(options with { Source = options.Source! with { Decode = DecodeMode.Nvdec, Cuda = _context } });
        camera.Pump.Start();
        for (int i = 0; i < 25; i++)
        {
            (FrameMetadata metadata, string format, byte[] samples) = camera.Next();
            Assert.Equal("nv12 640x368", format);
            RequireValue(samples, (long)metadata.SourcePacket - 1);
        }
    }

    [Fact]
    public void A_change_of_size_makes_a_new_decoder()
    {
        string path = _clips.Join("joined.ts", _clips.H264("first.ts", 640, 360, 0.4, "-bf", "0"), _clips.H264("second.ts", 1280, 720, 0.4, "-bf", "0"));
        using CameraHarness camera = new(CameraHarness.File(path), memory: FrameMemory.Cuda, cuda: _context);
        camera.Pump.Start();
        for (int i = 0; i < 20; i++)
        {
            (_, string format, byte[] samples) = camera.Next();
            Assert.Equal(i < 10 ? "nv12 640x360" : "nv12 1280x720", format);
            RequireValue(samples, i % 10);
        }

        Assert.True(camera.Pump.WaitForEnd(TimeSpan.FromSeconds(90)));
        Assert.Equal(0, camera.Pump.Statistics.DecodeErrors);
    }

    /// <summary>The probe sees 8 bits; in mid-stream come 10, which libavcodec does not let NVDEC decode.</summary>
    [Fact]
    public void What_NVDEC_cannot_decode_in_mid_stream_goes_on_in_software_and_says_so()
    {
        string second = _clips.H264("second.ts", 640, 360, 0.4, "-bf", "0", "-pix_fmt", "yuv420p10le");
        string path = _clips.Join("joined.ts", _clips.H264("first.ts", 640, 360, 0.4, "-bf", "0"), second);
        byte[] reference = _clips.DecodeReference(second, "p010le");
        using CameraHarness camera = new(CameraHarness.File(path), memory: FrameMemory.Cuda, cuda: _context);
        camera.Pump.Start();
        for (int i = 0; i < 20; i++)
        {
            (FrameMetadata metadata, string format, byte[] samples) = camera.Next();
            Assert.Equal(i < 10 ? "nv12 640x360" : "p010 640x360", format);
            Assert.False(metadata.Flags.HasFlag(FrameFlags.Corrupt));
            if (i < 10)
            {
                RequireValue(samples, i);
            }
            else
            {
                Assert.True(samples.AsSpan().SequenceEqual(reference.AsSpan((i - 10) * samples.Length, samples.Length)), $"frame {i} differs");
            }
        }

        Assert.True(camera.Pump.WaitForEnd(TimeSpan.FromSeconds(90)));
        CameraStatus[] live = [.. camera.Statuses.Where(status => status.State == CameraState.Live)];
        Assert.Equal(("nvdec", "software"), (live[0].Info!.Decoder, live[^1].Info!.Decoder));
        Assert.Contains("decoded in software and uploaded. NVDEC cannot be used: libavcodec decodes h264 of profile High 10 in yuv420p10le only in software", live[^1].Reason, StringComparison.Ordinal);
        Assert.Equal((0, 0), (camera.Pump.Statistics.Reconnects, camera.Pump.Statistics.DecodeErrors));

        using MediaSource source = Open(path, DecodeMode.Nvdec);
        MediaException error = Assert.Throws<MediaException>(() =>
        {
            while (source.TryReadFrame(out _))
            {
                // Until NVDEC cannot go on.
            }
        });
        Assert.Equal(MediaError.NvdecUnsupported, error.Error);
    }

    [Fact]
    public void Sessions_that_ran_out_are_no_reason_for_software()
    {
        string path = _clips.H264("a.mp4", 320, 240, 1);
        CudaDouble.SetSessionLimit(1);
        CameraOptions busy = CameraHarness.Of(new MediaSourceOptions { Url = new RedactedUrl(path) });
        using (MediaSource source = Open(path, DecodeMode.Auto))
        {
            Assert.True(source.TryReadFrame(out _));
            using CameraHarness camera = new(busy, memory: FrameMemory.Cuda, cuda: _context);
            camera.Pump.Start();
            CameraStatus refused = camera.WaitFor(CameraState.SourceLost);
            Assert.Equal((MediaError.NotAdmitted, ErrorCode.OutOfResources), (refused.Error, refused.Code));
            Assert.Contains("NVDEC has no room for one more decoder", refused.Reason, StringComparison.Ordinal);
            Assert.Contains("cuvidCreateDecoder", refused.Reason, StringComparison.Ordinal);
            Assert.Contains("CUDA_ERROR_OUT_OF_MEMORY", refused.Reason, StringComparison.Ordinal);
            Assert.Contains(_context.Device.UuidText, refused.Reason, StringComparison.Ordinal);
            Assert.Contains("Next attempt within", refused.Reason, StringComparison.Ordinal);
            source.Dispose();
            Assert.Equal("nvdec", camera.WaitFor(CameraState.Live).Info!.Decoder);
        }
    }

    [Fact]
    public void A_camera_beyond_the_limit_is_not_admitted_until_another_ends()
    {
        string path = _clips.H264("a.mp4", 320, 240, 20);
        DecoderAdmission admission = new(1);
        using CameraHarness first = new(Limited(), subscribe: false, memory: FrameMemory.Cuda, cuda: _context);
        first.Pump.Start();
        first.WaitFor(CameraState.Live);
        Assert.Equal(1, admission.InUse);

        // An hour is long: only the room that the first one leaves can end it.
        using CameraHarness second = new(
            Limited() with { InitialRetryDelay = TimeSpan.FromHours(1), MaxRetryDelay = TimeSpan.FromHours(2) }, subscribe: false, memory: FrameMemory.Cuda, cuda: _context);
        second.Pump.Start();
        CameraStatus refused = second.WaitFor(CameraState.SourceLost);
        Assert.Equal((MediaError.NotAdmitted, ErrorCode.OutOfResources), (refused.Error, refused.Code));
        Assert.Contains("the limit is 1 decoder sessions at once, 1 are in use, and this would be number 2", refused.Reason, StringComparison.Ordinal);
        Assert.True(first.Pump.Stop(TimeSpan.FromSeconds(90)));
        second.WaitFor(CameraState.Live);
        Assert.True(second.Pump.Stop(TimeSpan.FromSeconds(90)));
        Assert.Equal(0, admission.InUse);

        // What needs no session is not refused one.
        DecoderAdmission full = new(1);
        Assert.True(full.TryEnter(out _, out _));
        using MediaSource software = new(new MediaSourceOptions
        {
            Url = new RedactedUrl(_clips.H264("b.mp4", 320, 240, 0.2, "-pix_fmt", "yuv422p")),
            Cuda = _context,
            Admission = full,
        });
        software.Open();
        Assert.Equal(("software", 1), (software.Info.Decoder, full.InUse));

        CameraOptions Limited() => CameraHarness.Of(new MediaSourceOptions { Url = new RedactedUrl(path), Admission = admission });
    }

    [Fact]
    public void Cameras_that_come_and_go_leave_nothing_in_the_driver()
    {
        string path = _clips.H264("a.mp4", 320, 240, 0.4);
        long before = CudaDouble.LiveObjects;
        for (int i = 0; i < 5; i++)
        {
            using CameraHarness camera = new(CameraHarness.File(path), memory: FrameMemory.Cuda, cuda: _context);
            camera.Pump.Start();
            for (int frame = 0; frame < 10; frame++)
            {
                camera.Next();
            }

            Assert.True(camera.Pump.WaitForEnd(TimeSpan.FromSeconds(90)));
        }

        Assert.Equal((before, 0), (CudaDouble.LiveObjects, CudaDouble.Sessions));
    }

    /// <summary>Measured on the pump's own thread, between its first and its last report.</summary>
    [Fact]
    public void A_frame_costs_no_allocation()
    {
        string path = _clips.H264("a.mp4", 128, 128, 8);
        using TemporaryDirectory directory = new();
        using FramePublisher publisher = FramePublisher.Create("camera", new PublisherOptions { Directory = directory.Path, Memory = FrameMemory.Cuda, Cuda = _context });
        long atStart = 0, atEnd = 0;
        using CameraPump pump = new(publisher, CameraHarness.File(path), status =>
        {
            atStart = status.State == CameraState.Live ? GC.GetAllocatedBytesForCurrentThread() : atStart;
            atEnd = GC.GetAllocatedBytesForCurrentThread();
        });
        pump.Start();
        Assert.True(pump.WaitForEnd(TimeSpan.FromSeconds(90)));
        Assert.Equal((200, "nvdec"), (pump.Statistics.Frames, pump.Status.Info!.Decoder));
        // The last report itself is a record and a text. The smallest object per frame would be 199 x 24 bytes.
        Assert.InRange(atEnd - atStart, 0, 4000);
    }

    private static void RequireValue(byte[] samples, long picture)
    {
        byte expected = CudaDouble.ValueOf(picture);
        int other = samples.AsSpan().IndexOfAnyExcept(expected);
        Assert.True(other < 0, $"picture {picture} has the value {(other < 0 ? 0 : samples[other])} at byte {other}, not {expected}");
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
}
