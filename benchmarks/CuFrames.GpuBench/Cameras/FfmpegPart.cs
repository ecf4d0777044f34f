using System.Diagnostics;
using System.Text.Json.Nodes;
using CuFrames.Benchmarks.Gpu.Device;
using CuFrames.Benchmarks.Gpu.Running;
using CuFrames.Benchmarks.Running;
using CuFrames.Interop;
using CuFrames.TestKit;

namespace CuFrames.Benchmarks.Gpu.Cameras;

/// <summary>
/// Detectors fed by ffmpeg, with Frigate's filters for NVIDIA: ffmpeg processes that read the hardware frames of one daemon, against as many that
/// decode the camera for themselves, and against readers of a rendition in main memory. The sides take turns in one run.
/// </summary>
internal sealed class FfmpegPart : IPart
{
    /// <summary>Environment variable with the folder that has the patched programs as 5.1/bin, 7.1/bin and 8.1/bin.</summary>
    private const string BuildsVariable = "CUFRAMES_FFMPEG_BUILDS";

    /// <summary>Filter in place of scale_cuda, to try the part on the driver's double.</summary>
    private const string FilterVariable = "CUFRAMES_SCALE_FILTER";

    private const string CuFramesSide = "cuframes";

    /// <summary>Readers of a rendition in main memory, of the detector's size and rate: no reader has CUDA.</summary>
    private const string RenditionSide = "cuframes-rendition";

    private const string FfmpegSide = "ffmpeg";
    private const int SourceRate = 25;
    private const int Rate = 5;
    private const int MostCameras = 8;
    private const int ReadersOfMany = 3;
    private const int CamerasOfMany = 4;
    private static readonly TimeSpan Settling = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan SampleInterval = TimeSpan.FromMilliseconds(100);
    private static readonly string[] Versions = ["5.1", "7.1", "8.1"];

    public string Name => "ffmpeg";

    public void Run(PartContext context)
    {
        string builds = Environment.GetEnvironmentVariable(BuildsVariable) is { Length: > 0 } folder
            ? folder
            : throw new InvalidOperationException($"{BuildsVariable} names no folder with the programs of ffmpeg-filter/build.sh: the archive's run-gpu-bench sets it.");
        string clip = BenchClips.FindLong(context, "h264");
        string scale = Environment.GetEnvironmentVariable(FilterVariable) ?? "scale_cuda=w=640:h=360";

        // Frigate's line for a detector on NVIDIA, but for where the pictures go.
        string[] output = ["-r", $"{Rate}", "-vf", $"fps={Rate},{scale},hwdownload,format=nv12", "-threads", "2", "-f", "rawvideo", "-pix_fmt", "yuv420p", "-y", "/dev/null"];

        // And the one for a detector whose pictures need no hardware.
        string[] software = ["-r", $"{Rate}", "-vf", $"fps={Rate},scale=640:360", .. output[4..]];
        string[] input = ["-threads", "2", "-hwaccel_device", "0", "-hwaccel", "cuda", "-hwaccel_output_format", "cuda"];

        // Held throughout, so that it is on both sides of every difference.
        using CudaContext own = context.Device.OpenContext();
        using StreamWriter table = context.CreateTable(
            "ffmpeg.csv",
            "version,cameras,readers,side,repetition,process,cpu_ms,frames,seconds,device_to_device,device_to_host,host_to_device,other_copies,launches,open_decoders");
        JsonArray rows = [];
        List<string> missing = [];
        foreach (FfmpegPoint point in Points(context.Options.Cameras))
        {
            for (int repetition = 1; repetition <= point.Repetitions; repetition++)
            {
                // Another side begins each time: what the device does slower when it is warm is on both.
                string[] sides = [CuFramesSide, FfmpegSide, RenditionSide];
                if (repetition % 2 == 0)
                {
                    Array.Reverse(sides);
                }

                foreach (string side in sides)
                {
                    try
                    {
                        rows.Add(Measure(point, side, repetition));
                    }
                    catch (Exception error) when (error is InvalidOperationException or TimeoutException or IOException)
                    {
                        // The other points are worth having all the same; the report says which is missing.
                        missing.Add(FormattableString.Invariant($"FFmpeg {point.Version}, {point.Cameras} cameras, {point.Readers} readers each, {side}, repetition {repetition}: {error.Message}"));
                        context.Log($"{missing[^1]}");
                    }

                    context.Report.Set("ffmpeg", new JsonObject
                    {
                        ["detector"] = string.Join(' ', output),
                        ["rate"] = SourceRate,
                        ["rows"] = rows.DeepClone(),
                    });
                    context.Report.Write();
                    table.Flush();
                }
            }
        }

        if (missing.Count > 0)
        {
            throw new InvalidOperationException(string.Join('\n', missing));
        }

        JsonObject Measure(FfmpegPoint point, string side, int repetition)
        {
            string program = Path.Combine(builds, point.Version, "bin", "ffmpeg");
            double free = DeviceMemory.WaitUntilSettled(context.Device, own);
            List<DriverAudit> audits = [];
            if (side == FfmpegSide)
            {
                using FfmpegProcesses decoders = FfmpegProcesses.StartAll([.. Enumerable.Range(0, point.Cameras * point.Readers).Select(_ => Command(
                    [program, .. FfmpegProcesses.Reporting, "-re", "-stream_loop", "-1", .. input, "-i", clip, "-an", .. output]))]);
                return Look(decoders, []);
            }

            DriverAudit ofDaemon = Audit();
            using CameraDaemon daemon = CameraDaemon.StartWith(
                context, clip, point.Cameras, side == RenditionSide ? _ => $"renditions: {{ detector: {{ size: 640x360, fps: {Rate}, memory: host }} }}" : null, ofDaemon.Environment);
            using FfmpegProcesses readers = FfmpegProcesses.StartAll([.. daemon.Keys.SelectMany(key => Enumerable.Repeat(key, point.Readers)).Select(key => Command(
                side == RenditionSide
                    ? ["CUFRAMES_DIR=" + daemon.Directory, program, .. FfmpegProcesses.Reporting, "-threads", "2", "-timeout", "10000000", "-f", "cuframes", "-i", key + "@detector", .. software]
                    : ["CUFRAMES_DIR=" + daemon.Directory, program, .. FfmpegProcesses.Reporting, .. input, "-timeout", "10000000", "-f", "cuframes", "-i", key, .. output]))]);
            JsonObject row = Look(readers, [daemon.ProcessId]);

            // The daemon says of each camera which decoder it took.
            row["daemon_decoders"] = daemon.Errors.Split('\n').Count(line => line.Contains("Decoder: nvdec.", StringComparison.Ordinal));
            return row;

            DriverAudit Audit()
            {
                DriverAudit audit = new(context.WorkFolder, $"audit-{Guid.NewGuid():N}");
                audits.Add(audit);
                return audit;
            }

            string[] Command(string[] words) => ["env", .. Audit().Environment.Select(variable => $"{variable.Key}={variable.Value}"), .. words];

            JsonObject Look(FfmpegProcesses ffmpegs, IReadOnlyList<int> more) => Compare(context, own, table, point, side, repetition, free, ffmpegs, more, audits);
        }
    }

