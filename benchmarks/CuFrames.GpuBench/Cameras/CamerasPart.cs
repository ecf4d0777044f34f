using System.Diagnostics;
using System.Text.Json.Nodes;
using CuFrames.Benchmarks.Gpu.Device;
using CuFrames.Benchmarks.Gpu.Running;
using CuFrames.Benchmarks.Running;
using CuFrames.Interop;

namespace CuFrames.Benchmarks.Gpu.Cameras;

/// <summary>
/// What a detector on each camera costs the machine: one daemon with a small rendition in main memory for each camera and a reader process without
/// a GPU, against one ffmpeg for each camera that decodes, scales and downloads for itself.
/// </summary>
internal sealed class CamerasPart : IPart
{
    private const string Rendition = "detector";
    private const int Width = 1280;
    private const int Height = 720;
    private const int Rate = 5;
    private const double CpuAim = 0.25;
    private const double MemoryAim = 1.0 / 3;
    private static readonly TimeSpan Settling = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan SampleInterval = TimeSpan.FromMilliseconds(100);

    public string Name => "cameras";

    public void Run(PartContext context)
    {
        int cameras = context.Options.Cameras[^1];
        string clip = BenchClips.FindLong(context, "h264");
        bool isNvdec = context.Options.Decode == "nvdec";

        // Held throughout, so that it is on both sides of every difference.
        using CudaContext own = context.Device.OpenContext();
        using StreamWriter table = context.CreateTable("cameras.csv", "program,process,frames,cpu_ms,seconds");
        JsonObject figures = new()
        {
            ["cameras"] = cameras,
            ["rendition"] = FormattableString.Invariant($"{Width}x{Height} nv12 in main memory, {Rate} frames per second"),
            ["cuframes"] = MeasureDaemon(context, own, table, clip, cameras),
        };
        string scale = isNvdec
            ? FormattableString.Invariant($"fps={Rate},scale_cuda={Width}:{Height}:interp_algo=bicubic,hwdownload,format=nv12")
            : FormattableString.Invariant($"fps={Rate},scale={Width}:{Height}:flags=bicubic,format=nv12");
        figures["filter"] = scale;
        figures["ffmpeg"] = MeasureProcesses("ffmpeg", []);
        figures["ffmpeg_one_thread"] = MeasureProcesses("ffmpeg-1-thread", ["-threads", "1"]);
        context.Report.Set("cameras", figures);

        JsonObject MeasureProcesses(string program, string[] threads)
        {
            double free = DeviceMemory.WaitUntilSettled(context.Device, own);
            using FfmpegProcesses processes = FfmpegProcesses.StartWith(context, clip, cameras, isPaced: true, threads, ["-vf", scale]);
            Thread.Sleep(Settling);
            JsonObject result = Measure(context, own, table, program, free, processes.ProcessIds, () => [.. processes.Mark().Select(point => point.Frames)]);
            processes.CheckAlive();
            return result;
        }
    }

    public void Print(BenchReport report, TextWriter output)
    {
        if (report["cameras"] is not { } figures)
        {
            return;
        }

        output.WriteLine(FormattableString.Invariant(
            $"\n{(int)figures["cameras"]!} cameras of 1080p at 25 fps, a detector on each: {(string)figures["rendition"]!}"));
        output.WriteLine($"{"",-28} {"CPU cores",10} {"VRAM MiB",10} {"NVDEC",8} {"frames/s",9} {"with CUDA",10}");
        foreach ((string name, string text) in (ReadOnlySpan<(string, string)>)
            [("cuframes", "cuframesd and its readers"), ("ffmpeg", "ffmpeg processes"), ("ffmpeg_one_thread", "ffmpeg -threads 1")])
        {
            JsonNode row = figures[name]!;
            output.WriteLine(FormattableString.Invariant(
                $"{text,-28} {(double)row["cpu_cores"]!,10:0.000} {(double)row["vram_mib"]!,10:0} {(double?)row["nvdec"],8:0.000} {(double)row["frames_per_second"]!,9:0.0} {(int)row["processes_with_cuda"]!,10}"));
        }

        // Against the one that needs less.
        double cpu = (double)figures["cuframes"]!["cpu_cores"]! / Math.Min((double)figures["ffmpeg"]!["cpu_cores"]!, (double)figures["ffmpeg_one_thread"]!["cpu_cores"]!);
        double memory = (double)figures["cuframes"]!["vram_mib"]! / Math.Min((double)figures["ffmpeg"]!["vram_mib"]!, (double)figures["ffmpeg_one_thread"]!["vram_mib"]!);
        output.WriteLine(FormattableString.Invariant($"  of the cheaper ffmpeg: CPU {cpu:0.000}, aim {CpuAim:0.000}; VRAM {memory:0.000}, aim {MemoryAim:0.000}"));
        output.WriteLine(FormattableString.Invariant(
            $"  the daemon by itself: CPU {(double)figures["cuframes"]!["daemon_cpu_cores"]!:0.000} cores; its readers have CUDA open in {(int)figures["cuframes"]!["readers_with_cuda"]!} processes, aim 0"));
    }

