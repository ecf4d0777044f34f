using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Threading.Channels;
using CuFrames.Client;
using CuFrames.Interop;

namespace CuFrames.Daemon.Internal.Workers;

/// <summary>A worker as the daemon has it: its process and the pipes. Made and ended on the control thread, which never waits for it.</summary>
internal sealed class WorkerProcess : IEndingRun
{
    /// <summary>Bytes of the longest order or report: a camera with all its readers is smaller.</summary>
    internal const int LongestLine = 1 << 20;

    private const long Second = 1_000_000_000;

    /// <summary>A worker that was told to end has this long.</summary>
    private const long LongestEnd = 3 * Second;

    /// <summary>Orders that may wait until the worker takes them.</summary>
    private const int MaxOrders = 256;

    /// <summary>Characters of standard error that are kept: the runtime and libraries say there why a process ends.</summary>
    private const int LastWords = 600;

    private const int SmallStack = 256 << 10;

    private readonly Process _process;
    private readonly Channel<byte[]> _orders = Channel.CreateBounded<byte[]>(MaxOrders);
    private readonly Action<WorkerProcess, WorkerReport> _onReport;
    private readonly Action<WorkerProcess, string> _onEnd;
    private readonly WorkerShares _shares;
    private readonly Lock _gate = new();
    private readonly Dictionary<ulong, TaskCompletionSource<bool>> _evictions = [];
    private readonly StringBuilder _words = new();
    private Thread? _reader;
    private ulong _number;
    private long _killAt = long.MaxValue;

    /// <summary>Written by the reader of reports at the end (release), read by the control thread (acquire).</summary>
    private bool _hasEnded;

    private WorkerProcess(string key, Process process, ReaderQuotas quotas, Action<WorkerProcess, WorkerReport> onReport, Action<WorkerProcess, string> onEnd)
    {
        Key = key;
        _process = process;
        _shares = new WorkerShares(key, quotas);
        _onReport = onReport;
        _onEnd = onEnd;
    }

    /// <inheritdoc/>
    public string Key { get; }

    /// <inheritdoc/>
    public Gpu? Gpu => null;

    /// <inheritdoc/>
    public bool HoldsKey => !Volatile.Read(ref _hasEnded);

    /// <summary>The worker's process.</summary>
    internal int ProcessId { get; private init; }

    /// <summary>Starts a worker. The calling thread must live as long as the daemon: the kernel ends the worker with it.</summary>
    /// <param name="start">What it is to do.</param>
    /// <param name="quotas">The quotas, for the readers of its streams.</param>
    /// <param name="onReport">Is told what else it says, on a thread of the worker's own.</param>
    /// <param name="onEnd">Is told, there too, once, how it ended.</param>
    /// <exception cref="System.ComponentModel.Win32Exception">The process cannot be started.</exception>
    internal static WorkerProcess Start(WorkerStart start, ReaderQuotas quotas, Action<WorkerProcess, WorkerReport> onReport, Action<WorkerProcess, string> onEnd)
    {
        string program = Environment.ProcessPath!;
        string[] arguments = Path.GetFileName(program) == "dotnet" ? [Environment.GetCommandLineArgs()[0], Program.WorkerOption] : [Program.WorkerOption];
        ProcessStartInfo info = new(program, arguments)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = "/",
        };
        foreach (string name in ConfigurationEnvironment.HiddenNames)
        {
            info.Environment.Remove(name);
        }

