using System.Diagnostics.Metrics;
using System.Text;
using CuFrames.Client;
using CuFrames.Daemon.Tests;
using CuFrames.Interop;
using CuFrames.TestKit;
using OpenTelemetry;
using OpenTelemetry.Exporter;
using OpenTelemetry.Metrics;
using Xunit;

namespace CuFrames.Operations.Tests;

/// <summary>A collector gets what Prometheus would get. The collector here is the tests' own, which is proved with OpenTelemetry's exporter first.</summary>
public sealed class OtlpTests
{
    [Fact]
    public async Task The_collector_of_the_tests_understands_OpenTelemetrys_own_exporter()
    {
        int port = Ports.Free();
        await using OtlpCollector collector = await OtlpCollector.StartAsync(port);
        using Meter meter = new("test", "1");
        using (MeterProvider provider = Sdk.CreateMeterProviderBuilder()
            .AddMeter("test")
            .AddOtlpExporter(options =>
            {
                (options.Endpoint, options.Protocol) = (new Uri($"http://127.0.0.1:{port}/v1/metrics"), OtlpExportProtocol.HttpProtobuf);
                options.HttpClientFactory = () => new HttpClient(new SocketsHttpHandler { UseProxy = false });
            })
            .Build())
        {
            meter.CreateCounter<double>("counted", "{frame}").Add(12.5, new KeyValuePair<string, object?>("camera", "front"));
            meter.CreateGauge<double>("level", "By").Record(-3);
            Histogram<double> times = meter.CreateHistogram("times", "s", advice: new InstrumentAdvice<double> { HistogramBucketBoundaries = [1, 2] });
            times.Record(0.5);
            times.Record(5);
            provider.ForceFlush();
        }

        OtlpPushed pushed = collector.Next(_ => true, () => "");
        OtlpPoint counted = pushed.Of("counted", ("camera", "front")).Single();
        Assert.Equal(("counter", 2, 12.5, "{frame}"), (counted.Kind, counted.Temporality, counted.Value, counted.Unit));
        Assert.InRange(counted.Start, 1UL, counted.Time);
        Assert.Equal(("gauge", -3d), (pushed.Of("level").Single().Kind, pushed.Of("level").Single().Value));
        OtlpPoint histogram = pushed.Of("times").Single();
        Assert.Equal((2UL, 5.5), (histogram.Count, histogram.Value));
        Assert.Equal([1UL, 0, 1], histogram.Buckets);
        Assert.Equal([1d, 2], histogram.Bounds);
    }

