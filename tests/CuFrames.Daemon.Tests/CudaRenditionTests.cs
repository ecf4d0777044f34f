using CuFrames.Client;
using CuFrames.Protocol;
using CuFrames.TestKit;
using Xunit;

namespace CuFrames.Daemon.Tests;

/// <summary>
/// Renditions of cameras in GPU memory by the real daemon, on the double of the CUDA driver. What scaled frames hold is tested with the kernel
/// (CuFrames.Media.Tests); here those of one size are the pattern itself, and those of another are the same in both kinds of memory.
/// </summary>
public sealed class CudaRenditionTests
{
    // Readers are in this process.
    public CudaRenditionTests() => _ = TestCuda.Device;

    [Fact]
    public void Renditions_lie_where_the_configuration_says_and_are_whole_and_killed_readers_disturb_nobody()
    {
        using DaemonProcess daemon = CudaDouble.Run(
            """
            cameras:
              a:
                source: 'test:nv12@322x182@50'
                memory: cuda
                lossless: 30s
                renditions:
                  same: {}
                  ipc: {memory: cuda-ipc}
                  down: {memory: host}
                  half: {scale: 0.5, format: rgb24}
                  halfhost: {scale: 0.5, format: rgb24, memory: host}
                  idle: {scale: 4}
            """,
            ("FAKECUDA_DELAY_US", "0-400"));
        (string Key, MemoryDomain Memory)[] streams =
            [("a", MemoryDomain.Cuda), ("a@same", MemoryDomain.Cuda), ("a@ipc", MemoryDomain.Cuda), ("a@down", MemoryDomain.Host)];
        FrameSubscriber[] readers = [.. streams.Select(stream => daemon.Subscribe(stream.Key, Delivery.Lossless))];
        FrameSubscriber half = daemon.Subscribe("a@half", Delivery.Lossless), halfHost = daemon.Subscribe("a@halfhost", Delivery.Lossless);

        // The camera may have gone on between the last two: who came first takes what the other one has not seen. It waits for the readers above.
        Array.ForEach(readers, reader => PatternReader.Next(reader));
        (ulong Packet, string Samples) one = Take(half), other = Take(halfHost);
        while (one.Packet < other.Packet)
        {
            one = Take(half);
        }

        Assert.Equal(one, other);
        for (int round = 0; round < 4; round++)
        {
            // It holds a frame of a ring in main memory when it is killed, and has no driver.
            using PeerProcess peer = PeerProcess.Start("subscriber", "--dir", daemon.RuntimeDirectory, "--key", "a@down");
            peer.Ask("open");
            peer.Send("next 30000");
            for (int i = 0; i < 15; i++)
            {
                Array.ForEach(readers, reader => PatternReader.Next(reader));
                Assert.Equal(Take(half), Take(halfHost));
            }

            peer.Expect("frame");
            Assert.DoesNotContain("libcuda", File.ReadAllText($"/proc/{peer.Id}/maps"), StringComparison.Ordinal);
            peer.Kill();
        }

        for (int i = 0; i < streams.Length; i++)
        {
            Assert.Equal(streams[i].Memory, daemon.Probe(streams[i].Key).Description!.Domain);
            Assert.Equal(0, readers[i].Reconnects);
        }

        string device = $"({CudaDouble.Uuids[0]})";
        Assert.EndsWith($"{device}, where the frames lie.", daemon.Probe("a@same").StateText, StringComparison.Ordinal);
        Assert.EndsWith($"{device}; each frame is copied to main memory once.", daemon.Probe("a@down").StateText, StringComparison.Ordinal);
        Assert.StartsWith("idle: computed when somebody reads it; nv12 1288x728", daemon.Probe("a@idle").StateText, StringComparison.Ordinal);
        Assert.EndsWith($"{device}. Memory: host.", daemon.WaitForLog("[313 rendition-started] a@halfhost"), StringComparison.Ordinal);
        Assert.EndsWith($"{device}. Memory: cuda-ipc.", daemon.WaitForLog("[313 rendition-started] a@ipc"), StringComparison.Ordinal);
        Array.ForEach([.. readers, half, halfHost], reader => reader.Dispose());
        Assert.Equal(0, daemon.End().ExitCode);
        Assert.DoesNotContain("internal-error", daemon.LogText, StringComparison.Ordinal);

        static (ulong Packet, string Samples) Take(FrameSubscriber reader)
        {
            using Frame frame = reader.Next(DaemonProcess.Patience);
            byte[] samples = new byte[PixelFormats.PictureBytes(frame.PixelFormat, frame.Width, frame.Height)];
            frame.CopyTo(samples);
            frame.ThrowIfInvalid();
            return (frame.Metadata.SourcePacket, Convert.ToHexString(samples));
        }
    }

