using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json.Nodes;
using CuFrames.Benchmarks.Gpu.Cameras;
using CuFrames.Benchmarks.Gpu.Device;
using CuFrames.Benchmarks.Gpu.Latency;
using CuFrames.Benchmarks.Gpu.Reclaim;
using CuFrames.Benchmarks.Gpu.Scale;
using CuFrames.Benchmarks.Running;
using CuFrames.Interop;
using CuFrames.TestKit;

namespace CuFrames.Benchmarks.Gpu.Running;

/// <summary>Runs the parts one after the other and writes the report after each.</summary>
internal static class GpuBenchRun
{
    private static readonly IPart[] All =
    [
        new LatencyPart(), new ThroughputPart(), new MemoryPart(), new CpuPart(), new ReclaimPart(), new CamerasPart(), new OnDemandPart(), new ScalePart(), new FfmpegPart(),
    ];

    public static int Start(string[] arguments)
    {
        if (arguments is ["--help" or "-h", ..])
        {
            Console.Out.WriteLine(BenchOptions.Usage);
            return 0;
        }

        if (BenchOptions.Parse(arguments, All.Select(part => part.Name)) is not { } options)
        {
            return 64;
        }

        if (!CudaDriver.TryInitialise(out string? obstacle))
        {
            Console.Error.WriteLine($"The bench needs a GPU. {obstacle}");
            return 2;
        }

        AppDomain.CurrentDomain.ProcessExit += (_, _) => Peer.KillAll();
        Console.CancelKeyPress += (_, _) => Peer.KillAll();
        Directory.CreateDirectory(options.RawFolder);
        using TemporaryDirectory work = new();
        CudaDevice device = CudaDriver.Devices[0];
        BenchReport report = BenchReport.Open(options.Json);
        string command = string.Join(' ', ["run-gpu-bench", .. arguments]);
        Describe(report, device, command);
        report.Write();
        Console.Error.WriteLine($"{device.Name} ({device.UuidText}), driver {report["driver"]}, CUDA {report["cuda"]}");
        bool hasFailed = false;
        foreach (IPart part in All.Where(part => options.Only.Count == 0 || options.Only.Contains(part.Name)))
        {
            JsonObject about = new() { ["date"] = Now(), ["command"] = command, ["commit"] = Commit() };
            Stopwatch watch = Stopwatch.StartNew();
            try
            {
                part.Run(new PartContext(part.Name, options, report, device, work.Path));
            }
            catch (Exception error)
            {
                // The other parts are worth having all the same; the exit status tells.
                hasFailed = true;
                about["not_measured"] = error.Message;
                Console.Error.WriteLine($"{part.Name} was not measured: {error}");
            }
            finally
            {
                Peer.KillAll();
            }

            about["seconds"] = BenchReport.Round(watch.Elapsed.TotalSeconds);
            report.SetPart(part.Name, about);
            report.Write();
        }

        foreach (IPart part in All)
        {
            part.Print(report, Console.Out);
        }

        Console.Out.WriteLine($"The figures are in {options.Json}, single samples and plots in {options.RawFolder}.");
        return hasFailed ? 1 : 0;
    }

    private static void Describe(BenchReport report, CudaDevice device, string command)
    {
        report.Set("device", device.Name);
        report.Set("driver", DeviceManagement.DriverVersion ?? "not known");
        report.Set("date", Now());
        report.Set("cuda", $"{CudaDriver.Version / 1000}.{CudaDriver.Version % 1000 / 10}");
        report.Set("command", command);
        report.Set("commit", Commit());
        report.Set("machine", new JsonObject
        {
            ["device_memory_mib"] = device.TotalMemory >> 20,
            ["compute_capability"] = device.ComputeCapability.ToString(),
            ["cpu"] = Machine.Cpu,
            ["cores"] = Environment.ProcessorCount,
            ["memory_mib"] = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes >> 20,
            ["kernel"] = File.ReadAllText("/proc/sys/kernel/osrelease").Trim(),
            ["system"] = RuntimeInformation.OSDescription,
            ["dotnet"] = RuntimeInformation.FrameworkDescription,
            ["ffmpeg"] = Machine.FirstLine("ffmpeg", "-version")?.Split(" Copyright")[0] ?? "not installed",
            ["load_before"] = Machine.Load,
        });
    }

    private static string Now() => DateTime.UtcNow.ToString("yyyy-MM-ddTHH:mm:ssZ", CultureInfo.InvariantCulture);

    /// <summary>What the bundle was made from; in the repository, what git says.</summary>
    private static string Commit()
    {
        string version = Path.Combine(AppContext.BaseDirectory, "..", "..", "VERSION");
        return File.Exists(version) ? File.ReadLines(version).First()["commit ".Length..] : Machine.Commit(AppContext.BaseDirectory);
    }
}
