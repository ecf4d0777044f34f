using System.Globalization;

namespace CuFrames.Benchmarks.Gpu.Running;

/// <summary>The command line.</summary>
internal sealed record BenchOptions
{
    public const string Usage =
        """
        Usage: run-gpu-bench [--json FILE] [--only PART[,PART]] [--seconds N] [--readers N,N] [--cameras N,N] [--clips DIR]
                             [--memory cuda|cuda-ipc] [--decode nvdec|software]
          --json     where the figures go; figures of other parts that the file has already are kept. Single samples and plots
                     go to FILE-raw beside it (default: gpu-bench.json)
          --only     measures these parts alone: latency, throughput, vram, cpu, reclaim, cameras,
                     on-demand, scale, ffmpeg
          --seconds  length of one measurement; the numbers of samples and kills scale with it (default: 4)
          --readers  numbers of readers for latency (default: 1,4,8)
          --cameras  numbers of cameras for throughput; the last one is that of vram, cpu, cameras
                     and on-demand; ffmpeg takes those up to 8 (default: 1,4,8,16)
          --clips    folder with h264.mp4 and hevc.mp4 (default: the one in the bundle)
          --memory   how device memory is handed to readers (default: cuda)
          --decode   software: tries the bench where there is no NVDEC; the figures prove nothing
        Exit status: 0 all was measured, 1 a part was not, 2 no usable GPU, 64 the command line is wrong.
        """;

    /// <summary>Seconds that the numbers of samples are written for.</summary>
    private const double UsualSeconds = 4;

    public string Json { get; private init; } = Path.GetFullPath("gpu-bench.json");

    public IReadOnlyList<string> Only { get; private init; } = [];

    /// <summary>Seconds of one measurement.</summary>
    public double Seconds { get; private init; } = UsualSeconds;

    public IReadOnlyList<int> Readers { get; private init; } = [1, 4, 8];

    public IReadOnlyList<int> Cameras { get; private init; } = [1, 4, 8, 16];

    public string? Clips { get; private init; }

    public string Memory { get; private init; } = "cuda";

    public string Decode { get; private init; } = "nvdec";

    public string RawFolder => Path.ChangeExtension(Json, null) + "-raw";

    /// <returns>Null when the command line is wrong; then it has said so.</returns>
    public static BenchOptions? Parse(string[] arguments, IEnumerable<string> parts)
    {
        BenchOptions options = new();
        for (int i = 0; i < arguments.Length; i += 2)
        {
            string? value = i + 1 < arguments.Length ? arguments[i + 1] : null;
            BenchOptions? next = (arguments[i], value) switch
            {
                ("--json", not null) => options with { Json = Path.GetFullPath(value) },
                ("--only", not null) when value.Split(',').All(parts.Contains) => options with { Only = value.Split(',') },
                ("--seconds", not null) when double.TryParse(value, CultureInfo.InvariantCulture, out double seconds) && seconds > 0 => options with { Seconds = seconds },
                ("--readers", not null) when Numbers(value) is { } readers => options with { Readers = readers },
                ("--cameras", not null) when Numbers(value) is { } cameras => options with { Cameras = cameras },
                ("--clips", not null) => options with { Clips = Path.GetFullPath(value) },
                ("--memory", "cuda" or "cuda-ipc") => options with { Memory = value },
                ("--decode", "nvdec" or "software") => options with { Decode = value },
                _ => null,
            };
            if (next is null)
            {
                Console.Error.WriteLine($"'{arguments[i]} {value}' is not understood.\n{Usage}");
                return null;
            }

            options = next;
        }

        return options;
    }

    /// <summary>A number of samples, scaled with <see cref="Seconds"/>.</summary>
    public int Scale(int samples) => Math.Max(1, (int)(samples * Seconds / UsualSeconds));

    private static int[]? Numbers(string text)
    {
        string[] words = text.Split(',');
        return words.All(word => int.TryParse(word, NumberStyles.None, CultureInfo.InvariantCulture, out int number) && number is > 0 and <= 64)
            ? [.. words.Select(word => int.Parse(word, CultureInfo.InvariantCulture))]
            : null;
    }
}
