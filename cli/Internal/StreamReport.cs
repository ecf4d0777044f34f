using CuFrames.Client;
using CuFrames.Protocol;

namespace CuFrames.Cli.Internal;

/// <summary>What <c>ls</c> and <c>stat</c> say of a stream, as it goes to JSON.</summary>
internal sealed record StreamReport
{
    public required string Key { get; init; }

    /// <summary>starting, live, source_lost, ended, or unavailable: then <see cref="Error"/> says why.</summary>
    public required string State { get; init; }

    public string Reason { get; init; } = "";

    public string? Format { get; init; }

    public int? Width { get; init; }

    public int? Height { get; init; }

    /// <summary>Frames per second as measured between two probes; null when there was one.</summary>
    public double? Fps { get; init; }

    /// <summary>Frames per second as the source announces them; null when it does not.</summary>
    public double? FpsAnnounced { get; init; }

    public int? Slots { get; init; }

    public int? MaxSlots { get; init; }

    public int? Subscribers { get; init; }

    public ulong? Head { get; init; }

    public ulong? Dropped { get; init; }

    public ulong? Evicted { get; init; }

    public ulong? MemoryBytes { get; init; }

    /// <summary>Where frames lie: host or cuda.</summary>
    public string? Memory { get; init; }

    /// <summary>UUID of the device that frames lie on, as nvidia-smi prints it; null for main memory.</summary>
    public string? Device { get; init; }

    public string? Epoch { get; init; }

    public string? Publisher { get; init; }

    public string? Source { get; init; }

    public ErrorReport? Error { get; init; }

    /// <summary>The packets of the key; null: there are none.</summary>
    public PacketReport? Packets { get; init; }

    public static StreamReport From(StreamProbe probe, StreamProbe? earlier = null)
    {
        StreamInfo info = probe.Info;
        PacketReport? packets = PacketReport.From(probe.Packets);
        if (info.ErrorCode == ErrorCode.StreamNotFound && probe.Packets is { Description: { } alone } only)
        {
            return new StreamReport
            {
                Key = info.Key,
                State = Words.CodeOf(alone.State),
                Reason = only.StateText,
                Epoch = packets!.Epoch,
                Publisher = only.Program,
                Source = only.Source,
                Packets = packets,
            };
        }

        if (info.Description is not { } description)
        {
            return new StreamReport
            {
                Key = info.Key,
                State = "unavailable",
                Reason = info.Error,
                Error = new ErrorReport(Failure.NameOf(info.ErrorCode), (int)info.ErrorCode, info.Error),
                Packets = packets,
            };
        }

        bool hasFormat = description.PixelFormat != PixelFormat.Unknown;
        return new StreamReport
        {
            Key = info.Key,
            State = Words.CodeOf(description.State),
            Reason = info.StateText,
            Format = hasFormat ? PixelFormats.Name(description.PixelFormat) : null,
            Width = hasFormat ? description.Width : null,
            Height = hasFormat ? description.Height : null,
            Fps = probe.RateSince(earlier),
            FpsAnnounced = description.FrameRateNumerator > 0 && description.FrameRateDenominator > 0
                ? Math.Round((double)description.FrameRateNumerator / description.FrameRateDenominator, 3)
                : null,
            Slots = description.Slots,
            MaxSlots = description.MaxSlots,
            Subscribers = description.Subscribers,
            Head = description.Head,
            Dropped = description.Dropped,
            Evicted = description.Evicted,
            MemoryBytes = description.MemoryBytes,
            Memory = Words.CodeOf(description.Domain),
            Device = Words.DeviceOf(description.Device),
            Epoch = info.Epoch.ToString("x16", System.Globalization.CultureInfo.InvariantCulture),
            Publisher = info.Program,
            Source = info.Source,
            Packets = packets,
        };
    }
}
