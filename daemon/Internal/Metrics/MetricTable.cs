using System.Diagnostics.Metrics;
using System.Globalization;
using CuFrames.Client;
using CuFrames.Daemon.Internal.Workers;
using CuFrames.Media;
using CameraState = CuFrames.Control.V1.CameraState;
using Tag = System.Collections.Generic.KeyValuePair<string, object?>;

namespace CuFrames.Daemon.Internal.Metrics;

/// <summary>Every metric of cuframesd. docs/operations.md lists the same; a test compares them.</summary>
internal static class MetricTable
{
    internal const string Frames = "frames";
    internal const string Packets = "packets";

    /// <summary>Programs name themselves: a longer name is cut.</summary>
    internal const int MaxProgram = 64;

    /// <summary>Bounds of latency are powers of two of a nanosecond: each doubles, from 131 µs ...</summary>
    private const int FirstBound = 17;

    /// <summary>... to 17 s.</summary>
    private const int LastBound = 34;

    private static readonly string[] CameraAttributes = ["camera"];
    private static readonly string[] StreamAttributes = ["camera", "stream"];
    private static readonly string[] ContentAttributes = ["camera", "stream", "content"];
    private static readonly string[] ReaderAttributes = ["camera", "stream", "content", "reader", "program", "user"];
    private static readonly string[] GenerationAttributes = ["dotnet.gc.heap.generation"];
    private static readonly string[] GpuAttributes = ["gpu", "name"];

    /// <summary>States that a camera can be in, with the names that the series have.</summary>
    internal static IReadOnlyList<(CameraState State, string Name)> States { get; } =
        [.. Enum.GetValues<CameraState>().Where(state => state != CameraState.Unspecified).Select(state => (state, NameOf(state)))];

    /// <summary>Upper bounds of the buckets of latency, in seconds; the last bucket has none.</summary>
    internal static IReadOnlyList<double> LatencyBounds { get; } = [.. Enumerable.Range(FirstBound, LastBound - FirstBound + 1).Select(power => (1L << power) / 1e9)];