    /// <summary>The camera's limit holds for its renditions too, and so does the GPU's.</summary>
    [Theory]
    [InlineData("gpu: {memory_limit: 8 MiB}\n", "", "GPU memory (gpu.memory_limit); the limit of all streams is 8.0 MiB, in use are 2.1 MiB")]
    [InlineData("", ", memory_limit: 6 MiB", "GPU memory of camera 'a' and its renditions (memory_limit); the limit of all streams is 6.0 MiB, in use are 2.1 MiB")]
    public void A_rendition_without_room_says_with_which_figures_and_the_camera_goes_on(string head, string limit, string text)
    {
        using DaemonProcess daemon = CudaDouble.Run(
            $"{head}cameras:\n  a: {{source: 'test:nv12@322x182@50', memory: cuda, lossless: 30s{limit}, renditions: {{same: {{memory: host}}, large: {{scale: 4, format: rgba}}}}}}\n");
        using FrameSubscriber camera = daemon.Subscribe("a", Delivery.Lossless), same = daemon.Subscribe("a@same", Delivery.Lossless);
        PatternReader.Next(camera);
        PatternReader.Next(same);
        using FrameSubscriber large = daemon.Subscribe("a@large");
        for (int i = 0; i < 60; i++)
        {
            PatternReader.Next(camera);
            PatternReader.Next(same);
        }

        // A ring of six slots of 322x182 NV12 takes 2 MiB of the device, and what the rendition in main memory is made in a tenth of one.
        string line = daemon.WaitForLog("[316 rendition-failed] a@large: ");
        Assert.Contains(text, line, StringComparison.Ordinal);
        daemon.WaitFor("a@large", info => info.StateText.Contains(text, StringComparison.Ordinal));
        Assert.Equal((0, 0, 0UL), (camera.Reconnects, same.Reconnects, camera.Missed));
        Assert.DoesNotContain("internal-error", daemon.LogText, StringComparison.Ordinal);
    }

    [Fact]
    public void A_launch_that_is_refused_costs_the_rendition_a_second_and_the_camera_nothing()
    {
        using DaemonProcess daemon = CudaDouble.Run(
            "cameras: {a: {source: 'test:nv12@322x182@50', memory: cuda, lossless: 30s, renditions: {same: {}, down: {memory: host}}}}",
            ("FAKECUDA_FAIL", "cuLaunchKernel:5:CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES,cuMemHostRegister_v2:*:CUDA_ERROR_NOT_SUPPORTED"));
        using FrameSubscriber camera = daemon.Subscribe("a", Delivery.Lossless), same = daemon.Subscribe("a@same"), down = daemon.Subscribe("a@down");
        (ulong first, _, _) = PatternReader.Next(camera);
        for (ulong i = 1; i < 120; i++)
        {
            Assert.Equal(first + i, PatternReader.Next(camera).Sequence);
            PatternReader.Poll(same);
            PatternReader.Poll(down);
        }

        Assert.Contains("CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES", daemon.WaitForLog("[316 rendition-failed] a@"), StringComparison.Ordinal);
        foreach (FrameSubscriber reader in (FrameSubscriber[])[same, down])
        {
            long after = 0;
            while (after < 100)
            {
                PatternReader.Next(camera);
                after = Math.Max(after, PatternReader.Poll(reader));
            }
        }

        // Memory that cannot be pinned is told, and the frames are right.
        Assert.Contains("through memory of the driver's, which costs CPU time: ", daemon.Probe("a@down").StateText, StringComparison.Ordinal);
    }

    [Fact]
    public void A_reload_adds_moves_and_removes_renditions_while_all_other_readers_miss_nothing()
    {
        const string Head = "defaults: {lossless: 30s}\ncameras:\n  a: {source: 'test:nv12@160x120@50', memory: cuda, renditions: {kept: {memory: host}";
        using DaemonProcess daemon = CudaDouble.Run(Head + ", moved: {}, removed: {}}}\n", ("FAKECUDA_DELAY_US", "0-400"));
        using FrameSubscriber camera = daemon.Subscribe("a", Delivery.Lossless), kept = daemon.Subscribe("a@kept", Delivery.Lossless);
        (_, ulong epoch, long number) = PatternReader.Next(camera);
        (_, ulong keptEpoch, long keptNumber) = PatternReader.Next(kept);
        foreach ((string tail, string line) in (ReadOnlySpan<(string, string)>)
            [
                (", moved: {memory: host}, added: {scale: 2}}}\n", "added a@added, changed a@moved, removed a@removed, untouched 1."),
                ("}}\n", "added none, changed none, removed a@moved a@added, untouched 1."),
                (", removed: {memory: cuda-ipc}}}\n", "added a@removed, changed none, removed none, untouched 1."),
            ])
        {
            using FrameSubscriber leaving = daemon.Subscribe("a@removed");
            Assert.Contains(line, daemon.Reload(Head + tail), StringComparison.Ordinal);
            for (int i = 0; i < 30; i++)
            {
                (_, ulong nextEpoch, long next) = PatternReader.Next(camera);
                Assert.Equal((++number, epoch), (next, nextEpoch));
                (_, nextEpoch, next) = PatternReader.Next(kept);
                Assert.Equal((++keptNumber, keptEpoch), (next, nextEpoch));
            }
        }

        Assert.Equal((0, 0), (camera.Reconnects, kept.Reconnects));
        camera.Dispose();
        kept.Dispose();
        Assert.Equal(0, daemon.End().ExitCode);
        Assert.DoesNotContain("internal-error", daemon.LogText, StringComparison.Ordinal);
    }
}
