using System.Runtime.CompilerServices;
using CuFrames.Client.Internal;
using CuFrames.Interop;
using CuFrames.Protocol;
using CuFrames.Protocol.Messages;

namespace CuFrames.Client;

/// <summary>Reads one stream. Frames are read where they lie, without a copy.</summary>
/// <remarks>
/// <para>One thread at a time takes frames: it calls the Try and Next methods, or enumerates. Frames may be read and released by any thread.</para>
/// <para>When the publisher goes away, the frames that are still in its ring are given first; then the call that waits connects again.
/// A new run of the publisher has a new <see cref="Frame.Epoch"/> and its sequences begin with 1.</para>
/// <para>Taking a frame costs no allocation, and no system call unless it has to wait.</para>
/// </remarks>
public sealed class FrameSubscriber : IDisposable
{
    private const int FirstRetryMilliseconds = 20;
    private const int LongestRetryMilliseconds = 500;

    // For what nothing announces while a program waits for our descriptor: a GPU that carries a release out, a publisher that rings no bell.
    private const int LookAgainMilliseconds = 1;

    // How often TryPoll follows a publisher that is quicker than itself before it lets its caller do something else.
    private const int MaxPollRounds = 16;

    private readonly SubscriberOptions _options;
    private readonly string _program;
    private StreamConnection? _connection;
    private ReadySignal? _signal;
    private PollSignal? _poll;

    // Whether the publisher was asked for a doorbell by TryPoll. Taking thread.
    private bool _isArmed;

    // Keeps the device's primary context from being destroyed and made again, which takes hundreds of milliseconds, at each reconnection.
    private CudaContext? _primary;
    private ulong _previousEpoch;
    private ulong _previousCursor;
    private int _retryMilliseconds = FirstRetryMilliseconds;
    private long _nextRetry;
    private bool _wasEnded;
    private bool _isDisposed;

    private FrameSubscriber(string key, SubscriberOptions options)
    {
        Key = key;
        _options = options;
        _program = options.Program ?? AppDomain.CurrentDomain.FriendlyName;
    }

    /// <summary>The stream's key.</summary>
    public string Key { get; }

    /// <summary>Whether the publisher is there.</summary>
    public bool IsConnected => _connection is { State: ConnectionState.Active };

    /// <summary>The stream as the publisher described it when the connection was made; null before the first.</summary>
    public StreamDescription? Description { get; private set; }

    /// <summary>The publisher's program as it names itself; empty before the first connection.</summary>
    public string Publisher { get; private set; } = "";

    /// <summary>Where frames come from, as the publisher tells; empty when it does not, and before the first connection.</summary>
    public string Source { get; private set; } = "";

    /// <summary>State of the stream now; <see cref="StreamState.Ended"/> when there is no connection.</summary>
    public StreamState State => IsConnected ? _connection!.StreamState : StreamState.Ended;

    /// <summary>The publisher's run; 0 before the first connection.</summary>
    public ulong Epoch => _connection?.Epoch ?? _previousEpoch;

    /// <summary>Frames that may be held at once, as granted; 0 when there is no connection.</summary>
    public int GrantedLeases => _connection?.GrantedLeases ?? 0;

    /// <summary>The context in which frames are mapped; null when there is no connection, or the stream lies in main memory.</summary>
    public CudaContext? Cuda => _connection?.Cuda?.Context;

    /// <summary>How <see cref="Frame.Release(CudaStream)"/> ends a lease: <see cref="Fence.Stream"/> and <see cref="Fence.Event"/> do not wait,
    /// <see cref="Fence.Cpu"/> waits for the stream first. CPU when there is no connection.</summary>
    public Fence ReleaseFence => _connection?.Cuda?.ReleaseFence ?? Fence.Cpu;

    /// <summary>Why <see cref="ReleaseFence"/> is not STREAM although both sides offer it; else empty.</summary>
    public string ReleaseFenceReason => _connection?.Cuda?.FenceReason ?? "";

    /// <summary>Frames that are held now, those included whose release is still on its way through the GPU.</summary>
    public int HeldFrames => _connection?.HeldFrames ?? 0;

    /// <summary>Frames taken since this object was made.</summary>
    public ulong Taken { get; private set; }