    /// <summary>All metrics, in the order in which they are shown.</summary>
    internal static IReadOnlyList<MetricDefinition> All { get; } =
    [
        Daemon("cuframes.daemon.uptime", MetricKind.Gauge, "s", "Time since the daemon started.", moment => moment.Process.UptimeSeconds),
        new("cuframes.daemon.info", MetricKind.Gauge, "{daemon}", ["version"], "Always 1; the version is in the attribute.", _ => [new(1, new Tag("version", Program.Version))]),
        Daemon("process.cpu.time", MetricKind.Counter, "s", "Time of all CPUs that the daemon's process has used.", moment => moment.Process.CpuSeconds),
        Daemon("process.memory.usage", MetricKind.UpDownCounter, "By", "Resident memory of the process, the rings of frames in main memory included.", moment => moment.Process.ResidentBytes),
        Daemon("process.open.descriptors", MetricKind.UpDownCounter, "{file_descriptor}", "Open file descriptors of the process.", moment => moment.Process.Descriptors),
        Daemon("process.threads", MetricKind.UpDownCounter, "{thread}", "Threads of the process.", moment => moment.Process.Threads),
        Daemon("dotnet.gc.heap.total_allocated", MetricKind.Counter, "By", "Bytes that the daemon has allocated on its managed heap; frames and packets lie elsewhere.", moment => moment.Process.Heap.Allocated),
        new("dotnet.gc.collections", MetricKind.Counter, "{collection}", GenerationAttributes, "Collections of the managed heap; each is counted for the highest generation that it collected.", moment => moment.Process.Heap.Collections.Select(OfGeneration)),
        Daemon("dotnet.gc.pause.time", MetricKind.Counter, "s", "Time for which collections of the managed heap stopped all threads of the daemon.", moment => moment.Process.Heap.Pause.TotalSeconds),
        Daemon("dotnet.gc.last_collection.memory.committed_size", MetricKind.UpDownCounter, "By", "Memory that the managed heap had after the last collection; 0 before the first.", moment => moment.Process.Heap.Committed),
        new("dotnet.gc.last_collection.heap.size", MetricKind.UpDownCounter, "By", GenerationAttributes, "Size of each generation after the last collection; 0 before the first. loh are large, poh pinned objects.", moment => moment.Process.Heap.Sizes.Select(OfGeneration)),

        Worker("cuframes.worker.cpu.time", MetricKind.Counter, "s", "Time of all CPUs that the worker process of an isolated camera has used.", worker => worker.CpuSeconds),
        Worker("cuframes.worker.memory.usage", MetricKind.UpDownCounter, "By", "Resident memory of the worker process, the rings of frames in main memory and what it shares with the daemon included.", worker => worker.ResidentBytes),
        Worker("cuframes.worker.open.descriptors", MetricKind.UpDownCounter, "{file_descriptor}", "Open file descriptors of the worker process.", worker => worker.Descriptors),
        Worker("cuframes.worker.threads", MetricKind.UpDownCounter, "{thread}", "Threads of the worker process.", worker => worker.Threads),

        new("cuframes.camera.state", MetricKind.Gauge, "{camera}", ["camera", "state"], "1 for the state that the camera is in, 0 for the others.", StatesOf),
        Camera("cuframes.camera.state.duration", MetricKind.Gauge, "s", "Time since the camera came to its state.", (camera, time) => Math.Max(0, time - camera.Facts.Since) / 1e9),
        new("cuframes.camera.decoder", MetricKind.Gauge, "{camera}", ["camera", "decoder"], "Always 1; the attribute says what decodes the camera: nvdec or software. Missing while nothing does.", DecodersOf),
        Source("cuframes.camera.connections", "{connection}", "Times that the source was opened.", source => source.Connections),
        Source("cuframes.camera.reconnects", "{connection}", "Times that the source was opened again after it was lost.", source => source.Reconnects),
        Source("cuframes.camera.received", "By", "Bytes of video received from the source.", source => source.Bytes),
        Source("cuframes.camera.packets", "{packet}", "Packets of video received from the source.", source => source.Packets),
        Source("cuframes.camera.frames", "{frame}", "Frames that the camera has published.", source => source.Frames),
        Source("cuframes.camera.frames.dropped", "{frame}", "Frames that were decoded and not published, because readers held every slot.", source => source.DroppedFrames),
        Source("cuframes.camera.frames.corrupt", "{frame}", "Frames that were published with the mark that they may be damaged.", source => source.CorruptFrames),
        Source("cuframes.camera.decode.errors", "{error}", "Errors that the decoder reported.", source => source.DecodeErrors),
        new("cuframes.camera.latency", MetricKind.Histogram, "s", CameraAttributes, "Time from the arrival of a frame's last packet to its publication; of a file or pattern, from the moment that the frame was due.", null)
        {
            ObserveHistogram = moment => moment.Cameras.Where(camera => camera.Facts.Latency.Count > 0).Select(LatencyOf),
        },
        new("cuframes.camera.latency.percentile", MetricKind.Gauge, "s", ["camera", "percentile"], "The same over the last minute: 50, 95 or 99 of 100 frames took no longer. Missing when there were no frames.", PercentilesOf),

        Stream("cuframes.stream.frames", MetricKind.Counter, "{frame}", "Frames published in the stream since it was started.", figures => figures.Published),
        Stream("cuframes.stream.dropped", MetricKind.Counter, "{frame}", "Frames that the stream dropped, because readers held every slot.", figures => figures.Dropped),
        Stream("cuframes.stream.slots", MetricKind.UpDownCounter, "{slot}", "Slots of the stream's ring.", figures => figures.Slots),
        Stream("cuframes.stream.slots.held", MetricKind.UpDownCounter, "{slot}", "Slots that at least one reader holds.", figures => figures.HeldSlots),
        new("cuframes.stream.memory", MetricKind.UpDownCounter, "By", ["camera", "stream", "domain"], "Memory of the stream's ring, with what readers have not given back; domain says where it lies: host or cuda.", MemoryOf),
        Content("cuframes.stream.readers", MetricKind.UpDownCounter, "Readers that are connected; content says whether they read frames or packets.", stream => stream.Subscribers.Count, packets => packets.Subscribers.Count),
        Content("cuframes.stream.evictions", MetricKind.Counter, "Readers that were evicted.", stream => stream.Evicted, packets => packets.Evicted),
        Content("cuframes.stream.refusals", MetricKind.Counter, "Readers that were refused.", stream => stream.Refused, packets => packets.Refused),
        Content("cuframes.stream.hangups", MetricKind.Counter, "Readers that left without a goodbye, because they died as a rule.", stream => stream.HungUp, packets => packets.HungUp),
        Ring("cuframes.packets.published", MetricKind.Counter, "{packet}", "Packets published, of picture and sound, since the stream was started.", packets => packets.Published),
        Ring("cuframes.packets.buffered", MetricKind.Gauge, "s", "Time between the arrivals of the oldest and the newest packet that are kept.", packets => Math.Max(0, packets.BufferedTime.TotalSeconds)),
        Ring("cuframes.packets.memory", MetricKind.UpDownCounter, "By", "Memory of the ring of packets.", packets => packets.ByteCapacity),

        Reader("cuframes.reader.taken", MetricKind.Counter, "{frame}", "Frames, or packets, that the reader took. The reader counts them itself.", reader => reader.Taken),
        Reader("cuframes.reader.missed", MetricKind.Counter, "{frame}", "Frames, or packets, that the reader skipped because it was too slow. The reader counts them itself.", reader => reader.Missed),
        Reader("cuframes.reader.lag", MetricKind.Gauge, "{frame}", "Frames, or packets, between the newest and the last one that the reader took.", reader => reader.Lag),
        Reader("cuframes.reader.leases", MetricKind.UpDownCounter, "{frame}", "Frames that the reader holds.", reader => reader.HeldLeases),
        Reader("cuframes.reader.leases.granted", MetricKind.UpDownCounter, "{frame}", "Frames that the reader may hold.", reader => reader.GrantedLeases),

        Gpu("hw.gpu.memory.usage", MetricKind.UpDownCounter, "By", "Memory of the GPU that is in use, by whomever.", gpu => gpu.MemoryUsed),
        Gpu("hw.gpu.memory.limit", MetricKind.UpDownCounter, "By", "Memory of the GPU.", gpu => gpu.MemoryTotal),
        new("hw.gpu.utilization", MetricKind.Gauge, "1", ["gpu", "name", "task"], "Share of time in which the GPU worked, for whomever: general: a kernel ran; decoder: NVDEC did. Missing without NVML.", UtilisationOf),
        Gpu("cuframes.gpu.ring.memory", MetricKind.UpDownCounter, "By", "Device memory of the rings of all cameras.", gpu => gpu.RingMemory),
        Gpu("cuframes.gpu.ring.memory.limit", MetricKind.UpDownCounter, "By", "Device memory that they may have (gpu.memory_limit). Missing without a limit.", gpu => gpu.RingMemoryLimit),
        Gpu("cuframes.gpu.decoders", MetricKind.UpDownCounter, "{decoder}", "Cameras that NVDEC decodes now.", gpu => gpu.Decoders),
        Gpu("cuframes.gpu.decoders.limit", MetricKind.UpDownCounter, "{decoder}", "Cameras that it may decode (gpu.max_decoders). Missing without a limit.", gpu => gpu.DecoderLimit),

        new("cuframes.log.events", MetricKind.Counter, "{event}", ["event", "level"], "Events by their name, whether the log's level has their lines or not. The table of the log lists them.", EventsOf),
        Daemon("cuframes.log.lost", MetricKind.Counter, "{line}", "Lines of the log that standard error did not take.", moment => moment.LostLogLines),
    ];

