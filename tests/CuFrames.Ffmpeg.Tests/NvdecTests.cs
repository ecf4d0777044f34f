using System.Security.Cryptography;
using CuFrames.Daemon.Tests;
using CuFrames.TestKit;
using Xunit;

namespace CuFrames.Ffmpeg.Tests;

/// <summary>
/// What ffmpeg decodes by NVDEC, publishes, reads and scales on the device: on a host with a GPU, from the archive that gpu/build-bundle.sh
/// makes. Measure of all is the same ffmpeg with the same filters, without a stream in between.
/// </summary>
[Trait("needs", "gpu")]
[Trait("only", "gpu")]
public sealed class NvdecTests
{
    private const string Key = "cam1";
    private const int Read = 50;

    // No guarantee, only when a reader gives up; in microseconds.
    private const string Patience = "30000000";

    private static readonly string[] Hashes = ["-fps_mode", "passthrough", "-enc_time_base", "1:25", "-f", "framehash", "pipe:1"];

    public static TheoryData<string> Versions { get; } = [.. FfmpegBuild.Versions];

    /// <summary>Each version with itself, and the oldest with the newest.</summary>
    public static TheoryData<string, string> Pairs { get; } =
        [.. FfmpegBuild.Versions.Select(version => (version, version)), (FfmpegBuild.Versions[0], FfmpegBuild.Versions[^1]), (FfmpegBuild.Versions[^1], FfmpegBuild.Versions[0])];

    [Theory]
    [MemberData(nameof(Pairs))]
    public void Frames_of_a_stream_are_those_of_the_same_filters_without_one(string publishing, string reading)
    {
        using TemporaryDirectory directory = new();
        string[] chains = ["hwdownload,format=nv12", $"{NvdecClip.Scale},hwdownload,format=nv12"];
        Dictionary<long, string>[] expected =
            [.. chains.Select(chain => Run(reading, [.. NvdecClip.Hardware, "-i", NvdecClip.Path, "-an", "-vf", chain, .. Hashes]).ToDictionary(line => line.Pts, line => line.Hash))];
        Assert.All(expected, pictures => Assert.Equal(NvdecClip.Frames, pictures.Values.Distinct().Count()));

        FfmpegProcess[] readers = [.. chains.Select(chain => FfmpegProcess.Start(
            FfmpegBuild.Ffmpeg(reading), directory.Path,
            ["-v", "error", .. NvdecClip.Hardware, "-copyts", "-timeout", Patience, "-f", "cuframes", "-i", Key, "-vf", chain, "-frames:v", $"{Read}", .. Hashes]))];
        try
        {
            using FfmpegProcess publisher = FfmpegProcess.Start(
                FfmpegBuild.Ffmpeg(publishing), directory.Path,
                ["-v", "error", "-re", .. NvdecClip.Hardware, "-i", NvdecClip.Path, "-an", "-vf", $"cuda_ipc_export=key={Key}:max_slots=48", "-f", "null", "-"]);
            foreach ((FfmpegProcess reader, Dictionary<long, string> pictures) in readers.Zip(expected))
            {
                DigestLine[] lines = DigestLine.ReadAll(FilterTests.Succeed(reader.End()));
                Assert.Equal(Read, lines.Length);
                Assert.All(lines, line => Assert.Equal(pictures[line.Pts], line.Hash));
                Assert.All(lines.Zip(lines.Skip(1)), pair => Assert.True(pair.Second.Pts > pair.First.Pts, $"{pair.First} is followed by {pair.Second}"));
            }
        }
        finally
        {
            Array.ForEach(readers, reader => reader.Dispose());
        }

        DigestLine[] Run(string version, string[] arguments) =>
            DigestLine.ReadAll(FilterTests.Succeed(FfmpegProcess.Run(FfmpegBuild.Ffmpeg(version), directory.Path, ["-v", "error", .. arguments])));
    }

    /// <summary>A ring as small as can be and a publisher as fast as can be: a slot that was given back before the reader's kernels are done would be overwritten under them.</summary>
    [Theory]
    [MemberData(nameof(Versions))]
    public void A_frame_is_given_back_behind_the_kernels_that_read_it(string version)
    {
        const int Many = 300;
        string chain = $"{NvdecClip.Scale},{NvdecClip.Scale},hwdownload,format=nv12";
        string[] seen = ReadLooped(version, NvdecClip.Path, chain, Many, [], ":slots=2:max_slots=4", ["-leases", "2"], out string[] expected);
        Assert.All(seen, hash => Assert.Contains(hash, expected));
        Assert.True(seen.Distinct().Count() > 20, $"{seen.Distinct().Count()} different pictures of {seen.Length}.");
    }