    [Fact]
    public async Task A_collector_gets_what_Prometheus_gets_and_its_absence_is_told_once()
    {
        int port = Ports.Free();
        using WatchedDaemon daemon = new($$"""
            directory: {run}
            metrics: {otlp: 'http://127.0.0.1:{{port}}'}
            cameras:
              pattern: { source: "test:nv12@64x64@25" }
              lost: { source: "rtsp://viewer:Geh3imes-Passwort@127.0.0.1:1/stream" }
            """);
        daemon.Daemon.WaitForLog("[751 metrics-not-pushed]", "cannot be reached");
        OtlpPushed pushed;
        Samples before, after;
        await using (OtlpCollector collector = await OtlpCollector.StartAsync(port))
        {
            using (FrameSubscriber reader = FrameSubscriber.Connect("pattern", new SubscriberOptions { Directory = daemon.Daemon.RuntimeDirectory, Program = "pushed" }))
            {
                Assert.True(reader.TryNext(DaemonProcess.Patience, out Frame frame));
                frame.Dispose();
                before = await daemon.ScrapeUntilAsync(now => now.Values("cuframes_reader_taken_total", ("program", "pushed")).SingleOrDefault() == 1);

                // What was pushed while we looked is older than what we saw, and what is of before has come by then.
                ulong from = (ulong)WallClock.NowNanoseconds;
                pushed = collector.Next(now => now.Of("cuframes.reader.taken").Any(point => point.Time >= from), () => daemon.Daemon.LogText);
                after = await daemon.ScrapeAsync();
            }

            daemon.Daemon.WaitForLog("[750 metrics-pushed]");
            Assert.Single(daemon.Daemon.Log, line => line.Contains("[751 ", StringComparison.Ordinal));
            Assert.Equal("cuframesd", pushed.Resource["service.name"]);
            Assert.StartsWith("CuFrames ", pushed.Scope, StringComparison.Ordinal);
            Assert.DoesNotContain("Geh3imes-Passwort", Encoding.UTF8.GetString(pushed.Bytes), StringComparison.Ordinal);

            // The same series, with values between those of two looks of Prometheus.
            Dictionary<string, CuFrames.Daemon.Internal.Metrics.MetricDefinition> table = CuFrames.Daemon.Internal.Metrics.MetricTable.All.ToDictionary(metric => metric.Name);
            foreach (OtlpPoint point in pushed.Points)
            {
                CuFrames.Daemon.Internal.Metrics.MetricDefinition metric = table[point.Metric];
                Assert.Equal(metric.Unit, point.Unit);
                string kind = metric.Kind switch
                {
                    CuFrames.Daemon.Internal.Metrics.MetricKind.Counter => "counter",
                    CuFrames.Daemon.Internal.Metrics.MetricKind.UpDownCounter => "sum",
                    CuFrames.Daemon.Internal.Metrics.MetricKind.Gauge => "gauge",
                    _ => "histogram",
                };
                Assert.Equal(kind, point.Kind);
                Assert.Equal(kind == "gauge" ? 0 : 2, point.Temporality);
                Assert.True(kind == "gauge" ? point.Start == 0 : point.Start > 0 && point.Start <= point.Time, point.Metric);
                (string, string)[] labels = [.. point.Attributes.Select(attribute => (attribute.Key, attribute.Value))];
                if (kind == "histogram")
                {
                    Assert.Equal(point.Count, (ulong)point.Buckets.Sum(count => (double)count));
                    Assert.Equal(point.Bounds.Count + 1, point.Buckets.Count);
                    Assert.InRange(point.Count, before.Value($"{metric.PrometheusName}_count", labels), after.Value($"{metric.PrometheusName}_count", labels));
                }
                else if (kind == "counter" && before.Values(metric.PrometheusName, labels).Any())
                {
                    Assert.InRange(point.Value, before.Value(metric.PrometheusName, labels), after.Value(metric.PrometheusName, labels));
                }
            }

            Assert.Equal(1, pushed.Of("cuframes.reader.taken", ("program", "pushed"), ("stream", "pattern")).Single().Value);
            Assert.Equal(
                before.Names.Select(name => name.Replace("_bucket", "", StringComparison.Ordinal).Replace("_sum", "", StringComparison.Ordinal)).Where(name => !name.EndsWith("_count", StringComparison.Ordinal)).Order().Distinct(),
                pushed.Points.Select(point => table[point.Metric].PrometheusName).Distinct().Order());

            // A reader that has gone is not pushed any more, and what goes on keeps its beginning.
            OtlpPushed next = collector.Next(now => !now.Of("cuframes.reader.taken").Any(), () => daemon.Daemon.LogText);
            OtlpPoint first = pushed.Of("cuframes.stream.frames", ("stream", "pattern")).Single(), second = next.Of("cuframes.stream.frames", ("stream", "pattern")).Single();
            Assert.Equal(first.Start, second.Start);
            Assert.True(second.Value > first.Value);
            Assert.True(second.Time > first.Time);

            // What a collector does not take is told, with its words.
            collector.Answer = (200, [0x0a, 0x0c, 0x08, 0x07, 0x12, 0x08, .. "too many"u8]);
            daemon.Daemon.WaitForLog("[751 metrics-not-pushed]", "took all metrics but 7 values: too many.");
            collector.Answer = (200, [0x0a, 0xff]);
            daemon.Daemon.WaitForLog("[751 metrics-not-pushed]", "no answer to metrics");
            collector.Answer = (503, []);
            daemon.Daemon.WaitForLog("[751 metrics-not-pushed]", "answered 503");
        }
    }

    [Fact]
    public void Whatever_a_collector_answers_is_a_sentence_or_nothing()
    {
        byte[] good = [0x0a, 0x0c, 0x08, 0x07, 0x12, 0x08, .. "too many"u8];
        Assert.Null(CuFrames.Daemon.Internal.Metrics.OtlpAnswer.Complaint([]));
        Assert.Equal("took all metrics but 7 values: too many.", CuFrames.Daemon.Internal.Metrics.OtlpAnswer.Complaint(good));
        Random random = new(3);
        for (int i = 0; i < 100_000; i++)
        {
            byte[] answer = i % 2 == 0 ? [.. good] : new byte[random.Next(40)];
            if (i % 2 == 1)
            {
                random.NextBytes(answer);
            }
            else
            {
                answer[random.Next(answer.Length)] = (byte)random.Next(256);
                answer = answer[..random.Next(answer.Length + 1)];
            }

            string? said = CuFrames.Daemon.Internal.Metrics.OtlpAnswer.Complaint(answer);
            Assert.True(said is null || said.Length is > 10 and < 400, said);
        }
    }
}
