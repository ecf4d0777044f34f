using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json;
using CuFrames.Client;
using CuFrames.Client.Tests;
using CuFrames.Daemon.Tests;
using CuFrames.Protocol;
using CuFrames.TestKit;
using Xunit;

namespace CuFrames.Ffmpeg.Tests;

/// <summary>FFmpeg on one end, C# or Python on the other: bytes, times and colours arrive as they were sent.</summary>
public sealed class EndsTests
{
    private const string Key = "cam1";
    private const string Python = "/usr/bin/python3";
    private const int Frames = 40;

    // BT.2020 with PQ: none of the numbers is another one's, and none is a default.
    private static readonly (byte Matrix, byte Primaries, byte Transfer) Colour = (9, 12, 16);

    public static TheoryData<string> Versions { get; } = [.. FfmpegBuild.Versions];

    /// <summary>Odd sizes: planes of half of them have the larger half.</summary>
    public static TheoryData<string, PixelFormat> Formats { get; } =
        [.. from version in FfmpegBuild.Versions from format in (PixelFormat[])[PixelFormat.Nv12, PixelFormat.I420, PixelFormat.P010, PixelFormat.Bgr24] select (version, format)];

    [Theory]
    [MemberData(nameof(Formats))]
    public async Task A_publisher_in_csharp_is_read(string version, PixelFormat format)
    {
        const int Width = 101;
        const int Height = 57;
        using TemporaryDirectory directory = new();
        using FramePublisher publisher = FramePublisher.Create(Key, new StreamFormat(format, Width, Height) { FrameRateNumerator = 25, FrameRateDenominator = 1 }, new PublisherOptions
        {
            Directory = directory.Path,
            LosslessTimeout = DaemonProcess.Patience,
        });
        using FfmpegProcess reader = StartReader(version, directory.Path);
        TestStream.Until(() => publisher.SubscriberCount > 0 || reader.HasExited, "the reader joins");
        byte[] picture = new byte[PixelFormats.PictureBytes(format, Width, Height)];
        List<(long Pts, string Hash)> sent = [];
        await CompareWhatIsRead(version, directory.Path, reader, sent, () =>
        {
            ulong sequence = publisher.Head + 1;
            Assert.True(StampedFrames.TryPublish(publisher, (ref FrameMetadata metadata) =>
            {
                metadata.Pts += 7;
                (metadata.ColourMatrix, metadata.ColourPrimaries, metadata.ColourTransfer) = Colour;
                metadata.ColourRange = ColourRange.Full;
            }));
            FrameStamp.Fill(picture, format, Width, Height, StampedFrames.Number(publisher.Epoch, sequence));
            TestStream.Until(() => sequence > 1 || publisher.GetStatistics().Subscribers is [{ Taken: > 0 }], "the first frame is read");
            sent.Add((StampedFrames.PtsOf(sequence) + 7, Convert.ToHexStringLower(SHA256.HashData(picture))));
        });
    }

    [Theory]
    [MemberData(nameof(Formats))]
    public async Task A_publisher_in_python_is_read(string version, PixelFormat format)
    {
        using TemporaryDirectory directory = new();
        using FfmpegProcess publisher = FfmpegProcess.StartWithInput(Python, directory.Path, [
            Script("publish.py"), Key, PixelFormats.Name(format), "101", "57", Text(Colour.Matrix), "full", Text(Colour.Primaries), Text(Colour.Transfer),
        ]);
        using StreamReader lines = new(publisher.Output);
        Assert.Contains("ready", lines.ReadLine() ?? publisher.End().Messages, StringComparison.Ordinal);
        using FfmpegProcess reader = StartReader(version, directory.Path);
        List<(long Pts, string Hash)> sent = [];
        await CompareWhatIsRead(version, directory.Path, reader, sent, () =>
        {
            publisher.Input.Write("next\n"u8);
            publisher.Input.Flush();
            JsonElement line = JsonDocument.Parse(lines.ReadLine() ?? publisher.End().Messages).RootElement;
            sent.Add((line.GetProperty("pts").GetInt64(), line.GetProperty("sha256").GetString()!));
        });
        publisher.Input.Close();
        Assert.Equal((0, "", ""), publisher.End());
    }

