using System.Buffers;
using System.Text.Json;
using CuFrames.Client;
using CuFrames.Daemon.Internal.Metrics;
using CuFrames.Daemon.Internal.State;
using CuFrames.Protocol;
using CameraState = CuFrames.Control.V1.CameraState;

namespace CuFrames.Daemon.Internal.Web;

/// <summary>What the dashboard's pages are told, as JSON. Times are milliseconds since 1970 UTC, latencies microseconds, rates per second.</summary>
internal static class DashboardJson
{
    /// <summary>Writes an object.</summary>
    /// <param name="write">Writes its members.</param>
    internal static byte[] Of(Action<Utf8JsonWriter> write)
    {
        ArrayBufferWriter<byte> buffer = new();
        using (Utf8JsonWriter writer = new(buffer))
        {
            writer.WriteStartObject();
            write(writer);
            writer.WriteEndObject();
        }

        return buffer.WrittenSpan.ToArray();
    }

    /// <summary>A camera, its streams and its readers.</summary>
    /// <param name="snapshot">The camera.</param>
    /// <param name="began">What a time of CLOCK_MONOTONIC has to be moved on by, milliseconds.</param>
    internal static byte[] Of(CameraSnapshot snapshot, long began) => Of(json =>
    {
        CameraFacts facts = snapshot.Facts;
        json.WriteString("key", snapshot.Key);
        json.WriteString("state", NameOf(facts.State));
        json.WriteString("reason", facts.Reason);

        // Rounded, so that it stays the same while nothing changes.
        json.WriteNumber("since", facts.State == CameraState.Starting ? 0 : (began + (facts.Since / 1_000_000)) / 1000 * 1000);
        json.WriteString("source", snapshot.Source);
        json.WriteString("decoder", facts.Decoder);
        json.WriteNumber("worker", facts.WorkerProcessId);
        json.WriteNumber("bytesPerSecond", Round(snapshot.BytesPerSecond, 0));
        if (snapshot.Latency is { } latency)
        {
            json.WriteStartArray("latency");
            json.WriteNumberValue(Round(latency.P50 / 1000.0, 1));
            json.WriteNumberValue(Round(latency.P95 / 1000.0, 1));
            json.WriteNumberValue(Round(latency.P99 / 1000.0, 1));
            json.WriteEndArray();
        }

        string tile = TileRendition.KeyOf(snapshot.Key);
        json.WriteString("tile", facts.Streams.Any(stream => stream.Key == tile) ? tile : snapshot.Key);
        json.WriteStartArray("streams");
        foreach (StreamSnapshot stream in snapshot.Streams)
        {
            Write(json, stream);
        }

        json.WriteEndArray();
        if (facts.Packets is { } packets)
        {
            Write(json, packets.Statistics);
        }

        json.WriteStartArray("readers");
        foreach (StreamFacts stream in facts.Streams)
        {
            Write(json, stream.Key, readsPackets: false, stream.Statistics.Subscribers);
        }

        if (facts.Packets is { } ring)
        {
            Write(json, ring.Key, readsPackets: true, ring.Statistics.Subscribers);
        }

        json.WriteEndArray();
    });

    /// <summary>A camera that does not run, because it is disabled or its settings do not hold: what the page needs to say so.</summary>
    internal static byte[] Of(ConfiguredCamera written) => Of(json =>
    {
        json.WriteString("key", written.Key);
        json.WriteBoolean("runs", false);
        json.WriteString("state", NameOf(written.Configuration is null ? CameraState.Failed : CameraState.Disabled));
        json.WriteString("reason", written.Obstacle);
        json.WriteString("source", written.Configuration?.SourceText ?? "");
        json.WriteStartArray("streams");
        json.WriteEndArray();
        json.WriteStartArray("readers");
        json.WriteEndArray();
    });