        Process process = Process.Start(info)!;
        WorkerProcess worker = new(start.Camera.Key, process, quotas, onReport, onEnd) { ProcessId = process.Id };
        worker._orders.Writer.TryWrite(WorkerJson.Write(new WorkerOrder { Start = start }));
        _ = Task.Run(worker.SendOrdersAsync);
        Thread words = new(worker.ListenToWords, SmallStack) { IsBackground = true, Name = $"words {worker.Key}" };
        words.Start();
        worker._reader = new Thread(() => worker.TakeReports(words), SmallStack) { IsBackground = true, Name = $"worker {worker.Key}" };
        worker._reader.Start();
        return worker;
    }

    /// <summary>Tells the worker something.</summary>
    /// <returns>False when it does not take what it was told before, or has ended.</returns>
    internal bool TrySend(WorkerOrder order) => _orders.Writer.TryWrite(WorkerJson.Write(order));

    /// <summary>Disconnects a reader.</summary>
    internal Task<bool> EvictAsync(string stream, bool readsPackets, ulong id, string reason)
    {
        TaskCompletionSource<bool> answer = new(TaskCreationOptions.RunContinuationsAsynchronously);
        ulong number;
        lock (_gate)
        {
            if (_hasEnded)
            {
                return Task.FromResult(false);
            }

            number = ++_number;
            _evictions.Add(number, answer);
        }

        if (!TrySend(new WorkerOrder { Evict = new WorkerEviction(number, stream, readsPackets, id, reason) }))
        {
            Answer(new WorkerAnswer(number, IsDone: false));
        }

        return answer.Task;
    }

    /// <summary>Tells the worker to end its streams and itself.</summary>
    internal void Stop()
    {
        TrySend(new WorkerOrder { Stop = true });
        _orders.Writer.TryComplete();
        _killAt = MonotonicClock.NowNanoseconds + LongestEnd;
    }

    /// <summary>Ends the worker at once.</summary>
    internal void Kill()
    {
        _orders.Writer.TryComplete();
        _process.Kill();
    }

    /// <inheritdoc/>
    public bool TryDispose(TimeSpan timeout)
    {
        if (MonotonicClock.NowNanoseconds >= _killAt)
        {
            _killAt = long.MaxValue;
            Kill();
        }

        return _reader!.Join(timeout);
    }

    private async Task SendOrdersAsync()
    {
        try
        {
            Stream input = _process.StandardInput.BaseStream;
            await foreach (byte[] line in _orders.Reader.ReadAllAsync().ConfigureAwait(false))
            {
                await input.WriteAsync(line).ConfigureAwait(false);
                await input.FlushAsync().ConfigureAwait(false);
            }

            // The end of the pipe means the end too.
            input.Close();
        }
        catch (IOException)
        {
            // The worker has ended, which TakeReports finds and tells.
            _orders.Writer.TryComplete();
        }
    }

    private void ListenToWords()
    {
        try
        {
            char[] buffer = new char[256];
            for (int count; (count = _process.StandardError.Read(buffer)) > 0;)
            {
                lock (_words)
                {
                    // The beginning tells more than the end of a stack.
                    _words.Append(buffer, 0, Math.Min(count, Math.Max(0, LastWords - _words.Length)));
                }
            }
        }
        catch (IOException)
        {
            // What came before is all there is.
        }
    }

    private void TakeReports(Thread words)
    {
        string? fault = null;
        try
        {
            new LineBuffer(LongestLine).ReadAll(_process.StandardOutput.BaseStream, line =>
            {
                WorkerReport report = WorkerJson.TryReadReport(line) ?? throw new InvalidDataException("A line is no report.");
                if (report.Answer is { } answer)
                {
                    Answer(answer);
                }

                if (report.Claim is { } claim)
                {
                    Grant(claim);
                }
                else if (report.Gone is { } number)
                {
                    _shares.Give(number);
                }
                else
                {
                    _onReport(this, report);
                }
            });
        }
        catch (Exception error) when (error is IOException or InvalidDataException)
        {
            // It does not say what a worker says: it is not one any more.
            fault = $"was ended because of what it said ({error.Message})";
            _process.Kill();
        }

        _process.WaitForExit();
        words.Join();
        int code = _process.ExitCode;
        _shares.GiveAll();
        List<TaskCompletionSource<bool>> open;
        lock (_gate)
        {
            Volatile.Write(ref _hasEnded, true);
            open = [.. _evictions.Values];
            _evictions.Clear();
        }

        _orders.Writer.TryComplete();
        open.ForEach(eviction => eviction.TrySetResult(false));
        string said = _words.ToString().ReplaceLineEndings(" ").Trim();
        _process.Dispose();
        _onEnd(this, $"{fault ?? Describe(code)}{(said.Length > 0 ? $"; it said: {said}" : "")}");
    }

    private void Grant(WorkerClaim claim)
    {
        if (!TrySend(new WorkerOrder { Grant = _shares.Take(claim) }))
        {
            // It is to end, or does not read: nobody has what it is not told of.
            _shares.Give(claim.Number);
        }
    }

    private void Answer(WorkerAnswer answer)
    {
        TaskCompletionSource<bool>? eviction;
        lock (_gate)
        {
            _evictions.Remove(answer.Number, out eviction);
        }

        eviction?.TrySetResult(answer.IsDone);
    }

    /// <summary>.NET gives 128 and the signal's number for a process that a signal has ended, as a shell does.</summary>
    private static string Describe(int code) => code switch
    {
        128 + 4 => "was ended by signal 4 (SIGILL)",
        128 + 6 => "was ended by signal 6 (SIGABRT)",
        128 + 7 => "was ended by signal 7 (SIGBUS)",
        128 + 8 => "was ended by signal 8 (SIGFPE)",
        128 + 9 => "was ended by signal 9 (SIGKILL)",
        128 + 11 => "was ended by signal 11 (SIGSEGV)",
        > 128 => string.Create(CultureInfo.InvariantCulture, $"was ended by signal {code - 128}"),
        _ => string.Create(CultureInfo.InvariantCulture, $"ended with exit code {code}"),
    };
}
