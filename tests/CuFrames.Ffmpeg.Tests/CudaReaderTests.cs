using CuFrames.Client;
using CuFrames.Protocol;
using CuFrames.TestKit;
using Xunit;

namespace CuFrames.Ffmpeg.Tests;

/// <summary>The demuxer cuframes on frames in the memory of a GPU that C# publishes, on the double of its driver.</summary>
public sealed class CudaReaderTests
{
    private const string Key = CudaSource.Key;
    private const int Width = CudaSource.Width;
    private const int Height = CudaSource.Height;
    private const string Patience = "100000000";

    public static TheoryData<string> Versions { get; } = [.. FfmpegBuild.Versions];

    public static TheoryData<string, PixelFormat, FrameMemory> Formats { get; } =
    [
        .. from version in FfmpegBuild.Versions from format in (PixelFormat[])[PixelFormat.Nv12, PixelFormat.P010, PixelFormat.I420] select (version, format, FrameMemory.Cuda),
        .. FfmpegBuild.Versions.Select(version => (version, PixelFormat.Nv12, FrameMemory.CudaIpc)),
    ];

    [Theory]
    [MemberData(nameof(Formats))]
    public async Task Every_frame_of_a_lossless_publisher_is_read(string version, PixelFormat format, FrameMemory memory)
    {
        using CudaMachine machine = new();
        using FramePublisher publisher = Publish(machine, format, memory);

        // A GPU that takes its time: what is overwritten too early is torn.
        using CudaProgram reader = machine.FfmpegWith(
            [new("FAKECUDA_DELAY_US", "0-3000")], version,
            "-v", "error", "-f", "cuframes", "-delivery", "lossless", "-timeout", Patience, "-i", Key, "-vf", $"hwdownload,format={NameOf(format)}", "-fps_mode", "passthrough", "-f", "rawvideo", "pipe:1");
        WaitForReader(publisher);
        using CudaPump pump = new(publisher);
        byte[] picture = new byte[PixelFormats.PictureBytes(format, Width, Height)];
        ulong last = 0;
        for (int i = 0; i < 100; i++)
        {
            Read(reader, picture);
            ulong next = SequenceOf(picture, publisher, last);
            Assert.True(last == 0 || next == last + 1, $"{next} follows {last}.");
            last = next;
        }

        // The publisher waits for no dead one.
        reader.Process.Kill();
        await pump.End();
    }


    [Theory]
    [MemberData(nameof(Versions))]
    public async Task A_killed_reader_gives_its_frames_back(string version)
    {
        using CudaMachine machine = new();
        using FramePublisher publisher = Publish(machine);
        byte[] picture = new byte[PixelFormats.PictureBytes(PixelFormat.Nv12, Width, Height)];
        for (int run = 0; run < 3; run++)
        {
            using CudaProgram reader = machine.Ffmpeg(
                version, "-v", "error", "-f", "cuframes", "-i", Key, "-vf", "fps=25,hwdownload,format=nv12", "-f", "rawvideo", "pipe:1");
            WaitForReader(publisher);
            using CudaPump pump = new(publisher);
            Read(reader, picture);

            // This filter keeps a frame until the next has come, and nobody takes what is written.
            CudaSource.WaitFor(() => publisher.GetStatistics().HeldSlots > 0, "The reader holds nothing.");
            reader.Process.Kill();
            CudaSource.WaitFor(() => publisher.SubscriberCount == 0, "The reader is dead and still counted.");
            ulong head = publisher.Head;
            CudaSource.WaitFor(() => publisher.Head > head + 60, "The publisher does not go on.");
            await pump.End();
            Assert.Equal(0, publisher.GetStatistics().HeldSlots);
            Assert.Equal(0UL, publisher.GetStatistics().Dropped);
        }
    }


    /// <summary>A reader whose output nobody takes: its queues fill with frames, up to its leases. It waits and goes on.</summary>
    [Theory]
    [MemberData(nameof(Versions))]
    public async Task A_reader_that_is_held_up_goes_on(string version)
    {
        using CudaMachine machine = new();
        using FramePublisher publisher = Publish(machine);
        using CudaProgram reader = machine.Ffmpeg(
            version, "-v", "error", "-f", "cuframes", "-leases", "2", "-timeout", Patience, "-i", Key, "-vf", "hwdownload,format=nv12", "-fps_mode", "passthrough", "-f", "rawvideo", "pipe:1");
        WaitForReader(publisher);
        using CudaPump pump = new(publisher);
        byte[] picture = new byte[PixelFormats.PictureBytes(PixelFormat.Nv12, Width, Height)];
        ulong last = 0;
        for (int run = 0; run < 3; run++)
        {
            ulong head = publisher.Head;
            CudaSource.WaitFor(() => publisher.Head > head + 100, "The publisher does not go on.");
            for (ulong newest = publisher.Head; last < newest;)
            {
                Read(reader, picture);
                last = SequenceOf(picture, publisher, last);
            }
        }

        // No publisher waits for a reader, and the ring has more slots than this one may hold.
        await pump.End();
        Assert.Equal(0UL, publisher.GetStatistics().Dropped);
    }


