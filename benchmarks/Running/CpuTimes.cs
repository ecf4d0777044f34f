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

    public static CpuTimes operator -(CpuTimes after, CpuTimes before) =>
        new(after.Busy - before.Busy, after.Stolen - before.Stolen, after.Total - before.Total);

    public double BusyShare => Total == 0 ? 0 : (double)Busy / Total;

    public double StolenShare => Total == 0 ? 0 : (double)Stolen / Total;
}
