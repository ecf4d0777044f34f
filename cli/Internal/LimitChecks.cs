using System.Globalization;

namespace CuFrames.Cli.Internal;

/// <summary>Looks at the limits that frames and connections run into.</summary>
internal static class LimitChecks
{
    /// <summary>A subscriber costs a publisher two descriptors; 64 cameras with 5 readers each, and some room.</summary>
    private const long ComfortableDescriptors = 1024;

    /// <summary>Below 128 the runtime itself may not start; a few streams with a few readers need as much again.</summary>
    private const long FewestDescriptors = 256;

    /// <summary>The kernel's own default; each reader maps a control block, a page and some segments per stream.</summary>
    private const long UsualMappings = 65_530;

    /// <summary>A ring of 24 frames of 1080p NV12, its limit as a rule.</summary>
    private const long RingBytes = 24L * 1920 * 1080 * 3 / 2;

    private const long MiB = 1 << 20;

    public static IEnumerable<Check> All()
    {
        yield return OpenFiles();
        yield return Mappings();
        yield return Memory();
        yield return ControlGroup();
    }

    private static Check OpenFiles()
    {
        const string name = "open files";
        string? line = File.ReadLines("/proc/self/limits").FirstOrDefault(text => text.StartsWith("Max open files", StringComparison.Ordinal));
        string[] fields = line?["Max open files".Length..].Split(' ', StringSplitOptions.RemoveEmptyEntries) ?? [];
        if (fields.Length < 2)
        {
            return Check.Warn(name, "/proc/self/limits does not name the limit", "Check that ulimit -n is at least 1024.");
        }

        string found = $"RLIMIT_NOFILE is {fields[0]}, at most {fields[1]}";
        const string advice = "Raise it: LimitNOFILE= in the systemd unit, --ulimit nofile=4096 for a container, or ulimit -n.";
        return !long.TryParse(fields[0], CultureInfo.InvariantCulture, out long limit) || limit >= ComfortableDescriptors ? Check.Ok(name, found)
            : limit >= FewestDescriptors ? Check.Warn(name, found, advice)
            : Check.Fail(name, found, advice);
    }

    private static Check Mappings()
    {
        const string name = "memory mappings";
        if (ReadNumber("/proc/sys/vm/max_map_count") is not { } limit)
        {
            return Check.Warn(name, "vm.max_map_count cannot be read", "Check that the sysctl vm.max_map_count is at least 65530.");
        }

        string found = $"vm.max_map_count is {limit}";
        return limit >= UsualMappings ? Check.Ok(name, found) : Check.Warn(name, found, "Set the sysctl vm.max_map_count to 65530 or more.");
    }

    private static Check Memory()
    {
        const string name = "memory";
        string? line = File.ReadLines("/proc/meminfo").FirstOrDefault(text => text.StartsWith("MemAvailable:", StringComparison.Ordinal));
        if (line is null || !long.TryParse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture, out long kilobytes))
        {
            return Check.Warn(name, "/proc/meminfo does not say what is available", "Check that enough memory is free for the rings.");
        }

        return OfMemory(name, kilobytes * 1024, $"{Words.Bytes(kilobytes * 1024.0)} available", "Free memory, or lower the rings' limits.");
    }

    /// <summary>Frames count for the control group that the publisher is in; /dev/shm and its size do not matter for them.</summary>
    private static Check ControlGroup()
    {
        const string name = "memory limit";
        string? line = File.ReadLines("/proc/self/cgroup").FirstOrDefault(text => text.StartsWith("0::", StringComparison.Ordinal));
        long? tightest = null;
        string? limitedBy = null;
        // A limit of any group above binds as well.
        for (string? group = line?[3..]; !string.IsNullOrEmpty(group); group = group == "/" ? null : Path.GetDirectoryName(group))
        {
            string directory = "/sys/fs/cgroup" + group.TrimEnd('/');
            if (ReadNumber($"{directory}/memory.max") is { } limit && ReadNumber($"{directory}/memory.current") is { } current &&
                (tightest is null || limit - current < tightest))
            {
                tightest = limit - current;
                limitedBy = $"{Words.Bytes(limit)} for the control group {group}, {Words.Bytes(current)} in use";
            }
        }

        return tightest is { } left
            ? OfMemory(name, left, limitedBy!, "Raise the memory limit of the container or unit: frames count for it.")
            : Check.Ok(name, "no control group limits it");
    }

    private static Check OfMemory(string name, long bytes, string found, string advice)
    {
        found += $": room for {Math.Max(bytes, 0) / RingBytes} full rings of 1080p NV12 (24 frames, {RingBytes / MiB} MiB)";
        return bytes >= 4 * RingBytes ? Check.Ok(name, found) : Check.Warn(name, found, advice);
    }

    private static long? ReadNumber(string path)
    {
        try
        {
            // "max" stands for no limit.
            return long.TryParse(File.ReadAllText(path).Trim(), CultureInfo.InvariantCulture, out long number) ? number : null;
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            // The file is not there: neither is the limit, as far as can be seen from here.
            return null;
        }
    }
}