    /// <summary>Adds the process and the GPU.</summary>
    internal static void Write(Utf8JsonWriter json, DaemonSnapshot snapshot)
    {
        ProcessSnapshot process = snapshot.Process;
        json.WriteStartObject("process");
        json.WriteNumber("cpu", Round(process.CpuLoad, 4));
        json.WriteNumber("memory", process.ResidentBytes);
        json.WriteNumber("descriptors", process.Descriptors);
        json.WriteNumber("threads", process.Threads);
        json.WriteNumber("uptime", Math.Floor(process.UptimeSeconds));
        json.WriteEndObject();
        if (snapshot.Gpu is not { } gpu)
        {
            return;
        }

        json.WriteStartObject("gpu");
        json.WriteString("name", gpu.Name);
        json.WriteString("uuid", gpu.Uuid);
        Write(json, "memoryTotal", gpu.MemoryTotal);
        Write(json, "memoryUsed", gpu.MemoryUsed);
        json.WriteNumber("rings", gpu.RingMemory);
        Write(json, "ringsLimit", gpu.RingMemoryLimit);
        json.WriteNumber("decoders", gpu.Decoders);
        Write(json, "decodersLimit", gpu.DecoderLimit);
        Write(json, "decoderUse", gpu.DecoderUtilisation);
        Write(json, "use", gpu.Utilisation);
        json.WriteString("obstacle", gpu.Obstacle);
        json.WriteEndObject();
    }

    /// <summary>An event.</summary>
    internal static byte[] Of(EventRecord record) => Of(json =>
    {
        json.WriteNumber("sequence", record.Sequence);
        json.WriteNumber("time", new DateTimeOffset(record.Time).ToUnixTimeMilliseconds());
        json.WriteNumber("id", record.Kind.Id);
        json.WriteString("name", record.Kind.Name);
        json.WriteString("level", record.Kind.Level switch { LogLevel.Error => "error", LogLevel.Warning => "warning", _ => "info" });
        json.WriteString("stream", record.Stream ?? "");
        json.WriteString("text", record.Text);
    });

    /// <summary>The last hour of everything, or of one camera: one row per sample, the first member of each its time.</summary>
    /// <param name="history">The last hour.</param>
    /// <param name="cameras">Keys of all cameras.</param>
    /// <param name="camera">Key of the camera; null: of everything.</param>
    /// <param name="after">Only samples after this time.</param>
    /// <param name="newest">Time of the newest sample.</param>
    internal static byte[]? Of(History history, IEnumerable<string> cameras, string? camera, long after, out long newest)
    {
        ProcessSample[] process = history.ReadProcess();
        newest = process.Length > 0 ? process[^1].Time : 0;
        if (newest <= after && after > 0)
        {
            return null;
        }

        List<CameraSample[]> samples = [.. (camera is null ? cameras : [camera]).Select(history.ReadCamera).OfType<CameraSample[]>()];
        return Of(json =>
        {
            json.WriteNumber("interval", History.Interval.TotalSeconds);
            json.WriteStartArray("rows");
            for (int i = 0; i < process.Length; i++)
            {
                if (process[i].Time <= after)
                {
                    continue;
                }

                json.WriteStartArray();
                json.WriteNumberValue(process[i].Time);
                Write(json, samples, i);
                if (camera is null)
                {
                    Write(json, process[i].CpuLoad * 100, 2);
                    json.WriteNumberValue(process[i].ResidentBytes);
                    Write(json, process[i].GpuMemoryUsed < 0 ? double.NaN : process[i].GpuMemoryUsed, 0);
                    Write(json, process[i].DecoderUtilisation * 100, 1);
                }
                else
                {
                    json.WriteStringValue(samples.Count > 0 && i < samples[0].Length ? NameOf((CameraState)samples[0][i].State) : "");
                }

                json.WriteEndArray();
            }

            json.WriteEndArray();
        });
    }

    /// <summary>A state as the pages call it.</summary>
    internal static string NameOf(CameraState state) => state switch
    {
        CameraState.Starting => "starting",
        CameraState.Live => "live",
        CameraState.SourceLost => "source-lost",
        CameraState.Ended => "ended",
        CameraState.Failed => "failed",
        CameraState.Idle => "idle",
        CameraState.Unavailable => "unavailable",
        CameraState.Disabled => "disabled",
        _ => "",
    };