    /// <summary>The name of a state in series: that of control.proto in small letters.</summary>
    internal static string NameOf(CameraState state) => state switch
    {
        CameraState.SourceLost => "source_lost",
        _ => state.ToString().ToLowerInvariant(),
    };

    private static MetricDefinition Daemon(string name, MetricKind kind, string unit, string meaning, Func<DaemonSnapshot, double> value) =>
        new(name, kind, unit, [], meaning, moment => [new Measurement<double>(value(moment))]);

    private static Measurement<double> OfGeneration(int value, int generation) => OfGeneration((long)value, generation);

    private static Measurement<double> OfGeneration(long value, int generation) => new(value, new Tag(GenerationAttributes[0], HeapSnapshot.Generations[generation]));

    private static MetricDefinition Worker(string name, MetricKind kind, string unit, string meaning, Func<WorkerFigures, double> value) =>
        new(name, kind, unit, CameraAttributes, meaning, moment => moment.Cameras
            .Where(camera => camera.Facts.Worker is not null)
            .Select(camera => new Measurement<double>(value(camera.Facts.Worker!), new Tag("camera", camera.Key))));

    private static MetricDefinition Camera(string name, MetricKind kind, string unit, string meaning, Func<CameraSnapshot, long, double> value) =>
        new(name, kind, unit, CameraAttributes, meaning, moment => moment.Cameras.Select(camera => new Measurement<double>(value(camera, moment.Time), new Tag("camera", camera.Key))));

