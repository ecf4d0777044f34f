using System.Globalization;

namespace CuFrames.Hostile.Tests;

/// <summary>What a process has of the machine.</summary>
/// <param name="Descriptors">Open sockets and pipes and the like; what .NET opens of its own files is not counted.</param>
/// <param name="Threads">Threads.</param>
/// <param name="MemoryMiB">Resident memory, shared pages divided among those that share them.</param>
internal readonly record struct DaemonState(int Descriptors, int Threads, double MemoryMiB)
{
    public static DaemonState Of(int process)
    {
        string folder = string.Create(CultureInfo.InvariantCulture, $"/proc/{process}");
        int descriptors = 0;
        foreach (string file in Directory.GetFileSystemEntries(folder + "/fd"))
        {
            // One that was closed since the folder was listed has no target.
            descriptors += new FileInfo(file).LinkTarget is { } target && !target.EndsWith(".dll", StringComparison.Ordinal) ? 1 : 0;
        }

        string memory = File.ReadLines(folder + "/smaps_rollup").First(line => line.StartsWith("Pss:", StringComparison.Ordinal));
        return new DaemonState(
            descriptors, Directory.GetDirectories(folder + "/task").Length, int.Parse(memory.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture) / 1024.0);
    }
}