    [Theory]
    [MemberData(nameof(Versions))]
    public void Ten_bits_pass_unchanged(string version)
    {
        string[] seen = ReadLooped(version, NvdecClip.Other("hevc-main10-1080p.mp4"), "hwdownload,format=p010le", Read, ["-re"], "", [], out string[] expected);
        Assert.Equal(20, expected.Distinct().Count());
        Assert.All(seen, hash => Assert.Contains(hash, expected));
        Assert.True(seen.Distinct().Count() > 10, $"{seen.Distinct().Count()} different pictures of {seen.Length}.");
    }

    [Theory]
    [MemberData(nameof(Versions))]
    public void A_reader_goes_on_over_a_change_of_size(string version)
    {
        // 1280x720 for 20 pictures, then 1920x1080 for 25.
        const int First = 20;
        string[] seen = ReadLooped(version, NvdecClip.Other("h264-size-change.ts"), $"{NvdecClip.Scale},hwdownload,format=nv12", 2 * Read, ["-re"], "", [], out string[] expected);
        Assert.Equal(45, expected.Length);
        Assert.All(seen, hash => Assert.Contains(hash, expected));
        Assert.Contains(seen, hash => Array.IndexOf(expected, hash) < First);
        Assert.Contains(seen, hash => Array.IndexOf(expected, hash) >= First);
    }

    [Theory]
    [MemberData(nameof(Versions))]
    public void Frigates_lines_for_nvidia_read_the_daemons_hardware_frames(string version)
    {
        using DaemonProcess daemon = DaemonProcess.Run($"cameras: {{{Key}: {{source: '{NvdecClip.Path}', loop: true, memory: cuda, decode: nvdec}}}}");
        daemon.WaitForLog($"[311 camera-decoder] {Key}: Decoder: nvdec. ");
        string answer = FilterTests.Succeed(FfmpegProcess.Run(
            FfmpegBuild.Ffprobe(version), daemon.RuntimeDirectory,
            "-rtsp_transport", "tcp", "-timeout", "1000000", "-print_format", "json", "-show_entries", "stream=codec_long_name,width,height,bit_rate,duration,display_aspect_ratio,avg_frame_rate",
            "-loglevel", "error", $"cuframes:{Key}"));
        Assert.Contains($"\"width\": {NvdecClip.Width}", answer, StringComparison.Ordinal);
        Assert.Contains("\"avg_frame_rate\": \"25/1\"", answer, StringComparison.Ordinal);

        string chain = $"{NvdecClip.Scale},hwdownload,format=nv12";
        HashSet<string> expected = [.. DigestLine.ReadAll(FilterTests.Succeed(FfmpegProcess.Run(
            FfmpegBuild.Ffmpeg(version), daemon.RuntimeDirectory,
            ["-v", "error", .. NvdecClip.Hardware, "-i", NvdecClip.Path, "-an", "-vf", chain, "-pix_fmt", "yuv420p", .. Hashes]))).Select(line => line.Hash)];
        Assert.Equal(NvdecClip.Frames, expected.Count);

        using FfmpegProcess detector = FfmpegProcess.Start(
            FfmpegBuild.Ffmpeg(version), daemon.RuntimeDirectory,
            "-hide_banner", "-loglevel", "warning", "-threads", "2", "-hwaccel_device", "0", "-hwaccel", "cuda", "-hwaccel_output_format", "cuda", "-user_agent", "FFmpeg Frigate/0.18",
            "-avoid_negative_ts", "make_zero", "-fflags", "+genpts+discardcorrupt", "-rtsp_transport", "tcp", "-timeout", "10000000", "-use_wallclock_as_timestamps", "1",
            "-i", $"cuframes:{Key}", "-r", "5", "-vf", $"fps=5,{chain}", "-threads", "2", "-f", "rawvideo", "-pix_fmt", "yuv420p", "pipe:");
        byte[] picture = new byte[NvdecClip.ScaledBytes];
        HashSet<string> seen = [];
        for (int i = 0; i < 20; i++)
        {
            detector.Output.ReadExactly(picture);
            string hash = Convert.ToHexStringLower(SHA256.HashData(picture));
            Assert.True(expected.Contains(hash), $"Picture {i} is none of the clip's.");
            seen.Add(hash);
        }

        // By its clock of arrival a frame may stand for two.
        Assert.True(seen.Count > 10, $"{seen.Count} different pictures of 20.");
        detector.Terminate();
        TestContext.Current.TestOutputHelper?.WriteLine($"FFmpeg {version}: {detector.End().Messages}");
        Assert.Equal(0, daemon.End().ExitCode);
    }

