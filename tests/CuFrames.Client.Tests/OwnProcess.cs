using System.Globalization;
using Xunit;

namespace CuFrames.Client.Tests;

/// <summary>What this process has open, mapped and in memory, of CuFrames' kind.</summary>
internal static class OwnProcess
{
    // What the runtime's heap may grow by while a hundred peers come and go. One leaked segment or buffer each would be more.
    private const long MemoryBound = 24L << 20;

    /// <summary>Sockets and memory files of this process; what the runtime opens for itself is left out.</summary>
    public static int Descriptors()
    {
        Settle();
        int count = 0;
        foreach (string entry in Directory.GetFileSystemEntries("/proc/self/fd"))
        {
            string? target = null;
            try
            {
                target = new FileInfo(entry).LinkTarget;
            }
            catch (IOException)
            {
                // The listing's own descriptor is gone by now.
            }

            if (target is not null && (target.Contains("cuframes", StringComparison.Ordinal) || target.StartsWith("socket:", StringComparison.Ordinal)))
            {
                count++;
            }
        }

        return count;
    }

    /// <summary>Mappings of CuFrames' memory files.</summary>
    public static int Mappings()
    {
        Settle();
        return File.ReadLines("/proc/self/maps").Count(line => line.Contains("memfd:cuframes", StringComparison.Ordinal));
    }

    public static long ResidentBytes()
    {
        Settle();

        // Gives the heap's free regions back: how many it keeps depends on how busy the machine is.
        GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
        string line = File.ReadLines("/proc/self/status").First(line => line.StartsWith("VmRSS:", StringComparison.Ordinal));
        return long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture) * 1024;
    }

    public static void RequireNoGrowth(int descriptors, int mappings, long memory)
    {
        Assert.True(Descriptors() <= descriptors, $"{Descriptors()} sockets and memory files instead of {descriptors}");
        Assert.True(Mappings() <= mappings, $"{Mappings()} mappings instead of {mappings}");
        Assert.True(ResidentBytes() <= memory + MemoryBound, $"{ResidentBytes()} bytes in memory instead of {memory}");
    }

    private static void Settle()
    {
        GC.Collect();
        GC.WaitForPendingFinalizers();
    }
}
