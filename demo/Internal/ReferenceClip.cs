using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using CuFrames.Protocol;

namespace CuFrames.Demo.Internal;

/// <summary>Makes the camera's clip with ffmpeg, and decodes it with ffmpeg: what our frames are compared with.</summary>
internal static class ReferenceClip
{
    private const int Width = 1280;
    private const int Height = 720;
    private const int Rate = 25;

    /// <summary>Every picture of the clip is another one; when it is played again the same ones come again.</summary>
    private const int Seconds = 4;

    /// <summary>Encodes the clip: H.264, 720p, 25 frames per second, with a counter in the picture, a key frame every second.</summary>
    /// <param name="path">The MP4 file to write.</param>
    public static void Make(string path)
    {
        using Process ffmpeg = Start(
            "-y", "-f", "lavfi", "-i", string.Create(CultureInfo.InvariantCulture, $"testsrc2=size={Width}x{Height}:rate={Rate}:duration={Seconds}"),
            // Colours as cameras of this size send them, and said so in the stream.
            "-vf", "scale=out_color_matrix=bt709", "-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709",
            "-c:v", "libx264", "-preset", "veryfast", "-b:v", "4M", "-g", $"{Rate}", "-bf", "0", "-pix_fmt", "yuv420p", path);
        ffmpeg.StandardOutput.ReadToEnd();
        RequireSuccess(ffmpeg);
    }

    /// <summary>Decodes the clip and writes the SHA-256 of every picture, one a line.</summary>
    /// <param name="clip">The clip.</param>
    /// <param name="description">The stream that will carry it: its format is what ffmpeg writes.</param>
    /// <param name="path">The file to write.</param>
    /// <returns>Number of pictures.</returns>
    public static int WriteHashes(string clip, StreamDescription description, string path)
    {
        string format = description.PixelFormat switch
        {
            PixelFormat.I420 => "yuv420p",
            PixelFormat.Nv12 => "nv12",
            _ => throw new InvalidOperationException(
                $"The clip has 8 bit 4:2:0 pictures, and the daemon publishes them as {PixelFormats.Name(description.PixelFormat)}."),
        };
        using Process ffmpeg = Start("-i", clip, "-map", "0:v:0", "-fps_mode", "passthrough", "-pix_fmt", format, "-f", "rawvideo", "-");
        byte[] picture = new byte[PixelFormats.PictureBytes(description.PixelFormat, description.Width, description.Height)];
        List<string> hashes = [];
        while (ffmpeg.StandardOutput.BaseStream.ReadAtLeast(picture, picture.Length, throwOnEndOfStream: false) == picture.Length)
        {
            hashes.Add(Convert.ToHexString(SHA256.HashData(picture)));
        }

        RequireSuccess(ffmpeg);
        if (hashes.Count != Seconds * Rate || hashes.Distinct().Count() != hashes.Count)
        {
            throw new InvalidOperationException($"ffmpeg decoded {hashes.Count} pictures of the clip, {hashes.Distinct().Count()} of them different; {Seconds * Rate} were expected.");
        }

        File.WriteAllLines(path, hashes);
        return hashes.Count;
    }

    private static Process Start(params string[] arguments)
    {
        ProcessStartInfo start = new("ffmpeg") { RedirectStandardInput = true, RedirectStandardOutput = true };
        foreach (string argument in (string[])["-nostdin", "-v", "error", .. arguments])
        {
            start.ArgumentList.Add(argument);
        }

        Process process = Process.Start(start) ?? throw new InvalidOperationException("ffmpeg could not be started.");
        process.StandardInput.Close();
        return process;
    }

    private static void RequireSuccess(Process ffmpeg)
    {
        ffmpeg.WaitForExit();
        if (ffmpeg.ExitCode != 0)
        {
            throw new InvalidOperationException($"ffmpeg ended with {ffmpeg.ExitCode}; its messages are above.");
        }
    }
}
