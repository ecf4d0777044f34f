using System.Diagnostics;
using CuFrames.Client;
using CuFrames.Daemon.Tests;
using CuFrames.Interop;
using CuFrames.Protocol;
using CuFrames.TestKit;
using Xunit;

namespace CuFrames.Ffmpeg.Tests;

/// <summary>Processes killed on both sides of a stream in device memory. They look at the memory of the whole device, so nothing runs beside them.</summary>
[Trait("needs", "gpu")]
[Trait("only", "gpu")]
[Collection("device memory")]
public sealed class NvdecKillTests : IDisposable
{
    private const int Rounds = 3;

    // What the driver may keep or give back by the way; a ring of four frames of 1080p alone is 12 MiB.
    private const double Slack = 8;

    private readonly TemporaryDirectory _directory = new();
    private readonly CudaContext _context;

    public NvdecKillTests() => _context = TestCuda.Device.OpenContext();

    public static TheoryData<string> Versions { get; } = [.. FfmpegBuild.Versions];

    public void Dispose()
    {
        _context.Dispose();
        _directory.Dispose();
    }

    [Theory]
    [MemberData(nameof(Versions))]
    public void Killed_readers_leave_no_lease_and_no_memory(string version)
    {
        // Two killed readers that were still counted would hold all four slots.
        using FfmpegProcess publisher = Publish(version);
        using (FfmpegProcess first = Detect(version))
        {
            Take(first, 3);
            first.Kill();
        }

        double settled = WaitUntil(used => true);
        for (int round = 0; round < Rounds; round++)
        {
            using FfmpegProcess reader = Detect(version);
            Take(reader, 3);
            reader.Kill();
            WaitUntil(used => used <= settled + Slack);
        }

        using FrameSubscriber witness = FrameSubscriber.Connect(NvdecClip.Key, new SubscriberOptions { Directory = _directory.Path, Delivery = Delivery.InOrder, Reconnect = false });
        ulong missed = 0;
        for (int i = 0; i < 50; i++)
        {
            using Frame frame = witness.Next(DaemonProcess.Patience);
            missed += frame.Missed;
        }

        Assert.Equal(0UL, missed);
        publisher.Kill();
    }

    [Theory]
    [MemberData(nameof(Versions))]
    public void A_reader_of_killed_publishers_goes_on_and_keeps_no_memory(string version)
    {
        using FfmpegProcess reader = Detect(version);
        double settled = 0;
        for (int round = 0; round <= Rounds; round++)
        {
            using FfmpegProcess publisher = Publish(version);
            Take(reader, 25);
            publisher.Kill();

            // What is left is the reader's, and the last ring, which it keeps until it finds the next one.
            settled = round == 0 ? WaitUntil(used => true) : settled;
            WaitUntil(used => used <= settled + Slack);
        }

        Assert.False(reader.HasExited);
        reader.Kill();
    }

    private static void Take(FfmpegProcess reader, int pictures)
    {
        byte[] picture = new byte[NvdecClip.ScaledBytes];
        for (int i = 0; i < pictures; i++)
        {
            reader.Output.ReadExactly(picture);
        }
    }

    private FfmpegProcess Publish(string version) => FfmpegProcess.Start(
        FfmpegBuild.Ffmpeg(version), _directory.Path,
        ["-v", "error", "-re", "-stream_loop", "-1", .. NvdecClip.Hardware, "-i", NvdecClip.Path, "-an", "-noautoscale", "-vf", $"cuda_ipc_export=key={NvdecClip.Key}:slots=4:max_slots=4", "-f", "null", "-"]);

    private FfmpegProcess Detect(string version) => FfmpegProcess.Start(
        FfmpegBuild.Ffmpeg(version), _directory.Path,
        ["-v", "error", .. NvdecClip.Hardware, "-leases", "2", "-f", "cuframes", "-i", NvdecClip.Key, "-vf", $"{NvdecClip.Scale},hwdownload,format=nv12", "-f", "rawvideo", "pipe:1"]);

    /// <summary>Waits until the memory in use on the device, in MiB, is as wanted and has not changed for a while.</summary>
    private double WaitUntil(Func<double, bool> isWanted)
    {
        Stopwatch watch = Stopwatch.StartNew();
        double used = -1;
        for (int still = 0; still < 10;)
        {
            (long free, long total) = _context.GetMemory();
            double now = (total - free) / 1048576.0;
            still = now == used && isWanted(now) ? still + 1 : 0;
            used = now;
            Assert.True(watch.Elapsed < DaemonProcess.Patience, $"{used:0.0} MiB of the device stay in use.");

            // The driver says when it is asked and tells nobody.
            Thread.Sleep(50); // between two looks
        }

        return used;
    }
}
