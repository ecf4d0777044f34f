using System.Globalization;

namespace CuFrames.Benchmarks.Operate;

/// <summary>What a process has of the machine, from /proc.</summary>
/// <param name="PssKiB">Resident memory, shared pages divided among those that share them, in KiB.</param>
/// <param name="RssKiB">Resident memory, shared pages whole, in KiB.</param>
/// <param name="AnonymousKiB">The part of the proportional set that is no file's: heaps, stacks; in KiB.</param>
/// <param name="Descriptors">Open descriptors.</param>
/// <param name="Threads">Threads.</param>
internal readonly record struct ProcessState(long PssKiB, long RssKiB, long AnonymousKiB, int Descriptors, int Threads)
{
    public static ProcessState Of(int process)
    {
        string folder = string.Create(CultureInfo.InvariantCulture, $"/proc/{process}");
        Dictionary<string, long> memory = File.ReadLines(folder + "/smaps_rollup").Skip(1)
            .Select(line => line.Split((char[])[':', ' '], StringSplitOptions.RemoveEmptyEntries))
            .ToDictionary(words => words[0], words => long.Parse(words[1], CultureInfo.InvariantCulture));
        return new ProcessState(
            memory["Pss"], memory["Rss"], memory["Pss_Anon"],
            Directory.GetFileSystemEntries(folder + "/fd").Length, Directory.GetDirectories(folder + "/task").Length);
    }
}
