using System.Collections.Concurrent;
using System.Diagnostics;
using CuFrames.Daemon.Tests;

namespace CuFrames.Ffmpeg.Tests;

/// <summary>The programs that ffmpeg-filter/build.sh makes; it makes them at the first use and finds them again afterwards.</summary>
internal static class FfmpegBuild
{
    private static readonly ConcurrentDictionary<string, Lazy<string>> Folders = new();

    /// <summary>The versions of FFmpeg that there are patches for.</summary>
    public static string[] Versions { get; } = ["5.1", "7.1", "8.1"];

    /// <summary>The folder of libcuframes.so.0, which scripts/build-native.sh makes.</summary>
    public static string Library { get; } = Path.Combine(Repository.Root, "artifacts", "native", "lib");

    public static string Ffmpeg(string version) => Path.Combine(FolderOf(version), "bin", "ffmpeg");

    public static string Ffprobe(string version) => Path.Combine(FolderOf(version), "bin", "ffprobe");

    private static string FolderOf(string version) => Folders.GetOrAdd(version, _ => new Lazy<string>(() => Build(version))).Value;

    private static string Build(string version)
    {
        using Process build = Process.Start(new ProcessStartInfo(Path.Combine(Repository.Root, "ffmpeg-filter", "build.sh"), [version, "--minimal"])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        Task<string> messages = build.StandardError.ReadToEndAsync();
        string folder = build.StandardOutput.ReadToEnd().Trim();
        build.WaitForExit();
        return build.ExitCode == 0 ? folder : throw new InvalidOperationException($"ffmpeg-filter/build.sh {version} --minimal failed: {messages.Result}");
    }
}
