using System.Globalization;
using CuFrames.TestKit;

namespace CuFrames.Frigate.Tests;

/// <summary>What one camera sends, again and again: ten seconds of small H.264 at 10 frames per second with AAC, each picture another one. And its pictures, by which every reader's are known.</summary>
internal sealed class CameraClip
{
    public const int Rate = 10;
    public const int Pictures = 10 * Rate;

    private const string Exact = ":flags=bicubic+accurate_rnd+full_chroma_int+full_chroma_inp+bitexact";

    /// <param name="clips">Where the file lies.</param>
    /// <param name="number">Makes it another one than those of other numbers.</param>
    public CameraClip(MediaClips clips, int number)
    {
        Path = clips.Make(
            string.Create(CultureInfo.InvariantCulture, $"camera{number}.mp4"), [
                .. MediaClips.Moving(320, 180, Pictures / Rate, Rate), "-f", "lavfi", "-i", string.Create(CultureInfo.InvariantCulture, $"sine=frequency={220 * (number + 1)}:sample_rate=16000:duration={Pictures / Rate}"),
                "-vf", string.Create(CultureInfo.InvariantCulture, $"noise=alls=8:allf=t:all_seed={number},hue=h={70 * number}"), "-c:v", "libx264", "-preset", "veryfast", "-bf", "0", "-g", "20", "-pix_fmt", "yuv420p", "-threads", "1",
                "-c:a", "aac", "-b:a", "32k", "-shortest"]);
        Full = Digests("null");
        Small = Digests($"scale={Document.Width}:{Document.Height}{Exact}");
        ScaledByFfmpeg = Digests($"scale={Document.Width}:{Document.Height}");
    }

    public string Path { get; }

    /// <summary>SHA-256 of each picture as the camera sends it, in yuv420p.</summary>
    public string[] Full { get; }

    /// <summary>The same in the size that is detected on, scaled as a rendition is.</summary>
    public string[] Small { get; }

    /// <summary>The same, scaled as Frigate's ffmpeg scales.</summary>
    public string[] ScaledByFfmpeg { get; }

    private string[] Digests(string filter)
    {
        using StringReader lines = new(PacketDigest.Run(
            "ffmpeg", "-nostdin", "-v", "error", "-i", Path, "-map", "0:v:0", "-vf", filter, "-fps_mode", "passthrough", "-pix_fmt", "yuv420p", "-c:v", "rawvideo", "-f", "framehash", "-hash", "sha256", "-").Output);
        List<string> digests = [];
        while (lines.ReadLine() is { } line)
        {
            if (line.StartsWith("0,", StringComparison.Ordinal))
            {
                digests.Add(line[(line.LastIndexOf(',') + 1)..].Trim());
            }
        }

        return digests.Distinct().Count() == Pictures ? [.. digests] : throw new InvalidOperationException($"{Path} has {digests.Distinct().Count()} different pictures, not {Pictures}.");
    }
}
