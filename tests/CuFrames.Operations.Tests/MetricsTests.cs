using System.Globalization;
using System.Net;
using CuFrames.Client;
using CuFrames.Daemon.Internal.Metrics;
using CuFrames.Daemon.Internal.Workers;
using CuFrames.Daemon.Tests;
using CuFrames.Protocol;
using CuFrames.TestKit;
using Xunit;

namespace CuFrames.Operations.Tests;

/// <summary>Metrics of a live daemon say what the tests did to it.</summary>
public sealed class MetricsTests
{
    private const string Secret = "Geh3imes-Passwort";

    private const string Configuration = """
        directory: {run}
        cameras:
          pattern:
            source: test:nv12@320x240@25
            renditions:
              small: { size: 160x120, fps: 5 }
          lost:
            source: rtsp://viewer:Geh3imes-Passwort@127.0.0.1:1/stream?token=Geh3imes-Passwort
        """;

    [Fact]
    public async Task Promtool_accepts_the_metrics_of_cameras_readers_and_a_lost_camera()
    {
        using WatchedDaemon daemon = new(Configuration + "\n  apart: { source: \"test:nv12@64x48@25\", isolated: true }\n");
        daemon.Daemon.WaitForLog("[302 camera-lost]");
        daemon.Daemon.WaitFor("apart", stream => stream.Description?.Head > 0);
        using FrameSubscriber first = daemon.Daemon.Subscribe("pattern"), second = daemon.Daemon.Subscribe("pattern@small");
        Read(first, 3);
        Read(second, 1);
        Samples samples = await daemon.ScrapeUntilAsync(now =>
            now.Values("cuframes_reader_taken_total").Count(taken => taken > 0) == 2 && now.Values("cuframes_worker_threads").Any());
        Assert.Equal((0, ""), await WatchedDaemon.PromtoolAsync(samples.Text, "check", "metrics"));

        Assert.Equal(1, samples.Value("cuframes_camera_state", ("camera", "pattern"), ("state", "live")));
        Assert.Equal(0, samples.Value("cuframes_camera_state", ("camera", "lost"), ("state", "live")));
        Assert.Equal(1, samples.Values("cuframes_camera_state", ("camera", "lost")).Sum());
        Assert.Equal(8, samples.Values("cuframes_camera_state", ("camera", "lost")).Count());
        Assert.Equal(0, samples.Value("cuframes_camera_connections_total", ("camera", "lost")));
        Assert.Equal(1, samples.Value("cuframes_camera_connections_total", ("camera", "pattern")));
        Assert.Equal(1, samples.Value("cuframes_stream_readers", ("stream", "pattern"), ("content", "frames")));
        Assert.Equal(1, samples.Value("cuframes_stream_readers", ("stream", "pattern@small"), ("content", "frames")));
        Assert.Equal(0, samples.Value("cuframes_stream_readers", ("stream", "lost"), ("content", "packets")));
        Assert.Equal(2, samples.Value("cuframes_log_events_total", ("event", "reader-joined"), ("level", "info")));
        Assert.Equal(1, samples.Value("cuframes_log_events_total", ("event", "ready"), ("level", "info")));

        // Every metric that was there without a GPU and without packets is one of the table, and the other way round.
        string[] names = [.. samples.Text.Split('\n').Where(line => line.StartsWith("# TYPE ", StringComparison.Ordinal)).Select(line => line.Split(' ')[2])];
        Assert.Equal(
            CuFrames.Daemon.Internal.Metrics.MetricTable.All.Select(metric => metric.PrometheusName)
                .Where(name => !name.Contains("gpu", StringComparison.Ordinal) && name != "cuframes_camera_decoder"),
            names);
    }

