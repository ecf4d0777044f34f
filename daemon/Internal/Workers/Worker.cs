using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using System.Threading.Channels;
using CuFrames.Daemon.Internal.Limits;
using CuFrames.Interop;

namespace CuFrames.Daemon.Internal.Workers;

/// <summary>
/// The program of a worker process: one camera, run as the daemon runs it, with the same sockets. Orders come from standard input, reports go to
/// standard output; the end of either is the end of the worker, and the kernel ends it with the daemon.
/// </summary>
internal sealed class Worker : IDisposable
{
    /// <summary>Exit code of a worker that is of another version than the daemon, or got no first order.</summary>
    internal const int NotStarted = 4;

    private const long Millisecond = 1_000_000;
    private const long Second = 1_000_000_000;

    /// <summary>Time between reports when nothing happens.</summary>
    private const long ReportInterval = Second / 2;

    /// <summary>Time between reports when much happens.</summary>
    private const long ShortestInterval = 50 * Millisecond;

    private static readonly TimeSpan LastMoments = TimeSpan.FromSeconds(1);

    private readonly BlockingCollection<Action> _work = [];
    private readonly List<IEndingRun> _ending = [];
    private readonly Lock _outputGate = new();
    private readonly Stream _output;
    private readonly Log _log;
    private readonly Gpu _gpu;
    private readonly LocalCamera _camera;
    private readonly Task _events;
    private readonly WorkerQuotas _quotas;

    /// <summary>What is said of quotas. It is no more than there are readers and open claims, so it needs no bound of its own.</summary>
    private readonly Channel<WorkerReport> _questions = Channel.CreateUnbounded<WorkerReport>(new UnboundedChannelOptions { SingleReader = true });
    private readonly Channel<EventRecord> _watched;
    private WorkerFigures? _figures;
    private long _measuredAt;
    private bool _isStopped;

    private Worker(WorkerStart start, Stream input, LineBuffer lines, Stream output)
    {
        _output = output;
        _log = new Log(Stream.Null, isJournal: false);
        _log.Audit.Forward = entry => Send(new WorkerReport { Audit = entry });
        _log.Events.Watch(out _, out _watched);
        _events = Task.Factory.StartNew(ForwardEvents, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        _gpu = new Gpu(start.Gpu, _log, _work.Add);
        _quotas = new WorkerQuotas(report => _questions.Writer.TryWrite(report));
        _ = Task.Factory.StartNew(ForwardQuestions, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        _camera = new LocalCamera(start.Camera with { Quotas = _quotas.Quotas }, start.Directory, _gpu, new Ceilings(start.Limits), _log, _work.Add)
        {
            StatusReceived = (camera, run, status) => camera.OnStatus(run, status, MonotonicClock.NowNanoseconds),
        };
        new Thread(() => TakeOrders(input, lines)) { IsBackground = true, Name = "orders" }.Start();
    }

    /// <summary>Runs a worker until it is told to end.</summary>
    /// <returns>Its exit code.</returns>
    internal static int Run()
    {
        Stream input = Console.OpenStandardInput();
        WorkerStart? start = ReadStart(input, out LineBuffer lines);
        if (start is null || start.Version != Program.Version)
        {
            Console.Error.WriteLine(start is null
                ? "A worker is started by cuframesd alone."
                : $"The program is version {Program.Version} now, and the daemon is {start.Version}: restart the daemon.");
            return NotStarted;
        }

        Confine(start.ParentProcessId);
        // The daemon ends its workers. Signals for the whole group, from a terminal or a service manager, are the daemon's to understand.
        using PosixSignalRegistration terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, context => context.Cancel = true);
        using PosixSignalRegistration interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, context => context.Cancel = true);
        using PosixSignalRegistration hangUp = PosixSignalRegistration.Create(PosixSignal.SIGHUP, context => context.Cancel = true);
        using Worker worker = new(start, input, lines, Console.OpenStandardOutput());
        return worker.Loop();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _log.Dispose();
        if (_ending.Count == 0)
        {
            // A thread that did not end in time may still use it; then the end of the process gives it back.
            _gpu.Dispose();
        }
    }

    /// <summary>What a decoder that a hostile stream has taken over could do beyond its own camera is made less.</summary>
    private static void Confine(int parent)
    {
        ProcessRestrictions.EndWithParent(parent);
        ProcessRestrictions.BeFirstToGo();
        ProcessRestrictions.ForbidNewPrivileges();
        ProcessRestrictions.ForbidCoreDumps();
    }

    private static WorkerStart? ReadStart(Stream input, out LineBuffer lines)
    {
        lines = new LineBuffer(WorkerProcess.LongestLine);
        WorkerOrder? first = null;
        // One byte at a time: what follows belongs to the thread that takes orders.
        List<byte> line = [];
        for (int next; (next = input.ReadByte()) >= 0 && next != '\n' && line.Count < WorkerProcess.LongestLine;)
        {
            line.Add((byte)next);
        }

        if (line.Count > 0)
        {
            first = WorkerJson.ReadOrder(CollectionsMarshal.AsSpan(line));
        }

        return first?.Start;
    }