    /// <summary>Frames skipped since this object was made, within epochs.</summary>
    public ulong Missed { get; private set; }

    /// <summary>How often a connection was made again.</summary>
    public int Reconnects { get; private set; }

    /// <summary>How often the publisher evicted this subscriber.</summary>
    public int Evictions { get; private set; }

    /// <summary>A descriptor for poll(2), epoll(7) and event loops, made when it is first asked for. It stays the same over reconnections and belongs to
    /// the subscriber: nobody else reads, writes or closes it.</summary>
    /// <remarks>
    /// It is readable at first. Once <see cref="TryPoll"/> has returned false, it becomes readable as soon as calling that again makes sense: there is a
    /// frame, or something to be told, or an attempt to connect is due. So call <see cref="TryPoll"/> until it returns false (or throws: then call it
    /// again later), and wait; after any other call that waits for a frame, do so again. The thread that takes frames.
    /// </remarks>
    /// <exception cref="LinuxException">No descriptor is left (EMFILE).</exception>
    public FileDescriptor PollDescriptor
    {
        get
        {
            ObjectDisposedException.ThrowIf(_isDisposed, this);
            return (_poll ??= PollSignal.Open(IsConnected ? _connection!.Socket : null)).Descriptor;
        }
    }

    /// <summary>Connects to a stream.</summary>
    /// <param name="key">The stream's key.</param>
    /// <param name="options">How to read; null: the defaults (newest frame, two leases).</param>
    /// <exception cref="StreamUnavailableException">STREAM_NOT_FOUND, unless <see cref="SubscriberOptions.WaitForStream"/>; or the publisher's refusal.</exception>
    /// <exception cref="ProtocolException">The publisher breaks the protocol.</exception>
    /// <exception cref="CuFramesException">INVALID_KEY or CONFIGURATION_INVALID.</exception>
    public static FrameSubscriber Connect(string key, SubscriberOptions? options = null)
    {
        options ??= new SubscriberOptions();
        if (options.Leases is < 1 or > ControlBlockLayout.SlotCapacity)
        {
            throw new CuFramesException(ErrorCode.ConfigurationInvalid,
                $"A subscriber asks for {options.Leases} leases; 1 to {ControlBlockLayout.SlotCapacity} are possible.");
        }

        FrameSubscriber subscriber = new(StreamKey.Require(key), options);
        try
        {
            subscriber.Open();
        }
        catch (StreamUnavailableException error) when (error.Code == ErrorCode.StreamNotFound && options.WaitForStream)
        {
            // The first call that waits for a frame tries again.
        }

        return subscriber;
    }

    /// <summary>Takes a frame if there is one, without waiting and without connecting.</summary>
    /// <param name="frame">The frame, to be released.</param>
    /// <returns>False when there is none, or when all leases are on their way through the GPU: their frames were released to streams whose work
    /// has not ended.</returns>
    /// <exception cref="CuFramesException">LEASES_EXHAUSTED: as many frames are held as were granted.</exception>
    /// <exception cref="CudaException">The CUDA context is broken, by whatever ran in it.</exception>
    /// <exception cref="ProtocolException">The publisher breaks the protocol. The next call that waits connects again.</exception>
    public bool TryTake(out Frame frame)
    {
        ObjectDisposedException.ThrowIf(_isDisposed, this);
        FrameLease? lease = _connection?.TryTake(_options.Delivery == Delivery.Newest);
        if (lease is null)
        {
            frame = default;
            return false;
        }

        if (_isArmed)
        {
            // Who has a frame waits for none: no doorbell is rung for it.
            _isArmed = false;
            _connection!.WakeUp();
        }

        Taken++;
        Missed += lease.Missed;
        frame = new Frame(lease);
        return true;
    }

