using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.RegularExpressions;

namespace CuFrames.Benchmarks.Running;

/// <summary>Describes the machine and the versions of what is compared.</summary>
internal static partial class Machine
{
    public static string Cpu => Field("/proc/cpuinfo", "model name") ?? RuntimeInformation.ProcessArchitecture.ToString();

    /// <summary>A name for the results' directory.</summary>
    public static string Slug
    {
        get
        {
            string cpu = NotInSlug().Replace(Cpu.ToLowerInvariant().Replace("(r)", "", StringComparison.Ordinal), "-").Trim('-');
            return $"{(cpu.Length > 40 ? cpu[..40].Trim('-') : cpu)}-{Environment.ProcessorCount}cores";
        }
    }

    public static double Load => double.Parse(File.ReadAllText("/proc/loadavg").Split(' ')[0], CultureInfo.InvariantCulture);

    public static string Commit(string repository)
    {
        string commit = FirstLine("git", "-C", repository, "rev-parse", "--short=12", "HEAD") ?? "unknown";
        string? changes = FirstLine("git", "-C", repository, "status", "--porcelain", "--untracked-files=no", "--", "sdk", "media", "daemon", "protocol", "benchmarks/*.cs", "benchmarks/**/*.cs", "benchmarks/Languages");
        return changes is null ? commit : commit + " with changes";
    }

    public static SortedDictionary<string, string> Describe(string repository) => new(StringComparer.Ordinal)
    {
        ["cpu"] = Cpu,
        ["cores"] = $"{Environment.ProcessorCount}",
        ["hypervisor"] = File.ReadAllText("/proc/cpuinfo").Contains(" hypervisor", StringComparison.Ordinal) ? "yes" : "no",
        ["memory"] = Field("/proc/meminfo", "MemTotal") ?? "unknown",
        ["kernel"] = File.ReadAllText("/proc/sys/kernel/osrelease").Trim(),
        ["system"] = Field("/etc/os-release", "PRETTY_NAME", '=')?.Trim('"') ?? "unknown",
        ["dotnet"] = RuntimeInformation.FrameworkDescription,
        ["ffmpeg"] = FirstLine("ffmpeg", "-version")?.Split(" Copyright")[0] ?? "not installed",
        ["gstreamer"] = FirstLine("gst-launch-1.0", "--version") ?? "not installed",
        ["strace"] = FirstLine("strace", "-V") ?? "not installed",
        ["governor"] = Text("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        ["transparent huge pages"] = Text("/sys/kernel/mm/transparent_hugepage/enabled"),
        ["commit"] = Commit(repository),
        ["load average before"] = File.ReadAllText("/proc/loadavg").Trim(),
    };

    /// <summary>First line that a program prints; null when it prints nothing, fails or is missing.</summary>
    public static string? FirstLine(string program, params string[] arguments)
    {
        try
        {
            using Process process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true })!;
            string text = process.StandardOutput.ReadToEnd();
            process.WaitForExit();
            return process.ExitCode == 0 && text.Length > 0 ? text.Split('\n')[0].Trim() : null;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return null;
        }
    }

    private static string Text(string path) => File.Exists(path) ? File.ReadAllText(path).Trim() : "none";

    private static string? Field(string path, string name, char separator = ':') => File.ReadLines(path)
        .FirstOrDefault(line => line.StartsWith(name, StringComparison.Ordinal))?.Split(separator, 2)[1].Trim();

    [GeneratedRegex("[^a-z0-9]+")]
    private static partial Regex NotInSlug();
}
