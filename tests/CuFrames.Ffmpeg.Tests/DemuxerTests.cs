using CuFrames.Client;
using CuFrames.Daemon.Tests;
using CuFrames.Protocol;
using CuFrames.TestKit;
using Xunit;

namespace CuFrames.Ffmpeg.Tests;

/// <summary>The demuxer cuframes, in each version of FFmpeg.</summary>
public sealed class DemuxerTests
{
    private const string Key = "cam1";
    private const int Width = 322;
    private const int Height = 182;

    public static TheoryData<string> Versions { get; } = [.. FfmpegBuild.Versions];

    public static TheoryData<string, PixelFormat> Formats { get; } =
    [
        .. FfmpegBuild.Versions.Select(version => (version, PixelFormat.Nv12)),
        ("8.1", PixelFormat.I420), ("8.1", PixelFormat.P010), ("8.1", PixelFormat.Gray8), ("8.1", PixelFormat.Rgb24), ("8.1", PixelFormat.Bgr24),
        ("8.1", PixelFormat.Rgba), ("8.1", PixelFormat.Bgra),
    ];

    public static TheoryData<string, string> Pairs { get; } =
        [.. from publisher in FfmpegBuild.Versions from reader in FfmpegBuild.Versions where publisher != reader select (publisher, reader)];

    [Theory]
    [MemberData(nameof(Formats))]
    public async Task Every_frame_of_a_lossless_publisher_is_read(string version, PixelFormat format)
    {
        const int Frames = 200;
        using TemporaryDirectory directory = new();
        using FramePublisher publisher = Publish(directory.Path, format);
        using FfmpegProcess reader = FfmpegProcess.Start(
            FfmpegBuild.Ffmpeg(version), directory.Path, "-v", "error", "-delivery", "lossless", "-i", $"cuframes:{Key}", "-c", "copy", "-f", "rawvideo", "pipe:1");
        using ManualResetEventSlim firstIsRead = new();
        WaitForReader(publisher);

        // Both at once: a publisher that waits for a reader whose output nobody takes would wait for ever.
        Task publishing = Task.Run(() =>
        {
            for (int i = 0; i < Frames; i++)
            {
                Assert.True(StampedFrames.TryPublish(publisher));
                if (i == 0)
                {
                    // A reader begins with the newest frame of the moment in which it first looks.
                    firstIsRead.Wait(TestContext.Current.CancellationToken);
                }
            }
        });
        byte[] picture = new byte[PixelFormats.PictureBytes(format, Width, Height)];
        for (ulong sequence = 1; sequence <= Frames; sequence++)
        {
            reader.Output.ReadExactly(picture);
            Assert.Null(FrameStamp.FindFault(picture, format, Width, Height, StampedFrames.Number(publisher.Epoch, sequence)));
            firstIsRead.Set();
        }

        await publishing;
    }

    [Theory]
    [MemberData(nameof(Pairs))]
    public void One_version_publishes_and_another_reads(string publishing, string reading)
    {
        using TemporaryDirectory directory = new();

        // Much longer than the reader needs, which may join late; the publisher is killed then.
        string source = $"testsrc2=size={Width}x{Height}:rate=25:duration=20";
        Dictionary<long, string> expected = DigestLine.ReadAll(FilterTests.Succeed(FfmpegProcess.Run(
            FfmpegBuild.Ffmpeg(publishing), directory.Path, "-v", "error", "-f", "lavfi", "-i", source, "-vf", "format=nv12", "-f", "framehash", "-")))
            .ToDictionary(line => line.Pts, line => line.Hash);
        using FfmpegProcess reader = FfmpegProcess.Start(
            FfmpegBuild.Ffmpeg(reading), directory.Path, "-v", "error", "-copyts", "-f", "cuframes", "-i", Key, "-c", "copy", "-frames:v", "30", "-f", "framehash", "-");
        using FfmpegProcess publisher = FfmpegProcess.Start(
            FfmpegBuild.Ffmpeg(publishing), directory.Path, "-v", "error", "-re", "-f", "lavfi", "-i", source, "-vf", $"format=nv12,cuda_ipc_export=key={Key}", "-f", "null", "-");
        DigestLine[] read = DigestLine.ReadAll(FilterTests.Succeed(reader.End()));
        Assert.Equal(30, read.Length);
        Assert.All(read, line => Assert.Equal(expected[line.Pts], line.Hash));
        Assert.All(read.Zip(read.Skip(1)), pair => Assert.True(pair.Second.Dts > pair.First.Dts));
        publisher.Kill();
    }

    [Theory]
    [MemberData(nameof(Versions))]
    public void Times_go_on_when_the_publisher_is_started_anew(string version)
    {
        using TemporaryDirectory directory = new();
        using FfmpegProcess reader = FfmpegProcess.Start(
            FfmpegBuild.Ffmpeg(version), directory.Path, "-v", "error", "-i", $"cuframes:{Key}", "-c", "copy", "-frames:v", "6", "-flush_packets", "1", "-f", "framehash", "pipe:1");
        using StreamReader lines = new(reader.Output);
        List<string> text = [];
        int frames = 0;
        for (int run = 0; run < 2; run++)
        {
            using FramePublisher publisher = Publish(directory.Path, PixelFormat.Gray8);
            WaitForReader(publisher);
            for (int target = frames + 3; frames < target; frames++)
            {
                Assert.True(StampedFrames.TryPublish(publisher));
                string line;
                do
                {
                    line = lines.ReadLine() ?? throw new EndOfStreamException(string.Join('\n', text));
                    text.Add(line);
                }
                while (line.StartsWith('#'));
            }
        }

        DigestLine[] read = DigestLine.ReadAll(string.Join('\n', text));
        Assert.Equal(6, read.Length);
        Assert.All(read.Zip(read.Skip(1)), pair => Assert.True(pair.Second.Dts > pair.First.Dts, $"{pair.First} is followed by {pair.Second}"));
    }

