using CuFrames.Client;
using CuFrames.Interop;
using CuFrames.Protocol;
using CuFrames.TestKit;
using Xunit;

namespace CuFrames.Media.Tests;

/// <summary>
/// Renditions of cameras in GPU memory: every frame of every one is, byte for byte, what the kernel alone makes of the camera's frame with the same packet number,
/// which <see cref="CudaPictureScalerTests"/> compares with a calculation. On the doubles, whose work takes random times, and with CUFRAMES_TEST_GPU=1 on a GPU.
/// </summary>
[Collection("cuda")]
public sealed class CudaRenditionTests : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(90);

    /// <summary>Both kinds of memory, all fits, up and down, other formats and tensors. The first two are the camera's own bytes.</summary>
    private static readonly (string Name, FrameMemory Memory, RenditionOptions Options)[] Many =
    [
        ("same", FrameMemory.Cuda, new()),
        ("down", FrameMemory.Host, new() { Fit = PictureFit.Crop }),
        ("half", FrameMemory.Cuda, new() { Scale = 0.5 }),
        ("small", FrameMemory.Host, new() { Width = 160, Height = 160, Format = PixelFormat.Rgb24 }),
        ("crop", FrameMemory.Cuda, new() { Width = 99, Height = 101, Fit = PictureFit.Crop, Format = PixelFormat.I420 }),
        ("tensor", FrameMemory.Cuda, new() { Width = 224, Height = 224, Format = PixelFormat.RgbpF16 }),
        ("ten", FrameMemory.Host, new() { Width = 101, Height = 77, Fit = PictureFit.Stretch, Format = PixelFormat.P010 }),
        ("numbers", FrameMemory.Cuda, new() { Width = 64, Height = 48, Format = PixelFormat.BgrpF32, Tensor = new() { Mean = new(0.4, 0.5, 0.6), Std = new(0.2, 0.3, 0.4) } }),
    ];

    private readonly MediaClips _clips = new();
    private readonly CudaContext _context;

    public CudaRenditionTests()
    {
        _context = TestCuda.IsReal ? TestCuda.Device.OpenContext() : CudaDouble.OpenContext();
        if (!TestCuda.IsReal)
        {
            CudaDouble.SetSessionLimit(1000);
        }
    }

    public void Dispose()
    {
        _context.Dispose();
        _clips.Dispose();
    }

    /// <summary>Names that mean a file of gpu-clips are for a GPU, the others for the double.</summary>
    public static TheoryData<string> Sources => TestCuda.IsReal
        ? ["pattern nv12", "pattern p010", "pattern i420", "h264-1080p.mp4 nvdec", "hevc-main10-1080p.mp4 nvdec", "h264-crop.mp4 nvdec", "h264-full-range.mp4 software", "h264-10-bit.mp4 software"]
        : ["pattern nv12", "pattern p010", "pattern rgb24", "h264 nvdec", "hevc-10 nvdec", "h264 software", "h264-10 software"];

    [Theory]
    [MemberData(nameof(Sources))]
    [Trait("needs", "gpu")]
    public void Every_frame_of_eight_renditions_is_what_the_kernel_makes_of_the_cameras(string source)
    {
        using CameraHarness camera = new(OptionsOf(source), memory: FrameMemory.Cuda, cuda: _context);
        Rendition[] renditions = [.. Many.Select(made => Add(camera, made.Name, made.Memory, made.Options))];
        FrameSubscriber[] readers = [.. renditions.Select(rendition => Read(camera, rendition))];
        using RenditionReference reference = new(_context);
        camera.Pump.Start();
        int frames = 0;
        for (bool isLast = false; !isLast; frames++)
        {
            FrameMetadata metadata = RequireAll(camera, reference, readers, Many);
            isLast = metadata.Flags.HasFlag(FrameFlags.EndOfStream);
        }

        Assert.True(camera.Pump.WaitForEnd(Patience));
        Assert.InRange(frames, 10, 100);
        Assert.Equal(source.Split(' ')[1] is "nvdec" or "software" ? source.Split(' ')[1] : "", camera.Pump.Status.Info!.Decoder);
        Assert.All(renditions, rendition => Assert.Equal(new RenditionStatistics(frames, frames, 0), rendition.Statistics));
    }

    /// <summary>Of a file with an end the pump reads one frame ahead, which waits for all work; here only publishing does.</summary>
    [Theory]
    [InlineData("nvdec")]
    [InlineData("software")]
    [Trait("needs", "gpu")]
    public void A_frame_is_announced_when_its_work_has_finished(string decoder)
    {
        CameraOptions options = OptionsOf(TestCuda.IsReal ? $"h264-1080p.mp4 {decoder}" : $"h264 {decoder}");
        using CameraHarness camera = new(options with { Source = options.Source! with { Loop = true } }, memory: FrameMemory.Cuda, cuda: _context);
        FrameSubscriber[] readers = [.. Many.Select(made => Read(camera, Add(camera, made.Name, made.Memory, made.Options)))];
        using RenditionReference reference = new(_context);
        camera.Pump.Start();
        for (int i = 0; i < 40; i++)
        {
            RequireAll(camera, reference, readers, Many);
        }

        string device = $"Scaled on {_context.Device.Name} ({_context.Device.UuidText})";
        Assert.Equal((StreamState.Live, $"{device}, where the frames lie."), State("same"));
        Assert.Equal((StreamState.Live, $"{device}; each frame is copied to main memory once."), State("small"));

        // A GPU has filled the rings by now: the pump waits for these readers, who take every frame.
        Array.ForEach(readers, reader => reader.Dispose());
        camera.Subscriber!.Dispose();
        Assert.True(camera.Pump.Stop(Patience));

        (StreamState?, string) State(string name)
        {
            StreamInfo info = StreamDirectory.Probe($"camera@{name}", camera.Directory);
            return (info.Description?.State, info.StateText);
        }
    }

    /// <summary>One launch a frame and rendition; of a decoder's surface no other copy; in main memory one download; what software decoded is uploaded once.</summary>
    [Theory]
    [InlineData("h264 nvdec", 0, 2)]
    [InlineData("h264 software", 3, 0)]
    public void Launches_and_copies_are_one_each(string source, int uploads, int copies)
    {
        using CameraHarness camera = new(OptionsOf(source), memory: FrameMemory.Cuda, cuda: _context);
        FrameSubscriber[] readers = [.. Many.Select(made => Read(camera, Add(camera, made.Name, made.Memory, made.Options)))];
        long launches = CudaDouble.CallsOf("cuLaunchKernel");
        (long HostToDevice, long DeviceToHost, long DeviceToDevice) before = CudaDouble.Copies;
        camera.Pump.Start();
        for (int i = 0; i < 25; i++)
        {
            camera.Subscriber!.Next(Patience).Dispose();
            Array.ForEach(readers, reader => reader.Next(Patience).Dispose());
        }

        Assert.True(camera.Pump.WaitForEnd(Patience));
        (long HostToDevice, long DeviceToHost, long DeviceToDevice) after = CudaDouble.Copies;
        Assert.Equal(25 * Many.Length, CudaDouble.CallsOf("cuLaunchKernel") - launches);

        // Each scaler's tables are uploaded once too.
        Assert.Equal(
            ((25 * uploads) + Many.Length, 25 * 3, 25 * copies),
            (after.HostToDevice - before.HostToDevice, after.DeviceToHost - before.DeviceToHost, after.DeviceToDevice - before.DeviceToDevice));
    }

    /// <summary>A frame of the CPU that finds no slot in the camera's ring is uploaded for the renditions all the same, once.</summary>
    [Fact]
    [Trait("needs", "gpu")]
    public void Frames_that_the_cameras_ring_has_no_slot_for_reach_the_renditions()
    {
        using TemporaryDirectory directory = new();
        MemoryBudget budget = new(64 << 20, "GPU memory");
        using FramePublisher publisher = FramePublisher.Create(
            "camera", new PublisherOptions { Directory = directory.Path, Memory = FrameMemory.Cuda, Cuda = _context, Slots = 2, MaxSlots = 2, Budget = budget, LeaseTimeout = TimeSpan.FromHours(1) });
        using CameraPump pump = new(publisher, new CameraOptions { Pattern = new TestPatternOptions { Width = 322, Height = 182, Format = PixelFormat.Nv12, Paced = false, FrameCount = 60 } });
        RenditionOptions[] options = [new() { Scale = 0.5 }, new() { Width = 100, Height = 100, Format = PixelFormat.Rgb24 }];
        FrameSubscriber[] readers =
        [
            .. options.Select((option, i) =>
            {
                FramePublisher made = FramePublisher.Create(
                    $"camera@{i}", new PublisherOptions { Directory = directory.Path, LosslessTimeout = Patience, Memory = i == 0 ? FrameMemory.Cuda : FrameMemory.Host, Cuda = i == 0 ? _context : null });
                pump.Add(new Rendition(made, option, null, budget));
                return Connect(directory.Path, made.Key);
            }),
        ];
        using FrameSubscriber holder = FrameSubscriber.Connect("camera", new SubscriberOptions { Directory = directory.Path, Delivery = Delivery.InOrder, Cuda = _context });
        pump.Start();
        Frame first = holder.Next(Patience);
        using RenditionReference reference = new(_context);
        TestPattern pattern = new(PixelFormat.Nv12, 322, 182);
        for (int number = 0; number < 60; number++)
        {
            byte[] samples = SamplesOf(pattern, number);
            for (int i = 0; i < readers.Length; i++)
            {
                using Frame frame = readers[i].Next(Patience);
                Assert.Equal((ulong)number + 1, frame.Metadata.SourcePacket);
                Assert.Equal(reference.Make(options[i], new FrameMetadata { ColourMatrix = 1, ColourRange = ColourRange.Limited, ChromaLocation = 1 }, PixelFormat.Nv12, 322, 182, samples), RenditionReference.SamplesOf(frame));
            }
        }

        Assert.True(pump.WaitForEnd(Patience));
        Assert.True(publisher.GetStatistics().Dropped > 0, "the ring had room for every frame");
        first.Dispose();
        Array.ForEach(readers, reader => reader.Dispose());
    }

    [Fact]
    [Trait("needs", "gpu")]
    public void What_nobody_reads_launches_nothing_and_has_no_memory()
    {
        MemoryBudget budget = new(64 << 20, "GPU memory");
        using CameraHarness camera = new(Endless("pattern nv12"), memory: FrameMemory.Cuda, cuda: _context);
        Rendition[] renditions = [.. Many.Select(made => Add(camera, made.Name, made.Memory, made.Options, budget))];
        camera.Pump.Start();
        for (int round = 0; round < 4; round++)
        {
            long launches = Launches();
            for (int i = 0; i < 20; i++)
            {
                camera.Next();
            }

            Assert.Equal(launches, Launches());
            Assert.Equal(0, budget.InUse);
            Assert.All(renditions, rendition => Assert.Equal(0, rendition.Publisher.GetStatistics().SegmentBytes));

            // One comes and leaves, twice one in main memory: what it had of the device is given back.
            Rendition read = renditions[(round * 2) + 1];
            using (FrameSubscriber reader = Connect(camera.Directory, read.Publisher.Key))
            {
                Follow(() => reader.TryNext(TimeSpan.Zero, out Frame frame) && Close(frame));
                Assert.True(budget.InUse > 0);
            }

            Follow(() => read.Publisher.GetStatistics().SegmentBytes == 0);
        }

        Assert.Equal([false, true, false, true, false, true, false, true], renditions.Select(rendition => rendition.Statistics.Frames > 0));

        static bool Close(Frame frame)
        {
            frame.Dispose();
            return true;
        }

        static long Launches() => TestCuda.IsReal ? 0 : CudaDouble.CallsOf("cuLaunchKernel");

        void Follow(Func<bool> condition)
        {
            for (long end = Environment.TickCount64 + (long)Patience.TotalMilliseconds; !condition(); camera.Next())
            {
                Assert.True(Environment.TickCount64 < end, "this did not come about");
            }
        }
    }

    /// <summary>The device's limit is that of all renditions together. Who finds no room says with which figures; the camera and the others go on.</summary>
    [Fact]
    [Trait("needs", "gpu")]
    public void A_rendition_without_device_memory_leaves_the_camera_alone_and_comes_when_there_is_room()
    {
        MemoryBudget device = new(32 << 20, "GPU memory"), budget = new(1 << 20, "GPU memory of camera 'camera' and its renditions", device);
        using CameraHarness camera = new(Endless("pattern nv12"), memory: FrameMemory.Cuda, cuda: _context);
        List<string> troubles = [];
        RenditionOptions half = new() { Scale = 0.5 }, twice = new() { Scale = 2 };
        Rendition small = Add(camera, "small", FrameMemory.Host, half, budget);
        Rendition large = Add(camera, "large", FrameMemory.Host, new RenditionOptions { Scale = 3, Format = PixelFormat.Rgba }, budget, troubles.Add);
        Rendition ring = Add(camera, "ring", FrameMemory.Cuda, twice, device, troubles.Add);
        FrameSubscriber smallReader = Read(camera, small), ringReader = Read(camera, ring);
        FrameSubscriber largeReader = Read(camera, large);
        using RenditionReference reference = new(_context);
        camera.Pump.Start();
        for (int i = 0; i < 30; i++)
        {
            (FrameMetadata metadata, string _, byte[] samples) = camera.Next();
            reference.Require(smallReader, half, metadata, PixelFormat.Nv12, 322, 182, samples);
            reference.Require(ringReader, twice, metadata, PixelFormat.Nv12, 322, 182, samples);
        }

        Assert.False(largeReader.TryNext(TimeSpan.Zero, out _));
        string text = StreamDirectory.Probe("camera@large", camera.Directory).StateText;
        Assert.Matches("^Stream 'camera@large' asks for 2.0 MiB of GPU memory of camera 'camera' and its renditions; the limit of all streams is 1.0 MiB, in use are 0.0 MiB, and it would be 2.1 MiB", text);
        Assert.Equal([text], troubles);
        Assert.Equal((0L, 0L), (large.Statistics.Frames, (long)camera.Publisher.GetStatistics().Dropped));
    }

    /// <summary>Whoever removes a rendition may do it while the device writes into its ring.</summary>
    [Fact]
    [Trait("needs", "gpu")]
    public void Renditions_come_and_go_while_their_work_is_under_way()
    {
        long before = TestCuda.IsReal ? 0 : CudaDouble.LiveObjects;
        using (CameraHarness camera = new(Endless("pattern nv12"), memory: FrameMemory.Cuda, cuda: _context))
        {
            RenditionOptions twice = new() { Scale = 2 };
            Rendition kept = Add(camera, "kept", FrameMemory.Host, twice);
            FrameSubscriber reader = Read(camera, kept);
            using RenditionReference reference = new(_context);
            camera.Pump.Start();
            for (int round = 0; round < 40; round++)
            {
                (string name, FrameMemory memory, RenditionOptions options) = Many[round % Many.Length];
                Rendition other = Add(camera, name, memory, options);
                using (FrameSubscriber otherReader = Connect(camera.Directory, other.Publisher.Key))
                {
                    for (int i = 0; i < 3; i++)
                    {
                        (FrameMetadata metadata, string _, byte[] samples) = camera.Next();
                        reference.Require(reader, twice, metadata, PixelFormat.Nv12, 322, 182, samples);
                    }

                    camera.Pump.Remove(other);
                }

                Assert.Equal(CameraState.Live, camera.Pump.Status.State);
            }

        }

        Assert.Equal(before, TestCuda.IsReal ? 0 : CudaDouble.LiveObjects);
    }

    /// <summary>The memory of a ring goes without a wait of the driver's.</summary>
    [Fact]
    [Trait("needs", "gpu")]
    public void A_rendition_that_goes_in_the_middle_of_a_frame_waits_for_it()
    {
        using TemporaryDirectory directory = new();
        using TestPatternSource source = new(new TestPatternOptions { Width = 1280, Height = 720, Format = PixelFormat.Nv12 }, _context);
        using Internal.DevicePicture scratch = new("camera", null);
        source.Open();
        for (int round = 0; round < 20; round++)
        {
            using FramePublisher publisher = FramePublisher.Create("camera@a", new PublisherOptions { Directory = directory.Path, Memory = FrameMemory.Cuda, Cuda = _context });
            using FrameSubscriber reader = Connect(directory.Path, "camera@a", Delivery.Newest);
            Rendition rendition = new(publisher, new RenditionOptions { Scale = 2 });
            source.TryReadFrame(out MediaFrame frame);
            FrameMetadata metadata = frame.Metadata;
            rendition.Begin(source, in frame, in metadata, scratch);
            Assert.Equal(1, rendition.Statistics.Pictures);
            rendition.Dispose();
            source.Stream!.Synchronize();
        }
    }

    [Fact]
    public void A_rendition_in_device_memory_needs_a_camera_there()
    {
        using CameraHarness camera = new(OptionsOf("pattern nv12"));
        using FramePublisher publisher = FramePublisher.Create("camera@a", new PublisherOptions { Directory = camera.Directory, Memory = FrameMemory.Cuda, Cuda = _context });
        using Rendition rendition = new(publisher, new RenditionOptions());
        MediaException error = Assert.Throws<MediaException>(() => camera.Pump.Add(rendition));
        Assert.Equal(MediaError.InvalidArgument, error.Error);
        Assert.Contains("the camera's frames are not in the same context there", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(FrameMemory.Cuda)]
    [InlineData(FrameMemory.Host)]
    public void A_frame_costs_no_allocation(FrameMemory memory)
    {
        using TemporaryDirectory directory = new();
        using FramePublisher publisher = FramePublisher.Create(
            "camera@a", new PublisherOptions { Directory = directory.Path, Memory = memory, Cuda = memory == FrameMemory.Host ? null : _context });
        using Rendition rendition = new(publisher, new RenditionOptions { Width = 100, Height = 70, Format = PixelFormat.Rgb24 });
        using FrameSubscriber reader = FrameSubscriber.Connect("camera@a", new SubscriberOptions { Directory = directory.Path, Cuda = memory == FrameMemory.Host ? null : _context });
        using TestPatternSource source = new(new TestPatternOptions { Width = 64, Height = 48, Format = PixelFormat.Nv12 }, _context);
        using Internal.DevicePicture scratch = new("camera", null);
        source.Open();
        int frames = 0;
        long bytes = Allocation.OfBestRound(() =>
        {
            for (int i = 0; i < 50; i++, frames++)
            {
                source.TryReadFrame(out MediaFrame frame);
                FrameMetadata metadata = frame.Metadata;
                rendition.Begin(source, in frame, in metadata, scratch);
                rendition.End(FrameFlags.None);
            }
        });
        Assert.Equal(0, bytes);
        Assert.Equal(new RenditionStatistics(frames, frames, 0), rendition.Statistics);
    }

    private static byte[] SamplesOf(TestPattern pattern, long number)
    {
        using FrameBuffer buffer = new(PixelFormat.Nv12, 322, 182);
        pattern.Fill(buffer.Planes, number);
        return buffer.Samples();
    }

    private static FrameMetadata RequireAll(
        CameraHarness camera, RenditionReference reference, FrameSubscriber[] readers, (string Name, FrameMemory Memory, RenditionOptions Options)[] renditions)
    {
        using Frame frame = camera.Subscriber!.Next(Patience);
        byte[] samples = RenditionReference.SamplesOf(frame);
        for (int i = 0; i < readers.Length; i++)
        {
            byte[] found = reference.Require(readers[i], renditions[i].Options, frame.Metadata, frame.PixelFormat, frame.Width, frame.Height, samples);
            if (i < 2)
            {
                Assert.True(Masked(samples).AsSpan().SequenceEqual(found), "nothing is scaled and nothing converted, and yet the camera's bytes are others");
            }
        }

        return frame.Metadata;

        // NVDEC's double fills the six bits too that P010 leaves empty.
        byte[] Masked(byte[] bytes) => frame.PixelFormat != PixelFormat.P010 ? bytes : [.. bytes.Select((value, i) => i % 2 == 0 ? (byte)(value & 0xC0) : value)];
    }

    private CameraOptions Endless(string source) => OptionsOf(source) with
    {
        Pattern = new TestPatternOptions { Width = 322, Height = 182, Format = PixelFormat.Nv12, Paced = false },
    };

    private CameraOptions OptionsOf(string source)
    {
        string[] words = source.Split(' ');
        if (words[0] == "pattern")
        {
            PixelFormat format = PixelFormats.All.ToArray().Single(known => PixelFormats.Name(known) == words[1]);
            return new CameraOptions { Pattern = new TestPatternOptions { Width = 322, Height = 182, Format = format, Paced = false, FrameCount = 60 } };
        }

        string path = words[0] switch
        {
            "h264" => _clips.H264("a.mp4", 640, 360, 1),
            "h264-10" => _clips.H264("a.mp4", 322, 242, 1, "-pix_fmt", "yuv420p10le"),
            "hevc-10" => _clips.H265("a.mp4", 640, 360, 1, "-pix_fmt", "yuv420p10le"),
            _ => GpuClips.PathOf(words[0]),
        };
        CameraOptions options = CameraHarness.File(path);
        return options with { Source = options.Source! with { Decode = words[1] == "nvdec" ? DecodeMode.Nvdec : DecodeMode.Software } };
    }

    private Rendition Add(
        CameraHarness camera, string name, FrameMemory memory, RenditionOptions options, MemoryBudget? budget = null, Action<string>? onTrouble = null)
    {
        FramePublisher publisher = FramePublisher.Create($"camera@{name}", new PublisherOptions
        {
            Directory = camera.Directory,
            LosslessTimeout = Patience,
            Slots = 4,
            MaxSlots = 4,
            Memory = memory,
            Cuda = memory == FrameMemory.Host ? null : _context,
            Budget = memory == FrameMemory.Host ? null : budget,
        });
        Rendition rendition = new(publisher, options, onTrouble, budget);
        camera.Pump.Add(rendition);
        return rendition;
    }

    private FrameSubscriber Read(CameraHarness camera, Rendition rendition) => camera.Own(Connect(camera.Directory, rendition.Publisher.Key));

    private FrameSubscriber Connect(string directory, string key, Delivery delivery = Delivery.Lossless) =>
        FrameSubscriber.Connect(key, new SubscriberOptions { Directory = directory, Delivery = delivery, Cuda = _context });
}