    [Theory]
    [MemberData(nameof(Versions))]
    public async Task Who_keeps_all_frames_is_told_of_leases(string version)
    {
        using CudaMachine machine = new();
        using FramePublisher publisher = Publish(machine);

        // This filter keeps a frame until the next has come, and there is one lease.
        using CudaProgram reader = machine.Ffmpeg(
            version, "-v", "warning", "-f", "cuframes", "-leases", "1", "-timeout", "3000000", "-i", Key, "-vf", "fps=25,hwdownload,format=nv12", "-f", "null", "-");
        WaitForReader(publisher);
        using CudaPump pump = new(publisher);
        (_, _, string messages) = reader.End();
        Assert.Contains("holds as many frames of 'cam1' as it may (1)", messages, StringComparison.Ordinal);
        Assert.Contains("let go of no frame of 'cam1' within 3.0 s", messages, StringComparison.Ordinal);
        Assert.Contains("-leases", messages, StringComparison.Ordinal);
        await pump.End();
    }

    [Theory]
    [MemberData(nameof(Versions))]
    public async Task Pictures_may_change_in_mid_stream(string version)
    {
        StreamFormat[] kinds = [Kind(PixelFormat.Nv12, 192, 144), Kind(PixelFormat.Nv12, 640, 360), Kind(PixelFormat.Nv12, Width, Height)];
        using CudaMachine machine = new();
        using FramePublisher publisher = Publish(machine);
        using CudaProgram reader = machine.Ffmpeg(
            version, "-v", "error", "-f", "cuframes", "-delivery", "lossless", "-timeout", Patience, "-i", Key, "-noautoscale", "-fps_mode", "passthrough",
            "-vf", "hwdownload,format=nv12", "-f", "rawvideo", "pipe:1");
        WaitForReader(publisher);
        using CudaPump pump = new(publisher);
        byte[] picture = new byte[PixelFormats.PictureBytes(PixelFormat.Nv12, Width, Height)];
        Read(reader, picture);
        ulong last = SequenceOf(picture, publisher, 0);
        pump.Follow(kinds);
        HashSet<StreamFormat> seen = [];
        for (int frames = 0; frames < 40; frames++)
        {
            CudaSource.WaitFor(() => publisher.Head > last, "The publisher does not go on.");
            StreamFormat kind = pump.FormatOf(last + 1);
            picture = new byte[PixelFormats.PictureBytes(kind.PixelFormat, kind.Width, kind.Height)];
            Read(reader, picture);
            ulong next = SequenceOf(picture, publisher, last, kind);
            Assert.Equal(last + 1, next);
            last = next;
            _ = seen.Add(kind);
        }

        Assert.All(kinds, kind => Assert.Contains(kind, seen));
        reader.Process.Kill();
        await pump.End();
    }


    [Theory]
    [MemberData(nameof(Versions))]
    public async Task The_next_publisher_is_read(string version)
    {
        using CudaMachine machine = new();

        // The time-out ends the reader after the last publisher. Each of them has to begin within it, and be it that the machine is busy.
        using CudaProgram reader = machine.Ffmpeg(
            version, "-v", "error", "-f", "cuframes", "-timeout", "10000000", "-i", Key, "-vf", "hwdownload,format=nv12", "-fps_mode", "passthrough", "-f", "rawvideo", "pipe:1");
        byte[] picture = new byte[PixelFormats.PictureBytes(PixelFormat.Nv12, Width, Height)];
        (ulong Epoch, ulong Sequence) before = (0, 0);
        for (int run = 0; run < 3; run++)
        {
            using FramePublisher publisher = Publish(machine);
            WaitForReader(publisher);
            using CudaPump pump = new(publisher);
            ulong last = 0;
            for (int i = 0; i < 10;)
            {
                Read(reader, picture);
                if (last == 0 && before.Epoch != 0 && FindSequence(picture, before.Epoch, before.Sequence, before.Sequence + 100) is { } late)
                {
                    before.Sequence = late;
                    continue;
                }

                last = SequenceOf(picture, publisher, last);
                i++;
            }

            await pump.End();
            before = (publisher.Epoch, last);
        }

        _ = reader.Output.CopyToAsync(Stream.Null, TestContext.Current.CancellationToken);
        (_, _, string messages) = reader.End();
        Assert.Contains("gave no frame", messages, StringComparison.Ordinal);
        reader.Counts.AssertNothingIsLeft();
    }


