using CuFrames.Benchmarks.Gpu.Running;
using CuFrames.Benchmarks.Running;

namespace CuFrames.Benchmarks.Gpu.Cameras;

/// <summary>The clips of gpu/build-clips.sh: 1080p at 25 frames per second, 200 frames, H.264 without and HEVC with B pictures.</summary>
internal static class BenchClips
{
    // 12,000 frames: at a thousand frames per second none ends while it is measured, so nobody pays for beginning again.
    private const int Copies = 60;

    /// <summary>A clip as it is.</summary>
    /// <param name="context">Of the part.</param>
    /// <param name="codec">h264 or hevc.</param>
    public static string Find(PartContext context, string codec)
    {
        string? folder = context.Options.Clips ?? Environment.GetEnvironmentVariable("CUFRAMES_CLIPS");
        string clip = Path.Combine(folder ?? "", codec + ".mp4");
        return folder is not null && File.Exists(clip)
            ? clip
            : throw new FileNotFoundException($"There is no clip {clip}. gpu/build-clips.sh makes it; name its folder with --clips.");
    }

    /// <summary>The same clip many times one after the other.</summary>
    /// <param name="context">Of the part.</param>
    /// <param name="codec">h264 or hevc.</param>
    public static string FindLong(PartContext context, string codec)
    {
        string clip = Path.Combine(context.WorkFolder, codec + "-long.mp4");
        if (!File.Exists(clip))
        {
            using Peer ffmpeg = Peer.Program(
                "ffmpeg", "ffmpeg", "-v", "error", "-nostdin", "-stream_loop", $"{Copies - 1}", "-i", Find(context, codec), "-c", "copy", clip);
            ffmpeg.WaitForEnd(120);
        }

        return clip;
    }
}
