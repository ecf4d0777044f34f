namespace CuFrames.Cli.Internal;

/// <summary>When a file that began at a time is to end.</summary>
internal static class SegmentClock
{
    /// <summary>The end of a segment: where the length divides a day, the next multiple of it since local midnight, so that files of an hour begin with
    /// the hour; else the length after its beginning.</summary>
    /// <param name="start">When the segment began, local time.</param>
    /// <param name="length">Length of segments.</param>
    public static DateTimeOffset EndOf(DateTimeOffset start, TimeSpan length) => TimeSpan.TicksPerDay % length.Ticks == 0
        ? start.AddTicks(length.Ticks - (start.TimeOfDay.Ticks % length.Ticks))
        : start + length;
}
