using CuFrames.Client;
using CuFrames.Daemon.Tests;
using CuFrames.Protocol;
using CuFrames.TestKit;
using Xunit;

namespace CuFrames.Ffmpeg.Tests;

/// <summary>
/// The filter and both demuxers under valgrind, with the real library: no invalid access, no use of what was not written, nothing lost. What valgrind calls possibly
/// lost is not looked at: the blocks of the runtime's threads inside of the library, which run until the process ends.
/// </summary>
public sealed class ValgrindTests
{
    private const string Key = "cam1";
    private const int Fault = 99;

    // Valgrind has less address space than the runtime's heap reserves without a limit.
    private static readonly Dictionary<string, string?> Small = new() { ["DOTNET_GCHeapHardLimit"] = "0x8000000" };

    public static TheoryData<string> Versions { get; } = [.. FfmpegBuild.Versions];

    [Theory]
    [MemberData(nameof(Versions))]
    public void The_filter_is_clean(string version)
    {
        using TemporaryDirectory directory = new();

        // The reader has to find it and to be let in within this time, by a program that valgrind makes slow.
        using FfmpegProcess publisher = Start(
            version, directory.Path, "-re", "-f", "lavfi", "-i", "testsrc2=size=322x182:rate=25:duration=12", "-vf", $"format=nv12,cuda_ipc_export=key={Key}", "-f", "null", "-");
        using FrameSubscriber reader = FrameSubscriber.Connect(Key, new SubscriberOptions { Directory = directory.Path, WaitForStream = true, Reconnect = false });
        for (int i = 0; i < 10; i++)
        {
            using Frame frame = reader.Next(DaemonProcess.Patience);
        }

        FilterTests.Succeed(publisher.End());
        Assert.Contains("INVALID_KEY", End(Start(version, directory.Path, "-f", "lavfi", "-i", "testsrc2=duration=1", "-vf", "format=nv12,cuda_ipc_export=key=a/b", "-f", "null", "-")), StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Versions))]
    public void The_demuxer_is_clean(string version)
    {
        using TemporaryDirectory directory = new();
        using FfmpegProcess reader = Start(version, directory.Path, "-i", $"cuframes:{Key}", "-frames:v", "12", "-c", "copy", "-f", "null", "-");

        // Over a publisher that is started anew.
        for (int run = 0; run < 2; run++)
        {
            using FramePublisher publisher = FramePublisher.Create(Key, new StreamFormat(PixelFormat.Nv12, 322, 182), new PublisherOptions { Directory = directory.Path });
            for (long end = run == 0 ? 8 : long.MaxValue; !reader.HasExited && (long)publisher.Head < end;)
            {
                if (publisher.SubscriberCount > 0)
                {
                    StampedFrames.TryPublish(publisher);
                }

                Thread.Sleep(20); // The reader begins with the newest frame: some are enough.
            }
        }

        FilterTests.Succeed(reader.End());
        Assert.Contains("cuframes ls", End(Start(version, directory.Path, "-timeout", "200000", "-i", "cuframes:nobody", "-f", "null", "-")), StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Versions))]
    public void The_demuxer_of_packets_is_clean(string version)
    {
        using MediaClips clips = new();
        string clip = clips.WithSound("clip.mp4", 320, 180, 4);
        using DaemonProcess daemon = DaemonProcess.Run($"cameras: {{cam1: {{source: '{clip}', loop: true}}}}");
        using FfmpegProcess reader = Start(version, daemon.RuntimeDirectory, "-i", $"cuframes_packets:{Key}", "-map", "0", "-c", "copy", "-frames:v", "40", "-f", "null", "-");
        FilterTests.Succeed(reader.End());
        Assert.Contains("cuframes ls", End(Start(version, daemon.RuntimeDirectory, "-timeout", "200000", "-i", "cuframes_packets:nobody", "-f", "null", "-")), StringComparison.Ordinal);
    }

    private static FfmpegProcess Start(string version, string directory, params string[] arguments) => FfmpegProcess.StartWith(Small, "valgrind", directory, [
        "--quiet", "--leak-check=full", "--show-leak-kinds=definite,indirect", "--errors-for-leak-kinds=definite,indirect", $"--error-exitcode={Fault}",
        FfmpegBuild.Ffmpeg(version), "-nostdin", "-v", "error", .. arguments,
    ]);

    /// <summary>The messages of an ffmpeg that fails, and not for valgrind.</summary>
    private static string End(FfmpegProcess process)
    {
        using (process)
        {
            (int status, _, string messages) = process.End();
            Assert.True(status is not 0 and not Fault, messages);
            return messages;
        }
    }
}
