using CuFrames.Client;
using CuFrames.Interop;
using CuFrames.Protocol;
using CuFrames.TestKit;
using Xunit;

namespace CuFrames.Daemon.Tests;

/// <summary>Cameras that NVDEC decodes: on a host with a GPU, from the archive that gpu/build-bundle.sh makes.</summary>
[Trait("needs", "gpu")]
[Trait("only", "gpu")]
public sealed class NvdecCameraTests : IDisposable
{
    private const int Width = 1920;
    private const int Height = 1080;
    private const int PictureBytes = Width * Height * 3 / 2;

    private readonly MediaClips _clips = new();

    public NvdecCameraTests() => CudaDriver.Initialise();

    public void Dispose() => _clips.Dispose();

    [Theory]
    [InlineData("h264.mp4", "cuda", "nvdec")]
    [InlineData("hevc.mp4", "cuda", "auto")]
    [InlineData("h264.mp4", "cuda-ipc", "auto")]
    [InlineData("hevc.mp4", "host", "nvdec")]
    public void Every_frame_equals_the_software_decoders_and_the_stream_says_who_decodes(string clip, string memory, string decode)
    {
        // Both codecs leave a decoder no choice. Four seconds are 100 frames.
        byte[] reference = _clips.DecodeReference(Clip(clip), "nv12", "-t", "4");
        string late = _clips.PathOf("late.mp4");
        using DaemonProcess daemon = DaemonProcess.Run(
            $"cameras: {{a: {{source: '{late}', lossless: 30s, paced: false, slots: 4, max_slots: 4, memory: {memory}, decode: {decode}}}}}");
        using FrameSubscriber reader = daemon.Subscribe("a", Delivery.Lossless);
        Assert.False(reader.TryNext(TimeSpan.Zero, out _));
        File.Copy(Clip(clip), late + ".new");
        File.Move(late + ".new", late);
        byte[] samples = new byte[PictureBytes];
        int count = reference.Length / PictureBytes;
        Assert.Equal(100, count);
        for (int i = 0; i < count; i++)
        {
            using Frame frame = reader.Next(DaemonProcess.Patience);
            Assert.Equal(((ulong)i + 1, PixelFormat.Nv12), (frame.Sequence, frame.PixelFormat));
            Assert.Equal(memory == "host" ? MemoryDomain.Host : MemoryDomain.Cuda, frame.Memory);
            frame.CopyTo(samples);
            Assert.True(reference.AsSpan(i * PictureBytes, PictureBytes).SequenceEqual(samples), $"frame {i} differs");
        }

        string line = daemon.WaitForLog("[311 camera-decoder] a: Decoder: nvdec. ", CudaDriver.Devices[0].UuidText);
        Assert.Contains(memory == "host" ? "Memory: host; each frame is copied there once from " : $"Memory: {memory} on ", line, StringComparison.Ordinal);
        Assert.Equal(0, daemon.End().ExitCode);
    }

    [Fact]
    public void What_nvdec_cannot_decode_falls_back_to_software_and_says_why()
    {
        // Raw pictures: every ffmpeg can write them, and no NVDEC decodes them.
        string path = _clips.Make("pictures.y4m", "-i", Clip("h264.mp4"), "-frames:v", "5", "-pix_fmt", "yuv420p");
        byte[] reference = _clips.DecodeReference(path, "yuv420p");
        using DaemonProcess daemon = DaemonProcess.Run($"cameras: {{a: {{source: '{path}', loop: true, memory: cuda}}}}");
        using FrameSubscriber reader = daemon.Subscribe("a");
        byte[] samples = new byte[PictureBytes];
        using (Frame frame = reader.Next(DaemonProcess.Patience))
        {
            frame.CopyTo(samples);
        }

        Assert.Contains(Enumerable.Range(0, 5), i => reference.AsSpan(i * PictureBytes, PictureBytes).SequenceEqual(samples));
        Assert.Contains("NVDEC cannot be used: ", daemon.WaitForLog("[312 camera-fallback] a: Decoder: software. "), StringComparison.Ordinal);
    }

    [Fact]
    public void The_limit_of_decoders_refuses_a_camera_until_another_is_removed()
    {
        const string Head = "gpu: {max_decoders: 1}\ncameras:\n";
        string one = $"  one: {{source: '{Clip("h264.mp4")}', loop: true, memory: cuda}}\n";
        string two = $"  two: {{source: '{Clip("hevc.mp4")}', loop: true, memory: cuda}}\n";
        using DaemonProcess daemon = DaemonProcess.Run(Head + one);
        daemon.WaitForLog("[301 camera-live] one: ");
        daemon.Write(Head + one + two);
        daemon.Signal(Signals.HangUp);
        string line = daemon.WaitForLog("[309 camera-not-admitted] two: ");
        Assert.Contains("the limit is 1 decoder sessions at once, 1 are in use, and this would be number 2", line, StringComparison.Ordinal);
        Assert.StartsWith("Not admitted: ", daemon.WaitFor("two", info => info.Description?.State == StreamState.SourceLost).StateText, StringComparison.Ordinal);

        daemon.Write(Head + two);
        daemon.Signal(Signals.HangUp);
        using FrameSubscriber reader = daemon.Subscribe("two");
        using Frame frame = reader.Next(DaemonProcess.Patience);
        Assert.Equal((Width, Height, MemoryDomain.Cuda), (frame.Width, frame.Height, frame.Memory));
        daemon.WaitForLog("[311 camera-decoder] two: Decoder: nvdec. ");
    }

    private static string Clip(string name) => Path.Combine(
        Environment.GetEnvironmentVariable("CUFRAMES_CLIPS") ?? throw new InvalidOperationException("CUFRAMES_CLIPS names no folder: run-gpu-tests of the archive sets it."),
        name);
}