    /// <summary>Frames per second, the worst latency in milliseconds, drops, readers, and the fullest ring in percent.</summary>
    private static void Write(Utf8JsonWriter json, List<CameraSample[]> cameras, int index)
    {
        double frames = 0, latency = double.NaN;
        int dropped = 0, readers = 0, ring = 0;
        foreach (CameraSample[] samples in cameras)
        {
            if (index >= samples.Length)
            {
                continue;
            }

            CameraSample sample = samples[index];
            frames += sample.FramesPerSecond;
            latency = double.IsNaN(latency) || sample.LatencyP99 > latency ? sample.LatencyP99 : latency;
            dropped += sample.Dropped;
            readers += sample.Readers;
            ring = Math.Max(ring, sample.RingOccupancy);
        }

        Write(json, frames, 1);
        Write(json, latency, 3);
        json.WriteNumberValue(dropped);
        json.WriteNumberValue(readers);
        json.WriteNumberValue(ring);
    }

    private static void Write(Utf8JsonWriter json, StreamSnapshot stream)
    {
        PublisherStatistics figures = stream.Facts.Statistics;
        json.WriteStartObject();
        json.WriteString("key", stream.Facts.Key);
        json.WriteString("format", stream.Facts.Format is { } format ? PixelFormats.Name(format.PixelFormat) : "");
        json.WriteNumber("width", stream.Facts.Format?.Width ?? 0);
        json.WriteNumber("height", stream.Facts.Format?.Height ?? 0);
        json.WriteString("memory", stream.Facts.Memory == MemoryDomain.Host ? "host" : "cuda");
        json.WriteNumber("fps", Round(stream.FramesPerSecond, 1));
        json.WriteNumber("dropsPerSecond", Round(stream.DropsPerSecond, 1));
        json.WriteNumber("published", figures.Published);
        json.WriteNumber("dropped", figures.Dropped);
        json.WriteNumber("evicted", figures.Evicted);
        json.WriteNumber("refused", figures.Refused);
        json.WriteNumber("slots", figures.Slots);
        json.WriteNumber("held", figures.HeldSlots);
        json.WriteNumber("bytes", figures.SegmentBytes);
        json.WriteNumber("readers", figures.Subscribers.Count);
        json.WriteEndObject();
    }

    private static void Write(Utf8JsonWriter json, PacketPublisherStatistics figures)
    {
        json.WriteStartObject("packets");
        json.WriteNumber("published", figures.Published);
        json.WriteNumber("bufferedMs", Math.Round(Math.Max(0, figures.BufferedTime.TotalMilliseconds)));
        json.WriteNumber("bytes", figures.ByteCapacity);
        json.WriteNumber("evicted", figures.Evicted);
        json.WriteNumber("refused", figures.Refused);
        json.WriteNumber("readers", figures.Subscribers.Count);
        json.WriteEndObject();
    }

    private static void Write(Utf8JsonWriter json, string stream, bool readsPackets, IReadOnlyList<SubscriberStatistics> readers)
    {
        foreach (SubscriberStatistics reader in readers)
        {
            json.WriteStartObject();
            json.WriteString("stream", stream);
            json.WriteBoolean("packets", readsPackets);
            json.WriteNumber("id", reader.SubscriberId);
            json.WriteString("program", reader.Program);
            json.WriteNumber("pid", reader.ProcessId);
            json.WriteNumber("user", reader.UserId);
            json.WriteString("delivery", reader.Delivery switch { Delivery.Newest => "newest", Delivery.InOrder => "in order", _ => "lossless" });
            json.WriteNumber("lag", reader.Lag);
            json.WriteNumber("taken", reader.Taken);
            json.WriteNumber("missed", reader.Missed);
            json.WriteNumber("held", reader.HeldLeases);
            json.WriteNumber("granted", reader.GrantedLeases);
            json.WriteEndObject();
        }
    }

    private static void Write(Utf8JsonWriter json, string name, double? value)
    {
        if (value is { } known)
        {
            json.WriteNumber(name, Round(known, 4));
        }
    }

    private static void Write(Utf8JsonWriter json, double value, int digits)
    {
        if (double.IsFinite(value))
        {
            json.WriteNumberValue(Round(value, digits));
        }
        else
        {
            json.WriteNullValue();
        }
    }

    /// <summary>Digits that nobody reads are not sent.</summary>
    private static double Round(double value, int digits) => double.IsFinite(value) ? Math.Round(value, digits) : 0;
}