    [Theory]
    [MemberData(nameof(Versions))]
    public async Task A_stream_that_moves_to_other_memory_is_ended(string version)
    {
        foreach (FrameMemory first in (FrameMemory[])[FrameMemory.Cuda, FrameMemory.Host])
        {
            using CudaMachine machine = new();
            using CudaProgram reader = machine.Ffmpeg(version, "-v", "error", "-xerror", "-f", "cuframes", "-timeout", Patience, "-i", Key, "-f", "null", "-");
            foreach (FrameMemory memory in (FrameMemory[])[first, first == FrameMemory.Cuda ? FrameMemory.Host : FrameMemory.Cuda])
            {
                using FramePublisher publisher = Publish(machine, PixelFormat.Nv12, memory);
                WaitForReader(publisher);
                using CudaPump pump = new(publisher);
                ulong head = publisher.Head;
                CudaSource.WaitFor(() => publisher.Head > head + 20 || reader.Process.HasExited, "The publisher does not go on.");
                if (memory != first)
                {
                    CudaSource.WaitFor(() => reader.Process.HasExited, "The reader does not end.");
                }

                await pump.End();
            }

            (int status, _, string messages) = reader.End();
            Assert.NotEqual(0, status);
            Assert.Contains(
                first == FrameMemory.Cuda
                    ? "322x182 in main memory, which a stream of hardware frames cannot express" : "322x182 in GPU memory, which raw video cannot express",
                messages, StringComparison.Ordinal);
        }
    }


    /// <summary>avformat_find_stream_info() keeps frames while it measures a rate that nobody told: more than there are leases.</summary>
    [Theory]
    [MemberData(nameof(Versions))]
    public async Task A_stream_without_a_rate_is_opened(string version)
    {
        using CudaMachine machine = new();
        using FramePublisher publisher = FramePublisher.Create(
            Key, new StreamFormat(PixelFormat.Nv12, Width, Height), new PublisherOptions { Directory = machine.Directory, Memory = FrameMemory.Cuda, MaxSlots = 48 });
        using CudaPump pump = new(publisher);
        using CudaProgram probe = machine.Start(
            [], FfmpegBuild.Ffprobe(version), "-v", "error", "-f", "cuframes", "-leases", "3", "-timeout", "20000000", "-show_entries", "stream=codec_name,width,height,pix_fmt,avg_frame_rate", Key);
        string found = FilterTests.Succeed(probe.End());
        Assert.Contains("codec_name=wrapped_avframe", found, StringComparison.Ordinal);
        Assert.Contains("width=322", found, StringComparison.Ordinal);
        Assert.Contains("pix_fmt=cuda", found, StringComparison.Ordinal);
        Assert.Contains("avg_frame_rate=25/1", found, StringComparison.Ordinal);
        await pump.End();
    }

    private static string NameOf(PixelFormat format) => format switch
    {
        PixelFormat.Nv12 => "nv12",
        PixelFormat.P010 => "p010le",
        PixelFormat.I420 => "yuv420p",
        _ => throw new ArgumentOutOfRangeException(nameof(format)),
    };

    private static StreamFormat Kind(PixelFormat format, int width, int height) =>
        new(format, width, height) { FrameRateNumerator = 25, FrameRateDenominator = 1 };

    private static FramePublisher Publish(CudaMachine machine, PixelFormat format = PixelFormat.Nv12, FrameMemory memory = FrameMemory.Cuda)
    {
        // The double comes before any other driver.
        _ = TestCuda.Device;
        return FramePublisher.Create(Key, Kind(format, Width, Height), new PublisherOptions
        {
            Directory = machine.Directory,
            Memory = memory,
            MaxSlots = 48,
            LosslessTimeout = TimeSpan.FromSeconds(100),
        });
    }

    /// <summary>The number of a frame after another one, every byte of which is right.</summary>
    private static ulong SequenceOf(byte[] picture, FramePublisher publisher, ulong last, StreamFormat? format = null)
    {
        ulong? found = FindSequence(picture, publisher.Epoch, last, publisher.Head, format ?? publisher.Format);
        Assert.True(found is not null, $"What follows frame {last} is none of those up to {publisher.Head}.");
        return found.Value;
    }

    private static ulong? FindSequence(byte[] picture, ulong epoch, ulong after, ulong upTo, StreamFormat? format = null)
    {
        StreamFormat kind = format ?? new StreamFormat(PixelFormat.Nv12, Width, Height);
        for (ulong sequence = after + 1; sequence <= upTo; sequence++)
        {
            if (FrameStamp.FindFault(picture, kind.PixelFormat, kind.Width, kind.Height, StampedFrames.Number(epoch, sequence)) is null)
            {
                return sequence;
            }
        }

        return null;
    }

    private static void Read(CudaProgram reader, byte[] picture)
    {
        try
        {
            reader.Output.ReadExactly(picture);
        }
        catch (EndOfStreamException error)
        {
            throw new InvalidOperationException(reader.End().Messages, error);
        }
    }

    private static void WaitForReader(FramePublisher publisher) => CudaSource.WaitFor(() => publisher.SubscriberCount > 0, "No reader joins.");
}
