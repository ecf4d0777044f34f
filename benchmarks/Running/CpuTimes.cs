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

    public static CpuTimes operator -(CpuTimes after, CpuTimes before) =>
        new(after.Busy - before.Busy, after.Stolen - before.Stolen, after.Total - before.Total);

    public double BusyShare => Total == 0 ? 0 : (double)Busy / Total;

    public double StolenShare => Total == 0 ? 0 : (double)Stolen / Total;
}
