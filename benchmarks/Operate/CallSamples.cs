using System.Globalization;
using CuFrames.Control;
using CuFrames.Interop;

namespace CuFrames.Benchmarks.Operate;

/// <summary>A client of the control API that calls again and again, on a thread of its own, and notes how long each call took.</summary>
internal sealed class CallSamples : IDisposable
{
    public const string Header = "phase,seconds,method,milliseconds";

    /// <summary>The one that is no call of the control API: what Prometheus reads.</summary>
    public const string Metrics = "GET /metrics";

    /// <summary>From one round of calls to the next. A dashboard or a script that looks every few seconds asks less often.</summary>
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(200);

    private readonly ControlClient _client;
    private readonly HttpClient _web = new();
    private readonly (string Name, Func<Task> Call)[] _methods;
    private readonly StreamWriter _table;
    private readonly Thread _thread;
    private readonly List<(string Phase, string Method, double Milliseconds)> _samples = [];
    private readonly long _begin = MonotonicClock.NowNanoseconds;
    private volatile bool _isEnding;
    private volatile string _phase;
    private Exception? _fault;

    /// <param name="socket">The daemon's control socket.</param>
    /// <param name="port">Of the daemon's web server.</param>
    /// <param name="cameras">How many cameras each list must have at least.</param>
    /// <param name="table">Where samples are written; it stays the caller's.</param>
    /// <param name="phase">What goes on meanwhile.</param>
    public CallSamples(string socket, int port, int cameras, StreamWriter table, string phase)
    {
        (_table, _phase) = (table, phase);
        _client = new ControlClient(socket) { Timeout = TimeSpan.FromSeconds(30) };
        _methods =
        [
            ("ListCameras", async () => Require((await _client.ListCamerasAsync().ConfigureAwait(false)).Count >= cameras, "a list is too short")),
            ("GetStatistics", () => _client.GetStatisticsAsync()),
            ("ListReaders", () => _client.ListReadersAsync()),
            (Metrics, async () => Require((await _web.GetStringAsync(new Uri($"http://127.0.0.1:{port}/metrics")).ConfigureAwait(false)).Length > 1000, "metrics are too short")),
        ];

        // The first calls open the connection and compile both sides' code.
        for (int i = 0; i < 20; i++)
        {
            Array.ForEach(_methods, method => method.Call().GetAwaiter().GetResult());
        }

        _thread = new Thread(Run);
        _thread.Start();
    }

    /// <summary>What goes on from now on.</summary>
    public string Phase
    {
        set => _phase = value;
    }

    /// <summary>Durations of the calls of a method in a phase, in milliseconds.</summary>
    public double[] Of(string phase, string method)
    {
        lock (_samples)
        {
            return [.. _samples.Where(sample => sample.Phase == phase && sample.Method == method).Select(sample => sample.Milliseconds)];
        }
    }

    /// <exception cref="InvalidOperationException">A call failed.</exception>
    public void ThrowIfFailed()
    {
        if (Volatile.Read(ref _fault) is { } fault)
        {
            throw new InvalidOperationException($"A call of the control API failed: {fault.Message}", fault);
        }
    }

    public void Dispose()
    {
        _isEnding = true;
        _thread.Join();
        _client.Dispose();
        _web.Dispose();
    }

    private static void Require(bool condition, string what)
    {
        if (!condition)
        {
            throw new InvalidOperationException(what);
        }
    }

    private void Run()
    {
        try
        {
            while (!_isEnding)
            {
                foreach ((string name, Func<Task> call) in _methods)
                {
                    string phase = _phase;
                    long before = MonotonicClock.NowNanoseconds;
                    call().GetAwaiter().GetResult();
                    long after = MonotonicClock.NowNanoseconds;
                    double milliseconds = (after - before) / 1e6;
                    lock (_samples)
                    {
                        _samples.Add((phase, name, milliseconds));
                    }

                    _table.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{phase},{(after - _begin) / 1e9:0.000},{name},{milliseconds:0.000}"));
                }

                // The pace of the calls.
                Thread.Sleep(Interval);
            }
        }
        catch (Exception error)
        {
            Volatile.Write(ref _fault, error);
        }
    }
}
