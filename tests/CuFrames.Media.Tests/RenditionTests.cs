using CuFrames.Client;
using CuFrames.Protocol;
using CuFrames.TestKit;
using Xunit;

namespace CuFrames.Media.Tests;

/// <summary>Renditions of a pump: what they hold, when they are made, and that they disturb nobody.</summary>
public sealed class RenditionTests : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(90);
    private readonly MediaClips _clips = new();
    private readonly List<FrameSubscriber> _readers = [];

    public void Dispose()
    {
        _readers.ForEach(reader => reader.Dispose());
        _clips.Dispose();
    }

    [Fact]
    public void Three_renditions_of_a_file_hold_every_frame_that_is_due()
    {
        string path = _clips.H264("a.mp4", 640, 480, 2);
        using CameraHarness camera = new(CameraHarness.File(path));
        Rendition small = Add(camera, "small", new RenditionOptions { Width = 320, Height = 180, MaxFrameRate = 5, Format = PixelFormat.Rgb24 });
        Rendition half = Add(camera, "half", new RenditionOptions { Scale = 0.5 });
        Rendition same = Add(camera, "same", new RenditionOptions { Format = PixelFormat.Bgra });
        FrameSubscriber[] readers = [Read(camera, small), Read(camera, half), Read(camera, same)];
        List<(FrameMetadata Metadata, string Format, byte[] Samples)>[] frames = [[], [], []];
        List<FrameMetadata> originals = [];
        camera.Pump.Start();

        // Lossless: each reader has to go on for the others to go on.
        for (int i = 0; i < 50; i++)
        {
            originals.Add(camera.Next().Metadata);
            for (int reader = 0; reader < 3; reader++)
            {
                if (reader > 0 || i % 5 == 0)
                {
                    frames[reader].Add(Next(readers[reader]));
                }
            }
        }

        camera.WaitFor(CameraState.Ended);
        Require(0, "rgb24 320x180", "scale=240:180:flags=bicubic+accurate_rnd+full_chroma_int+full_chroma_inp+bitexact:in_color_matrix=bt601:in_range=tv,format=rgb24,pad=320:180:40:0:black", "rgb24", 320 * 180 * 3, 5);
        Require(1, "i420 320x240", "scale=320:240:flags=bicubic+accurate_rnd+full_chroma_int+full_chroma_inp+bitexact,format=yuv420p", "yuv420p", 320 * 240 * 3 / 2, 1);
        Require(2, "bgra 640x480", "scale=640:480:flags=bicubic+accurate_rnd+full_chroma_int+full_chroma_inp+bitexact:in_color_matrix=bt601:in_range=tv,format=bgra", "bgra", 640 * 480 * 4, 1);
        Assert.Equal([10L, 50, 50], ((Rendition[])[small, half, same]).Select(rendition => rendition.Statistics.Pictures));
        Assert.Equal([(5u, 1u), (25u, 1u), (25u, 1u)], ((Rendition[])[small, half, same]).Select(rendition => (rendition.Publisher.Format!.Value.FrameRateNumerator, rendition.Publisher.Format!.Value.FrameRateDenominator)));
        // One decode for all of them.
        Assert.Equal((50L, 50L, 1L), (camera.Pump.Statistics.Packets, camera.Pump.Statistics.Frames, camera.Pump.Statistics.Connections));
        Assert.All([small, half, same], rendition => Assert.Equal(StreamState.Ended, rendition.Publisher.GetStatistics().State));

        void Require(int reader, string format, string filter, string name, int size, int step)
        {
            string raw = _clips.PathOf("reference.raw");
            MediaClips.Ffmpeg("-i", path, "-vf", filter, "-fps_mode", "passthrough", "-f", "rawvideo", "-pix_fmt", name, raw);
            byte[] reference = File.ReadAllBytes(raw);
            Assert.Equal(50 * size, reference.Length);
            for (int i = 0; i < frames[reader].Count; i++)
            {
                (FrameMetadata metadata, string found, byte[] samples) = frames[reader][i];
                Assert.Equal(format, found);
                Assert.True(reference.AsSpan(i * step * size, size).SequenceEqual(samples), $"{format}: frame {i} differs");
                FrameMetadata original = originals[i * step];
                bool isRgb = name != "yuv420p";
                Assert.Equal(
                    original with
                    {
                        PublishTime = metadata.PublishTime,
                        ColourMatrix = isRgb ? (byte)0 : original.ColourMatrix,
                        ColourRange = isRgb ? ColourRange.Full : original.ColourRange,
                        ChromaLocation = isRgb ? (byte)0 : original.ChromaLocation,
                    },
                    metadata);
            }

            Assert.Equal(step == 1, frames[reader][^1].Metadata.Flags.HasFlag(FrameFlags.EndOfStream));
        }
    }

    [Fact]
    public void A_rendition_is_made_only_while_somebody_reads_and_the_first_frame_is_the_next_one()
    {
        using CameraHarness camera = new(new CameraOptions { Pattern = new TestPatternOptions { Width = 64, Height = 48, Format = PixelFormat.Nv12, Paced = false } });
        Rendition idle = Add(camera, "idle", new RenditionOptions { Scale = 0.5 });
        Rendition used = Add(camera, "used", new RenditionOptions { Scale = 2, MaxFrameRate = 0.001 });
        camera.Pump.Start();
        long number = 0;
        for (int round = 0; round < 3; round++)
        {
            for (int i = 0; i < 20; i++)
            {
                number = (long)camera.Next().Metadata.SourcePacket;
            }

            ulong before = used.Publisher.Head;

            // Our lossless reader holds the camera back: frame number + 4 is the last one that has a slot.
            using FrameSubscriber reader = FrameSubscriber.Connect(used.Publisher.Key, new SubscriberOptions { Directory = camera.Directory, Delivery = Delivery.InOrder });
            TestWait(() => camera.Next().Metadata.SourcePacket > 0 && used.Publisher.Head > before);
            if (round == 0)
            {
                (FrameMetadata first, string format, byte[] samples) = Next(reader);
                Assert.Equal("nv12 128x96", format);
                Assert.InRange((long)first.SourcePacket, number + 1, number + 8);
                Assert.Equal(Scaled((long)first.SourcePacket - 1), samples);
            }

            // One frame in a thousand seconds, but the first one after somebody came at once.
            Assert.Equal(before + 1, used.Publisher.Head);
            reader.Dispose();
            TestWait(() => used.Publisher.SubscriberCount == 0);
            camera.Next();
        }

        TestWait(() => camera.Next().Metadata.SourcePacket > 0 && StreamDirectory.Probe(idle.Publisher.Key, camera.Directory).StateText.Length > 0);
        Assert.Equal(new RenditionStatistics(0, 0, 0), idle.Statistics);
        Assert.Equal(new RenditionStatistics(3, 3, 0), used.Statistics);
        Assert.Equal(0L, idle.Publisher.GetStatistics().SegmentBytes);
        StreamInfo info = StreamDirectory.Probe(idle.Publisher.Key, camera.Directory);
        Assert.Equal((StreamState.Starting, "idle: computed when somebody reads it; nv12 32x24."), (info.Description?.State, info.StateText));
    }

    [Fact]
    public void A_change_of_the_sources_size_changes_what_depends_on_it()
    {
        string path = _clips.Join("joined.ts", _clips.H264("first.ts", 640, 480, 0.4), _clips.H264("second.ts", 320, 240, 0.4));
        using CameraHarness camera = new(CameraHarness.File(path));
        Rendition half = Add(camera, "half", new RenditionOptions { Scale = 0.5 }), fixedSize = Add(camera, "fixed", new RenditionOptions { Width = 100, Height = 100, Fit = PictureFit.Crop });
        FrameSubscriber halfReader = Read(camera, half), fixedReader = Read(camera, fixedSize);
        camera.Pump.Start();
        List<string> formats = [];
        for (int i = 0; i < 20; i++)
        {
            camera.Next();
            formats.Add(Next(halfReader).Format);
            Assert.Equal("i420 100x100", Next(fixedReader).Format);
        }

        Assert.Equal([.. Enumerable.Repeat("i420 320x240", 10), .. Enumerable.Repeat("i420 160x120", 10)], formats);
    }

    [Fact]
    public void Renditions_come_and_go_while_the_camera_and_the_others_go_on()
    {
        using CameraHarness camera = new(new CameraOptions { Pattern = new TestPatternOptions { Width = 64, Height = 48, Format = PixelFormat.Nv12, Paced = false } });
        Rendition stays = Add(camera, "stays", new RenditionOptions { Scale = 2 });
        FrameSubscriber reader = Read(camera, stays);
        camera.Pump.Start();
        ulong packet = 0;
        for (int round = 0; round < 20; round++)
        {
            Rendition other = Add(camera, "other", new RenditionOptions { Width = 33, Height = 35, Format = PixelFormat.Rgb24 });
            using FrameSubscriber otherReader = FrameSubscriber.Connect(other.Publisher.Key, new SubscriberOptions { Directory = camera.Directory, Reconnect = false });
            TestWait(() =>
            {
                Step();
                return other.Publisher.Head > 2;
            });
            Assert.Equal("rgb24 33x35", Next(otherReader).Format);
            camera.Pump.Remove(other);
            Assert.Equal(ErrorCode.StreamNotFound, StreamDirectory.Probe(other.Publisher.Key, camera.Directory).ErrorCode);
            Step();
        }

        Assert.Equal(0UL, reader.Missed);
        Assert.Throws<InvalidOperationException>(() => camera.Pump.Add(stays));

        void Step()
        {
            Assert.Equal(++packet, camera.Next().Metadata.SourcePacket);
            (FrameMetadata metadata, string _, byte[] samples) = Next(reader);
            Assert.Equal(packet, metadata.SourcePacket);
            Assert.Equal(Scaled((long)packet - 1), samples);
        }
    }

    [Fact]
    public void What_goes_wrong_with_one_is_its_own_state_and_the_camera_goes_on()
    {
        using CameraHarness camera = new(new CameraOptions { Pattern = new TestPatternOptions { Width = 64, Height = 48, Format = PixelFormat.Nv12, Paced = false } });
        System.Collections.Concurrent.ConcurrentQueue<string> troubles = new();
        Rendition large = new(
            FramePublisher.Create("camera@large", new PublisherOptions { Directory = camera.Directory, MemoryLimit = 100_000 }),
            new RenditionOptions { Width = 4000, Height = 3000 },
            troubles.Enqueue);
        camera.Pump.Add(large);
        Rendition tooLarge = Add(camera, "too-large", new RenditionOptions { Scale = 1000 }), good = Add(camera, "good", new RenditionOptions());
        FrameSubscriber[] readers = [Read(camera, large, Delivery.Newest), Read(camera, tooLarge, Delivery.Newest), Read(camera, good)];
        camera.Pump.Start();
        for (ulong i = 1; i <= 200; i++)
        {
            Assert.Equal(i, camera.Next().Metadata.SourcePacket);
            Assert.Equal(i, Next(readers[2]).Metadata.SourcePacket);
        }

        StreamInfo info = StreamDirectory.Probe("camera@large", camera.Directory);
        Assert.Equal(StreamState.SourceLost, info.Description?.State);
        Assert.Contains("memory limit", info.StateText, StringComparison.Ordinal);
        Assert.Contains("16384", StreamDirectory.Probe("camera@too-large", camera.Directory).StateText, StringComparison.Ordinal);
        Assert.Equal([info.StateText], troubles);
    }

    [Fact]
    public void A_lost_source_is_told_to_readers_of_renditions_too()
    {
        string path = _clips.PathOf("later.mp4");
        using CameraHarness camera = new(CameraHarness.File(path, loop: true));
        Rendition first = Add(camera, "first", new RenditionOptions { Scale = 0.5 });
        camera.Pump.Start();
        camera.WaitFor(CameraState.SourceLost);
        Rendition second = Add(camera, "second", new RenditionOptions { Scale = 0.5 });
        foreach (Rendition rendition in (Rendition[])[first, second])
        {
            StreamInfo info = StreamDirectory.Probe(rendition.Publisher.Key, camera.Directory);
            Assert.Equal(StreamState.SourceLost, info.Description?.State);
            Assert.Contains("later.mp4", info.StateText, StringComparison.Ordinal);
        }

        FrameSubscriber reader = Read(camera, first);
        File.Move(_clips.H264("other.mp4", 320, 240, 0.4), path);
        Assert.Equal("i420 160x120", Next(reader).Format);
        Assert.Equal(StreamState.Live, StreamDirectory.Probe(first.Publisher.Key, camera.Directory).Description?.State);
        TestWait(() => StreamDirectory.Probe(second.Publisher.Key, camera.Directory).StateText.StartsWith(Rendition.IdleText, StringComparison.Ordinal) || Drain());

        bool Drain()
        {
            camera.Next();
            Next(reader);
            return false;
        }
    }

    [Fact]
    public void Making_frames_allocates_nothing_and_options_are_checked()
    {
        Assert.Throws<MediaException>(() => Make(new RenditionOptions { Width = 5 }));
        Assert.Throws<MediaException>(() => Make(new RenditionOptions { Width = 5, Height = 16385 }));
        Assert.Throws<MediaException>(() => Make(new RenditionOptions { Width = 5, Height = 5, Scale = 2 }));
        Assert.Throws<MediaException>(() => Make(new RenditionOptions { Scale = 0 }));
        Assert.Throws<MediaException>(() => Make(new RenditionOptions { Scale = double.NaN }));
        Assert.Throws<MediaException>(() => Make(new RenditionOptions { MaxFrameRate = 0 }));
        Assert.Throws<MediaException>(() => Make(new RenditionOptions { Format = PixelFormat.Unknown }));

        using TemporaryDirectory directory = new();
        using FramePublisher publisher = FramePublisher.Create("camera@a", new PublisherOptions { Directory = directory.Path });
        using Rendition rendition = new(publisher, new RenditionOptions { Width = 100, Height = 70, Format = PixelFormat.Rgb24 });
        using FrameSubscriber reader = FrameSubscriber.Connect("camera@a", new SubscriberOptions { Directory = directory.Path });
        using TestPatternSource source = new(new TestPatternOptions { Width = 64, Height = 48, Format = PixelFormat.Nv12 });
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

        static void Make(RenditionOptions options)
        {
            using TemporaryDirectory directory = new();
            using FramePublisher publisher = FramePublisher.Create("camera@a", new PublisherOptions { Directory = directory.Path });
            new Rendition(publisher, options).Dispose();
        }
    }

    private static Rendition Add(CameraHarness camera, string name, RenditionOptions options)
    {
        Rendition rendition = new(
            FramePublisher.Create($"camera@{name}", new PublisherOptions { Directory = camera.Directory, LosslessTimeout = Patience, Slots = 4, MaxSlots = 4 }), options);
        camera.Pump.Add(rendition);
        return rendition;
    }

    private FrameSubscriber Read(CameraHarness camera, Rendition rendition, Delivery delivery = Delivery.Lossless)
    {
        FrameSubscriber reader = FrameSubscriber.Connect(rendition.Publisher.Key, new SubscriberOptions { Directory = camera.Directory, Delivery = delivery });
        _readers.Add(reader);
        return reader;
    }

    private static (FrameMetadata Metadata, string Format, byte[] Samples) Next(FrameSubscriber reader)
    {
        using Frame frame = reader.Next(Patience);
        byte[] samples = new byte[PixelFormats.PictureBytes(frame.PixelFormat, frame.Width, frame.Height)];
        frame.CopyTo(samples);
        frame.ThrowIfInvalid();
        return (frame.Metadata, $"{PixelFormats.Name(frame.PixelFormat)} {frame.Width}x{frame.Height}", samples);
    }

    /// <summary>The picture of the pattern that these tests use, twice as large: by the scaler alone, which has tests of its own.</summary>
    private static byte[] Scaled(long number)
    {
        using Internal.ScratchPicture scratch = new();
        ReadOnlySpan<PicturePlane> picture = scratch.Shape(PixelFormat.Nv12, 64, 48);
        new TestPattern(PixelFormat.Nv12, 64, 48).Fill(picture, number);
        using PictureScaler scaler = new(PixelFormat.Nv12, 128, 96, PictureFit.Letterbox);
        using FrameBuffer buffer = new(PixelFormat.Nv12, 128, 96);
        scaler.Scale(PixelFormat.Nv12, 64, 48, picture, new FrameMetadata { ColourMatrix = 1, ColourRange = ColourRange.Limited }, buffer.Planes);
        return buffer.Samples();
    }

    private static void TestWait(Func<bool> condition)
    {
        for (long end = Environment.TickCount64 + (long)Patience.TotalMilliseconds; !condition();)
        {
            Assert.True(Environment.TickCount64 < end, "this did not come about");
        }
    }
}
