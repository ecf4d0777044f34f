using System.Diagnostics;
using CuFrames.Daemon.Tests;

namespace CuFrames.Ffmpeg.Tests;

/// <summary>
/// The programs that ffmpeg-filter/build.sh makes; it makes them at the first use and finds them again afterwards. Away from a repository,
/// CUFRAMES_FFMPEG_BUILDS names a folder that has them as 5.1/bin, 7.1/bin and 8.1/bin, and CUFRAMES_NATIVE_ARTIFACTS one with native/lib.
/// </summary>
internal static class FfmpegBuild
{
    /// <summary>Environment variable with the folder of programs that are there already.</summary>
    public const string Variable = "CUFRAMES_FFMPEG_BUILDS";

    /// <summary>The versions of FFmpeg that there are patches for.</summary>
    public static string[] Versions { get; } = ["5.1", "7.1", "8.1"];

    // All at the first use: a build of minutes between two programs of a test outlasts the pictures of the first.
    private static readonly Lazy<Dictionary<string, string>> Folders = new(() => Versions.ToDictionary(version => version, Build));

    /// <summary>Whether the programs come from an archive, so that there is no repository.</summary>
    public static bool IsArchive => Environment.GetEnvironmentVariable("CUFRAMES_NATIVE_ARTIFACTS") is { Length: > 0 };

    /// <summary>The folder of libcuframes.so.0, which scripts/build-native.sh makes.</summary>
    public static string Library { get; } = Path.Combine(
        Environment.GetEnvironmentVariable("CUFRAMES_NATIVE_ARTIFACTS") is { Length: > 0 } artifacts ? artifacts : Path.Combine(Repository.Root, "artifacts"), "native", "lib");

    public static string Ffmpeg(string version) => Path.Combine(FolderOf(version), "bin", "ffmpeg");

    public static string Ffprobe(string version) => Path.Combine(FolderOf(version), "bin", "ffprobe");

    private static string FolderOf(string version) => Folders.Value[version];

    private static string Build(string version)
    {
        if (Environment.GetEnvironmentVariable(Variable) is { Length: > 0 } builds)
        {
            return Path.Combine(builds, version);
        }

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
