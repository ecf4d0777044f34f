namespace CuFrames.Daemon.Internal.Metrics;

/// <summary>
/// Writes metrics as an ExportMetricsServiceRequest of the OpenTelemetry Protocol. Numbers of fields are those of opentelemetry-proto 1.x:
/// collector/metrics/v1/metrics_service.proto, metrics/v1/metrics.proto, common/v1/common.proto, resource/v1/resource.proto.
/// </summary>
/// <remarks>
/// Our own writer, because the SDK of OpenTelemetry keeps every set of attributes that it has ever seen and, after 2,000 of a metric, puts all others into one:
/// in a daemon that runs for months readers come and go by the thousand. Its histograms cannot be filled from counts either.
/// </remarks>
/// <param name="starts">When each series began, nanoseconds since 1970.</param>
/// <param name="time">When the values were read, nanoseconds since 1970.</param>
internal sealed class OtlpMessage(Func<MetricDefinition, MetricPoint, ulong> starts, ulong time)
{
    private const int Gauge = 5;
    private const int Sum = 7;
    private const int Histogram = 9;
    private const int Cumulative = 2;

    private readonly ProtobufWriter _writer = new();

    /// <summary>Writes a request.</summary>
    /// <param name="families">The metrics.</param>
    /// <param name="resource">Attributes of the program.</param>
    internal ReadOnlyMemory<byte> Write(IReadOnlyList<MetricFamily> families, IReadOnlyList<KeyValuePair<string, string>> resource)
    {
        _writer.Message(1, () =>
        {
            _writer.Message(1, () => Write(1, resource));
            _writer.Message(2, () =>
            {
                _writer.Message(1, () =>
                {
                    _writer.Text(1, DaemonMetrics.MeterName);
                    _writer.Text(2, Program.Version);
                });
                foreach (MetricFamily family in families)
                {
                    _writer.Message(2, () => Write(family));
                }
            });
        });
        return _writer.Written;
    }

    private void Write(MetricFamily family)
    {
        MetricDefinition metric = family.Definition;
        _writer.Text(1, metric.Name);
        _writer.Text(2, metric.Meaning);
        _writer.Text(3, metric.Unit);
        int kind = metric.Kind switch
        {
            MetricKind.Gauge => Gauge,
            MetricKind.Histogram => Histogram,
            _ => Sum,
        };
        _writer.Message(kind, () =>
        {
            foreach (MetricPoint point in family.Points)
            {
                _writer.Message(1, () => Write(metric, point));
            }

            if (kind != Gauge)
            {
                _writer.Integer(2, Cumulative);
            }

            if (metric.Kind == MetricKind.Counter)
            {
                // Monotonic.
                _writer.Integer(3, 1);
            }
        });
    }

    private void Write(MetricDefinition metric, MetricPoint point)
    {
        if (metric.Kind != MetricKind.Gauge)
        {
            _writer.Fixed(2, starts(metric, point));
        }

        _writer.Fixed(3, time);
        if (point.Buckets is not { } buckets)
        {
            _writer.Double(4, point.Value);
            Write(7, point.Attributes);
            return;
        }

        _writer.Fixed(4, (ulong)buckets.Sum());
        _writer.Double(5, point.Value);
        _writer.Packed(6, buckets.Count, bucket => (ulong)buckets[bucket]);
        _writer.Packed(7, MetricTable.LatencyBounds.Count, bound => BitConverter.DoubleToUInt64Bits(MetricTable.LatencyBounds[bound]));
        Write(9, point.Attributes);
    }

    private void Write(int field, IReadOnlyList<KeyValuePair<string, string>> attributes)
    {
        foreach ((string name, string value) in attributes)
        {
            _writer.Message(field, () =>
            {
                _writer.Text(1, name);
                _writer.Message(2, () => _writer.Text(1, value));
            });
        }
    }
}