    [Fact]
    public async Task Workers_of_isolated_cameras_have_series_of_their_own_that_the_kernel_confirms()
    {
        const string others = """
            directory: {run}
            cameras:
              here: { source: "test:nv12@64x48@25" }
              right: { source: "test:nv12@64x48@25", isolated: true }
            """;
        using WatchedDaemon daemon = new(others + "\n  left: { source: \"test:nv12@64x48@25\", isolated: true }\n");
        string started = daemon.Daemon.WaitForLog("[320 worker-started] left: ");
        int worker = int.Parse(started[(started.IndexOf("Process ", StringComparison.Ordinal) + 8)..].Split(' ')[0], CultureInfo.InvariantCulture);
        Samples samples = await daemon.ScrapeUntilAsync(now => now.Values("cuframes_worker_cpu_time_seconds_total").Count() == 2);
        Assert.Equal(["left", "right"], samples.Labels("cuframes_worker_threads").Select(labels => labels["camera"]).Order());
        double cpu = samples.Value("cuframes_worker_cpu_time_seconds_total", ("camera", "left"));
        Assert.True(cpu > 0);

        // What the kernel says afterwards is no less. It counts in hundredths of a second.
        samples = await daemon.ScrapeUntilAsync(now => now.Value("cuframes_worker_cpu_time_seconds_total", ("camera", "left")) > cpu);
        Assert.InRange(samples.Value("cuframes_worker_cpu_time_seconds_total", ("camera", "left")), cpu, (OfKernel(worker, 11) + OfKernel(worker, 12) + 2) / 100.0);
        samples = await daemon.ScrapeUntilAsync(now => now.Value("cuframes_worker_threads", ("camera", "left")) == OfKernel(worker, 17));
        Assert.InRange(samples.Value("cuframes_worker_memory_usage_bytes", ("camera", "left")), 5 << 20, 4L << 30);
        Assert.InRange(samples.Value("cuframes_worker_open_descriptors", ("camera", "left")), 10, 1000);

        // They go with the worker.
        daemon.Daemon.Write(daemon.Web + others);
        daemon.Daemon.Signal(Signals.HangUp);
        samples = await daemon.ScrapeUntilAsync(now => !now.Values("cuframes_worker_cpu_time_seconds_total", ("camera", "left")).Any());
        Assert.Equal(["right"], samples.Labels("cuframes_worker_memory_usage_bytes").Select(labels => labels["camera"]));

        // Fields of proc_pid_stat(5) behind the name, which may hold spaces: 11 and 12 are its time, 17 its threads.
        static double OfKernel(int process, int field)
        {
            string text = File.ReadAllText($"/proc/{process}/stat");
            return double.Parse(text[(text.LastIndexOf(')') + 2)..].Split(' ')[field], CultureInfo.InvariantCulture);
        }
    }

    [Fact]
    public void Figures_that_a_worker_makes_up_are_numbers_that_can_be()
    {
        Assert.Equal(new WorkerFigures(0, 0, 0, 0), new WorkerFigures(double.NaN, long.MinValue, -1, int.MinValue).Clamped);
        Assert.Equal(new WorkerFigures(1e9, 1L << 48, int.MaxValue, 3), new WorkerFigures(double.PositiveInfinity, long.MaxValue, int.MaxValue, 3).Clamped);
        Assert.Equal(new WorkerFigures(1.5, 4096, 20, 15), new WorkerFigures(1.5, 4096, 20, 15).Clamped);
    }

    [Fact]
    public async Task The_managed_heap_is_that_of_the_runtime()
    {
        using WatchedDaemon daemon = new(Configuration);
        Samples samples = await daemon.ScrapeAsync();
        string[] generations = ["gen0", "gen1", "gen2", "loh", "poh"];
        Assert.Equal(generations.Take(3), samples.Labels("dotnet_gc_collections_total").Select(labels => labels["dotnet_gc_heap_generation"]));
        Assert.Equal(generations, samples.Labels("dotnet_gc_last_collection_heap_size_bytes").Select(labels => labels["dotnet_gc_heap_generation"]));
        double allocated = samples.Value("dotnet_gc_heap_total_allocated_bytes_total");

        // Answering allocates.
        samples = await daemon.ScrapeUntilAsync(now => now.Value("dotnet_gc_heap_total_allocated_bytes_total") > allocated);
        Assert.Equal((0, ""), await WatchedDaemon.PromtoolAsync(samples.Text, "check", "metrics"));

        // In this process collections can be made. Others of the same process only add to them.
        HeapSnapshot before = HeapSnapshot.Take();
        GC.Collect(2, GCCollectionMode.Forced, blocking: true);
        GC.Collect(0, GCCollectionMode.Forced, blocking: true);
        HeapSnapshot after = HeapSnapshot.Take();
        Assert.True(after.Collections[2] > before.Collections[2]);
        Assert.InRange(after.Collections.Sum(), before.Collections.Sum() + 2, GC.CollectionCount(0));
        Assert.True(after.Pause > before.Pause && after.Allocated >= before.Allocated);
        Assert.True(after.Committed > 0 && after.Sizes.Sum() > 0);
    }

