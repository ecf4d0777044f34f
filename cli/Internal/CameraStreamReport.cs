namespace CuFrames.Cli.Internal;

/// <summary>A stream of the daemon as it goes to JSON. Rates are null where none was measured.</summary>
internal sealed record CameraStreamReport(
    string Key,
    string? Format,
    uint Width,
    uint Height,
    string Memory,
    ulong Published,
    ulong Dropped,
    ulong Evicted,
    ulong Refused,
    uint Slots,
    uint HeldSlots,
    ulong MemoryBytes,
    uint Readers,
    double? Fps,
    double? DroppedPerSecond)
{
    public static CameraStreamReport From(Control.V1.Stream stream, double? fps = null, double? drops = null) => new(
        stream.Key,
        stream.Format.Length > 0 ? stream.Format : null,
        stream.Width,
        stream.Height,
        stream.Memory,
        stream.Published,
        stream.Dropped,
        stream.Evicted,
        stream.Refused,
        stream.Slots,
        stream.HeldSlots,
        stream.MemoryBytes,
        stream.Readers,
        fps,
        drops);
}
