using CuFrames.Media;
using CuFrames.Protocol;

namespace CuFrames.Cli.Internal;

/// <summary>Looks at what decodes: the libav libraries.</summary>
internal static class MediaChecks
{
    /// <summary>What cameras send.</summary>
    public static readonly string[] Decoders = ["h264", "hevc", "mjpeg", "av1"];

    /// <summary>What each container has to carry.</summary>
    private static readonly string[] Recorded = ["h264", "hevc", "aac"];

    public static IEnumerable<Check> All() => [Libav(), .. Decoding(), .. Recording()];

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

    /// <summary>What <c>record</c> needs: that libavformat writes the containers, and that they carry what cameras send.</summary>
    private static IEnumerable<Check> Recording()
    {
        const string name = "recording";
        List<string> missing = [];
        try
        {
            foreach (PacketContainer container in Enum.GetValues<PacketContainer>())
            {
                foreach (string codec in Recorded)
                {
                    if (!PacketMuxer.CanCarry(container, new TrackParameters { CodecName = codec }))
                    {
                        missing.Add($"{codec} in {container}");
                    }
                }
            }
        }
        catch (CuFramesException)
        {
            // Said by the first line.
            yield break;
        }

        yield return missing.Count == 0
            ? Check.Ok(name, $"{string.Join(", ", Recorded)} in {string.Join(", ", Enum.GetNames<PacketContainer>())}")
            : Check.Warn(name, $"libavformat cannot write {string.Join(", ", missing)}", "'cuframes record' cannot use these; install a full libavformat.");
    }
}