    /// <summary>Takes a frame if there is one, without waiting for it, and connects again if that is due. When there is no frame and
    /// <see cref="PollDescriptor"/> was asked for, the publisher is asked for a doorbell, which makes the descriptor readable.</summary>
    /// <param name="frame">The frame, to be released.</param>
    /// <returns>False when there is none; see <see cref="PollDescriptor"/> for when to call again.</returns>
    /// <remarks>An attempt to connect waits for the publisher's answer, which takes a fraction of a millisecond, and 5 s at the most when the publisher's
    /// process is stopped. No allocation for a frame; one system call when there is none.</remarks>
    /// <inheritdoc cref="TryNext" path="/exception"/>
    public bool TryPoll(out Frame frame)
    {
        for (int round = 0; round < MaxPollRounds; round++)
        {
            if (TryTake(out frame))
            {
                return true;
            }

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

                continue;
            }

            StreamConnection connection = _connection!;
            if (connection.AwaitsGpu)
            {
                break;
            }

            // Doorbells of earlier waits are taken out before a new one is asked for: what stands in the socket afterwards has come since.
            connection.ReadSocket();
            TellNotices();
            if (connection.State != ConnectionState.Active)
            {
                continue;
            }

            if (_poll is null)
            {
                return false;
            }

            if (!connection.HasDoorbell)
            {
                break;
            }

            if (connection.PrepareToSleep(Wake.Doorbell, out _))
            {
                _isArmed = true;
                _poll.StopTimer();
                return false;
            }
        }

