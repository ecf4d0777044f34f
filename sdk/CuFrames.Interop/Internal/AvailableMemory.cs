using System.Globalization;

namespace CuFrames.Interop.Internal;

/// <summary>
/// How much memory can be allocated before the kernel kills somebody for it: an estimate. The kernel does not refuse
/// pages of a memory file when memory runs out, it calls its OOM killer, so this has to be asked beforehand.
/// </summary>
internal static class AvailableMemory
{
    /// <summary>Bytes left on the machine and in every control group (version 2) that this process is in.</summary>
    internal static long Read() =>
        Math.Min(ReadMachine("/proc/meminfo"), ReadControlGroups("/proc/self/cgroup", "/sys/fs/cgroup"));

    /// <summary>What the kernel estimates to be free or easily freed, and free swap.</summary>
    internal static long ReadMachine(string informationFile)
    {
        long available = 0;
        foreach (string line in File.ReadLines(informationFile))
        {
            if (line.StartsWith("MemAvailable:", StringComparison.Ordinal) ||
                line.StartsWith("SwapFree:", StringComparison.Ordinal))
            {
                // "MemAvailable:   23553984 kB"
                available += 1024 * ParseNumber(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1]);
            }
        }

        return available;
    }

    /// <summary>The least that any control group from this process's own up to the root has left.</summary>
    internal static long ReadControlGroups(string membershipFile, string mountPoint)
    {
        // Version 2 has one line, "0::/path"; hybrid set-ups have others besides, and no memory.max below the mount
        // point.
        string? line = File.ReadLines(membershipFile)
            .FirstOrDefault(line => line.StartsWith("0::/", StringComparison.Ordinal));
        if (line is null)
        {
            return long.MaxValue;
        }

        long available = long.MaxValue;
        for (string? path = line["0::/".Length..]; path is not null; path = Path.GetDirectoryName(path))
        {
            string limitFile = Path.Combine(mountPoint, path, "memory.max");
            if (File.Exists(limitFile) && File.ReadAllText(limitFile).Trim() is var limit && limit != "max")
            {
                available = Math.Min(available, ParseNumber(limit) - ReadUsage(Path.Combine(mountPoint, path)));
            }

            if (path.Length == 0)
            {
                break;
            }
        }

        return available;
    }

    /// <summary>What a control group uses, less the page cache, which the kernel drops before it kills.</summary>
    private static long ReadUsage(string directory)
    {
        long usage = ParseNumber(File.ReadAllText(Path.Combine(directory, "memory.current")).Trim());
        foreach (string line in File.ReadLines(Path.Combine(directory, "memory.stat")))
        {
            // Memory files count as anonymous in these lists, so they are not taken off.
            if (line.StartsWith("inactive_file ", StringComparison.Ordinal) ||
                line.StartsWith("active_file ", StringComparison.Ordinal))
            {
                usage -= ParseNumber(line.Split(' ')[1]);
            }
        }

        return usage;
    }

    private static long ParseNumber(string text) => long.Parse(text, NumberStyles.None, CultureInfo.InvariantCulture);
}
