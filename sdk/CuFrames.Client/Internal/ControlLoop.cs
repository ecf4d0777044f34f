using System.Diagnostics.CodeAnalysis;
using CuFrames.Interop;

namespace CuFrames.Client.Internal;

/// <summary>
/// One background thread for the whole process that serves all sockets of its publishers and wakes its asynchronous readers. Frames
/// never pass through it.
/// </summary>
[SuppressMessage("Design", "CA1001", Justification = "It lives as long as the process.")]
internal sealed class ControlLoop
{
    private const int TickMilliseconds = 50;

    private static readonly Lazy<ControlLoop> Instance = new(() => new ControlLoop());

    private readonly EventLoop _events = new();
    private readonly Lock _gate = new();
    private readonly Dictionary<nint, LoopSource> _sources = [];
    private LoopSource[] _tickers = [];
    private nint _lastToken;

    private ControlLoop()
    {
        Thread thread = new(Run) { IsBackground = true, Name = "cuframes-control" };

        // A thread inherits the mask of the one that starts it: this one never runs a signal handler of the program.
        using SignalMask mask = SignalMask.BlockAll();
        thread.Start();
    }

    public static ControlLoop Shared => Instance.Value;

    /// <summary>Watches a descriptor. Any thread.</summary>
    /// <returns>The token for <see cref="Remove"/>.</returns>
    public nint Add(FileDescriptor descriptor, IoEvents events, LoopSource source)
    {
        lock (_gate)
        {
            nint token = ++_lastToken;
            _sources.Add(token, source);
            try
            {
                _events.Add(descriptor, events, token);
            }
            catch
            {
                _sources.Remove(token);
                throw;
            }

            return token;
        }
    }

    /// <summary>Ends the watch, before the descriptor is closed. Any thread. A call of the source that has begun may still run.</summary>
    public void Remove(FileDescriptor descriptor, nint token)
    {
        lock (_gate)
        {
            if (_sources.Remove(token))
            {
                _events.Remove(descriptor);
            }
        }
    }

    /// <summary>Begins to send ticks to a source. Any thread.</summary>
    public void AddTicker(LoopSource source)
    {
        lock (_gate)
        {
            Volatile.Write(ref _tickers, [.. _tickers, source]);
        }

        _events.Wake();
    }

    /// <summary>Ends the ticks. Any thread.</summary>
    public void RemoveTicker(LoopSource source)
    {
        lock (_gate)
        {
            Volatile.Write(ref _tickers, Array.FindAll(_tickers, ticker => !ReferenceEquals(ticker, source)));
        }
    }

    private void Run()
    {
        Span<LoopEvent> ready = stackalloc LoopEvent[64];
        long nextTick = 0;
        while (true)
        {
            // Written under the gate by any thread, read here: an array is replaced, never changed.
            LoopSource[] tickers = Volatile.Read(ref _tickers);
            int count = _events.Wait(ready, tickers.Length > 0 ? TickMilliseconds : -1);
            for (int i = 0; i < count; i++)
            {
                LoopSource? source;
                lock (_gate)
                {
                    _sources.TryGetValue(ready[i].Token, out source);
                }

                if (source is not null)
                {
                    Guard(source, ready[i].Events, 0);
                }
            }

            long now = MonotonicClock.NowNanoseconds;
            if (now >= nextTick)
            {
                nextTick = now + (TickMilliseconds * 1_000_000L * 9 / 10);
                foreach (LoopSource ticker in tickers)
                {
                    Guard(ticker, IoEvents.None, now);
                }
            }
        }
    }

    private static void Guard(LoopSource source, IoEvents events, long tick)
    {
        try
        {
            if (tick != 0)
            {
                source.OnTick(tick);
            }
            else
            {
                source.OnReady(events);
            }
        }
        catch (Exception error)
        {
            // One publisher's trouble must not end the service of all others in this process.
            source.OnError(error);
        }
    }
}