    private int Loop()
    {
        long nextReport = 0, lastReport = 0, nextCheck = 0;
        bool isChanged = true;
        while (!_isStopped)
        {
            long now = MonotonicClock.NowNanoseconds;
            Guard(() => Tick(now, ref nextCheck));
            if (_gpu.FindBreak() is { } text)
            {
                _log.Write(LogEvents.GpuBroken, $"{text} The worker ends, and another takes its place.", _camera.Configuration.Key);
                return End(Program.GpuBroken);
            }

            if (now >= nextReport || (isChanged && now >= lastReport + ShortestInterval))
            {
                (lastReport, nextReport, isChanged) = (now, now + ReportInterval, false);
                Send(new WorkerReport { Facts = _camera.Facts with { Worker = Measure(now) } });
            }

            long due = Math.Min(isChanged ? lastReport + ShortestInterval : nextReport, Math.Max(_camera.NextDue, now + (20 * Millisecond)));
            long wait = Math.Clamp((due - now) / Millisecond, 0, 1000);
            if (_work.TryTake(out Action? work, (int)wait + 1))
            {
                isChanged = true;
                Guard(work);
            }
        }

        return End(0);
    }

    /// <summary>What this process takes up. Asking costs something, and much may happen.</summary>
    private WorkerFigures Measure(long now)
    {
        if (_figures is null || now - _measuredAt >= ReportInterval)
        {
            (_figures, _measuredAt) = (
                new WorkerFigures(
                    Environment.CpuUsage.TotalTime.TotalSeconds, ProcessFacts.ReadResidentBytes(), ProcessFacts.CountOpenDescriptors(), ProcessFacts.CountThreads()),
                now);
        }

        return _figures;
    }

    private void Tick(long now, ref long nextCheck)
    {
        _ending.RemoveAll(run => run.TryDispose(TimeSpan.Zero));
        if (now >= nextCheck)
        {
            nextCheck = now + Second;
            Keep(_camera.CheckSocket(now));
        }

        Keep(_camera.Advance(now));
    }

    private void Keep(IEndingRun? run)
    {
        if (run is not null)
        {
            _ending.Add(run);
        }
    }

    private int End(int exitCode)
    {
        Guard(() => Keep(_camera.Stop()));
        Guard(() => _ending.RemoveAll(run => run.TryDispose(LastMoments)));

        _questions.Writer.TryComplete();
        _watched.Writer.TryComplete();
        _events.Wait(LastMoments);
        return exitCode;
    }

    private void Guard(Action work)
    {
        try
        {
            work();
        }
        catch (Exception error)
        {
            _camera.Postpone(MonotonicClock.NowNanoseconds);
            _log.Write(LogEvents.InternalError, _camera.Configuration.Redact(error.ToString()), _camera.Configuration.Key);
        }
    }

    private void TakeOrders(Stream input, LineBuffer lines)
    {
        try
        {
            lines.ReadAll(input, line =>
            {
                if (WorkerJson.ReadOrder(line) is not { } order)
                {
                    return;
                }

                if (order.Grant is { } grant)
                {
                    // Someone waits for it, and it changes nothing of the camera.
                    _quotas.Answer(grant);
                }
                else
                {
                    _work.Add(() => Obey(order));
                }
            });
        }
        finally
        {
            // The daemon has ended, or has closed the pipe: nobody would hear of this camera again.
            _work.Add(() => _isStopped = true);
        }
    }

    private void Obey(WorkerOrder order)
    {
        if (order.Evict is { } eviction)
        {
            // A camera of this process answers at once.
            bool isDone = _camera.EvictAsync(eviction.Stream, eviction.ReadsPackets, eviction.Id, eviction.Reason).Result;
            Send(new WorkerReport { Answer = new WorkerAnswer(eviction.Number, isDone) });
        }

        if (order.Renditions is { } renditions)
        {
            _camera.SetRenditions(renditions, [], [], []);
        }

        _isStopped |= order.Stop;
    }

    private async Task ForwardEvents()
    {
        await foreach (EventRecord record in _watched.Reader.ReadAllAsync().ConfigureAwait(false))
        {
            Send(new WorkerReport { Event = new WorkerEvent(record.Kind.Id, record.Text, record.Stream) });
        }
    }

    private async Task ForwardQuestions()
    {
        await foreach (WorkerReport report in _questions.Reader.ReadAllAsync().ConfigureAwait(false))
        {
            Send(report);
        }
    }

    private void Send(WorkerReport report)
    {
        try
        {
            byte[] line = WorkerJson.Write(report);
            lock (_outputGate)
            {
                _output.Write(line);
                _output.Flush();
            }
        }
        catch (IOException)
        {
            // Nobody listens any more.
            _work.Add(() => _isStopped = true);
        }
    }
}
