using System.Globalization;

namespace CuFrames.Interop;

/// <summary>
/// What this process takes up now, read from /proc/self. For statistics and tests; each call allocates.
/// </summary>
public static class ProcessFacts
{
    /// <summary>Number of open descriptors.</summary>
    /// <returns>The number, without the one that counting needs.</returns>
    /// <exception cref="IOException">/proc cannot be read.</exception>
    public static int CountOpenDescriptors() => Directory.EnumerateFileSystemEntries("/proc/self/fd").Count() - 1;

    /// <summary>Number of memory mappings; the kernel's limit is the sysctl vm.max_map_count.</summary>
    /// <returns>The number.</returns>
    /// <exception cref="IOException">/proc cannot be read.</exception>
    public static int CountMappings() => File.ReadLines("/proc/self/maps").Count();

    /// <summary>Number of threads.</summary>
    /// <returns>The number.</returns>
    /// <exception cref="IOException">/proc cannot be read.</exception>
    public static int CountThreads()
    {
        // The name in brackets may hold spaces; num_threads is the 18th field after it (proc_pid_stat(5), field 20).
        string stat = File.ReadAllText("/proc/self/stat");
        return int.Parse(stat[(stat.LastIndexOf(')') + 2)..].Split(' ')[17], CultureInfo.InvariantCulture);
    }

    /// <summary>Resident memory in bytes, shared pages included.</summary>
    /// <returns>The size.</returns>
    /// <exception cref="IOException">/proc cannot be read.</exception>
    public static long ReadResidentBytes()
    {
        // statm: total, resident, shared, ... in pages.
        string resident = File.ReadAllText("/proc/self/statm").Split(' ')[1];
        return long.Parse(resident, CultureInfo.InvariantCulture) * Environment.SystemPageSize;
    }
}