    public void Print(BenchReport report, TextWriter output)
    {
        if (report["ffmpeg"]?["rows"] is not JsonArray rows)
        {
            return;
        }

        output.WriteLine("\nffmpeg with Frigate's detector line for NVIDIA, cameras of 1080p at 25 fps: readers of one cuframesd, and ffmpegs that decode");
        output.WriteLine($"{"FFmpeg",-7} {"cameras",7} {"readers",7} {"",-18} {"CPU cores",9} {"VRAM MiB",9} {"decoders",8} {"NVDEC",6} {"frames/s",8}   copies per camera frame: {"on device",9} {"to host",8} {"to device",9}");
        foreach (IGrouping<(string Version, int Cameras, int Readers), JsonNode> point in rows.GroupBy(row => ((string)row!["version"]!, (int)row["cameras"]!, (int)row["readers"]!), row => row!))
        {
            foreach (IGrouping<string, JsonNode> side in point.GroupBy(row => (string)row["side"]!).OrderBy(side => side.Key, StringComparer.Ordinal))
            {
                JsonNode[] all = [.. side];
                double Mean(Func<JsonNode, double> value) => all.Average(value);
                output.WriteLine(FormattableString.Invariant(
                    $"{point.Key.Version,-7} {point.Key.Cameras,7} {point.Key.Readers,7} {side.Key,-18} {Mean(row => (double)row["cpu_cores"]!),9:0.000} {Mean(row => (double)row["vram_mib"]!),9:0} {Mean(row => (long)row["decoders"]!),8:0} {Mean(row => (double?)row["nvdec"] ?? 0),6:0.000} {Mean(row => (double)row["frames_per_second"]!),8:0.0}   {"",-24} {Mean(row => (double)row["device_to_device"]!),9:0.00} {Mean(row => (double)row["device_to_host"]!),8:0.00} {Mean(row => (double)row["host_to_device"]!),9:0.00}"));
            }
        }
    }

    /// <summary>The newest version with all numbers of cameras, and with several readers for each; the others at one number.</summary>
    private static IEnumerable<FfmpegPoint> Points(IReadOnlyList<int> cameras)
    {
        int[] counts = [.. cameras.Select(count => Math.Min(count, MostCameras)).Distinct()];
        int common = counts.Contains(CamerasOfMany) ? CamerasOfMany : counts[^1];
        foreach (int count in counts)
        {
            yield return new FfmpegPoint(Versions[^1], count, 1, 2);
        }

        yield return new FfmpegPoint(Versions[^1], common, ReadersOfMany, 2);
        foreach (string version in Versions[..^1])
        {
            yield return new FfmpegPoint(version, common, 1, 1);
        }
    }

