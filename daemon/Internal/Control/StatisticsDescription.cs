using CuFrames.Control.V1;
using CuFrames.Daemon.Internal.Metrics;

namespace CuFrames.Daemon.Internal.Control;

/// <summary>What control.proto says of a snapshot of the daemon. Any thread.</summary>
internal static class StatisticsDescription
{
    private const double NanosecondsPerMicrosecond = 1000;

    /// <summary>Describes a snapshot.</summary>
    /// <param name="snapshot">The snapshot.</param>
    /// <param name="camera">Only this camera; empty: all.</param>
    internal static Statistics Of(DaemonSnapshot snapshot, string camera)
    {
        ProcessSnapshot process = snapshot.Process;
        Statistics statistics = new()
        {
            TimeMs = (ulong)new DateTimeOffset(snapshot.Utc).ToUnixTimeMilliseconds(),
            Process = new ProcessStatistics
            {
                ProcessId = Environment.ProcessId,
                CpuSeconds = process.CpuSeconds,
                ResidentBytes = (ulong)process.ResidentBytes,
                Descriptors = (uint)process.Descriptors,
                Threads = (uint)process.Threads,
            },
        };
        foreach (CameraSnapshot described in snapshot.Cameras.Where(described => camera.Length == 0 || described.Key == camera))
        {
            statistics.Cameras.Add(Of(described, snapshot.Time));
            statistics.Readers.AddRange(CameraDescription.ReadersOf(described.Facts, stream: ""));
        }

        if (snapshot.Gpu is { } gpu)
        {
            statistics.Gpus.Add(Of(gpu));
        }

        return statistics;
    }

    private static CameraStatistics Of(CameraSnapshot camera, long now)
    {
        CameraFacts facts = camera.Facts;
        CameraStatistics statistics = new()
        {
            Key = camera.Key,
            State = facts.State,
            Reason = facts.Reason,
            StateMs = (ulong)Math.Max(0, (now - facts.Since) / 1_000_000),
            Source = camera.Source,
            Packets = facts.Packets is { } packets ? CameraDescription.Of(packets.Statistics) : null,
            SourceBytesPerSecond = camera.BytesPerSecond,
            Latency = camera.Latency is { } latency
                ? new Latency
                {
                    P50Us = latency.P50 / NanosecondsPerMicrosecond,
                    P95Us = latency.P95 / NanosecondsPerMicrosecond,
                    P99Us = latency.P99 / NanosecondsPerMicrosecond,
                    Frames = (ulong)latency.Frames,
                }
                : null,
        };
        statistics.Streams.AddRange(camera.Streams.Select(stream => new StreamStatistics
        {
            Stream = CameraDescription.Of(stream.Facts),
            FramesPerSecond = stream.FramesPerSecond,
            DroppedPerSecond = stream.DropsPerSecond,
        }));
        return statistics;
    }

    private static GpuStatistics Of(GpuSnapshot gpu)
    {
        GpuStatistics statistics = new()
        {
            Device = gpu.Uuid,
            Name = gpu.Name,
            MemoryUsedBytes = (ulong)(gpu.MemoryUsed ?? 0),
            MemoryTotalBytes = (ulong)(gpu.MemoryTotal ?? 0),
            Decoders = (uint)gpu.Decoders,
        };
        if (gpu.DecoderUtilisation is { } share)
        {
            statistics.DecoderUtilization = share;
        }

        return statistics;
    }
}
