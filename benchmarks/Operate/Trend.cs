using CuFrames.Benchmarks.Report;

namespace CuFrames.Benchmarks.Operate;

/// <summary>Whether a row of values stays where it is: the slope of Theil and Sen, which single outliers, such as the moment before a garbage collection, do not move.</summary>
/// <param name="PerHour">Median of the slopes between all pairs, per hour.</param>
/// <param name="Level">Median of the values.</param>
/// <param name="Hours">Time from the first to the last.</param>
internal sealed record Trend(double PerHour, double Level, double Hours)
{
    /// <summary>How much it grew over the time that was looked at, as the slope has it.</summary>
    public double Growth => PerHour * Hours;

    /// <param name="seconds">When each value was taken.</param>
    /// <param name="values">The values; at least two.</param>
    public static Trend Of(IReadOnlyList<double> seconds, IReadOnlyList<double> values)
    {
        List<double> slopes = [];
        for (int i = 0; i < values.Count; i++)
        {
            for (int j = i + 1; j < values.Count; j++)
            {
                slopes.Add((values[j] - values[i]) / (seconds[j] - seconds[i]) * 3600);
            }
        }

        return new Trend(Statistics.Median(slopes), Statistics.Median([.. values]), (seconds[^1] - seconds[0]) / 3600);
    }
}