    [Fact]
    public async Task Frames_readers_leases_and_misses_are_those_of_the_readers()
    {
        using WatchedDaemon daemon = new("""
            directory: {run}
            cameras:
              pattern: { source: "test:nv12@64x64@25", slots: 8, max_slots: 8, lease_timeout: 600s }
            """);
        using FrameSubscriber reader = FrameSubscriber.Connect("pattern", new SubscriberOptions
        {
            Directory = daemon.Daemon.RuntimeDirectory,
            Delivery = Delivery.InOrder,
            Leases = 4,
            Program = "counting",
        });
        Read(reader, 20);
        List<Frame> held = [];
        while (held.Count < 3)
        {
            Assert.True(reader.TryNext(DaemonProcess.Patience, out Frame frame));
            held.Add(frame);
        }

        Samples samples = await daemon.ScrapeUntilAsync(now => now.Values("cuframes_reader_leases", ("program", "counting")).SingleOrDefault() == 3);
        Assert.Equal(23UL, reader.Taken);
        Assert.Equal(23, samples.Value("cuframes_reader_taken_total", ("stream", "pattern"), ("program", "counting")));
        Assert.Equal(4, samples.Value("cuframes_reader_leases_granted", ("stream", "pattern"), ("program", "counting")));
        Assert.Equal(3, samples.Value("cuframes_stream_slots_held", ("stream", "pattern")));
        Assert.Equal(8, samples.Value("cuframes_stream_slots", ("stream", "pattern")));

        // It takes nothing for a while: what the ring could not keep it misses, and says so when it takes again.
        double head = samples.Value("cuframes_stream_frames_total", ("stream", "pattern"));
        await daemon.ScrapeUntilAsync(now => now.Value("cuframes_stream_frames_total", ("stream", "pattern")) > head + 20);
        foreach (Frame frame in held)
        {
            frame.Dispose();
        }

        Read(reader, 1);
        Assert.True(reader.Missed > 0);
        ulong missed = reader.Missed, taken = reader.Taken;
        samples = await daemon.ScrapeUntilAsync(now => now.Value("cuframes_reader_taken_total", ("program", "counting")) == taken);
        Assert.Equal(missed, samples.Value("cuframes_reader_missed_total", ("program", "counting")));
        Assert.True(samples.Value("cuframes_reader_lag", ("program", "counting")) > 0);

        // What the stream says of itself on the wire lies between two looks of Prometheus.
        double before = (await daemon.ScrapeAsync()).Value("cuframes_stream_frames_total", ("stream", "pattern"));
        ulong wire = daemon.Daemon.Probe("pattern").Description!.Head;
        samples = await daemon.ScrapeUntilAsync(now => now.Value("cuframes_stream_frames_total", ("stream", "pattern")) > wire);
        Assert.InRange(wire, before, samples.Value("cuframes_stream_frames_total", ("stream", "pattern")));
        Assert.Equal(samples.Value("cuframes_camera_latency_seconds_bucket", ("camera", "pattern"), ("le", "+Inf")), samples.Value("cuframes_camera_latency_seconds_count", ("camera", "pattern")));
        Assert.InRange(
            samples.Value("cuframes_camera_latency_seconds_count", ("camera", "pattern")),
            samples.Value("cuframes_camera_frames_total", ("camera", "pattern")) - 2,
            samples.Value("cuframes_camera_frames_total", ("camera", "pattern")) + 2);
        Assert.InRange(
            samples.Value("cuframes_camera_latency_percentile_seconds", ("camera", "pattern"), ("percentile", "50")),
            1e-6,
            samples.Value("cuframes_camera_latency_percentile_seconds", ("camera", "pattern"), ("percentile", "99")));
    }