    private static MetricDefinition Source(string name, string unit, string meaning, Func<CameraStatistics, double> value) =>
        new(name, MetricKind.Counter, unit, CameraAttributes, meaning, moment => moment.Cameras
            .Where(camera => camera.Facts.Source is not null)
            .Select(camera => new Measurement<double>(value(camera.Facts.Source!.Value), new Tag("camera", camera.Key))));

    private static MetricDefinition Stream(string name, MetricKind kind, string unit, string meaning, Func<PublisherStatistics, double> value) =>
        new(name, kind, unit, StreamAttributes, meaning, moment => moment.Cameras.SelectMany(camera => camera.Streams.Select(stream =>
            new Measurement<double>(value(stream.Facts.Statistics), new Tag("camera", camera.Key), new Tag("stream", stream.Facts.Key)))));

    private static MetricDefinition Ring(string name, MetricKind kind, string unit, string meaning, Func<PacketPublisherStatistics, double> value) =>
        new(name, kind, unit, CameraAttributes, meaning, moment => moment.Cameras
            .Where(camera => camera.Facts.Packets is not null)
            .Select(camera => new Measurement<double>(value(camera.Facts.Packets!.Statistics), new Tag("camera", camera.Key))));

    private static MetricDefinition Content(
        string name, MetricKind kind, string meaning, Func<PublisherStatistics, double> ofFrames, Func<PacketPublisherStatistics, double> ofPackets) =>
        new(name, kind, "{reader}", ContentAttributes, meaning, moment => moment.Cameras.SelectMany(camera => camera.Streams
            .Select(stream => Of(camera, stream.Facts.Key, Frames, ofFrames(stream.Facts.Statistics)))
            .Concat(camera.Facts.Packets is { } packets ? [Of(camera, packets.Key, Packets, ofPackets(packets.Statistics))] : [])));

    private static Measurement<double> Of(CameraSnapshot camera, string stream, string content, double value) =>
        new(value, new Tag("camera", camera.Key), new Tag("stream", stream), new Tag("content", content));

    private static MetricDefinition Reader(string name, MetricKind kind, string unit, string meaning, Func<SubscriberStatistics, double> value) =>
        new(name, kind, unit, ReaderAttributes, meaning, moment => moment.Cameras.SelectMany(camera => ReadersOf(camera).Select(reader => new Measurement<double>(
            value(reader.Figures),
            new Tag("camera", camera.Key),
            new Tag("stream", reader.Stream),
            new Tag("content", reader.Content),
            new Tag("reader", reader.Figures.SubscriberId.ToString(CultureInfo.InvariantCulture)),
            new Tag("program", Shorten(reader.Figures.Program)),
            new Tag("user", reader.Figures.UserId.ToString(CultureInfo.InvariantCulture))))));

    private static IEnumerable<(string Stream, string Content, SubscriberStatistics Figures)> ReadersOf(CameraSnapshot camera) =>
        camera.Streams.SelectMany(stream => stream.Facts.Statistics.Subscribers.Select(reader => (stream.Facts.Key, Frames, reader)))
            .Concat(camera.Facts.Packets is { } packets ? packets.Statistics.Subscribers.Select(reader => (packets.Key, Packets, reader)) : []);

