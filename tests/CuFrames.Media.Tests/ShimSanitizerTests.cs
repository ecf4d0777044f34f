using System.Diagnostics;
using System.Runtime.CompilerServices;
using CuFrames.TestKit;
using Xunit;

namespace CuFrames.Media.Tests;

/// <summary>The shim under the address and undefined behaviour sanitizers, fed with files that are whole and files that are damaged.</summary>
public sealed class ShimSanitizerTests
{
    [Fact]
    public void Damaged_files_make_the_shim_touch_no_foreign_byte()
    {
        using MediaClips clips = new();
        string here = SourceFolder();
        string shim = Path.GetFullPath(Path.Combine(here, "../../media/shim"));
        string program = clips.PathOf("shim_check");
        Run("sh", "-c", $"cc -g -O1 -Wall -Wextra -Werror -std=c11 -pthread -fsanitize=address,undefined -fno-sanitize-recover=all -I'{shim}' `pkg-config --cflags libavformat libavcodec libavutil libswscale` -o '{program}' '{shim}/cuframes_av.c' '{shim}/cuframes_av_mux.c' '{here}/shim_check.c' `pkg-config --libs libavformat libavcodec libavutil libswscale`");

        string[] whole =
        [
            clips.H264("a.ts", 322, 242, 0.4),
            clips.H264("b.mp4", 320, 240, 0.4),
            clips.H264("c.mp4", 320, 240, 0.4, "-pix_fmt", "yuv422p"),
            clips.H264("d.ts", 322, 242, 0.4, "-pix_fmt", "yuv420p10le"),
            clips.H265("e.ts", 320, 240, 0.4),
            clips.Make("f.nut", [.. MediaClips.Moving(640, 480, 0.12), "-vf", "format=bgra,scale=101:67", "-c:v", "rawvideo"]),
            clips.Make("g.avi", [.. MediaClips.Moving(320, 240, 0.4), "-c:v", "mjpeg"]),
        ];
        // Six clips of 10 frames and one of 3.
        Assert.Equal("63 0 0", Run(program, whole).Trim());

        Random random = new(20);
        List<string> damaged = [];
        foreach (string path in whole)
        {
            byte[] content = File.ReadAllBytes(path);
            for (int i = 0; i < 40; i++)
            {
                byte[] copy = [.. content];
                int hits = 1 << random.Next(8);
                for (int hit = 0; hit < hits; hit++)
                {
                    copy[random.Next(copy.Length)] = (byte)random.Next(256);
                }

                if (random.Next(4) == 0)
                {
                    copy = copy[..random.Next(copy.Length)];
                }

                string name = clips.PathOf($"{i}-{Path.GetFileName(path)}");
                File.WriteAllBytes(name, copy);
                damaged.Add(name);
            }
        }

        string[] counts = Run(program, [.. damaged]).Trim().Split(' ');
        Assert.True(int.Parse(counts[0], System.Globalization.CultureInfo.InvariantCulture) > 300, string.Join(' ', counts));
    }

    /// <summary>Packets, parameters and times of every kind of nonsense: each is an error or an output, and never a byte outside of its buffer.</summary>
    [Fact]
    public void Nonsense_makes_the_muxer_touch_no_foreign_byte()
    {
        using MediaClips clips = new();
        string here = SourceFolder();
        string shim = Path.GetFullPath(Path.Combine(here, "../../media/shim"));
        string program = clips.PathOf("mux_check");
        Run("sh", "-c", $"cc -g -O1 -Wall -Wextra -Werror -std=c11 -pthread -fsanitize=address,undefined -fno-sanitize-recover=all -I'{shim}' `pkg-config --cflags libavformat libavcodec libavutil libswscale` -o '{program}' '{shim}/cuframes_av.c' '{shim}/cuframes_av_mux.c' '{here}/mux_check.c' `pkg-config --libs libavformat libavcodec libavutil libswscale`");
        string[] sound = ["-f", "lavfi", "-i", "sine=sample_rate=48000:duration=0.6"];
        string[] files =
        [
            clips.Make("a.mp4", [.. MediaClips.Moving(320, 240, 0.6), .. sound, "-c:v", "libx264", "-preset", "ultrafast", "-bf", "2", "-c:a", "aac"]),
            clips.Make("b.ts", [.. MediaClips.Moving(320, 240, 0.6), .. sound, "-c:v", "libx264", "-preset", "ultrafast", "-c:a", "aac"]),
            clips.Make("c.mkv", [.. MediaClips.Moving(320, 240, 0.6), .. sound, "-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=error:pools=1", "-ar", "8000", "-c:a", "pcm_alaw"]),
            clips.Make("d.ts", [.. MediaClips.Moving(320, 240, 0.6), .. sound, "-c:v", "mpeg2video", "-c:a", "mp2"]),
        ];

        long[] sane = Counts(Run(program, ["0", "150", .. files]));
        Assert.True(sane[0] > 2000, string.Join(' ', sane));
        for (int seed = 1; seed <= 6; seed++)
        {
            // Not for leaks: libavformat loses a buffer of its own when a header of MP4 cannot be made.
            long[] counts = Counts(Run("env", ["ASAN_OPTIONS=detect_leaks=0", program, seed.ToString(System.Globalization.CultureInfo.InvariantCulture), "150", .. files]));
            Assert.True(counts[0] > 300 && counts[1] > 50 && counts[2] > 50, string.Join(' ', counts));
        }
    }

    private static long[] Counts(string line) => [.. line.Trim().Split(' ').Select(count => long.Parse(count, System.Globalization.CultureInfo.InvariantCulture))];

    private static string SourceFolder([CallerFilePath] string path = "") => Path.GetDirectoryName(path)!;

    private static string Run(string program, params string[] arguments)
    {
        using Process process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        Task<string> messages = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        Assert.True(process.ExitCode == 0, $"{Path.GetFileName(program)} ended with {process.ExitCode}: {messages.Result}");
        return output;
    }
}
