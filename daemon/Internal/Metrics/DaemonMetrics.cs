using System.Diagnostics.Metrics;

namespace CuFrames.Daemon.Internal.Metrics;

/// <summary>
/// The daemon's metrics as instruments of System.Diagnostics.Metrics, in the meter <c>CuFrames</c>, and their values at one moment. A series exists as long as
/// what it is about: readers that have gone leave nothing behind. Any thread.
/// </summary>
/// <remarks>
/// There are no observable histograms in System.Diagnostics.Metrics, and recording each frame there would take a lock on the camera's thread. So histograms
/// are read beside the meter, and the meter has their percentiles.
/// </remarks>
internal sealed class DaemonMetrics : IDisposable
{
    internal const string MeterName = "CuFrames";

    /// <summary>Who listens to the meter waits that long for the control thread, and then gets nothing.</summary>
    private static readonly TimeSpan LongestWait = TimeSpan.FromSeconds(2);

    /// <summary>The moment that is being collected on this thread.</summary>
    [ThreadStatic]
    private static DaemonSnapshot? _moment;

    private readonly Sampler _sampler;
    private readonly Meter _meter = new(MeterName, Program.Version);
    private readonly MeterListener _listener = new();
    private readonly Dictionary<string, List<MetricPoint>> _points = [];

    /// <summary>Guards _points: one collects at a time.</summary>
    private readonly Lock _gate = new();

    /// <summary>Makes the instruments.</summary>
    /// <param name="sampler">Takes the snapshots.</param>
    internal DaemonMetrics(Sampler sampler)
    {
        _sampler = sampler;
        _listener.InstrumentPublished = (instrument, listener) =>
        {
            if (ReferenceEquals(instrument.Meter, _meter))
            {
                listener.EnableMeasurementEvents(instrument);
            }
        };
        _listener.SetMeasurementEventCallback<double>(Take);
        _listener.Start();
        foreach (MetricDefinition metric in MetricTable.All.Where(metric => metric.Observe is not null))
        {
            Func<IEnumerable<Measurement<double>>> observe = () => Moment() is { } moment ? metric.Observe!(moment) : [];
            _ = metric.Kind switch
            {
                MetricKind.Counter => (Instrument)_meter.CreateObservableCounter(metric.Name, observe, metric.Unit, metric.Meaning),
                MetricKind.UpDownCounter => _meter.CreateObservableUpDownCounter(metric.Name, observe, metric.Unit, metric.Meaning),
                _ => _meter.CreateObservableGauge(metric.Name, observe, metric.Unit, metric.Meaning),
            };
        }
    }

    /// <summary>Reads all metrics that have values.</summary>
    /// <param name="cancellation">Ends the waiting for the control thread.</param>
    /// <returns>The moment, and the metrics in their order.</returns>
    internal async Task<(DaemonSnapshot Moment, IReadOnlyList<MetricFamily> Families)> CollectAsync(CancellationToken cancellation)
    {
        DaemonSnapshot moment = await _sampler.AskAsync(cancellation).ConfigureAwait(false);
        return (moment, Collect(moment));
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _listener.Dispose();
        _meter.Dispose();
    }

    private List<MetricFamily> Collect(DaemonSnapshot moment)
    {
        lock (_gate)
        {
            _points.Clear();
            _moment = moment;
            try
            {
                _listener.RecordObservableInstruments();
            }
            finally
            {
                _moment = null;
            }

            List<MetricFamily> families = [];
            foreach (MetricDefinition metric in MetricTable.All)
            {
                List<MetricPoint> points = metric.ObserveHistogram is { } observe ? [.. observe(moment)] : _points.GetValueOrDefault(metric.Name) ?? [];
                if (points.Count > 0)
                {
                    families.Add(new MetricFamily(metric, points));
                }
            }

            return families;
        }
    }

    /// <summary>Takes a value that an instrument tells. In <see cref="Collect"/>, under _gate.</summary>
    private void Take(Instrument instrument, double value, ReadOnlySpan<KeyValuePair<string, object?>> tags, object? state)
    {
        if (!_points.TryGetValue(instrument.Name, out List<MetricPoint>? points))
        {
            _points.Add(instrument.Name, points = []);
        }

        KeyValuePair<string, string>[] attributes = new KeyValuePair<string, string>[tags.Length];
        for (int i = 0; i < tags.Length; i++)
        {
            attributes[i] = new(tags[i].Key, (string)tags[i].Value!);
        }

        points.Add(new MetricPoint(attributes, value));
    }

    /// <summary>The moment that is collected, or for others who listen to the meter, one of now.</summary>
    private DaemonSnapshot? Moment()
    {
        if (_moment is { } moment)
        {
            return moment;
        }

        Task<DaemonSnapshot> asked = _sampler.AskAsync(CancellationToken.None);
        return asked.Wait(LongestWait) ? asked.Result : null;
    }
}
