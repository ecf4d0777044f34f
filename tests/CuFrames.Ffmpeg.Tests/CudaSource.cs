using System.Collections.Concurrent;
using System.Globalization;
using System.Text.RegularExpressions;
using CuFrames.Daemon.Tests;
using CuFrames.TestKit;
using Xunit;

namespace CuFrames.Ffmpeg.Tests;

/// <summary>Pictures that ffmpeg makes, uploads to the GPU and publishes.</summary>
internal static partial class CudaSource
{
    public const string Key = "cam1";
    public const int Width = 322;
    public const int Height = 182;

    private static readonly ConcurrentDictionary<(string Version, string Format), Lazy<Dictionary<long, string>>> Expected = new();

    /// <summary>Starts a publisher of frames at 25 a second in the pace of their times, much longer than a test takes.</summary>
    /// <param name="machine">Where it runs.</param>
    /// <param name="version">Of its ffmpeg.</param>
    /// <param name="format">Of the frames, by FFmpeg's name.</param>
    /// <param name="filter">Options of the filter after its key, with a colon before them.</param>
    public static CudaProgram Publish(CudaMachine machine, string version, string format = "nv12", string filter = "") =>
        machine.Ffmpeg(version, ["-v", "info", "-nostats", "-re", .. Input, "-vf", $"{Upload(format)},cuda_ipc_export=key={Key}{filter}", "-f", "null", "-"]);

    /// <summary>The arguments of the input.</summary>
    public static string[] Input { get; } = ["-f", "lavfi", "-i", $"testsrc2=size={Width}x{Height}:rate=25:duration=40"];

    /// <summary>Filters that bring a picture to the GPU.</summary>
    public static string Upload(string format) => $"format={format},hwupload_cuda";

    /// <summary>The digest of each frame by its time in nanoseconds.</summary>
    public static Dictionary<long, string> Digests(string version, string format = "nv12") => Expected.GetOrAdd((version, format), _ => new Lazy<Dictionary<long, string>>(() =>
    {
        using TemporaryDirectory directory = new();
        return DigestLine.ReadAll(FilterTests.Succeed(FfmpegProcess.Run(
            FfmpegBuild.Ffmpeg(version), directory.Path, ["-v", "error", .. Input, "-vf", $"format={format}", "-f", "framehash", "-"]))).ToDictionary(line => line.Pts, line => line.Hash);
    })).Value;

    /// <summary>Ends a publisher as a user does.</summary>
    /// <returns>How many frames it published and how many it dropped, by its own account, and what it did with CUDA.</returns>
    public static (long Published, long Dropped, CudaCounts Counts) End(CudaProgram publisher)
    {
        publisher.Process.Terminate();
        (int status, _, string messages) = publisher.End();

        // 255: ended by a signal, in order.
        Assert.True(status is 0 or 255, messages);
        (long published, long dropped) = AccountOf(messages);
        return (published, dropped, publisher.Counts);
    }

    /// <summary>How many frames a publisher published and how many it dropped, by its own account.</summary>
    public static (long Published, long Dropped) AccountOf(string messages)
    {
        Match account = Account().Match(messages);
        Assert.True(account.Success, messages);
        return (Number(1), Number(2));

        long Number(int group) => long.Parse(account.Groups[group].Value, CultureInfo.InvariantCulture);
    }

    /// <summary>Waits until a condition holds.</summary>
    public static void WaitFor(Func<bool> condition, string what)
    {
        for (long end = Environment.TickCount64 + (long)DaemonProcess.Patience.TotalMilliseconds; !condition();)
        {
            Assert.True(Environment.TickCount64 < end, what);
            Thread.Sleep(5); // between two looks
        }
    }

    [GeneratedRegex(@"(\d+) frames published as 'cam1', (\d+) dropped")]
    private static partial Regex Account();
}
