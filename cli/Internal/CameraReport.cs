using CuFrames.Control.V1;

namespace CuFrames.Cli.Internal;

/// <summary>A camera of the daemon as it goes to JSON.</summary>
internal sealed record CameraReport(
    string Key,
    CameraState State,
    string Reason,
    double StateSeconds,
    string Source,
    Origin Origin,
    bool Isolated,
    int? WorkerProcessId,
    IReadOnlyList<CameraStreamReport> Streams,
    CameraPacketsReport? Packets,
    string Settings)
{
    public static CameraReport From(Camera camera) => new(
        camera.Key,
        camera.State,
        camera.Reason,
        camera.StateMs / 1000.0,
        camera.Source,
        camera.Origin,
        camera.Isolated,
        camera.WorkerProcessId == 0 ? null : camera.WorkerProcessId,
        [.. camera.Streams.Select(stream => CameraStreamReport.From(stream))],
        camera.Packets is { } packets ? CameraPacketsReport.From(packets) : null,
        camera.Settings);
}
