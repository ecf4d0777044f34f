using System.Runtime.CompilerServices;
using CuFrames.Client.Internal;
using CuFrames.Interop;
using CuFrames.Protocol;

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
    private readonly SubscriberOptions _options;
    private readonly string _program;
    private readonly ConnectionKeeper<StreamConnection> _keeper;

    // Keeps the device's primary context from being destroyed and made again, which takes hundreds of milliseconds, at each reconnection.
    private CudaContext? _primary;
    private bool _isDisposed;

    private FrameSubscriber(string key, SubscriberOptions options)
    {
        Key = key;
        _options = options;
        _program = options.Program ?? AppDomain.CurrentDomain.FriendlyName;
        _keeper = new ConnectionKeeper<StreamConnection>(key, options.Reconnect, options.OnEvent, OpenConnection, Describe, closing: null);
    }

    /// <summary>The stream's key.</summary>
    public string Key { get; }

    /// <summary>Whether the publisher is there.</summary>
    public bool IsConnected => _keeper.IsConnected;

    /// <summary>The stream as the publisher described it when the connection was made; null before the first.</summary>
    public StreamDescription? Description { get; private set; }

    /// <summary>The publisher's program as it names itself; empty before the first connection.</summary>
    public string Publisher { get; private set; } = "";

    /// <summary>Where frames come from, as the publisher tells; empty when it does not, and before the first connection.</summary>
    public string Source { get; private set; } = "";

    /// <summary>State of the stream now; <see cref="StreamState.Ended"/> when there is no connection.</summary>
    public StreamState State => IsConnected ? Connection!.StreamState : StreamState.Ended;

    /// <summary>The publisher's run; 0 before the first connection.</summary>
    public ulong Epoch => Connection?.Epoch ?? _keeper.PreviousEpoch;

    /// <summary>Frames that may be held at once, as granted; 0 when there is no connection.</summary>
    public int GrantedLeases => Connection?.GrantedLeases ?? 0;

    /// <summary>The context in which frames are mapped; null when there is no connection, or the stream lies in main memory.</summary>
    public CudaContext? Cuda => Connection?.Cuda?.Context;

    /// <summary>How <see cref="Frame.Release(CudaStream)"/> ends a lease: <see cref="Fence.Stream"/> and <see cref="Fence.Event"/> do not wait,
    /// <see cref="Fence.Cpu"/> waits for the stream first. CPU when there is no connection.</summary>
    public Fence ReleaseFence => Connection?.Cuda?.ReleaseFence ?? Fence.Cpu;

    /// <summary>Why <see cref="ReleaseFence"/> is not STREAM although both sides offer it; else empty.</summary>
    public string ReleaseFenceReason => Connection?.Cuda?.FenceReason ?? "";

    /// <summary>Frames that are held now, those included whose release is still on its way through the GPU.</summary>
    public int HeldFrames => Connection?.HeldFrames ?? 0;

    /// <summary>Frames taken since this object was made.</summary>
    public ulong Taken { get; private set; }

    /// <summary>Frames skipped since this object was made, within epochs.</summary>
    public ulong Missed { get; private set; }

    /// <summary>How often a connection was made again.</summary>
    public int Reconnects => _keeper.Reconnects;

    /// <summary>How often the publisher evicted this subscriber.</summary>
    public int Evictions => _keeper.Evictions;

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
            return _keeper.PollDescriptor;
        }
    }

    private StreamConnection? Connection => _keeper.Connection;

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
            subscriber._keeper.Open();
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
        FrameLease? lease = Connection?.TryTake(_options.Delivery == Delivery.Newest);
        if (lease is null)
        {
            frame = default;
            return false;
        }

        _keeper.Disarm();
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
        for (int round = 0; ; round++)
        {
            if (TryTake(out frame))
            {
                return true;
            }

            if (!_keeper.PrepareToPoll(round))
            {
                return false;
            }
        }
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

        long deadline = ConnectionKeeper<StreamConnection>.DeadlineOf(timeout);
        while (_keeper.Wait(deadline))
        {
            if (TryTake(out frame))
            {
                return true;
            }
        }

        return false;
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
            await _keeper.WaitAsync(cancellation).ConfigureAwait(false);
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
            _keeper.Dispose();
            _primary?.Dispose();
        }
    }

    private StreamConnection OpenConnection()
    {
        StreamConnection connection = StreamConnection.Open(Key, _options, _program, _keeper.PreviousEpoch, _keeper.PreviousCursor);
        Description = connection.Welcome.Description;
        Publisher = connection.Welcome.Program;
        Source = connection.Welcome.Source;
        if (_options.Cuda is null && connection.Cuda is { } cuda && !ReferenceEquals(_primary?.Device, cuda.Context.Device))
        {
            _primary?.Dispose();
            _primary = cuda.Context.Device.OpenContext();
        }

        return connection;
    }

    private string Describe(StreamConnection connection) =>
        $"Connected to '{Key}', published by '{connection.Welcome.Program}', with {connection.GrantedLeases} leases.";
}