        _poll?.SetTimer(LookAgainMilliseconds);
        frame = default;
        return false;
    }

    /// <summary>Takes a frame, waiting for it if need be.</summary>
    /// <param name="timeout">Longest wait; <see cref="Timeout.InfiniteTimeSpan"/>: no limit.</param>
    /// <param name="frame">The frame, to be released.</param>
    /// <returns>False when none came in time.</returns>
    /// <exception cref="StreamUnavailableException">The publisher is gone and <see cref="SubscriberOptions.Reconnect"/> is off, or it refuses to have us back.</exception>
    /// <inheritdoc cref="TryTake" path="/exception"/>
    public bool TryNext(TimeSpan timeout, out Frame frame)
    {
        if (TryTake(out frame))
        {
            return true;
        }

        long deadline = timeout == Timeout.InfiniteTimeSpan ? long.MaxValue : MonotonicClock.NowNanoseconds + (timeout.Ticks * 100);
        while (true)
        {
            long remaining = deadline == long.MaxValue ? long.MaxValue : deadline - MonotonicClock.NowNanoseconds;
            if (IsConnected)
            {
                if (remaining <= 0)
                {
                    return false;
                }

                if (_connection!.AwaitsGpu)
                {
                    _connection.SleepForGpu();
                }
                else if (_connection.PrepareToSleep(Wake.Futex, out uint word))
                {
                    _connection.Sleep(word, remaining);
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
            if (TryTake(out frame))
            {
                return true;
            }
        }
    }

    /// <summary>Takes a frame, waiting for it if need be.</summary>
    /// <param name="timeout">Longest wait.</param>
    /// <returns>The frame, to be released.</returns>
    /// <exception cref="TimeoutException">None came in time.</exception>
    /// <inheritdoc cref="TryNext" path="/exception"/>
    public Frame Next(TimeSpan timeout) => TryNext(timeout, out Frame frame)
        ? frame
        : throw new TimeoutException($"No frame of stream '{Key}' came within {timeout.TotalSeconds} s; the stream is {(IsConnected ? State.ToString() : "not connected")}.");

    /// <summary>Takes a frame, waiting for it without holding a thread.</summary>
    /// <param name="cancellation">Ends the wait.</param>
    /// <returns>The frame, to be released.</returns>
    /// <exception cref="OperationCanceledException">The wait was cancelled.</exception>
    /// <inheritdoc cref="TryNext" path="/exception"/>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public async ValueTask<Frame> NextAsync(CancellationToken cancellation = default)
    {
        Frame frame;
        while (!TryTake(out frame))
        {
            cancellation.ThrowIfCancellationRequested();
            if (_connection is { AwaitsGpu: true })
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

        return frame;
    }

    /// <summary>All frames from now on. Each is to be released by the loop's body; a frame that is not keeps its lease.</summary>
    /// <param name="cancellation">Ends the enumeration with <see cref="OperationCanceledException"/>.</param>
    /// <inheritdoc cref="TryNext" path="/exception"/>
    public async IAsyncEnumerable<Frame> ReadAllAsync([EnumeratorCancellation] CancellationToken cancellation = default)
    {
        while (true)
        {
            yield return await NextAsync(cancellation).ConfigureAwait(false);
        }
    }

    /// <summary>Leaves the stream. Frames that are still held keep their memory mapped until they are released, but may be overwritten.</summary>
    public void Dispose()
    {
        if (!_isDisposed)
        {
            _isDisposed = true;
            CloseConnection(sayBye: true);
            _poll?.Dispose();
            _primary?.Dispose();
        }
    }

    private void Open()
    {
        StreamConnection connection = StreamConnection.Open(Key, _options, _program, _previousEpoch, _previousCursor);
        _connection = connection;
        _poll?.Watch(connection.Socket);
        _retryMilliseconds = FirstRetryMilliseconds;
        _wasEnded = false;
        if (_previousEpoch != 0)
        {
            Reconnects++;
        }

        Description = connection.Welcome.Description;
        Publisher = connection.Welcome.Program;
        Source = connection.Welcome.Source;
        if (_options.Cuda is null && connection.Cuda is { } cuda && !ReferenceEquals(_primary?.Device, cuda.Context.Device))
        {
            _primary?.Dispose();
            _primary = cuda.Context.Device.OpenContext();
        }

        Tell(SubscriberEventKind.Connected, ErrorCode.None,
            $"Connected to '{Key}', published by '{connection.Welcome.Program}', with {connection.GrantedLeases} leases.", connection.Epoch);
    }

    /// <summary>What a call that waits does while there is no publisher: says so once, then tries to connect.</summary>
    /// <returns>0: connected, or there may be frames; else milliseconds until the next attempt.</returns>
    private int Recover()
    {
        if (_connection is { } ended && !_wasEnded)
        {
            _wasEnded = true;
            bool wasEvicted = ended.State == ConnectionState.Evicted;
            Evictions += wasEvicted ? 1 : 0;
            Tell(wasEvicted ? SubscriberEventKind.Evicted : SubscriberEventKind.Disconnected, ended.EndCode, ended.EndText, ended.Epoch);
            if (!_options.Reconnect)
            {
                throw new StreamUnavailableException(ended.EndCode, $"Stream '{Key}' has ended for this subscriber: {ended.EndText}");
            }

            _nextRetry = 0;
        }

        if (_wasEnded && !_options.Reconnect)
        {
            throw new StreamUnavailableException(ErrorCode.Disconnected, $"Stream '{Key}' has ended for this subscriber.");
        }

        long now = MonotonicClock.NowNanoseconds;
        if (now < _nextRetry)
        {
            return (int)((_nextRetry - now) / 1_000_000) + 1;
        }

        CloseConnection(sayBye: false);
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

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder))]
    private async ValueTask WaitForDoorbell(CancellationToken cancellation)
    {
        StreamConnection connection = _connection!;
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

    /// <summary>For publishers that ring no bell, which the protocol allows: a thread of the pool sleeps, 50 ms at the most.</summary>
    private static Task WaitForFutex(StreamConnection connection) => Task.Run(() =>
    {
        if (connection.PrepareToSleep(Wake.Futex, out uint word))
        {
            connection.Sleep(word, long.MaxValue);
        }
    });

    private void TellNotices()
    {
        while (_connection is { Notices.Count: > 0 } connection)
        {
            NoticeMessage notice = connection.Notices.Dequeue();
            Tell(notice.Kind == NoticeKind.SourceLost ? SubscriberEventKind.SourceLost : SubscriberEventKind.SourceBack, notice.Code, notice.Text, connection.Epoch);
        }
    }

    private void CloseConnection(bool sayBye)
    {
        if (_connection is null)
        {
            return;
        }

        _previousEpoch = _connection.Epoch;
        _previousCursor = _connection.Cursor;
        _signal?.Close();
        _signal = null;
        _poll?.Unwatch();
        _isArmed = false;
        _connection.Close(sayBye);
        _connection = null;
    }

    private void Tell(SubscriberEventKind kind, ErrorCode code, string text, ulong epoch) =>
        _options.OnEvent?.Invoke(new SubscriberEvent(kind, code, text, epoch));
}
