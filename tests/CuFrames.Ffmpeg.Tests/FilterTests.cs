using System.Security.Cryptography;
using CuFrames.Client;
using CuFrames.Daemon.Tests;
using CuFrames.Protocol;
using CuFrames.TestKit;
using Xunit;

namespace CuFrames.Ffmpeg.Tests;

/// <summary>The filter cuda_ipc_export, in each version of FFmpeg.</summary>
public sealed class FilterTests(FilterTests.Clip clip) : IClassFixture<FilterTests.Clip>
{
    private const string Key = "cam1";

    public static TheoryData<string> Versions { get; } = [.. FfmpegBuild.Versions];

    public static TheoryData<string, string> Formats { get; } = new()
    {
        { "8.1", "nv12" }, { "8.1", "yuv420p" }, { "8.1", "p010le" }, { "8.1", "gray" }, { "8.1", "rgb24" }, { "8.1", "bgr24" }, { "8.1", "rgba" }, { "8.1", "bgra" },
        { "7.1", "nv12" }, { "5.1", "nv12" },
    };

    [Theory]
    [MemberData(nameof(Formats))]
    public void What_flows_through_is_published_and_passes_unchanged(string version, string format)
    {
        using TemporaryDirectory directory = new();
        string[] filters = ["-vf", $"format={format},setparams=range=tv:color_primaries=bt709:color_trc=bt709:colorspace=bt709", "-fps_mode", "passthrough", "-enc_time_base", "1:25"];
        DigestLine[] reference = DigestLine.ReadAll(Succeed(FfmpegProcess.Run(
            FfmpegBuild.Ffmpeg(version), directory.Path, ["-v", "error", "-i", clip.Path, .. filters, "-f", "framehash", "-"])));
        Assert.Equal(Clip.Frames, reference.Length);
        using FfmpegProcess publisher = FfmpegProcess.Start(
            FfmpegBuild.Ffmpeg(version), directory.Path,
            ["-v", "error", "-re", "-i", clip.Path, "-vf", $"{filters[1]},cuda_ipc_export=key={Key}:max_slots=48:allow=everyone:source=a clip", .. filters[2..], "-f", "framehash", "-"]);
        using FrameSubscriber reader = FrameSubscriber.Connect(Key, new SubscriberOptions
        {
            Directory = directory.Path,
            Delivery = Delivery.InOrder,
            WaitForStream = true,
            Reconnect = false,
        });
        Dictionary<long, string> expected = reference.ToDictionary(line => line.Pts, line => line.Hash);
        byte[] picture = new byte[reference[0].Size];
        int read = 0;
        long last = long.MinValue;
        try
        {
            while (true)
            {
                using Frame frame = reader.Next(DaemonProcess.Patience);
                Assert.Equal((Clip.Width, Clip.Height), (frame.Width, frame.Height));
                Assert.Equal(picture.Length, frame.CopyTo(picture));
                FrameMetadata metadata = frame.Metadata;
                Assert.Equal(expected[metadata.Pts], Convert.ToHexStringLower(SHA256.HashData(picture)));
                Assert.True(metadata.Pts > last);
                Assert.Equal(((byte)1, ColourRange.Limited, (byte)1, (byte)1), (metadata.ColourMatrix, metadata.ColourRange, metadata.ColourPrimaries, metadata.ColourTransfer));
                last = metadata.Pts;
                read++;
            }
        }
        catch (StreamUnavailableException)
        {
            Assert.Equal("a clip", reader.Source);
            Assert.Equal("ffmpeg", reader.Publisher);
        }

        Assert.Equal(reference, DigestLine.ReadAll(Succeed(publisher.End())));

        // Who joins begins with the newest frame of that moment.
        Assert.True(read > Clip.Frames / 3, $"Only {read} of {Clip.Frames} frames were read.");
        Assert.Equal(reference[^1].Pts, last);
    }

    [Theory]
    [MemberData(nameof(Versions))]
    public void A_change_of_size_in_mid_stream_is_published(string version)
    {
        // The filter stays and its stream goes on, or ffmpeg makes a new filter, and with it a new publisher.
        Assert.Equal(1, Epochs(["-reinit_filter", "0"]));
        Assert.Equal(2, Epochs([]));

        int Epochs(string[] options)
        {
            using TemporaryDirectory directory = new();
            using FfmpegProcess publisher = FfmpegProcess.Start(
                FfmpegBuild.Ffmpeg(version), directory.Path,
                ["-v", "error", "-re", .. options, "-i", clip.Joined, "-noautoscale", "-vf", $"format=yuv420p,cuda_ipc_export=key={Key}", "-f", "null", "-"]);
            using FrameSubscriber reader = FrameSubscriber.Connect(Key, new SubscriberOptions
            {
                Directory = directory.Path,
                Delivery = Delivery.InOrder,
                WaitForStream = true,
            });
            List<(int Width, int Height)> sizes = [];
            HashSet<ulong> epochs = [];
            while (sizes.Count < 2)
            {
                using Frame frame = reader.Next(DaemonProcess.Patience);
                epochs.Add(frame.Epoch);
                if (sizes.Count == 0 || sizes[^1] != (frame.Width, frame.Height))
                {
                    sizes.Add((frame.Width, frame.Height));
                }
            }

            Assert.Equal([(Clip.Width, Clip.Height), (Clip.OtherWidth, Clip.OtherHeight)], sizes);
            Succeed(publisher.End());
            return epochs.Count;
        }
    }

