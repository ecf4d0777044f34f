using System.Diagnostics;
using System.Globalization;
using CuFrames.Client;
using CuFrames.Protocol;
using CuFrames.TestKit;

namespace CuFrames.Native.Tests;

/// <summary>The examples do what they say, against publishers and readers of the C# SDK.</summary>
public sealed class ExamplesTests(ExamplePrograms programs) : IClassFixture<ExamplePrograms>
{
    private const string Key = "cam1";

    public static TheoryData<string, string, string> Streams { get; } = new()
    {
        { "c", "host", "nv12" },
        { "c", "host", "bgr24" },
        { "c", "cuda", "nv12" },
        { "cpp", "host", "nv12" },
        { "cpp", "host", "gray8" },
        { "cpp", "cuda", "nv12" },
    };

    [Theory]
    [MemberData(nameof(Streams))]
    public void The_reader_waits_for_a_stream_prints_each_frame_and_ends_with_the_stream(string language, string memory, string pixelFormat)
    {
        using TemporaryDirectory directory = new();
        using RunningProgram reader = RunningProgram.Start(directory.Path, programs.Read(language), Key);
        using (TestPublisher publisher = new(directory.Path, memory, pixelFormat))
        {
            publisher.WaitForSubscriber();
            for (int i = 1; i <= 10; i++)
            {
                publisher.Publish();
                Assert.Equal(
                    string.Create(CultureInfo.InvariantCulture,
                        $"frame {i}: {TestPublisher.Width}x{TestPublisher.Height} {pixelFormat}, mean of the first plane {publisher.MeanOfFirstPlane():F3}"),
                    reader.ReadLine());
            }
        }

        ToolResult end = reader.WaitForEnd();
        Assert.Equal((0, "10 frames read, 0 missed\n", ""), (end.Status, end.Output, end.Errors));
    }

