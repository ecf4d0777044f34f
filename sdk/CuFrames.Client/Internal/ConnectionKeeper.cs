using System.Runtime.CompilerServices;
using CuFrames.Interop;
using CuFrames.Protocol;
using CuFrames.Protocol.Messages;

namespace CuFrames.Client.Internal;

/// <summary>Keeps a subscriber connected: tells what happens to the connection, connects again, waits for the publisher. Used by the taking thread.</summary>
/// <typeparam name="TConnection">A connection for frames or for packets.</typeparam>
internal sealed class ConnectionKeeper<TConnection>
    where TConnection : SubscriberConnection
{
    /// <summary>Longest pause between two attempts to connect.</summary>
    public const int LongestRetryMilliseconds = 500;

    private const int FirstRetryMilliseconds = 20;

    private readonly string _key;
    private readonly bool _reconnects;
    private readonly Action<SubscriberEvent>? _onEvent;
    private readonly Func<TConnection> _open;
    private readonly Func<TConnection, string> _describe;
    private readonly Action? _closing;
    private ReadySignal? _signal;
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

    /// <summary>Connects.</summary>
    public void Open()
    {
        TConnection connection = _open();
        Connection = connection;
        _retryMilliseconds = FirstRetryMilliseconds;
        _wasEnded = false;
        if (PreviousEpoch != 0)
        {
            Reconnects++;
        }

        Tell(SubscriberEventKind.Connected, ErrorCode.None, _describe(connection), connection.Epoch);
    }

    /// <summary>What a call that waits does while there is no publisher: says so once, then tries to connect.</summary>
    /// <returns>0: connected, or there may be something to take; else milliseconds until the next attempt.</returns>
    public int Recover()
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
    public async ValueTask WaitForDoorbell(CancellationToken cancellation)
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
    public void TellNotices()
    {
        while (Connection is { Notices.Count: > 0 } connection)
        {
            NoticeMessage notice = connection.Notices.Dequeue();
            Tell(notice.Kind == NoticeKind.SourceLost ? SubscriberEventKind.SourceLost : SubscriberEventKind.SourceBack, notice.Code, notice.Text, connection.Epoch);
        }
    }

    public void Close(bool sayBye)
    {
        if (Connection is null)
        {
            return;
        }

        PreviousEpoch = Connection.Epoch;
        PreviousCursor = Connection.Cursor;
        _signal?.Close();
        _signal = null;
        _closing?.Invoke();
        Connection.Close(sayBye);
        Connection = null;
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