    [Theory]
    [MemberData(nameof(Versions))]
    public void Errors_say_what_to_do(string version)
    {
        using TemporaryDirectory directory = new();
        string[] source = ["-v", "error", "-i", clip.Path, "-vf"];
        Fail(["-f", "null", "-"], "cuda_ipc_export", "cuda_ipc_export=key=cam1");
        Fail(["-f", "null", "-"], "format=nv12,cuda_ipc_export=key=a/b", "a/b", "INVALID_KEY");
        Fail(["-f", "null", "-"], "format=nv12,cuda_ipc_export=key=a:memory=cuda", "hwupload_cuda");
        using FramePublisher other = FramePublisher.Create(Key, new StreamFormat(PixelFormat.Nv12, 64, 48), new PublisherOptions { Directory = directory.Path });
        Fail(["-f", "null", "-"], $"format=nv12,cuda_ipc_export=key={Key}", "ALREADY_PUBLISHED");

        using FfmpegProcess withoutLibrary = FfmpegProcess.StartWithLibrary(
            directory.Path, FfmpegBuild.Ffmpeg(version), directory.Path, [.. source, "format=nv12,cuda_ipc_export=key=b", "-f", "null", "-"]);
        (int status, _, string messages) = withoutLibrary.End();
        Assert.NotEqual(0, status);
        Assert.Contains("libcuframes.so.0", messages, StringComparison.Ordinal);
        using FfmpegProcess unused = FfmpegProcess.StartWithLibrary(directory.Path, FfmpegBuild.Ffmpeg(version), directory.Path, [.. source, "null", "-f", "null", "-"]);
        Assert.Equal(0, unused.End().Status);

        void Fail(string[] output, string filters, params string[] texts)
        {
            (int status, _, string messages) = FfmpegProcess.Run(FfmpegBuild.Ffmpeg(version), directory.Path, [.. source, filters, .. output]);
            Assert.NotEqual(0, status);
            Assert.All(texts, text => Assert.Contains(text, messages, StringComparison.Ordinal));
        }
    }

    [Theory]
    [MemberData(nameof(Versions))]
    public void A_killed_publisher_is_followed_by_the_next(string version)
    {
        using TemporaryDirectory directory = new();
        using FrameSubscriber reader = FrameSubscriber.Connect(Key, new SubscriberOptions { Directory = directory.Path, WaitForStream = true });
        HashSet<ulong> epochs = [];
        for (int run = 0; run < 3; run++)
        {
            using FfmpegProcess publisher = FfmpegProcess.Start(
                FfmpegBuild.Ffmpeg(version), directory.Path, "-v", "error", "-re", "-i", clip.Path, "-vf", $"format=nv12,cuda_ipc_export=key={Key}", "-f", "null", "-");
            for (int i = 0; i < 5; i++)
            {
                using Frame frame = reader.Next(DaemonProcess.Patience);
                epochs.Add(frame.Epoch);
            }

            publisher.Kill();
        }

        Assert.Equal(3, epochs.Count);
    }

    internal static string Succeed((int Status, string Output, string Messages) end)
    {
        Assert.True(end.Status == 0, end.Messages);
        Assert.Equal("", end.Messages);
        return end.Output;
    }

    /// <summary>Clips that all tests use.</summary>
    public sealed class Clip : IDisposable
    {
        internal const int Width = 320;
        internal const int Height = 180;
        internal const int OtherWidth = 192;
        internal const int OtherHeight = 144;
        internal const int Frames = 75;

        private readonly MediaClips _clips = new();

        public Clip()
        {
            Path = _clips.H264("clip.mp4", Width, Height, Frames / 25.0);
            Joined = _clips.Join("joined.ts", _clips.H264("a.ts", Width, Height, 2), _clips.H264("b.ts", OtherWidth, OtherHeight, 2));
        }

        public string Path { get; }

        /// <summary>Changes its size after two seconds.</summary>
        public string Joined { get; }

        public void Dispose() => _clips.Dispose();
    }
}
