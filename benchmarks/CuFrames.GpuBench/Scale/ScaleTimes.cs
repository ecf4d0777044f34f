using System.Text.Json.Nodes;
using CuFrames.Benchmarks.Gpu.Running;
using CuFrames.Benchmarks.Report;

namespace CuFrames.Benchmarks.Gpu.Scale;

/// <summary>What scaling takes, in nanoseconds.</summary>
/// <param name="Frames">Of each frame on the device, between an event before and one after it.</param>
/// <param name="Batches">Of one frame on the device, on average of a batch without events in between.</param>
/// <param name="Submits">Of one frame on the processor, on average of a batch.</param>
internal sealed record ScaleTimes(IReadOnlyList<double> Frames, IReadOnlyList<double> Batches, IReadOnlyList<double> Submits)
{
    private const double NanosecondsPerMicrosecond = 1000;

    public JsonObject ToJson(string scaler, string from, string to, string format) => new()
    {
        ["scaler"] = scaler,
        ["from"] = from,
        ["to"] = to,
        ["format"] = format,
        ["frame_p50_us"] = BenchReport.Round(Statistics.Percentile(Frames, 0.5) / NanosecondsPerMicrosecond),
        ["frame_p99_us"] = BenchReport.Round(Statistics.Percentile(Frames, 0.99) / NanosecondsPerMicrosecond),
        ["batch_p50_us"] = BenchReport.Round(Statistics.Percentile(Batches, 0.5) / NanosecondsPerMicrosecond),
        ["submit_p50_us"] = BenchReport.Round(Statistics.Percentile(Submits, 0.5) / NanosecondsPerMicrosecond),
        ["frames"] = Frames.Count,
    };
}
