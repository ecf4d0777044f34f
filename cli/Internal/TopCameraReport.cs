using CuFrames.Control.V1;

namespace CuFrames.Cli.Internal;

/// <summary>A camera at one look.</summary>
internal sealed record TopCameraReport(
    string Key,
    CameraState State,
    string Reason,
    double StateSeconds,
    string Source,
    double SourceBytesPerSecond,
    TopLatencyReport? Latency,
    IReadOnlyList<CameraStreamReport> Streams,
    CameraPacketsReport? Packets)
{
    public static TopCameraReport From(CameraStatistics camera) => new(
        camera.Key,
        camera.State,
        camera.Reason,
        camera.StateMs / 1000.0,
        camera.Source,
        camera.SourceBytesPerSecond,
        camera.Latency is { } latency ? new TopLatencyReport(latency.P50Us, latency.P95Us, latency.P99Us, latency.Frames) : null,
        [.. camera.Streams.Select(stream => CameraStreamReport.From(stream.Stream, stream.FramesPerSecond, stream.DroppedPerSecond))],
        camera.Packets is { } packets ? CameraPacketsReport.From(packets) : null);
}