    [Fact]
    public async Task Drops_and_evictions_are_counted()
    {
        using WatchedDaemon daemon = new("""
            directory: {run}
            cameras:
              pattern: { source: "test:nv12@64x64@25", slots: 2, max_slots: 2, lease_timeout: 10s }
            """);
        using FrameSubscriber reader = FrameSubscriber.Connect("pattern", new SubscriberOptions
        {
            Directory = daemon.Daemon.RuntimeDirectory,
            Leases = 2,
            Reconnect = false,
        });
        Assert.True(reader.TryNext(DaemonProcess.Patience, out Frame first));
        Assert.True(reader.TryNext(DaemonProcess.Patience, out Frame second));
        daemon.Daemon.WaitForLog("[402 reader-evicted]");
        StreamDescription wire = daemon.Daemon.WaitFor("pattern", stream => stream.Description is { Evicted: 1 }).Description!;
        Samples samples = await daemon.ScrapeUntilAsync(now => now.Value("cuframes_stream_evictions_total", ("stream", "pattern"), ("content", "frames")) == 1);
        Assert.True(wire.Dropped > 0);
        Assert.Equal(wire.Dropped, samples.Value("cuframes_stream_dropped_total", ("stream", "pattern")));
        Assert.Equal(wire.Dropped, samples.Value("cuframes_camera_frames_dropped_total", ("camera", "pattern")));
        Assert.Equal(0, samples.Value("cuframes_stream_readers", ("stream", "pattern"), ("content", "frames")));
        Assert.Empty(samples.Labels("cuframes_reader_leases"));
        Assert.Equal(1, samples.Value("cuframes_log_events_total", ("event", "reader-evicted"), ("level", "warning")));
        first.Dispose();
        second.Dispose();
    }

