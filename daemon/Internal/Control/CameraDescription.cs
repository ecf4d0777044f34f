using CuFrames.Client;
using CuFrames.Control.V1;
using CuFrames.Daemon.Internal.State;
using CuFrames.Protocol;
using V1 = CuFrames.Control.V1;

namespace CuFrames.Daemon.Internal.Control;

/// <summary>What control.proto says of cameras, streams and readers. Any thread.</summary>
internal static class CameraDescription
{
    /// <summary>Describes a camera.</summary>
    /// <param name="written">What is written down.</param>
    /// <param name="facts">What it does; null: it does not run, because it is disabled or its settings do not hold.</param>
    /// <param name="now">CLOCK_MONOTONIC in nanoseconds.</param>
    internal static V1.Camera Of(ConfiguredCamera written, CameraFacts? facts, long now)
    {
        V1.Camera description = new()
        {
            Key = written.Key,
            Origin = written.Origin == CameraOrigin.Api ? Origin.Api : Origin.Configuration,
            Settings = written.SettingsText,
            Source = written.Configuration?.SourceText ?? "",
            Isolated = written.Configuration?.Isolated ?? false,
        };
        if (facts is null)
        {
            description.State = written.Configuration is null ? CameraState.Failed : CameraState.Disabled;
            description.Reason = written.Obstacle;
            return description;
        }

        description.State = facts.State;
        description.Reason = facts.Reason;
        description.StateMs = (ulong)Math.Max(0, (now - facts.Since) / 1_000_000);
        description.Packets = facts.Packets is { } packets ? Of(packets.Statistics) : null;
        description.WorkerProcessId = facts.WorkerProcessId;
        description.Streams.AddRange(facts.Streams.Select(Of));
        return description;
    }

    /// <summary>Lists the readers of a camera's streams.</summary>
    /// <param name="facts">The camera.</param>
    /// <param name="stream">Only of this stream; empty: all.</param>
    internal static IEnumerable<Reader> ReadersOf(CameraFacts facts, string stream)
    {
        foreach (StreamFacts published in facts.Streams.Where(published => stream.Length == 0 || published.Key == stream))
        {
            foreach (SubscriberStatistics subscriber in published.Statistics.Subscribers)
            {
                yield return Of(published.Key, readsPackets: false, subscriber);
            }
        }

        if (facts.Packets is { } packets && (stream.Length == 0 || packets.Key == stream))
        {
            foreach (SubscriberStatistics subscriber in packets.Statistics.Subscribers)
            {
                yield return Of(packets.Key, readsPackets: true, subscriber);
            }
        }
    }

    /// <summary>Describes a stream.</summary>
    internal static V1.Stream Of(StreamFacts stream)
    {
        PublisherStatistics figures = stream.Statistics;
        StreamFormat? format = stream.Format;
        return new V1.Stream
        {
            Key = stream.Key,
            Format = format is { } known ? PixelFormats.Name(known.PixelFormat) : "",
            Width = (uint)(format?.Width ?? 0),
            Height = (uint)(format?.Height ?? 0),
            Memory = stream.Memory == MemoryDomain.Host ? "host" : "cuda",
            Published = figures.Published,
            Dropped = figures.Dropped,
            Evicted = figures.Evicted,
            Refused = figures.Refused,
            Slots = (uint)figures.Slots,
            HeldSlots = (uint)figures.HeldSlots,
            MemoryBytes = (ulong)figures.SegmentBytes,
            Readers = (uint)figures.Subscribers.Count,
        };
    }

    /// <summary>Describes packets.</summary>
    internal static Packets Of(PacketPublisherStatistics figures) => new()
    {
        Published = figures.Published,
        Oldest = figures.Oldest,
        BufferedMs = (ulong)Math.Max(0, figures.BufferedTime.TotalMilliseconds),
        CapacityBytes = (ulong)figures.ByteCapacity,
        Evicted = figures.Evicted,
        Refused = figures.Refused,
        Readers = (uint)figures.Subscribers.Count,
    };

    private static Reader Of(string stream, bool readsPackets, SubscriberStatistics subscriber) => new()
    {
        Stream = stream,
        ReadsPackets = readsPackets,
        Id = subscriber.SubscriberId,
        Program = subscriber.Program,
        ProcessId = subscriber.ProcessId,
        UserId = subscriber.UserId,
        Delivery = subscriber.Delivery switch
        {
            Delivery.Newest => "newest",
            Delivery.InOrder => "in_order",
            _ => "lossless",
        },
        Lag = subscriber.Lag,
        Taken = subscriber.Taken,
        Missed = subscriber.Missed,
        HeldLeases = (uint)subscriber.HeldLeases,
        GrantedLeases = (uint)subscriber.GrantedLeases,
    };
}