    /// <summary>Planes that are copied and kernels that run, counted as the processes ask the driver for them.</summary>
    [Theory]
    [MemberData(nameof(Versions))]
    public void A_publisher_copies_each_plane_once_and_a_reader_none(string version)
    {
        const int Planes = 2;
        using TemporaryDirectory directory = new();
        string[] decode = ["-v", "error", .. NvdecClip.Hardware, "-i", NvdecClip.Path, "-an"];
        string[] scale = ["-vf", $"trim=end_frame={Read},{NvdecClip.Scale},hwdownload,format=nv12", "-fps_mode", "passthrough", "-f", "null", "-"];
        DriverCounts decoding = Count("decoding", [.. decode, "-f", "null", "-"]);
        DriverCounts publishing = Count("publishing", [.. decode, "-vf", $"cuda_ipc_export=key={Key}", "-f", "null", "-"]);
        Assert.Equal(decoding with { DeviceToDevice = decoding.DeviceToDevice + (NvdecClip.Frames * Planes) }, publishing);
        DriverCounts without = Count("without", [.. decode, .. scale]);

        using FfmpegProcess publisher = FfmpegProcess.Start(
            FfmpegBuild.Ffmpeg(version), directory.Path,
            ["-v", "error", "-re", "-stream_loop", "-1", .. NvdecClip.Hardware, "-i", NvdecClip.Path, "-an", "-vf", $"cuda_ipc_export=key={Key}", "-f", "null", "-"]);
        DriverCounts reading = Count("reading", ["-v", "error", .. NvdecClip.Hardware, "-timeout", Patience, "-f", "cuframes", "-i", Key, .. scale]);
        TestContext.Current.TestOutputHelper?.WriteLine(
            $"FFmpeg {version}: decoding {NvdecClip.Frames} frames {decoding}, with cuda_ipc_export {publishing}; scaling {Read} frames: of its own decoder {without}, of a stream {reading}");
        Assert.Equal((Read * Planes, 1), (without.DeviceToHost, without.Decoders));
        Assert.Equal(new DriverCounts(0, Read * Planes, 0, 0, without.Launches, 0, 0), reading);

        DriverCounts Count(string name, string[] arguments)
        {
            DriverAudit audit = new(directory.Path, name);
            using FfmpegProcess process = FfmpegProcess.StartWith(audit.Environment, FfmpegBuild.Ffmpeg(version), directory.Path, arguments);
            FilterTests.Succeed(process.End());
            return audit.Read();
        }
    }

    /// <summary>Publishes a clip over and over, and reads some of it.</summary>
    /// <returns>The hashes of the pictures read; <paramref name="expected"/> are those of the clip without a stream, in its order.</returns>
    private static string[] ReadLooped(string version, string clip, string chain, int frames, string[] pace, string publisherOptions, string[] readerOptions, out string[] expected)
    {
        using TemporaryDirectory directory = new();
        expected = [.. DigestLine.ReadAll(FilterTests.Succeed(FfmpegProcess.Run(
            FfmpegBuild.Ffmpeg(version), directory.Path, ["-v", "error", .. NvdecClip.Hardware, "-i", clip, "-an", "-vf", chain, .. Hashes]))).Select(line => line.Hash)];
        using FfmpegProcess publisher = FfmpegProcess.Start(
            FfmpegBuild.Ffmpeg(version), directory.Path,
            ["-v", "error", .. pace, "-stream_loop", "-1", .. NvdecClip.Hardware, "-i", clip, "-an", "-vf", $"cuda_ipc_export=key={Key}{publisherOptions}", "-f", "null", "-"]);
        (int status, string output, string messages) = FfmpegProcess.Run(
            FfmpegBuild.Ffmpeg(version), directory.Path,
            ["-v", "error", .. readerOptions, "-timeout", Patience, "-f", "cuframes", "-i", Key, "-vf", chain, "-frames:v", $"{frames}", .. Hashes]);
        TestContext.Current.TestOutputHelper?.WriteLine($"FFmpeg {version}: {messages}");
        Assert.Equal(0, status);
        string[] seen = [.. DigestLine.ReadAll(output).Select(line => line.Hash)];
        Assert.Equal(frames, seen.Length);
        return seen;
    }
}
