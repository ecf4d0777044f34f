using CuFrames.TestKit;
using Xunit;

namespace CuFrames.Ffmpeg.Tests;

/// <summary>What processes ask the driver for. On a host with a GPU, from the archive that gpu/build-bundle.sh makes.</summary>
[Trait("needs", "gpu")]
[Trait("only", "gpu")]
public sealed class NvdecCopyTests
{
    public static TheoryData<string> Versions { get; } = [.. FfmpegBuild.Versions];

    /// <summary>Planes that are copied and kernels that run, counted as the processes ask the driver for them.</summary>
    [Theory]
    [MemberData(nameof(Versions))]
    public void A_publisher_copies_each_plane_once_and_a_reader_none(string version)
    {
        const int Planes = 2;
        using TemporaryDirectory directory = new();
        string[] decode = ["-v", "error", .. NvdecClip.Hardware, "-i", NvdecClip.Path, "-an"];
        string[] scale = ["-vf", $"trim=end_frame={NvdecClip.Read},{NvdecClip.Scale},hwdownload,format=nv12", "-fps_mode", "passthrough", "-f", "null", "-"];
        DriverCounts decoding = Count("decoding", [.. decode, "-f", "null", "-"]);
        DriverCounts publishing = Count("publishing", [.. decode, "-vf", $"cuda_ipc_export=key={NvdecClip.Key}", "-f", "null", "-"]);
        Assert.Equal(decoding with { DeviceToDevice = decoding.DeviceToDevice + (NvdecClip.Frames * Planes) }, publishing);
        DriverCounts without = Count("without", [.. decode, .. scale]);

        using FfmpegProcess publisher = FfmpegProcess.Start(
            FfmpegBuild.Ffmpeg(version), directory.Path,
            ["-v", "error", "-re", "-stream_loop", "-1", .. NvdecClip.Hardware, "-i", NvdecClip.Path, "-an", "-noautoscale", "-vf", $"cuda_ipc_export=key={NvdecClip.Key}", "-f", "null", "-"]);
        DriverCounts reading = Count("reading", ["-v", "error", .. NvdecClip.Hardware, "-timeout", NvdecClip.Patience, "-f", "cuframes", "-i", NvdecClip.Key, .. scale]);
        TestContext.Current.TestOutputHelper?.WriteLine(
            $"FFmpeg {version}: decoding {NvdecClip.Frames} frames {decoding}, with cuda_ipc_export {publishing}; scaling {NvdecClip.Read} frames: of its own decoder {without}, of a stream {reading}");
        Assert.Equal((NvdecClip.Read * Planes, 1), (without.DeviceToHost, without.Decoders));
        Assert.Equal(new DriverCounts(0, NvdecClip.Read * Planes, 0, 0, without.Launches, 0, 0), reading);

        DriverCounts Count(string name, string[] arguments)
        {
            DriverAudit audit = new(directory.Path, name);
            using FfmpegProcess process = FfmpegProcess.StartWith(audit.Environment, FfmpegBuild.Ffmpeg(version), directory.Path, arguments);
            FilterTests.Succeed(process.End());
            return audit.Read();
        }
    }
}