    [Theory]
    [MemberData(nameof(Versions))]
    public void A_killed_reader_gives_its_frames_back(string version)
    {
        using TemporaryDirectory directory = new();
        using FramePublisher publisher = Publish(directory.Path, PixelFormat.Nv12);
        for (int run = 0; run < 3; run++)
        {
            using FfmpegProcess reader = FfmpegProcess.Start(
                FfmpegBuild.Ffmpeg(version), directory.Path, "-v", "error", "-i", $"cuframes:{Key}", "-c", "copy", "-f", "rawvideo", "pipe:1");
            WaitForReader(publisher);
            byte[] picture = new byte[PixelFormats.PictureBytes(PixelFormat.Nv12, Width, Height)];
            StampedFrames.Publish(publisher);
            reader.Output.ReadExactly(picture);
            reader.Kill();
            while (publisher.SubscriberCount > 0)
            {
                Thread.Sleep(5); // between two looks
            }

            // More than there are slots: each of them is free again.
            StampedFrames.Publish(publisher, 60);
            Assert.Equal(0, publisher.GetStatistics().HeldSlots);
        }
    }

    /// <summary>As an NVR stops it: with one SIGTERM, also while there is nothing to read.</summary>
    [Theory]
    [MemberData(nameof(Versions))]
    public void One_signal_ends_a_reader_that_waits(string version)
    {
        using TemporaryDirectory directory = new();
        using FfmpegProcess reader = FfmpegProcess.Start(
            FfmpegBuild.Ffmpeg(version), directory.Path, "-v", "error", "-f", "cuframes", "-i", Key, "-c", "copy", "-f", "rawvideo", "pipe:1");
        using (FramePublisher publisher = Publish(directory.Path, PixelFormat.Nv12))
        {
            WaitForReader(publisher);
            byte[] picture = new byte[PixelFormats.PictureBytes(PixelFormat.Nv12, Width, Height)];
            StampedFrames.Publish(publisher);
            reader.Output.ReadExactly(picture);
        }

        // It waits for another publisher now, for ever.
        reader.Terminate();
        (int status, _, string messages) = reader.End();
        Assert.Equal(255, status);
        Assert.Equal("", messages);
    }

    [Theory]
    [MemberData(nameof(Versions))]
    public void Programs_that_probe_get_what_they_ask_for(string version)
    {
        using TemporaryDirectory directory = new();
        using FramePublisher publisher = Publish(directory.Path, PixelFormat.Nv12);
        StampedFrames.Publish(publisher);

        // The call of Frigate, which names no format; and the other one's time-out. Longer ones than Frigate's: this process may be held up before it answers.
        foreach (string[] options in (string[][])[["-rtsp_transport", "tcp", "-timeout", "60000000"], ["-rw_timeout", "60000000"]])
        {
            string answer = FilterTests.Succeed(FfmpegProcess.Run(
                FfmpegBuild.Ffprobe(version), directory.Path,
                [.. options, "-print_format", "json", "-show_entries", "stream=codec_long_name,width,height,bit_rate,duration,display_aspect_ratio,avg_frame_rate", "-loglevel", "error", $"cuframes:{Key}"]));
            Assert.Contains($"\"width\": {Width}", answer, StringComparison.Ordinal);
            Assert.Contains("\"avg_frame_rate\": \"25/1\"", answer, StringComparison.Ordinal);
        }
    }

    [Theory]
    [MemberData(nameof(Versions))]
    public void Errors_say_what_to_do(string version)
    {
        using TemporaryDirectory directory = new();
        Fail(["-timeout", "300000", "-i", "cuframes:nobody"], "nobody", "cuframes ls");
        Fail(["-f", "cuframes", "-i", "a/b"], "a/b", "INVALID_KEY");
        using FfmpegProcess withoutLibrary = FfmpegProcess.StartWithLibrary(
            directory.Path, FfmpegBuild.Ffmpeg(version), directory.Path, "-v", "error", "-i", $"cuframes:{Key}", "-f", "null", "-");
        (int status, _, string messages) = withoutLibrary.End();
        Assert.NotEqual(0, status);
        Assert.Contains("libcuframes.so.0", messages, StringComparison.Ordinal);

        void Fail(string[] input, params string[] texts)
        {
            (int status, _, string messages) = FfmpegProcess.Run(FfmpegBuild.Ffmpeg(version), directory.Path, ["-v", "error", .. input, "-f", "null", "-"]);
            Assert.NotEqual(0, status);
            Assert.All(texts, text => Assert.Contains(text, messages, StringComparison.Ordinal));
        }
    }

    private static FramePublisher Publish(string directory, PixelFormat format) =>
        FramePublisher.Create(Key, new StreamFormat(format, Width, Height) { FrameRateNumerator = 25, FrameRateDenominator = 1 }, new PublisherOptions
        {
            Directory = directory,
            LosslessTimeout = TimeSpan.FromSeconds(60),
        });

    private static void WaitForReader(FramePublisher publisher)
    {
        for (long end = Environment.TickCount64 + (long)DaemonProcess.Patience.TotalMilliseconds; publisher.SubscriberCount == 0;)
        {
            Assert.True(Environment.TickCount64 < end, "No reader joins.");
            Thread.Sleep(5); // between two looks
        }
    }
}
