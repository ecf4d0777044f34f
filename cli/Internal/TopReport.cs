using CuFrames.Control.V1;

namespace CuFrames.Cli.Internal;

/// <summary>One look of <c>cuframes top</c>, as it goes to JSON.</summary>
internal sealed record TopReport(
    DateTimeOffset Time, TopProcessReport Process, IReadOnlyList<TopGpuReport> Gpus, IReadOnlyList<TopCameraReport> Cameras, IReadOnlyList<ReaderReport> Readers)
{
    /// <param name="statistics">What the daemon says.</param>
    /// <param name="before">The look before; null: this is the first.</param>
    public static TopReport From(Statistics statistics, TopReport? before)
    {
        DateTimeOffset time = DateTimeOffset.FromUnixTimeMilliseconds((long)statistics.TimeMs);
        ProcessStatistics process = statistics.Process;
        if (before?.Process.ProcessId != process.ProcessId)
        {
            // What another process has used says nothing of this one.
            before = null;
        }

        double? load = before is null || time <= before.Time
            ? null
            : Math.Max(0, process.CpuSeconds - before.Process.CpuSeconds) / (time - before.Time).TotalSeconds;
        return new TopReport(
            time,
            new TopProcessReport(process.ProcessId, process.CpuSeconds, load ?? before?.Process.CpuLoad, process.ResidentBytes, process.Descriptors, process.Threads),
            [.. statistics.Gpus.Select(gpu => new TopGpuReport(
                gpu.Device, gpu.Name, gpu.MemoryUsedBytes, gpu.MemoryTotalBytes, gpu.Decoders, gpu.HasDecoderUtilization ? gpu.DecoderUtilization : null))],
            [.. statistics.Cameras.Select(TopCameraReport.From)],
            [.. statistics.Readers.Select(ReaderReport.From)]);
    }
}
