using System.Security.Cryptography;
using CuFrames.Client;
using CuFrames.Protocol;
using CuFrames.TestKit;

namespace CuFrames.Acceptance.Tests;

/// <summary>
/// What the camera sends, again and again: 4 s of H.264 in 1280x720 at 25 frames per second, each picture another one in every part of it. And what
/// ffmpeg makes of each picture, by which everybody's pictures are known.
/// </summary>
internal sealed class CameraClip : IDisposable
{
    public const int Width = 1280;
    public const int Height = 720;
    public const int SmallWidth = 640;
    public const int SmallHeight = 360;
    public const int Pictures = 100;
    public const int GroupOfPictures = 25;

    // Screenshots are compared in this size: small enough to have all pictures at hand.
    private const int ThumbWidth = 320;
    private const int ThumbHeight = 180;
    private const string Colours = "in_color_matrix=bt709:in_range=tv";

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly MediaClips _clips = new();
    private readonly byte[] _thumbs;

    public CameraClip()
    {
        Path = _clips.Make(
            "camera.mp4", [.. MediaClips.Moving(Width, Height, Pictures / 25.0), "-vf", "noise=alls=16:allf=t:all_seed=5,scale=out_color_matrix=bt709", "-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709",
                "-c:v", "libx264", "-preset", "veryfast", "-b:v", "12M", "-g", $"{GroupOfPictures}", "-bf", "0", "-pix_fmt", "yuv420p"]);
        Full = HashesOf(Path, "yuv420p");
        Small = HashesOf(
            Path, "rgb24", "-vf", $"scale={SmallWidth}:{SmallHeight}:flags=bicubic+accurate_rnd+full_chroma_int+full_chroma_inp+bitexact:{Colours},format=rgb24");
        _thumbs = ThumbsOf(Path, $":{Colours}");
        if (Full.Distinct().Count() != Pictures || Small.Distinct().Count() != Pictures || _thumbs.Length != Pictures * ThumbWidth * ThumbHeight * 3)
        {
            throw new InvalidOperationException($"The clip has {Full.Distinct().Count()} different pictures, {Small.Distinct().Count()} small ones; {Pictures} were expected.");
        }
    }

    /// <summary>The file.</summary>
    public string Path { get; }

    /// <summary>SHA-256 of each picture in yuv420p.</summary>
    public List<string> Full { get; }

    /// <summary>SHA-256 of each picture in rgb24, 640x360.</summary>
    public List<string> Small { get; }

    /// <summary>SHA-256 of a frame's picture, planes in order, rows without padding, as ffmpeg writes raw video.</summary>
    public static string HashOf(Frame frame, byte[] samples)
    {
        int bytes = (int)PixelFormats.PictureBytes(frame.PixelFormat, frame.Width, frame.Height);
        frame.CopyTo(samples);
        frame.ThrowIfInvalid();
        return Convert.ToHexString(SHA256.HashData(samples.AsSpan(0, bytes)));
    }

    /// <summary>Decodes a file and hashes each picture.</summary>
    public static List<string> HashesOf(string path, string format, params string[] options) => Parse(StockProgram.Run(
        Patience, "ffmpeg",
        ["-nostdin", "-v", "error", "-i", path, "-map", "0:v:0", .. options, "-fps_mode", "passthrough", "-c:v", "rawvideo", "-pix_fmt", format, "-f", "framehash", "-hash", "sha256", "-"]));

    /// <summary>The hashes in what ffmpeg's framehash wrote.</summary>
    public static List<string> Parse(string framehash)
    {
        // 0, 12, 12, 1, 1382400, 1f0c...
        string[] lines = framehash.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        return lines.FirstOrDefault(line => line[0] is not '#' and not '0') is { } complaint
            ? throw new InvalidOperationException($"ffmpeg said: {complaint}")
            : [.. lines.Where(line => line[0] == '0').Select(line => line.Split(',')[^1].Trim().ToUpperInvariant())];
    }

    /// <summary>Which picture of the clip an image file shows, and how well.</summary>
    /// <returns>The picture, and its peak signal-to-noise ratio in dB, all channels together.</returns>
    public (int Picture, double Quality) Find(string image)
    {
        byte[] thumb = ThumbsOf(image, "");
        if (thumb.Length != ThumbWidth * ThumbHeight * 3)
        {
            throw new InvalidDataException($"{image} holds no picture.");
        }

        return Enumerable.Range(0, Pictures).Select(picture => (picture, Quality(thumb, _thumbs.AsSpan(picture * thumb.Length, thumb.Length)))).MaxBy(found => found.Item2);
    }

    public void Dispose() => _clips.Dispose();

    private static double Quality(ReadOnlySpan<byte> one, ReadOnlySpan<byte> other)
    {
        long squares = 0;
        for (int i = 0; i < one.Length; i++)
        {
            int difference = one[i] - other[i];
            squares += difference * difference;
        }

        return squares == 0 ? double.PositiveInfinity : 10 * Math.Log10(255.0 * 255 * one.Length / squares);
    }

    private byte[] ThumbsOf(string path, string colours)
    {
        string raw = _clips.PathOf($"thumbs-{Guid.NewGuid():N}");
        MediaClips.Ffmpeg(
            "-i", path, "-vf", $"scale={ThumbWidth}:{ThumbHeight}:flags=area+accurate_rnd+full_chroma_int{colours},format=rgb24", "-fps_mode", "passthrough", "-f", "rawvideo", raw);
        byte[] samples = File.ReadAllBytes(raw);
        File.Delete(raw);
        return samples;
    }
}
