using System.Text.Json;
using CuFrames.Client;
using CuFrames.Interop;
using CuFrames.Protocol;
using CuFrames.TestKit;
using Xunit;

namespace CuFrames.Daemon.Tests;

/// <summary>On a real GPU: the copies that a daemon asks the driver for, counted by tests/cudacount in front of the driver.</summary>
[Trait("needs", "gpu")]
[Trait("only", "gpu")]
public class GpuCopyTests(ITestOutputHelper output)
{
    [Theory]
    [InlineData("h264.mp4", PixelFormat.Nv12)]
    [InlineData("hevc.mp4", PixelFormat.Nv12)]
    [InlineData("hevc-10.mp4", PixelFormat.P010)]
    public void A_frame_of_nvdec_is_copied_once_on_the_device_and_never_through_the_host(string clip, PixelFormat format)
    {
        string path = Path.Combine(FromBundle("CUFRAMES_CLIPS"), clip);
        using TemporaryDirectory folder = new();
        string counts = Path.Combine(folder.Path, "counts.json");
        CudaDriver.Initialise();
        File.Copy(Path.Combine(FromBundle("CUFRAMES_BUNDLE"), "lib", "cudacount", "libcuda.so.1"), Path.Combine(folder.Path, "libcuda.so.1"));
        File.CreateSymbolicLink(Path.Combine(folder.Path, "libcuda_real.so"), CudaDriver.LibraryPath);
        using DaemonProcess daemon = new(
            $$"""
            cameras:
              a: {source: '{{path}}', memory: cuda, decode: nvdec, paced: false, lossless: 30s}
            """);
        daemon.Environment["LD_LIBRARY_PATH"] = $"{folder.Path}:{Environment.GetEnvironmentVariable("LD_LIBRARY_PATH")}";
        daemon.Environment["CUDACOUNT_FILE"] = counts;
        daemon.Start();
        StreamInfo info = daemon.WaitFor("a", info => info.Description?.State == StreamState.Ended);
        StreamDescription description = info.Description!;
        Assert.True(description.Head >= 100, info.ToString());
        Assert.Equal(0ul, description.Dropped);
        Assert.Equal((MemoryDomain.Cuda, format), (description.Domain, description.PixelFormat));
        Assert.Equal(0, daemon.End().ExitCode);

        using JsonDocument document = JsonDocument.Parse(File.ReadAllBytes(counts));
        output.WriteLine($"{description.Head} frames: {document.RootElement.GetProperty("copies")}");
        ulong frameBytes = (ulong)PixelFormats.PictureBytes(format, description.Width, description.Height);
        Assert.Equal((2 * description.Head, frameBytes * description.Head), CopiesOf(document, "DtoD"));
        foreach (string direction in (string[])["HtoD", "DtoH", "HtoH", "unknown"])
        {
            Assert.Equal((0ul, 0ul), CopiesOf(document, direction));
        }
    }

    private static (ulong Count, ulong Bytes) CopiesOf(JsonDocument document, string direction)
    {
        JsonElement copies = document.RootElement.GetProperty("copies").GetProperty(direction);
        return (copies.GetProperty("count").GetUInt64(), copies.GetProperty("bytes").GetUInt64());
    }

    private static string FromBundle(string variable) => Environment.GetEnvironmentVariable(variable)
        ?? throw new InvalidOperationException($"{variable} is not set: this test runs from the archive that gpu/build-bundle.sh makes.");
}