    private static JsonObject MeasureDaemon(PartContext context, CudaContext own, StreamWriter table, string clip, int cameras)
    {
        double free = DeviceMemory.WaitUntilSettled(context.Device, own);
        using CameraDaemon daemon = CameraDaemon.StartWith(
            context, clip, cameras, _ => FormattableString.Invariant($"renditions: {{{Rendition}: {{size: {Width}x{Height}, fps: {Rate}, format: nv12, memory: host}}}}"),
            new Dictionary<string, string?>());
        daemon.AddReaders(daemon.Keys.Select(key => (string[])[$"{key}@{Rendition}"]));
        Thread.Sleep(Settling);
        JsonObject result = Measure(
            context, own, table, "cuframes", free, [daemon.ProcessId, .. daemon.ReaderProcessIds], () => [.. daemon.Mark().Select(points => points[0].Taken)]);
        result["readers_with_cuda"] = daemon.ReaderProcessIds.Count(HasCuda);
        return result;
    }

    /// <summary>Looks twice, some seconds apart, at processes that run.</summary>
    private static JsonObject Measure(
        PartContext context, CudaContext own, StreamWriter table, string program, double free, IReadOnlyList<int> processes, Func<long[]> frames)
    {
        // Long enough for the 10 ms in which the kernel counts.
        TimeSpan window = TimeSpan.FromSeconds(2 * context.Options.Seconds);
        Stopwatch watch = Stopwatch.StartNew();
        double[] firstTimes = [.. processes.Select(CpuTimes.ReadMilliseconds)];
        long[] firstFrames = frames();
        TimeSpan begin = watch.Elapsed;
        List<double> decoders = [];
        while (watch.Elapsed - begin < window)
        {
            Thread.Sleep(SampleInterval);
            if (DeviceManagement.GetDecoderUse(context.Device.UuidText) is { } use)
            {
                decoders.Add(use);
            }
        }

        double used = DeviceMemory.Used(context.Device, own) - free;
        double[] lastTimes = [.. processes.Select(CpuTimes.ReadMilliseconds)];
        long[] lastFrames = frames();
        double seconds = (watch.Elapsed - begin).TotalSeconds;
        double[] times = [.. firstTimes.Zip(lastTimes, (from, to) => to - from)];
        long[] taken = [.. firstFrames.Zip(lastFrames, (from, to) => to - from)];
        if (taken.Any(count => count <= 0))
        {
            throw new InvalidOperationException($"{program}: somebody got no frame while it was measured.");
        }

        for (int i = 0; i < times.Length; i++)
        {
            // The daemon stands before its readers and takes no frames itself.
            int reader = i - (times.Length - taken.Length);
            table.WriteLine(FormattableString.Invariant($"{program},{(reader < 0 ? "daemon" : "reader")},{(reader < 0 ? 0 : taken[reader])},{times[i]},{seconds:0.000}"));
        }

        table.Flush();
        JsonObject result = new()
        {
            ["cpu_cores"] = BenchReport.Round(times.Sum() / 1000 / seconds),
            ["vram_mib"] = BenchReport.Round(used),
            ["nvdec"] = decoders.Count > 0 ? BenchReport.Round(decoders.Average()) : null,
            ["frames_per_second"] = BenchReport.Round(taken.Sum() / seconds),
            ["processes"] = processes.Count,
            ["processes_with_cuda"] = processes.Count(HasCuda),
        };
        if (times.Length > taken.Length)
        {
            result["daemon_cpu_cores"] = BenchReport.Round(times[0] / 1000 / seconds);
        }

        context.Log($"{program}: {times.Sum() / 1000 / seconds:0.000} cores, {used:0} MiB of the device, {taken.Sum() / seconds:0.0} frames per second");
        return result;
    }

    /// <summary>Whether a process has the driver's library mapped, without which it has no context.</summary>
    private static bool HasCuda(int process) => File.ReadLines($"/proc/{process}/maps").Any(line => line.Contains("libcuda.so", StringComparison.Ordinal));
}