    [Theory]
    [InlineData("c")]
    [InlineData("cpp")]
    public void The_reader_ends_after_as_many_frames_as_asked_for(string language)
    {
        using TemporaryDirectory directory = new();
        using TestPublisher publisher = new(directory.Path, "host", "nv12");
        using RunningProgram reader = RunningProgram.Start(directory.Path, programs.Read(language), Key, "2");
        publisher.WaitForSubscriber();
        publisher.Publish();
        // A reader begins with the newest frame of the moment in which it first looks: the second one has to wait until the first was read.
        Assert.StartsWith("frame 1: ", reader.ReadLine(), StringComparison.Ordinal);
        publisher.Publish();
        ToolResult end = reader.WaitForEnd();
        Assert.Equal(0, end.Status);
        Assert.StartsWith("frame 2: ", end.Output, StringComparison.Ordinal);
        Assert.EndsWith("\n2 frames read, 0 missed\n", end.Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("c", "INT")]
    [InlineData("c", "TERM")]
    [InlineData("cpp", "INT")]
    [InlineData("cpp", "TERM")]
    public void The_reader_ends_at_a_signal(string language, string signal)
    {
        using TemporaryDirectory directory = new();
        using TestPublisher publisher = new(directory.Path, "host", "nv12");
        using RunningProgram reader = RunningProgram.Start(directory.Path, programs.Read(language), Key);
        publisher.WaitForSubscriber();
        publisher.Publish();
        _ = reader.ReadLine();
        reader.Signal(signal);
        ToolResult end = reader.WaitForEnd();
        Assert.Equal((0, "1 frames read, 0 missed\n", ""), (end.Status, end.Output, end.Errors));
    }

    [Theory]
    [InlineData("c")]
    [InlineData("cpp")]
    public void The_reader_says_what_is_wrong(string language)
    {
        using TemporaryDirectory directory = new();
        using RunningProgram reader = RunningProgram.Start(directory.Path, programs.Read(language), "not/a/key");
        ToolResult end = reader.WaitForEnd();
        Assert.Equal(1, end.Status);
        Assert.StartsWith("read: ", end.Errors, StringComparison.Ordinal);
        Assert.Contains("not/a/key", end.Errors, StringComparison.Ordinal);
    }

    [Fact]
    public void The_reader_of_packets_prints_each_packet_and_each_set_of_parameters()
    {
        using TemporaryDirectory directory = new();
        using RunningProgram reader = RunningProgram.Start(directory.Path, programs.Packets, Key);
        byte[] buffer = new byte[2000];
        using (PacketPublisher publisher = PacketPublisher.Create(Key, new PacketPublisherOptions { Directory = directory.Path }))
        {
            // As for frames: who comes later begins at the newest key frame, which is the first packet here.
            StampedPackets.AddTracks(publisher);
            for (int i = 0; i < 20; i++)
            {
                ulong sequence = StampedPackets.Publish(publisher, buffer);
                if (sequence <= 2)
                {
                    TrackParameters track = publisher.Tracks[(int)sequence - 1].Parameters;
                    Assert.Equal(
                        string.Create(CultureInfo.InvariantCulture,
                            $"track {sequence - 1}: {(sequence == 1 ? "video" : "audio")} {track.CodecName} {track.Width}x{track.Height}, {track.Extradata.Length} bytes of extradata"),
                        reader.ReadLine());
                }

                int size = StampedPackets.SizeOf(sequence, buffer.Length);
                Assert.Equal(
                    string.Create(CultureInfo.InvariantCulture,
                        $"packet {sequence}: track {StampedPackets.TrackOf(sequence)}, {size} bytes{(sequence == 1 ? ", key" : "")}, pts {StampedPackets.MetadataOf(sequence).Pts}, crc {Crc(buffer.AsSpan(0, size)):x8}"),
                    reader.ReadLine());
            }
        }

        ToolResult end = reader.WaitForEnd();
        Assert.Equal((0, "20 packets read, 0 missed\n", ""), (end.Status, end.Output, end.Errors));
    }

    [Fact]
    public void Every_byte_that_the_publisher_publishes_is_its_pattern()
    {
        using TemporaryDirectory directory = new();

        // It waits before the program is there, which publishes for four seconds only.
        using FrameSubscriber subscriber = FrameSubscriber.Connect(Key, new SubscriberOptions
        {
            Directory = directory.Path,
            Delivery = Delivery.InOrder,
            WaitForStream = true,
            Reconnect = false,
        });
        Assert.False(subscriber.TryNext(TimeSpan.Zero, out _));
        using RunningProgram program = RunningProgram.Start(directory.Path, programs.Publish, Key, "100");
        ulong last = 0;
        ulong missed = 0;
        int frames = 0;
        while (true)
        {
            Frame frame;
            try
            {
                frame = subscriber.Next(TimeSpan.FromSeconds(90));
            }
            catch (StreamUnavailableException)
            {
                break;
            }

            using (frame)
            {
                // The publisher waits for nobody: on a busy machine frames are missed, and counted.
                Assert.True(last == 0 || frame.Sequence == last + 1 + (subscriber.Missed - missed), $"frame {frame.Sequence} came after {last}, and {subscriber.Missed - missed} were missed");
                (last, missed) = (frame.Sequence, subscriber.Missed);
                frames++;
                Assert.Equal("nv12 640x360", $"{PixelFormats.Name(frame.PixelFormat)} {frame.Width}x{frame.Height}");
                ulong tick = frame.Sequence - 1;
                Assert.Equal((long)tick * 40_000_000, frame.Metadata.Pts);
                CheckPattern(frame, tick);
            }
        }

        Assert.Equal(100UL, last);
        Assert.True(frames >= 5, $"{frames} frames were read");
        ToolResult end = program.WaitForEnd();
        Assert.Equal((0, "publishing 'cam1', 640x360 nv12\n100 frames published, 0 dropped\n", ""), (end.Status, end.Output, end.Errors));
    }

    [Fact]
    public void The_publisher_ends_at_a_signal_and_says_what_is_wrong()
    {
        using TemporaryDirectory directory = new();
        using RunningProgram first = RunningProgram.Start(directory.Path, programs.Publish, Key);
        Assert.Equal("publishing 'cam1', 640x360 nv12", first.ReadLine());
        using RunningProgram second = RunningProgram.Start(directory.Path, programs.Publish, Key);
        ToolResult refused = second.WaitForEnd();
        Assert.Equal(1, refused.Status);
        Assert.StartsWith("publish: cannot publish: ", refused.Errors, StringComparison.Ordinal);
        first.Signal("TERM");
        ToolResult end = first.WaitForEnd();
        Assert.Equal(0, end.Status);
        Assert.Matches("^[0-9]+ frames published, 0 dropped\n$", end.Output);
    }

    [Theory]
    [InlineData("host")]
    [InlineData("cuda")]
    public void The_three_lines_of_the_manual_work_as_they_stand_there(string memory)
    {
        string snippet = Manual.BlocksOf(Manual.Read().Text, "cpp")[0];
        Assert.Contains("""
              cuframes::Subscriber sub("cam1");
              while (auto frame = sub.next()) {
                process_on_cuda(frame->cuda_ptr, frame->width, frame->height);
              }
            """, snippet, StringComparison.Ordinal);
        string program = programs.Compile("manual-" + memory, snippet, """
            #include <cstdio>
            void process_on_cuda(const void *picture, unsigned width, unsigned height);
            void process_on_cuda(const void *picture, unsigned width, unsigned height) {
              std::printf("%s %ux%u\n", picture != nullptr ? "cuda" : "host", width, height);
              std::fflush(stdout);
            }
            """);
        using TemporaryDirectory directory = new();
        using TestPublisher publisher = new(directory.Path, memory, "nv12");
        using RunningProgram reader = RunningProgram.Start(directory.Path, program);
        publisher.WaitForSubscriber();
        for (int i = 0; i < 5; i++)
        {
            publisher.Publish();
            Assert.Equal($"{memory} {TestPublisher.Width}x{TestPublisher.Height}", reader.ReadLine());
        }
    }

    /// <summary>CRC-32 of ISO 3309, as zlib has it.</summary>
    private static uint Crc(ReadOnlySpan<byte> data)
    {
        uint crc = uint.MaxValue;
        foreach (byte value in data)
        {
            crc ^= value;
            for (int bit = 0; bit < 8; bit++)
            {
                crc = (crc & 1) != 0 ? (crc >> 1) ^ 0xEDB88320 : crc >> 1;
            }
        }

        return ~crc;
    }

    private static void CheckPattern(Frame frame, ulong tick)
    {
        FramePlane luma = frame.Plane(0);
        for (int y = 0; y < luma.Rows; y++)
        {
            ReadOnlySpan<byte> row = luma.Row(y);
            for (int x = 0; x < row.Length; x++)
            {
                if (row[x] != (byte)((ulong)(x + y) + tick))
                {
                    Assert.Fail($"frame {frame.Sequence}: luma at {x}, {y} is {row[x]}");
                }
            }
        }

        FramePlane chroma = frame.Plane(1);
        for (int y = 0; y < chroma.Rows; y++)
        {
            Assert.False(chroma.Row(y).ContainsAnyExcept((byte)(tick / 4)), $"frame {frame.Sequence}: chroma in row {y}");
        }
    }

    /// <summary>Publishes stamped frames, of which it knows the mean.</summary>
    private sealed class TestPublisher : IDisposable
    {
        public const int Width = 130;
        public const int Height = 34;

        private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

        private readonly FramePublisher _publisher;
        private readonly DevicePublisher? _device;
        private readonly PixelFormat _format;

        public TestPublisher(string directory, string memory, string pixelFormat)
        {
            Assert.True(PixelFormats.TryParse(pixelFormat, out _format));
            bool isCuda = memory == "cuda";
            if (isCuda)
            {
                // The driver's double, unless there is a GPU.
                _ = TestCuda.Device;
            }

            _publisher = FramePublisher.Create(Key, new StreamFormat(_format, Width, Height),
                new PublisherOptions { Directory = directory, Memory = isCuda ? FrameMemory.Cuda : FrameMemory.Host });
            _device = isCuda ? new DevicePublisher(_publisher) : null;
        }

        public void WaitForSubscriber()
        {
            Stopwatch watch = Stopwatch.StartNew();
            while (_publisher.GetStatistics().Subscribers.Count == 0)
            {
                Assert.True(watch.Elapsed < Patience, "nobody came");

                // Nothing tells when somebody comes.
                Thread.Sleep(5);
            }
        }

        public void Publish()
        {
            if (_device is null)
            {
                StampedFrames.Publish(_publisher);
            }
            else
            {
                _device.Publish();
            }
        }

        /// <summary>Of the frame that was published last.</summary>
        public double MeanOfFirstPlane()
        {
            byte[] picture = new byte[PixelFormats.PictureBytes(_format, Width, Height)];
            FrameStamp.Fill(picture, _format, Width, Height, StampedFrames.Number(_publisher.Epoch, _publisher.Head));
            return picture.AsSpan(0, PixelFormats.RowBytes(_format, 0, Width) * Height).ToArray().Average(value => (double)value);
        }

        public void Dispose()
        {
            _device?.Dispose();
            _publisher.Dispose();
        }
    }
}