    [Theory]
    [MemberData(nameof(Versions))]
    public void A_reader_in_python_gets_what_flows_through_the_filter(string version)
    {
        const string Source = "testsrc2=size=322x182:rate=25:duration=3";
        string filters = "format=nv12,setparams=range=pc:color_primaries=smpte432:color_trc=smpte2084:colorspace=bt2020nc";
        using TemporaryDirectory directory = new();
        Dictionary<long, string> expected = DigestLine.ReadAll(FilterTests.Succeed(FfmpegProcess.Run(
            FfmpegBuild.Ffmpeg(version), directory.Path, "-v", "error", "-f", "lavfi", "-i", Source, "-vf", filters, "-f", "framehash", "-"))).ToDictionary(line => line.Pts, line => line.Hash);
        using FfmpegProcess reader = FfmpegProcess.Start(Python, directory.Path, Script("read.py"), Key);
        using StreamReader lines = new(reader.Output);
        Assert.Contains("ready", lines.ReadLine() ?? reader.End().Messages, StringComparison.Ordinal);
        FilterTests.Succeed(FfmpegProcess.Run(
            FfmpegBuild.Ffmpeg(version), directory.Path, "-v", "error", "-re", "-f", "lavfi", "-i", Source, "-vf", $"{filters},cuda_ipc_export=key={Key}:max_slots=48", "-f", "null", "-"));
        List<long> times = [];
        while (lines.ReadLine() is { } text)
        {
            JsonElement line = JsonDocument.Parse(text).RootElement;
            long pts = line.GetProperty("pts").GetInt64();
            Assert.Equal(expected[pts], line.GetProperty("sha256").GetString());
            Assert.Equal("[9, \"full\", 12, 16]", line.GetProperty("colour").GetRawText());
            Assert.Equal("[\"nv12\", 322, 182]", line.GetProperty("format").GetRawText());
            times.Add(pts);
        }

        Assert.Equal((0, "", ""), reader.End());
        Assert.Equal(times.Order().Distinct(), times);

        // Who joins begins with the newest frame of that moment, and the first ones come before it has joined.
        Assert.True(times.Count > expected.Count / 3, $"Only {times.Count} of {expected.Count} frames were read.");
        Assert.Equal(expected.Keys.Max(), times[^1]);
    }

    private static FfmpegProcess StartReader(string version, string directory) => FfmpegProcess.Start(
        FfmpegBuild.Ffmpeg(version), directory, "-v", "error", "-copyts", "-delivery", "lossless", "-f", "cuframes", "-i", Key, "-fps_mode", "passthrough", "-enc_time_base", "1:1000000000",
        "-c:v", "rawvideo", "-frames:v", Text(Frames), "-f", "framehash", "pipe:1");

    /// <summary>Publishes, compares what a reader that decodes says of each frame, and what ffprobe says of the colours.</summary>
    /// <param name="version">That reads.</param>
    /// <param name="directory">The runtime directory.</param>
    /// <param name="reader">Runs already.</param>
    /// <param name="sent">What has been published.</param>
    /// <param name="publish">Publishes a frame; the first one returns when it was read, as a reader begins with the newest frame of the moment in which it first looks.</param>
    private static async Task CompareWhatIsRead(string version, string directory, FfmpegProcess reader, List<(long Pts, string Hash)> sent, Action publish)
    {
        // Both at once: each waits for the other one. An FFmpeg that has all its frames asks for one more before it ends.
        Task publishing = Task.Run(async () =>
        {
            for (int i = 0; i < Frames || !reader.HasExited; i++)
            {
                publish();
                await Task.Delay(i < Frames ? 0 : 20);
            }
        });
        string read = FilterTests.Succeed(reader.End());
        await publishing;
        Assert.Equal(sent.Take(Frames), DigestLine.ReadAll(read).Select(line => (line.Pts, line.Hash)));
        string colours = FilterTests.Succeed(FfmpegProcess.Run(
            FfmpegBuild.Ffprobe(version), directory, "-v", "error", "-show_entries", "stream=color_range,color_space,color_transfer,color_primaries", "-of", "compact=p=0", $"cuframes:{Key}"));
        Assert.Equal("color_range=pc|color_space=bt2020nc|color_transfer=smpte2084|color_primaries=smpte432", colours.Trim());
    }

    private static string Text<T>(T number)
        where T : IFormattable => number.ToString(null, CultureInfo.InvariantCulture);

    private static string Script(string name) => Path.Combine(Repository.Root, "tests", "CuFrames.Ffmpeg.Tests", "Subjects", name);
}
