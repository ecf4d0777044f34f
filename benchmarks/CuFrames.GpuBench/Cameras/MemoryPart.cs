using System.Text.Json.Nodes;
using CuFrames.Benchmarks.Gpu.Device;
using CuFrames.Benchmarks.Gpu.Running;
using CuFrames.Interop;

namespace CuFrames.Benchmarks.Gpu.Cameras;

/// <summary>
/// Device memory of the daemon with its cameras at 25 frames per second and 3 readers, of one decoding process for each camera, and of one
/// for each camera and reader. By the driver's figure of each process where it gives one, else by what the device has less.
/// </summary>
internal sealed class MemoryPart : IPart
{
    private const int Readers = 3;
    private static readonly TimeSpan Settling = TimeSpan.FromSeconds(2);

    public string Name => "vram";

    public void Run(PartContext context)
    {
        int cameras = context.Options.Cameras[^1];
        string clip = BenchClips.FindLong(context, "h264");

        // Held throughout, so that it is on both sides of every difference.
        using CudaContext own = context.Device.OpenContext();
        using StreamWriter table = context.CreateTable("vram.csv", "stage,cameras,readers,device_mib,daemon_mib");
        Dictionary<int, double> daemons = [];
        double withReaders = 0;
        double? ofDaemon = null;
        foreach (int count in context.Options.Cameras)
        {
            double free = DeviceMemory.WaitUntilSettled(context.Device, own);
            using CameraDaemon daemon = CameraDaemon.Start(context, clip, count, isPaced: true);
            Thread.Sleep(Settling);
            daemons[count] = DeviceMemory.Used(context.Device, own) - free;
            Record("daemon", count, 0, daemons[count], OfProcess(daemon.ProcessId));
            if (count != cameras)
            {
                continue;
            }

            for (int reader = 1; reader <= Readers; reader++)
            {
                daemon.AddReader();
                Thread.Sleep(Settling);
                withReaders = DeviceMemory.Used(context.Device, own) - free;
                ofDaemon = OfProcess(daemon.ProcessId);
                Record("daemon", count, reader, withReaders, ofDaemon);
            }
        }

        double perCamera = MeasureProcesses(cameras, "processes per camera");
        double perReader = MeasureProcesses(cameras * Readers, "processes per reader");
        if (daemons[cameras] <= 0 || perCamera <= 0 || perReader <= 0)
        {
            throw new InvalidOperationException(
                "The device's memory in use did not grow when decoders were started: this driver does not show what other processes use.");
        }

        int fewest = context.Options.Cameras[0];
        context.Report.Set("vram", new JsonObject
        {
            ["daemon_mib"] = BenchReport.Round(ofDaemon ?? daemons[cameras]),
            ["processes_per_camera_mib"] = BenchReport.Round(perCamera),
            ["processes_per_reader_mib"] = BenchReport.Round(perReader),
            ["per_camera_mib"] = cameras > fewest ? BenchReport.Round((daemons[cameras] - daemons[fewest]) / (cameras - fewest)) : null,
            ["per_reader_mib"] = BenchReport.Round((withReaders - daemons[cameras]) / Readers),
            ["daemon_and_readers_mib"] = BenchReport.Round(withReaders),
            ["cameras"] = cameras,
            ["readers"] = Readers,
            ["method"] = ofDaemon is null
                ? "device memory in use, before and after; the daemon's own is taken before the readers are attached"
                : "daemon: the driver's figure of the process with all readers attached; the others: device memory in use, before and after",
        });

        double MeasureProcesses(int count, string stage)
        {
            double free = DeviceMemory.WaitUntilSettled(context.Device, own);
            using FfmpegProcesses processes = FfmpegProcesses.Start(context, clip, count, isPaced: true);
            Thread.Sleep(Settling);
            double used = DeviceMemory.Used(context.Device, own) - free;
            processes.CheckAlive();
            Record(stage, count, 0, used, null);
            return used;
        }

        double? OfProcess(int process) =>
            DeviceManagement.GetProcessMemory(context.Device.UuidText).TryGetValue(process, out long bytes) ? bytes / DeviceMemory.Mebibyte : null;

        void Record(string stage, int count, int readers, double used, double? daemon)
        {
            table.WriteLine(FormattableString.Invariant($"{stage},{count},{readers},{used:0.#},{daemon:0.#}"));
            table.Flush();
            context.Log($"{stage}, {count} cameras or processes, {readers} readers: {used:0} MiB of the device, the daemon by itself {daemon:0} MiB");
        }
    }

    public void Print(BenchReport report, TextWriter output)
    {
        if (report["vram"] is not { } figures)
        {
            return;
        }

        double daemon = (double)figures["daemon_mib"]!;
        double perCamera = (double)figures["processes_per_camera_mib"]!;
        double perReader = (double)figures["processes_per_reader_mib"]!;
        int cameras = (int)figures["cameras"]!;
        int readers = (int)figures["readers"]!;
        output.WriteLine(FormattableString.Invariant($"\nDevice memory in MiB, {cameras} cameras of 1080p at 25 fps, {readers} readers"));
        output.WriteLine(FormattableString.Invariant($"  daemon                           {daemon,8}   with its readers {(double)figures["daemon_and_readers_mib"]!}"));
        output.WriteLine(FormattableString.Invariant($"  {cameras,2} decoding processes            {perCamera,8}   daemon: {daemon / perCamera:0.000} of it, aim 0.200"));
        output.WriteLine(FormattableString.Invariant($"  {cameras * readers,2} decoding processes            {perReader,8}   daemon: {daemon / perReader:0.000} of it, aim {1.0 / 15:0.000}"));
        output.WriteLine(FormattableString.Invariant($"  each added camera                {(double?)figures["per_camera_mib"],8}"));
        output.WriteLine(FormattableString.Invariant($"  each added reader                {(double)figures["per_reader_mib"]!,8}   nearly all of it its CUDA context"));
    }
}
