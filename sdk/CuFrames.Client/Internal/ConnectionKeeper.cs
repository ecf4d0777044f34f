using System.Runtime.CompilerServices;
using CuFrames.Interop;
using CuFrames.Protocol;
using CuFrames.Protocol.Messages;

namespace CuFrames.Client.Internal;

/// <summary>Keeps a subscriber connected: tells what happens to the connection, connects again, waits for something to take. Used by the taking thread.</summary>
/// <typeparam name="TConnection">A connection for frames or for packets.</typeparam>
internal sealed class ConnectionKeeper<TConnection> : IDisposable
    where TConnection : SubscriberConnection
{
    private const int FirstRetryMilliseconds = 20;
    private const int LongestRetryMilliseconds = 500;

    // For what nothing announces while a program waits for our descriptor: a GPU that carries a release out, a publisher that rings no bell.
    private const int LookAgainMilliseconds = 1;

    // How often a poll follows a publisher that is quicker than itself before it lets its caller do something else.
    private const int MaxPollRounds = 16;

    private readonly string _key;
    private readonly bool _reconnects;
    private readonly Action<SubscriberEvent>? _onEvent;
    private readonly Func<TConnection> _open;
    private readonly Func<TConnection, string> _describe;
    private readonly Action? _closing;
    private ReadySignal? _signal;
    private PollSignal? _poll;

    // Whether the publisher was asked for a doorbell by a poll.
    private bool _isArmed;
    private int _retryMilliseconds = FirstRetryMilliseconds;
    private long _nextRetry;
    private bool _wasEnded;

    /// <param name="key">The stream's key.</param>
    /// <param name="reconnects">Whether to connect again.</param>
    /// <param name="onEvent">Is told what happens.</param>
    /// <param name="open">Makes a connection.</param>
    /// <param name="describe">Gives the sentence that tells of a connection.</param>
    /// <param name="closing">Is called before a connection is closed.</param>
    public ConnectionKeeper(string key, bool reconnects, Action<SubscriberEvent>? onEvent, Func<TConnection> open, Func<TConnection, string> describe, Action? closing)
    {
        _key = key;
        _reconnects = reconnects;
        _onEvent = onEvent;
        _open = open;
        _describe = describe;
        _closing = closing;
    }

    /// <summary>The connection, which may have ended; null before the first and between two.</summary>
    public TConnection? Connection { get; private set; }

    public bool IsConnected => Connection is { State: ConnectionState.Active };

    /// <summary>Epoch of the connection before; 0: there was none.</summary>
    public ulong PreviousEpoch { get; private set; }

    public ulong PreviousCursor { get; private set; }

    public int Reconnects { get; private set; }

    public int Evictions { get; private set; }

    /// <summary>What event loops wait for: <see cref="PrepareToPoll"/>.</summary>
    /// <exception cref="LinuxException">No descriptor is left.</exception>
    public FileDescriptor PollDescriptor => (_poll ??= PollSignal.Open(IsConnected ? Connection!.Socket : null)).Descriptor;

    /// <summary>When a wait ends, CLOCK_MONOTONIC; <see cref="long.MaxValue"/>: never.</summary>
    public static long DeadlineOf(TimeSpan timeout) =>
        timeout == Timeout.InfiniteTimeSpan ? long.MaxValue : MonotonicClock.NowNanoseconds + (timeout.Ticks * 100);

    /// <summary>Connects.</summary>
    public void Open()
    {
        TConnection connection = _open();
        Connection = connection;
        _poll?.Watch(connection.Socket);
        _retryMilliseconds = FirstRetryMilliseconds;
        _wasEnded = false;
        if (PreviousEpoch != 0)
        {
            Reconnects++;
        }

        Tell(SubscriberEventKind.Connected, ErrorCode.None, _describe(connection), connection.Epoch);
    }

    /// <summary>What a call that waits does when there is nothing to take: sleeps until there may be something, or connects again.</summary>
    /// <param name="deadline">From <see cref="DeadlineOf"/>.</param>
    /// <returns>False when the time is over.</returns>
    public bool Wait(long deadline)
    {
        long remaining = deadline == long.MaxValue ? long.MaxValue : deadline - MonotonicClock.NowNanoseconds;
        if (IsConnected)
        {
            if (remaining <= 0)
            {
                return false;
            }

            if (Connection!.AwaitsGpu)
            {
                Connection.SleepForGpu();
            }
            else if (Connection.PrepareToSleep(Wake.Futex, out uint word))
            {
                Connection.Sleep(word, remaining);
            }
        }
        else
        {
            int pause = Recover();
            if (pause > 0)
            {
                if (remaining <= 0)
                {
                    return false;
                }

                // Nothing announces a publisher's return but its socket: trying again after a pause is what there is to do.
                Thread.Sleep((int)Math.Min(pause, (remaining / 1_000_000) + 1));
            }
        }

        TellNotices();
        return true;
    }

    /// <summary>As <see cref="Wait"/>, without holding a thread and without a limit.</summary>
    /// <exception cref="OperationCanceledException">The wait was cancelled.</exception>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder))]
    public async ValueTask WaitAsync(CancellationToken cancellation)
    {
        cancellation.ThrowIfCancellationRequested();
        if (Connection is { AwaitsGpu: true })
        {
            // Nothing tells when the GPU has written a word: looking again is what there is to do.
            await Task.Delay(1, cancellation).ConfigureAwait(false);
        }
        else if (IsConnected)
        {
            await WaitForDoorbell(cancellation).ConfigureAwait(false);
        }
        else
        {
            int pause = Recover();
            if (pause > 0)
            {
                await Task.Delay(pause, cancellation).ConfigureAwait(false);
            }
        }

        TellNotices();
    }

    /// <summary>What a call that polls does when there is nothing to take: connects again if that is due, and sees to it that <see cref="PollDescriptor"/>
    /// becomes readable.</summary>
    /// <param name="round">How often this poll has come here before.</param>
    /// <returns>Whether to try to take again; false: the poll has ended.</returns>
    public bool PrepareToPoll(int round)
    {
        if (!IsConnected)
        {
            // Whatever comes of it: an attempt that throws is to be followed by another one.
            _poll?.SetTimer(LongestRetryMilliseconds);
            int pause = Recover();
            TellNotices();
            if (pause > 0)
            {
                _poll?.SetTimer(pause);
                return false;
            }
        }
        else if (Connection!.AwaitsGpu)
        {
            return LookAgainSoon();
        }
        else
        {
            // Doorbells of earlier waits are taken out before a new one is asked for: what stands in the socket afterwards has come since.
            Connection.ReadSocket();
            TellNotices();
            if (IsConnected)
            {
                if (_poll is null)
                {
                    return false;
                }

                if (!Connection.HasDoorbell)
                {
                    return LookAgainSoon();
                }

                if (Connection.PrepareToSleep(Wake.Doorbell, out _))
                {
                    _isArmed = true;
                    _poll.StopTimer();
                    return false;
                }
            }
        }

        return round < MaxPollRounds - 1 || LookAgainSoon();
    }

    /// <summary>Something was taken: no doorbell is rung for who waits for nothing.</summary>
    public void Disarm()
    {
        if (_isArmed)
        {
            _isArmed = false;
            Connection!.WakeUp();
        }
    }

    /// <summary>Leaves the publisher, for good.</summary>
    public void Dispose()
    {
        Close(sayBye: true);
        _poll?.Dispose();
    }

    /// <summary>Says so once when the publisher is gone, then tries to connect.</summary>
    /// <returns>0: connected, or there may be something to take; else milliseconds until the next attempt.</returns>
    private int Recover()
    {
        if (Connection is { } ended && !_wasEnded)
        {
            _wasEnded = true;
            bool wasEvicted = ended.State == ConnectionState.Evicted;
            Evictions += wasEvicted ? 1 : 0;
            Tell(wasEvicted ? SubscriberEventKind.Evicted : SubscriberEventKind.Disconnected, ended.EndCode, ended.EndText, ended.Epoch);
            if (!_reconnects)
            {
                throw new StreamUnavailableException(ended.EndCode, $"Stream '{_key}' has ended for this subscriber: {ended.EndText}");
            }

            _nextRetry = 0;
        }

        if (_wasEnded && !_reconnects)
        {
            throw new StreamUnavailableException(ErrorCode.Disconnected, $"Stream '{_key}' has ended for this subscriber.");
        }

        long now = MonotonicClock.NowNanoseconds;
        if (now < _nextRetry)
        {
            return (int)((_nextRetry - now) / 1_000_000) + 1;
        }

        Close(sayBye: false);
        try
        {
            Open();
            return 0;
        }
        catch (StreamUnavailableException error) when (error.Code is ErrorCode.StreamNotFound or ErrorCode.Disconnected or ErrorCode.HandshakeTimeout)
        {
            int pause = _retryMilliseconds;
            _retryMilliseconds = Math.Min(_retryMilliseconds * 2, LongestRetryMilliseconds);
            _nextRetry = now + (pause * 1_000_000L);
            return pause;
        }
    }

    /// <summary>Waits, without holding a thread, until there may be something to take, or the connection has ended.</summary>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder))]
    private async ValueTask WaitForDoorbell(CancellationToken cancellation)
    {
        TConnection connection = Connection!;
        if (!connection.HasDoorbell)
        {
            await WaitForFutex(connection).ConfigureAwait(false);
            return;
        }

        _signal ??= new ReadySignal(connection.Socket);
        ValueTask wait = _signal.Arm();

        // What came before the signal was armed is read now; what comes later completes it.
        connection.ReadSocket();
        if (connection.State != ConnectionState.Active || !connection.PrepareToSleep(Wake.Doorbell, out _))
        {
            _signal.Cancel();
            await wait.ConfigureAwait(false);
            return;
        }

        using (cancellation.UnsafeRegister(static signal => ((ReadySignal)signal!).Complete(), _signal))
        {
            await wait.ConfigureAwait(false);
        }

        connection.WakeUp();
        connection.ReadSocket();
    }

    /// <summary>Tells the notices that have come.</summary>
    private void TellNotices()
    {
        while (Connection is { Notices.Count: > 0 } connection)
        {
            NoticeMessage notice = connection.Notices.Dequeue();
            Tell(notice.Kind == NoticeKind.SourceLost ? SubscriberEventKind.SourceLost : SubscriberEventKind.SourceBack, notice.Code, notice.Text, connection.Epoch);
        }
    }

    private void Close(bool sayBye)
    {
        if (Connection is null)
        {
            return;
        }

        PreviousEpoch = Connection.Epoch;
        PreviousCursor = Connection.Cursor;
        _signal?.Close();
        _signal = null;
        _poll?.Unwatch();
        _isArmed = false;
        _closing?.Invoke();
        Connection.Close(sayBye);
        Connection = null;
    }

    /// <returns>False.</returns>
    private bool LookAgainSoon()
    {
        _poll?.SetTimer(LookAgainMilliseconds);
        return false;
    }

    /// <summary>For publishers that ring no bell, which the protocol allows: a thread of the pool sleeps, 50 ms at the most.</summary>
    private static Task WaitForFutex(TConnection connection) => Task.Run(() =>
    {
        if (connection.PrepareToSleep(Wake.Futex, out uint word))
        {
            connection.Sleep(word, long.MaxValue);
        }
    });

    private void Tell(SubscriberEventKind kind, ErrorCode code, string text, ulong epoch) =>
        _onEvent?.Invoke(new SubscriberEvent(kind, code, text, epoch));
}
