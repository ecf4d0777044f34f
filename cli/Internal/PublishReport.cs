using CuFrames.Client;
using CuFrames.Interop;
using CuFrames.Media;

namespace CuFrames.Cli.Internal;

/// <summary>What <c>publish</c> says of an interval or of all its time, as it goes to JSON.</summary>
internal sealed record PublishReport(
    string Type,
    string Key,
    string State,
    string Reason,
    string Format,
    double? Fps,
    long Frames,
    long Dropped,
    long Corrupt,
    long DecodeErrors,
    long Reconnects,
    string Memory,
    string? Device,
    string? Decoder,
    string? DecoderReason,
    int Subscribers,
    int Slots,
    long Time)
{
    /// <summary>Reads the figures of a pump.</summary>
    /// <param name="type"><c>interval</c> or <c>total</c>.</param>
    /// <param name="pump">The pump.</param>
    /// <param name="publisher">Its publisher.</param>
    /// <param name="before">The report before, which the rate is measured from; null: no rate.</param>
    public static PublishReport From(string type, CameraPump pump, FramePublisher publisher, PublishReport? before)
    {
        CameraStatistics camera = pump.Statistics;
        PublisherStatistics ring = publisher.GetStatistics();
        CameraStatus status = pump.Status;
        long now = MonotonicClock.NowNanoseconds;
        return new PublishReport(
            type,
            publisher.Key,
            JsonLine.SnakeCase(status.State.ToString()),
            status.Reason,
            publisher.Format is { } format ? format.ToString() : "",
            before is null ? null : Math.Round((camera.Frames - before.Frames) / ((now - before.Time) / 1e9), 1),
            camera.Frames,
            camera.DroppedFrames,
            camera.CorruptFrames,
            camera.DecodeErrors,
            camera.Reconnects,
            Words.CodeOf(publisher.Memory),
            publisher.Cuda?.Device.UuidText,
            status.Info?.Decoder,
            status.Info?.DecoderReason,
            ring.Subscribers.Count,
            ring.Slots,
            now);
    }
}
