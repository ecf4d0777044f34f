namespace CuFrames.Cli.Internal;

/// <summary>Latencies of the frames of an interval.</summary>
/// <param name="Publish">From the publish stamp to the take; null without a frame.</param>
/// <param name="Arrival">From the arrival of the frame's data to the take; null when no frame says when that was.</param>
internal sealed record WatchLatency(LatencyFigures? Publish, LatencyFigures? Arrival);
