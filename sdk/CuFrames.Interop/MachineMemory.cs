using System.Globalization;

namespace CuFrames.Interop;

/// <summary>How much memory this process may use at most, as the machine and its control groups say.</summary>
public static class MachineMemory
{
    /// <summary>The least of the machine's memory and the limits of the control groups, of version 1 or 2, that this process is in.</summary>
    /// <returns>Bytes.</returns>
    /// <exception cref="IOException">/proc cannot be read.</exception>
    public static long ReadLimit() =>
        Math.Min(ReadTotal("/proc/meminfo"), ReadControlGroupLimit("/proc/self/cgroup", "/sys/fs/cgroup"));

    internal static long ReadTotal(string informationFile) =>
        // "MemTotal:       24553984 kB"
        1024 * long.Parse(
            File.ReadLines(informationFile).First(line => line.StartsWith("MemTotal:", StringComparison.Ordinal)).Split(' ', StringSplitOptions.RemoveEmptyEntries)[1],
            NumberStyles.None,
            CultureInfo.InvariantCulture);

    /// <summary>The least limit of any control group from this process's own up to the root.</summary>
    internal static long ReadControlGroupLimit(string membershipFile, string mountPoint)
    {
        long least = long.MaxValue;
        foreach (string line in File.ReadLines(membershipFile))
        {
            // "0::/path" of version 2, "7:memory:/path" of version 1. In a container the path may be the host's, and the own group is the mount point.
            string[] parts = line.Split(':', 3);
            if (parts.Length < 3 || (parts[0] != "0" && !parts[1].Split(',').Contains("memory")))
            {
                continue;
            }

            (string root, string name) = parts[0] == "0" ? (mountPoint, "memory.max") : (Path.Combine(mountPoint, "memory"), "memory.limit_in_bytes");
            for (string? path = parts[2].TrimStart('/'); path is not null; path = path.Length == 0 ? null : Path.GetDirectoryName(path))
            {
                string file = Path.Combine(root, path, name);
                // Version 1 says a number near the largest for none.
                if (File.Exists(file) && long.TryParse(File.ReadAllText(file).Trim(), NumberStyles.None, CultureInfo.InvariantCulture, out long limit) && limit > 0)
                {
                    least = Math.Min(least, limit);
                }
            }
        }

        return least;
    }
}
