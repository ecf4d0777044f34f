using System.Net;
using System.Net.Http.Headers;

namespace CuFrames.Daemon.Internal.Metrics;

/// <summary>
/// Pushes the daemon's metrics to a collector of OpenTelemetry, as protobuf over HTTP. What a collector does not take is not kept: values count from the
/// beginning of their series, so the next push holds them too.
/// </summary>
internal sealed class OtlpPush : IDisposable
{
    /// <summary>Time between two pushes (docs/configuration.md says so).</summary>
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(15);

    private static readonly TimeSpan LongestAnswer = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan LastMoments = TimeSpan.FromMilliseconds(200);

    /// <summary>Bytes of an answer that are read: it is empty as a rule.</summary>
    private const int MaxAnswer = 64 << 10;

    private readonly DaemonMetrics _metrics;
    private readonly Log _log;
    private readonly CancellationTokenSource _ending = new();
    private readonly Task _running;

    /// <summary>Beginning and last value of each series that is pushed. The pushing task's.</summary>
    private readonly Dictionary<string, (ulong Start, double Last, long Push)> _series = [];

    private readonly IReadOnlyList<KeyValuePair<string, string>> _resource =
    [
        new("service.name", "cuframesd"),
        new("service.version", Program.Version),
        new("service.instance.id", Guid.NewGuid().ToString()),
        new("host.name", Environment.MachineName),
    ];

    private ulong _before = Nanoseconds(DateTime.UtcNow);
    private long _pushes;

    /// <summary>Begins to push.</summary>
    /// <param name="address">The collector.</param>
    /// <param name="metrics">The metrics.</param>
    /// <param name="log">The log.</param>
    internal OtlpPush(Uri address, DaemonMetrics metrics, Log log)
    {
        (Address, _metrics, _log) = (address, metrics, log);
        _running = Task.Run(RunAsync);
    }

    /// <summary>The collector.</summary>
    internal Uri Address { get; }

    /// <inheritdoc/>
    public void Dispose()
    {
        _ending.Cancel();
        if (_running.Wait(LastMoments))
        {
            _ending.Dispose();
        }
    }

    private static ulong Nanoseconds(DateTime utc) => (ulong)(utc - DateTime.UnixEpoch).Ticks * 100;

    private async Task RunAsync()
    {
        // Redirects are not followed: the configuration says where metrics go.
        using SocketsHttpHandler handler = new() { AllowAutoRedirect = false, UseCookies = false, ConnectTimeout = LongestAnswer };
        using HttpClient client = new(handler) { Timeout = LongestAnswer, MaxResponseContentBufferSize = MaxAnswer };
        using PeriodicTimer timer = new(Interval);
        string? trouble = "";
        try
        {
            do
            {
                string? found = await PushAsync(client).ConfigureAwait(false);
                if (found is null && trouble is not null)
                {
                    _log.Write(LogEvents.MetricsPushed, $"{Address} takes metrics, every {Interval.TotalSeconds:0} s.");
                }
                else if (found is not null && found != trouble)
                {
                    _log.Write(LogEvents.MetricsNotPushed, $"{Address} {found} Tried again every {Interval.TotalSeconds:0} s; 'metrics.otlp' of the configuration names another address, or off.");
                }

                trouble = found;
            }
            while (await timer.WaitForNextTickAsync(_ending.Token).ConfigureAwait(false));
        }
        catch (OperationCanceledException) when (_ending.IsCancellationRequested)
        {
            // The daemon ends, or metrics go elsewhere from now on.
        }
        catch (Exception error)
        {
            // The outermost frame of a task: nobody else would hear of it.
            _log.Write(LogEvents.InternalError, $"Metrics are not pushed any more: {error}");
        }
    }

    /// <summary>Pushes once.</summary>
    /// <returns>What went wrong, to stand behind the address; null if nothing did.</returns>
    private async Task<string?> PushAsync(HttpClient client)
    {
        try
        {
            (DaemonSnapshot moment, IReadOnlyList<MetricFamily> families) = await _metrics.CollectAsync(_ending.Token).ConfigureAwait(false);
            ulong time = Nanoseconds(moment.Utc);
            _pushes++;
            ReadOnlyMemory<byte> message = new OtlpMessage(StartOf, time).Write(families, _resource);
            foreach (string gone in _series.Where(series => series.Value.Push != _pushes).Select(series => series.Key).ToList())
            {
                _series.Remove(gone);
            }

            _before = time;
            using ReadOnlyMemoryContent content = new(message);
            content.Headers.ContentType = new MediaTypeHeaderValue("application/x-protobuf");
            using HttpResponseMessage answer = await client.PostAsync(Address, content, _ending.Token).ConfigureAwait(false);
            return answer.StatusCode == HttpStatusCode.OK
                ? OtlpAnswer.Complaint(await answer.Content.ReadAsByteArrayAsync(_ending.Token).ConfigureAwait(false))
                : $"answered {(int)answer.StatusCode} {answer.ReasonPhrase}.";
        }
        catch (OperationCanceledException) when (!_ending.IsCancellationRequested)
        {
            return $"did not answer within {LongestAnswer.TotalSeconds:0} s.";
        }
        catch (HttpRequestException error)
        {
            return $"cannot be reached: {error.Message.TrimEnd('.')}.";
        }
    }

    /// <summary>When a series began: between the last push and the first one that has it, or that has less of it than the last.</summary>
    private ulong StartOf(MetricDefinition metric, MetricPoint point)
    {
        string key = string.Join('\0', [metric.Name, .. point.Attributes.Select(attribute => attribute.Value)]);
        double value = point.Buckets?.Sum() ?? point.Value;
        bool goesOn = _series.TryGetValue(key, out (ulong Start, double Last, long Push) known) && (metric.Kind == MetricKind.UpDownCounter || value >= known.Last);
        ulong start = goesOn ? known.Start : _before;
        _series[key] = (start, value, _pushes);
        return start;
    }
}
