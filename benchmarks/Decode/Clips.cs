using System.Diagnostics;
using CuFrames.Benchmarks.Running;

namespace CuFrames.Benchmarks.Decode;

/// <summary>
/// The files to decode: 1080p H.264 at 25 fps and some 5 Mbit/s, a moving pattern under noise that changes with every frame, so that they
/// cost about what a camera's picture costs. Made once and kept.
/// </summary>
internal static class Clips
{
    public const int Count = 4;

    private const int EncodedSeconds = 20;

    // The same 20 s one after the other, so that no file ends while it is measured.
    private const int Copies = 9;

    public static string[] Make(RunContext context)
    {
        string[] clips = [.. Enumerable.Range(1, Count).Select(clip => Path.Combine(context.WorkFolder, $"clip-{clip}.mp4"))];
        foreach ((int index, string clip) in clips.Index())
        {
            if (File.Exists(clip))
            {
                continue;
            }

            context.Log($"makes {Path.GetFileName(clip)}");
            Make(clip, index + 1, "");
        }

        long bytes = clips.Sum(clip => new FileInfo(clip).Length);
        context.Note("clips", $"{Count} files of {EncodedSeconds * Copies} s, {bytes * 8.0 / Count / EncodedSeconds / Copies / 1e6:0.0} Mbit/s each");
        return clips;
    }

    /// <summary>One more such file, with a key frame every 2 s and nowhere else.</summary>
    public static string MakeWithKeyFrames(RunContext context)
    {
        string clip = Path.Combine(context.WorkFolder, "clip-key-frames.mp4");
        if (!File.Exists(clip))
        {
            context.Log($"makes {Path.GetFileName(clip)}");
            Make(clip, Count + 1, "-sc_threshold 0");
        }

        return clip;
    }

    private static void Make(string clip, int seed, string more)
    {
        string once = clip + ".once.mp4";
        string part = clip + ".part.mp4";
        RunFFmpeg(
            $"-f lavfi -i testsrc2=size=1920x1080:rate=25,noise=alls=12:allf=t+u:all_seed={seed} -t {EncodedSeconds} " +
            $"-c:v libx264 -preset veryfast -profile:v high -bf 0 -g 50 {more} -b:v 5M -maxrate 6M -bufsize 10M -pix_fmt yuv420p {once}");
        RunFFmpeg($"-stream_loop {Copies - 1} -i {once} -c copy {part}");
        File.Delete(once);
        File.Move(part, clip);
    }

    private static void RunFFmpeg(string arguments)
    {
        using Process ffmpeg = Process.Start("ffmpeg", $"-v error -nostdin -y {arguments}");
        ffmpeg.WaitForExit();
        if (ffmpeg.ExitCode != 0)
        {
            throw new InvalidOperationException($"ffmpeg {arguments} ended with {ffmpeg.ExitCode}.");
        }
    }
}
