using System.Text.Json;

namespace CuFrames.Frigate.Tests;

/// <summary>What frigate.py reports; its own text describes the fields. Times are seconds of the wall clock.</summary>
internal sealed record NvrReport(double Began, double Ended, int Libavformat, Dictionary<string, NvrReport.Camera> Cameras)
{
    public static JsonSerializerOptions Json { get; } = new() { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower };

    internal sealed record Camera(Detect Detect, Restart[] Restarts, Segment[] Segments, Probe[] Probes, Dictionary<string, string> Log);

    internal sealed record Detect(long Frames, int Distinct, long? Unknown, double? First, double? Last, double LargestRate, double[][] Gaps);

    internal sealed record Restart(double At, string Role, string Reason, int? Status);

    internal sealed record Segment(
        string Name, double Start, double Duration, int Frames, int? First, int? Last, int? Unknown, int? Jumps, double LargestStep, int Sounds, double SoundLargestStep, string[] Faults);

    internal sealed record Probe(double At, string Call, string Path, double Seconds, int? Status, string[] Faults);
}