    private static MetricDefinition Gpu(string name, MetricKind kind, string unit, string meaning, Func<GpuSnapshot, double?> value) =>
        new(name, kind, unit, GpuAttributes, meaning, moment => moment.Gpu is { } gpu && value(gpu) is { } known
            ? [new Measurement<double>(known, new Tag("gpu", gpu.Uuid), new Tag("name", gpu.Name))]
            : []);

    private static IEnumerable<Measurement<double>> UtilisationOf(DaemonSnapshot moment)
    {
        if (moment.Gpu is { } gpu)
        {
            foreach ((string task, double? share) in ((string, double?)[])[("general", gpu.Utilisation), ("decoder", gpu.DecoderUtilisation)])
            {
                if (share is { } known)
                {
                    yield return new Measurement<double>(known, new Tag("gpu", gpu.Uuid), new Tag("name", gpu.Name), new Tag("task", task));
                }
            }
        }
    }

    /// <summary>All events, also those that have not happened yet: a rate of a series that appears with its first event would not see it.</summary>
    private static IEnumerable<Measurement<double>> EventsOf(DaemonSnapshot moment)
    {
        Dictionary<LogEvent, long> counts = new(moment.Events);
        return LogEvents.All.Select(kind =>
            new Measurement<double>(counts.GetValueOrDefault(kind), new Tag("event", kind.Name), new Tag("level", LogKey.NameOf(kind.Level))));
    }

    private static IEnumerable<Measurement<double>> StatesOf(DaemonSnapshot moment) =>
        moment.Cameras.SelectMany(camera => States.Select(state =>
            new Measurement<double>(camera.Facts.State == state.State ? 1 : 0, new Tag("camera", camera.Key), new Tag("state", state.Name))));

    private static IEnumerable<Measurement<double>> DecodersOf(DaemonSnapshot moment) =>
        moment.Cameras.Where(camera => camera.Facts is { State: CameraState.Live, Decoder.Length: > 0 })
            .Select(camera => new Measurement<double>(1, new Tag("camera", camera.Key), new Tag("decoder", camera.Facts.Decoder)));

    private static IEnumerable<Measurement<double>> PercentilesOf(DaemonSnapshot moment)
    {
        foreach (CameraSnapshot camera in moment.Cameras)
        {
            if (camera.Latency is { } latency)
            {
                yield return new Measurement<double>(latency.P50 / 1e9, new Tag("camera", camera.Key), new Tag("percentile", "50"));
                yield return new Measurement<double>(latency.P95 / 1e9, new Tag("camera", camera.Key), new Tag("percentile", "95"));
                yield return new Measurement<double>(latency.P99 / 1e9, new Tag("camera", camera.Key), new Tag("percentile", "99"));
            }
        }
    }

    private static IEnumerable<Measurement<double>> MemoryOf(DaemonSnapshot moment) =>
        moment.Cameras.SelectMany(camera => camera.Streams.Select(stream => new Measurement<double>(
            stream.Facts.Statistics.SegmentBytes + stream.Facts.Statistics.UnansweredBytes,
            new Tag("camera", camera.Key),
            new Tag("stream", stream.Facts.Key),
            new Tag("domain", stream.Facts.Memory == Protocol.MemoryDomain.Cuda ? "cuda" : "host"))));

    /// <summary>Puts the fine buckets of the pump together to those of the metric.</summary>
    private static MetricPoint LatencyOf(CameraSnapshot camera)
    {
        long[] buckets = new long[LatencyBounds.Count + 1];
        int next = 0;
        for (int bucket = 0; bucket < LatencyHistogram.BucketCount; bucket++)
        {
            while (next < LatencyBounds.Count && LatencyHistogram.UpperBoundOf(bucket) > 1L << (FirstBound + next))
            {
                next++;
            }

            buckets[next] += camera.Facts.Latency[bucket];
        }

        return new MetricPoint([new("camera", camera.Key)], camera.Facts.LatencySum / 1e9, buckets);
    }

    private static string Shorten(string program) => program.Length > MaxProgram ? program[..MaxProgram] : program;
}
