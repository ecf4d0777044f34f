using System.Globalization;

namespace CuFrames.Benchmarks.Running;

/// <summary>Time of all cores since boot, from /proc/stat, in its ticks.</summary>
internal readonly record struct CpuTimes(long Busy, long Stolen, long Total)
{
    public static CpuTimes Read()
    {
        // cpu user nice system idle iowait irq softirq steal ...
        long[] ticks = [.. File.ReadLines("/proc/stat").First().Split(' ', StringSplitOptions.RemoveEmptyEntries).Skip(1).Take(8)
            .Select(word => long.Parse(word, CultureInfo.InvariantCulture))];
        return new CpuTimes(ticks.Sum() - ticks[3] - ticks[4], ticks[7], ticks.Sum());
    }

    /// <summary>What this process and the children that it has waited for have used, in the same ticks.</summary>
    public static long ReadOwn() =>
        // pid (name) state ..., of which the 12th to 15th after the name are utime, stime, cutime and cstime.
        File.ReadAllText("/proc/self/stat").Split(')')[^1].Split(' ', StringSplitOptions.RemoveEmptyEntries).Skip(11).Take(4)
            .Sum(word => long.Parse(word, CultureInfo.InvariantCulture));

    /// <summary>CPU time of a process and its running children in milliseconds, to 10 ms.</summary>
    public static double ReadMilliseconds(int process)
    {
        const double millisecondsPerTick = 10;
        double sum = 0;
        foreach (string folder in Directory.EnumerateDirectories("/proc").Where(folder => char.IsAsciiDigit(folder[6])))
        {
            try
            {
                // state ppid ... utime stime
                string[] words = File.ReadAllText(folder + "/stat").Split(')')[^1].Split(' ', StringSplitOptions.RemoveEmptyEntries);
                if (int.Parse(folder.AsSpan(6), CultureInfo.InvariantCulture) == process || int.Parse(words[1], CultureInfo.InvariantCulture) == process)
                {
                    sum += (long.Parse(words[11], CultureInfo.InvariantCulture) + long.Parse(words[12], CultureInfo.InvariantCulture)) * millisecondsPerTick;
                }
            }
            catch (IOException)
            {
                // A process that ended between the listing and the look at it; not one of ours, which are waited for.
                continue;
            }
        }

        return sum;
    }

    public static CpuTimes operator -(CpuTimes after, CpuTimes before) =>
        new(after.Busy - before.Busy, after.Stolen - before.Stolen, after.Total - before.Total);

    public double BusyShare => Total == 0 ? 0 : (double)Busy / Total;

    public double StolenShare => Total == 0 ? 0 : (double)Stolen / Total;
}
