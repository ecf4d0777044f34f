using System.Runtime.InteropServices;
using CuFrames.Media;
using CuFrames.Protocol;

namespace CuFrames.Cli.Internal;

/// <summary>Looks at what decodes: the libav libraries, and the GPU.</summary>
internal static class MediaChecks
{
    /// <summary>What cameras send.</summary>
    private static readonly string[] Decoders = ["h264", "hevc", "mjpeg", "av1"];

    public static IEnumerable<Check> All() => [Libav(), .. Decoding(), Gpu()];

    private static Check Libav()
    {
        const string name = "libav";
        try
        {
            MediaLibraryVersions versions = MediaLibrary.Versions;
            return Check.Ok(name,
                $"FFmpeg {versions.Release}: libavformat {versions.Avformat}, libavcodec {versions.Avcodec} (built for {versions.BuiltForAvcodec}), libavutil {versions.Avutil}, libswscale {versions.Swscale}");
        }
        catch (CuFramesException error)
        {
            return Check.Fail(name, error.Message, "Publishing test patterns and reading streams works without; cameras, files and snapshots do not.");
        }
    }

    private static IEnumerable<Check> Decoding()
    {
        string[] missing;
        try
        {
            missing = [.. Decoders.Where(decoder => !MediaLibrary.HasDecoder(decoder))];
        }
        catch (CuFramesException)
        {
            // Said by the line before.
            yield break;
        }

        const string name = "decoders";
        yield return missing.Length == 0
            ? Check.Ok(name, $"{string.Join(", ", Decoders)} in software")
            : Check.Warn(name, $"libavcodec has no decoder for {string.Join(", ", missing)}", "Cameras that send these cannot be read; install a full libavcodec.");
    }

    /// <summary>Says what decodes and where frames lie, and why: this version works in software and in main memory with and without a GPU.</summary>
    private static Check Gpu()
    {
        const string name = "gpu";
        const string fallback = "software decode, frames in host memory";
        if (!NativeLibrary.TryLoad("libcuda.so.1", out nint library))
        {
            return Check.Warn(name, $"libcuda.so.1 is not there: {fallback}",
                "Nothing, if there is no NVIDIA GPU. Else install its driver; in a container add the nvidia runtime.");
        }

        NativeLibrary.Free(library);
        const string driver = "/proc/driver/nvidia/version";
        string version = File.Exists(driver) ? File.ReadLines(driver).FirstOrDefault("") : "the driver's version cannot be read";
        return Check.Warn(name, $"libcuda.so.1 is there ({version.Trim()}), this version of CuFrames does not use it: {fallback}", "Nothing can be done with this version.");
    }
}
