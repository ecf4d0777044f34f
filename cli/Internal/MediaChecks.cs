using CuFrames.Media;
using CuFrames.Protocol;

namespace CuFrames.Cli.Internal;

/// <summary>Looks at what decodes: the libav libraries.</summary>
internal static class MediaChecks
{
    /// <summary>What cameras send.</summary>
    public static readonly string[] Decoders = ["h264", "hevc", "mjpeg", "av1"];

    public static IEnumerable<Check> All() => [Libav(), .. Decoding()];

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
}