    /// <summary>Looks twice, some seconds apart, at processes that run.</summary>
    private static JsonObject Compare(
        PartContext context, CudaContext own, StreamWriter table, FfmpegPoint point, string side, int repetition, double free, FfmpegProcesses ffmpegs, IReadOnlyList<int> more,
        List<DriverAudit> audits)
    {
        Thread.Sleep(Settling);
        int[] processes = [.. more, .. ffmpegs.ProcessIds];

        // Long enough for the 10 ms in which the kernel counts.
        TimeSpan window = TimeSpan.FromSeconds(2 * context.Options.Seconds);
        Stopwatch watch = Stopwatch.StartNew();
        double[] firstTimes = [.. processes.Select(CpuTimes.ReadMilliseconds)];
        DriverCounts[] firstCounts = ReadAll(out _);
        (long Frames, long Time)[] firstFrames = ffmpegs.Mark();
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
        IReadOnlyDictionary<int, long> ofProcesses = DeviceManagement.GetProcessMemory(context.Device.UuidText);
        double[] times = [.. processes.Select(CpuTimes.ReadMilliseconds).Zip(firstTimes, (last, first) => last - first)];
        DriverCounts[] counts = ReadAll(out int users);
        long[] frames = [.. ffmpegs.Mark().Zip(firstFrames, (last, first) => last.Frames - first.Frames)];
        double seconds = (watch.Elapsed - begin).TotalSeconds;
        ffmpegs.CheckAlive();
        if (frames.Any(count => count <= 0))
        {
            throw new InvalidOperationException($"{side}, FFmpeg {point.Version}, {point.Cameras} cameras: an ffmpeg gave no frame while it was measured.");
        }

        for (int i = 0; i < processes.Length; i++)
        {
            DriverCounts count = counts[i];
            DriverCounts before = firstCounts[i];
            table.WriteLine(FormattableString.Invariant(
                $"{point.Version},{point.Cameras},{point.Readers},{side},{repetition},{(i < more.Count ? "cuframesd" : "ffmpeg")},{times[i]},{(i < more.Count ? 0 : frames[i - more.Count])},{seconds:0.000},{count.DeviceToDevice - before.DeviceToDevice},{count.DeviceToHost - before.DeviceToHost},{count.HostToDevice - before.HostToDevice},{count.OtherCopies - before.OtherCopies},{count.Launches - before.Launches},{count.OpenDecoders}"));
        }

        double pictures = seconds * SourceRate * point.Cameras;
        double PerPicture(Func<DriverCounts, long> value) => BenchReport.Round((counts.Sum(value) - firstCounts.Sum(value)) / pictures);
        JsonObject row = new()
        {
            ["version"] = point.Version,
            ["cameras"] = point.Cameras,
            ["readers"] = point.Readers,
            ["side"] = side,
            ["repetition"] = repetition,
            ["cpu_cores"] = BenchReport.Round(times.Sum() / 1000 / seconds),
            ["vram_mib"] = BenchReport.Round(used),
            ["nvdec"] = decoders.Count > 0 ? BenchReport.Round(decoders.Average()) : null,
            ["decoders"] = counts.Sum(count => count.OpenDecoders),
            ["frames_per_second"] = BenchReport.Round(frames.Sum() / seconds),
            ["processes"] = processes.Length,
            ["processes_with_driver"] = users,
            ["device_to_device"] = PerPicture(count => count.DeviceToDevice),
            ["device_to_host"] = PerPicture(count => count.DeviceToHost),
            ["host_to_device"] = PerPicture(count => count.HostToDevice),
            ["other_copies"] = PerPicture(count => count.OtherCopies),
            ["launches"] = PerPicture(count => count.Launches),
        };
        if (more.Count > 0)
        {
            row["daemon_cpu_cores"] = BenchReport.Round(times[0] / 1000 / seconds);
            row["daemon_vram_mib"] = ofProcesses.TryGetValue(processes[0], out long bytes) ? BenchReport.Round(bytes / DeviceMemory.Mebibyte) : null;
            row["readers_device_to_device"] = BenchReport.Round((counts.Skip(1).Sum(count => count.DeviceToDevice) - firstCounts.Skip(1).Sum(count => count.DeviceToDevice)) / pictures);
        }

        context.Log(
            $"FFmpeg {point.Version}, {point.Cameras} cameras, {point.Readers} each, {side}: {times.Sum() / 1000 / seconds:0.000} cores, {used:0} MiB of the device, {counts.Sum(count => count.OpenDecoders)} decoders, {frames.Sum() / seconds:0.0} frames per second");
        return row;

        DriverCounts[] ReadAll(out int usersOfDriver)
        {
            DriverCounts[] all = new DriverCounts[audits.Count];
            usersOfDriver = 0;
            for (int i = 0; i < all.Length; i++)
            {
                all[i] = audits[i].Read(out bool usesDriver);
                usersOfDriver += usesDriver ? 1 : 0;
            }

            // Readers of main memory have nothing to do with the driver; everybody else has, or the counts mean nothing.
            int expected = side == RenditionSide ? more.Count : all.Length;
            return usersOfDriver == expected
                ? all
                : throw new InvalidOperationException($"{usersOfDriver} of {all.Length} processes use the driver, and {expected} should.");
        }
    }
}
