using System.Text.RegularExpressions;
using CuFrames.Media;
using CuFrames.Protocol;

namespace CuFrames.Cli.Internal;

/// <summary>
/// Looks at the CUDA driver and tries every GPU that it shows, in processes of their own with a time for each answer: a driver that hangs or
/// crashes is one more thing to report.
/// </summary>
internal sealed partial class GpuChecks
{
    private const string Name = "gpu";
    private const string Fallback = "software decode, frames in host memory";

    /// <summary>The driver initialises every device of the machine, which takes seconds with many.</summary>
    private static readonly TimeSpan DriverPatience = TimeSpan.FromSeconds(30);

    /// <summary>A step may open a context in each of two processes, and has time-outs of its own below this.</summary>
    private static readonly TimeSpan StepPatience = TimeSpan.FromSeconds(25);

    private readonly bool _isRequired;

    /// <summary>Prepares the checks.</summary>
    /// <param name="isRequired">Whether it is a failure if there is no GPU.</param>
    public GpuChecks(bool isRequired) => _isRequired = isRequired;

    /// <summary>What the driver said; null before <see cref="All"/> has asked, and if it did not answer.</summary>
    public GpuDriver? Driver { get; private set; }

    public IEnumerable<Check> All()
    {
        yield return AskDriver();
        if (Driver is not { Obstacle: null } usable)
        {
            yield break;
        }

        foreach (Check check in NamespaceChecks.All(usable.Devices.Count).Concat(Decoders()).Concat(usable.Devices.SelectMany(Try)))
        {
            yield return check;
        }
    }

    private Check AskDriver()
    {
        using ProbeProcess process = ProbeProcess.Start("doctor-driver");
        if (process.ReadLine(DriverPatience, out string failure) is not { } line)
        {
            return Check.Fail(Name, $"the process that initialised CUDA {failure}: {Fallback}",
                "The driver is at fault: look at nvidia-smi and the kernel's log (dmesg, NVRM), then restart the machine or update the driver.");
        }

        Driver = JsonLine.Read<GpuDriver>(line);
        string? module = ModuleVersion();
        if (Driver.Obstacle is { } obstacle)
        {
            string found = obstacle + (module is null ? "" : $" The NVIDIA kernel module {module} is loaded.") + $" Used instead: {Fallback}.";
            return _isRequired
                ? Check.Fail(Name, found, "Make the GPU usable, or leave out --gpu.")
                : Check.Warn(Name, found, "Nothing, if CuFrames is to work without a GPU.");
        }

        return Check.Ok(Name, $"CUDA {Driver.CudaVersion}, {Driver.Library}, {(module is null ? "kernel module not seen" : $"kernel module {module}")}, {Driver.Devices.Count} {(Driver.Devices.Count == 1 ? "device" : "devices")}");
    }

    /// <summary>What libavcodec hands to NVDEC, if the GPU can.</summary>
    private static IEnumerable<Check> Decoders()
    {
        IReadOnlyList<string> codecs;
        try
        {
            codecs = MediaLibrary.NvdecCodecs;
        }
        catch (CuFramesException)
        {
            // Said by the checks of libav.
            yield break;
        }

        const string name = "nvdec in libavcodec";
        string[] missing = [.. MediaChecks.Decoders.Except(codecs)];
        yield return codecs.Count == 0
            ? Check.Warn(name, "libavcodec was built without NVDEC", "Cameras are decoded in software and uploaded; install a libavcodec that was built with NVDEC.")
            : missing.Length == 0
                ? Check.Ok(name, $"decoders for {string.Join(", ", codecs)}")
                : Check.Warn(name, $"decoders for {string.Join(", ", codecs)}, none for {string.Join(", ", missing)}",
                    $"Cameras that send {string.Join(" or ", missing)} are decoded in software and uploaded.");
    }

    /// <summary>Tries one device. A step that takes its process along is reported, and another process takes the rest.</summary>
    private static IEnumerable<Check> Try(GpuDevice device)
    {
        for (int step = 0; step < GpuProbe.StepCount;)
        {
            using ProbeProcess process = ProbeProcess.Start("doctor-gpu", $"{device.Ordinal}", $"{step}");
            int first = step;
            string failure = "";
            while (step < GpuProbe.StepCount && process.ReadLine(StepPatience, out failure) is { } line)
            {
                GpuAnswer answer = JsonLine.Read<GpuAnswer>(line);
                foreach (Check check in answer.Checks)
                {
                    yield return check;
                }

                // Without a context there is nothing to try.
                step = answer.Step == 0 && answer.Checks[0].Status == "fail" ? GpuProbe.StepCount : answer.Step + 1;
            }

            // A process whose context broke says so in its last answer and ends in order.
            if (step < GpuProbe.StepCount && (step == first || !process.HasEndedInOrder))
            {
                yield return GpuProbe.Lost(device, step, failure);
                step = step == 0 ? GpuProbe.StepCount : step + 1;
            }
        }
    }

    /// <summary>The version of the kernel's part of the driver; null without one.</summary>
    private static string? ModuleVersion()
    {
        const string path = "/proc/driver/nvidia/version";
        return File.Exists(path) && VersionNumber().Match(File.ReadLines(path).FirstOrDefault("")) is { Success: true } match ? match.Value : null;
    }

    [GeneratedRegex(@"\d+\.\d+(\.\d+)?")]
    private static partial Regex VersionNumber();
}