    [Fact]
    public async Task Series_of_readers_and_cameras_go_with_them()
    {
        const string one = """
            directory: {run}
            cameras:
              pattern: { source: "test:nv12@64x64@25" }
            """;
        using WatchedDaemon daemon = new(one + "\n  second: { source: \"test:nv12@64x64@25\" }\n");
        Samples before = await daemon.ScrapeUntilAsync(now => now.Values("cuframes_camera_latency_percentile_seconds").Count() == 6);
        for (int i = 0; i < 60; i++)
        {
            using FrameSubscriber reader = FrameSubscriber.Connect("pattern", new SubscriberOptions { Directory = daemon.Daemon.RuntimeDirectory, Program = $"reader-{i}" });
            Read(reader, 1);
        }

        using (FrameSubscriber last = daemon.Daemon.Subscribe("pattern"))
        {
            Read(last, 1);

            // The one before it may be on its way out still.
            Samples during = await daemon.ScrapeUntilAsync(now => now.Values("cuframes_reader_taken_total").Count() == 1);
            Assert.Single(during.Labels("cuframes_reader_taken_total"));
        }

        Samples after = await daemon.ScrapeUntilAsync(now => now.Value("cuframes_stream_readers", ("stream", "pattern")) == 0);

        // Only the events of the log are new: that readers came and went.
        Assert.Equal(before.Count - before.Values("cuframes_log_events_total").Count(), after.Count - after.Values("cuframes_log_events_total").Count());
        Assert.DoesNotContain("reader-59", after.Text, StringComparison.Ordinal);

        daemon.Daemon.Write(daemon.Web + one);
        daemon.Daemon.Signal(Signals.HangUp);
        daemon.Daemon.WaitForLog("[200 configuration-loaded]");
        Samples without = await daemon.ScrapeUntilAsync(now => !now.Values("cuframes_camera_state", ("camera", "second")).Any());
        Assert.DoesNotContain("\"second\"", without.Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_program_that_names_itself_like_a_metric_stays_a_label()
    {
        using WatchedDaemon daemon = new(Configuration);
        string name = "a\"} 1\nevil_metric{x=\"\\" + new string('x', 200);
        using FrameSubscriber reader = FrameSubscriber.Connect("pattern", new SubscriberOptions
        {
            Directory = daemon.Daemon.RuntimeDirectory,
            Program = name,
            WaitForStream = true,
        });
        Read(reader, 1);
        Samples samples = await daemon.ScrapeUntilAsync(now => now.Values("cuframes_reader_taken_total").Any());
        Assert.Equal((0, ""), await WatchedDaemon.PromtoolAsync(samples.Text, "check", "metrics"));
        Assert.DoesNotContain("evil_metric", samples.Names);
        string told = samples.Labels("cuframes_reader_taken_total").Single()["program"];
        Assert.InRange(told.Length, 1, 64);
        Assert.StartsWith("a\"} 1", told, StringComparison.Ordinal);
    }

    [Fact]
    public async Task No_password_is_in_metrics_health_or_the_log()
    {
        using WatchedDaemon daemon = new(Configuration, "", "--log-format", "json");
        daemon.Daemon.WaitForLog("camera-lost");
        string all = (await daemon.ScrapeAsync()).Text + (await daemon.GetAsync("/health/cameras/lost")).Text + daemon.Daemon.LogText;
        Assert.Contains("lost", all, StringComparison.Ordinal);
        Assert.DoesNotContain(Secret, all, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Health_says_state_words_and_metrics_can_be_turned_off()
    {
        using WatchedDaemon daemon = new(Configuration, ", metrics: off");
        daemon.Daemon.WaitFor("pattern", stream => stream.Description is { State: StreamState.Live });
        daemon.Daemon.WaitForLog("[302 camera-lost]");
        Assert.Equal((HttpStatusCode.OK, "live\n"), await daemon.GetAsync("/health/live"));
        (HttpStatusCode Status, string Text) ready;
        while ((ready = await daemon.GetAsync("/health/ready")).Status != HttpStatusCode.OK)
        {
            // What is said may be a quarter of a second old.
            Assert.Equal((HttpStatusCode.ServiceUnavailable, "starting\n"), ready);
        }

        Assert.Equal("ready\n", ready.Text);
        (HttpStatusCode Status, string Text) pattern;
        while ((pattern = await daemon.GetAsync("/health/cameras/pattern")).Status != HttpStatusCode.OK)
        {
            Assert.Equal((HttpStatusCode.ServiceUnavailable, "starting\n"), pattern);
        }

        Assert.Equal("live\n", pattern.Text);
        (HttpStatusCode status, string word) = await daemon.GetAsync("/health/cameras/lost");
        Assert.Equal(HttpStatusCode.ServiceUnavailable, status);
        Assert.Matches("^(source_lost|starting)\n$", word);
        Assert.Equal((HttpStatusCode.NotFound, "unknown\n"), await daemon.GetAsync("/health/cameras/none"));
        (status, string text) = await daemon.GetAsync("/metrics");
        Assert.Equal(HttpStatusCode.NotFound, status);
        Assert.Contains("web.metrics", text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_camera_that_is_lost_and_comes_back_is_counted()
    {
        using MediaClips clips = new();
        RtspServerOptions options = new()
        {
            File = clips.H264("clip.mp4", 160, 120, 2),
            Port = Ports.Free(),
            Repeat = TimeSpan.FromMinutes(30),
            User = "viewer",
            Password = Secret,
        };
        RtspServer server = new(options);
        try
        {
            using WatchedDaemon daemon = new($$"""
                directory: {run}
                cameras:
                  front: { source: "{{server.Url}}", username: viewer, password: {{Secret}}, stall_timeout: 1s }
                """);
            Samples samples = await daemon.ScrapeUntilAsync(now => now.Values("cuframes_camera_frames_total", ("camera", "front")).SingleOrDefault() > 5);
            Assert.Equal(1, samples.Value("cuframes_camera_connections_total", ("camera", "front")));
            Assert.Equal(0, samples.Value("cuframes_camera_reconnects_total", ("camera", "front")));
            Assert.Equal(1, samples.Value("cuframes_camera_decoder", ("camera", "front"), ("decoder", "software")));
            Assert.True(samples.Value("cuframes_camera_received_bytes_total", ("camera", "front")) > 1000);
            Assert.True(samples.Value("cuframes_packets_published_total", ("camera", "front")) > 5);
            server.Dispose();
            samples = await daemon.ScrapeUntilAsync(now => now.Value("cuframes_camera_state", ("camera", "front"), ("state", "source_lost")) == 1);
            Assert.DoesNotContain(Secret, samples.Text, StringComparison.Ordinal);
            server = new RtspServer(options);
            samples = await daemon.ScrapeUntilAsync(now =>
                now.Value("cuframes_camera_reconnects_total", ("camera", "front")) == 1 && now.Value("cuframes_camera_state", ("camera", "front"), ("state", "live")) == 1);
            Assert.Equal(2, samples.Value("cuframes_camera_connections_total", ("camera", "front")));
            Assert.Equal((0, ""), await WatchedDaemon.PromtoolAsync(samples.Text, "check", "metrics"));
        }
        finally
        {
            server.Dispose();
        }
    }

    private static void Read(FrameSubscriber reader, int frames)
    {
        for (int i = 0; i < frames; i++)
        {
            Assert.True(reader.TryNext(DaemonProcess.Patience, out Frame frame), "no frame came");
            frame.Dispose();
        }
    }
}
