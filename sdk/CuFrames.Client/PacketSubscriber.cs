using System.Runtime.CompilerServices;
using CuFrames.Client.Internal;
using CuFrames.Interop;
using CuFrames.Protocol;

namespace CuFrames.Client;

/// <summary>Reads the packets of one stream, in order and in place, as the source sent them.</summary>
/// <remarks>
/// <para>One thread at a time takes packets: it calls the Try and Next methods, or enumerates.</para>
/// <para>Nothing holds the publisher up. A subscriber that is too slow for the ring learns how many packets it has lost, in all
/// (<see cref="Packet.Missed"/>) and on each track (<see cref="MissedOn"/>), and goes on at the next key frame of the video track.</para>
/// <para>When the publisher goes away, the packets that are still in its ring are given first; then the call that waits connects again. In the same run
/// of the publisher reading goes on where it was. A new run has a new <see cref="Packet.Epoch"/> and its sequences begin with 1.</para>
/// <para>Taking a packet costs no allocation (a new parameter set does), and no system call unless it has to wait.</para>
/// </remarks>
public sealed class PacketSubscriber : IDisposable
{
    private readonly PacketSubscriberOptions _options;
    private readonly string _program;
    private readonly ConnectionKeeper<PacketConnection> _keeper;
    private readonly ulong[] _missedOn = new ulong[PacketBlockLayout.TrackCapacity];

    // The connection before, for its place in the stream; closed.
    private PacketConnection? _before;
    private PacketTrack[] _tracks = [];
    private bool _isDisposed;

    private PacketSubscriber(string key, PacketSubscriberOptions options)
    {
        Key = key;
        _options = options;
        _program = options.Program ?? AppDomain.CurrentDomain.FriendlyName;
        _keeper = new ConnectionKeeper<PacketConnection>(key, options.Reconnect, options.OnEvent, OpenConnection, Describe, OnClosing);
    }

    /// <summary>The stream's key.</summary>
    public string Key { get; }

    /// <summary>Whether the publisher is there.</summary>
    public bool IsConnected => _keeper.IsConnected;

    /// <summary>The stream as the publisher described it when the connection was made; null before the first.</summary>
    public PacketStreamDescription? Description { get; private set; }

    /// <summary>The publisher's program as it names itself; empty before the first connection.</summary>
    public string Publisher { get; private set; } = "";

    /// <summary>Where packets come from, as the publisher tells; empty when it does not, and before the first connection.</summary>
    public string Source { get; private set; } = "";

    /// <summary>State of the stream now; <see cref="StreamState.Ended"/> when there is no connection.</summary>
    public StreamState State => IsConnected ? _keeper.Connection!.StreamState : StreamState.Ended;

    /// <summary>The publisher's run; 0 before the first connection.</summary>
    public ulong Epoch => _keeper.Connection?.Epoch ?? _keeper.PreviousEpoch;

    /// <summary>The tracks that are there now, by number; between two connections those of the last. Taking thread.</summary>
    /// <exception cref="ProtocolException">The publisher breaks the protocol.</exception>
    public IReadOnlyList<PacketTrack> Tracks => _keeper.Connection is { State: ConnectionState.Active } connection ? _tracks = connection.ReadTracks() : _tracks;

    /// <summary>Packets taken since this object was made.</summary>
    public ulong Taken { get; private set; }

    /// <summary>Packets lost since this object was made, of all tracks, within epochs.</summary>
    public ulong Missed { get; private set; }

    /// <summary>How often a connection was made again.</summary>
    public int Reconnects => _keeper.Reconnects;

    /// <summary>How often the publisher evicted this subscriber.</summary>
    public int Evictions => _keeper.Evictions;

    /// <summary>A descriptor for poll(2), epoll(7) and event loops, made when it is first asked for. It stays the same over reconnections and belongs to
    /// the subscriber: nobody else reads, writes or closes it.</summary>
    /// <remarks>
    /// It is readable at first. Once <see cref="TryPoll"/> has returned false, it becomes readable as soon as calling that again makes sense: there is a
    /// packet, or something to be told, or an attempt to connect is due. So call <see cref="TryPoll"/> until it returns false (or throws: then call it
    /// again later), and wait; after any other call that waits for a packet, do so again. The thread that takes packets.
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

    /// <summary>Connects to a stream's packets.</summary>
    /// <param name="key">The stream's key.</param>
    /// <param name="options">How to read; null: the defaults (from the newest key frame on).</param>
    /// <exception cref="StreamUnavailableException">STREAM_NOT_FOUND, unless <see cref="PacketSubscriberOptions.WaitForStream"/>; or the publisher's refusal.</exception>
    /// <exception cref="ProtocolException">The publisher breaks the protocol.</exception>
    /// <exception cref="CuFramesException">INVALID_KEY or CONFIGURATION_INVALID.</exception>
    public static PacketSubscriber Connect(string key, PacketSubscriberOptions? options = null)
    {
        options ??= new PacketSubscriberOptions();
        if (!Enum.IsDefined(options.Start))
        {
            throw new CuFramesException(ErrorCode.ConfigurationInvalid, $"A subscriber of packets cannot start at {options.Start}.");
        }

        PacketSubscriber subscriber = new(StreamKey.Require(key), options);
        try
        {
            subscriber._keeper.Open();
        }
        catch (StreamUnavailableException error) when (error.Code == ErrorCode.StreamNotFound && options.WaitForStream)
        {
            // The first call that waits for a packet tries again.
        }

        return subscriber;
    }

    /// <summary>Packets of a track that were lost since this object was made, within epochs. Of packets that came before the first one taken in a
    /// connection, only those count that were asked for by their number.</summary>
    /// <param name="track">Number of the track.</param>
    public ulong MissedOn(int track)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(track);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(track, PacketBlockLayout.TrackCapacity);
        return _missedOn[track];
    }

    /// <summary>Takes the next packet if there is one, without waiting and without connecting.</summary>
    /// <param name="packet">The packet.</param>
    /// <returns>False when there is none.</returns>
    /// <exception cref="ProtocolException">The publisher breaks the protocol. The next call that waits connects again.</exception>
    public bool TryTake(out Packet packet)
    {
        ObjectDisposedException.ThrowIf(_isDisposed, this);
        packet = default;
        if (_keeper.Connection is not { } connection || !connection.TryTake(out packet))
        {
            return false;
        }

        _keeper.Disarm();
        Taken++;
        Missed += packet.Missed;
        return true;
    }

    /// <summary>Takes the next packet if there is one, without waiting for it, and connects again if that is due. When there is none and
    /// <see cref="PollDescriptor"/> was asked for, the publisher is asked for a doorbell, which makes the descriptor readable.</summary>
    /// <param name="packet">The packet.</param>
    /// <returns>False when there is none; see <see cref="PollDescriptor"/> for when to call again.</returns>
    /// <remarks>An attempt to connect waits for the publisher's answer, which takes a fraction of a millisecond, and 5 s at the most when the publisher's
    /// process is stopped. One system call when there is no packet.</remarks>
    /// <inheritdoc cref="TryNext" path="/exception"/>
    public bool TryPoll(out Packet packet)
    {
        for (int round = 0; ; round++)
        {
            if (TryTake(out packet))
            {
                return true;
            }

            if (!_keeper.PrepareToPoll(round))
            {
                return false;
            }
        }
    }

    /// <summary>Takes the next packet, waiting for it if need be.</summary>
    /// <param name="timeout">Longest wait; <see cref="Timeout.InfiniteTimeSpan"/>: no limit.</param>
    /// <param name="packet">The packet.</param>
    /// <returns>False when none came in time.</returns>
    /// <exception cref="StreamUnavailableException">The publisher is gone and <see cref="PacketSubscriberOptions.Reconnect"/> is off, or it refuses to have us back.</exception>
    /// <inheritdoc cref="TryTake" path="/exception"/>
    public bool TryNext(TimeSpan timeout, out Packet packet)
    {
        if (TryTake(out packet))
        {
            return true;
        }

        long deadline = ConnectionKeeper<PacketConnection>.DeadlineOf(timeout);
        while (_keeper.Wait(deadline))
        {
            if (TryTake(out packet))
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>Takes the next packet, waiting for it if need be.</summary>
    /// <param name="timeout">Longest wait.</param>
    /// <exception cref="TimeoutException">None came in time.</exception>
    /// <inheritdoc cref="TryNext" path="/exception"/>
    public Packet Next(TimeSpan timeout) => TryNext(timeout, out Packet packet)
        ? packet
        : throw new TimeoutException($"No packet of stream '{Key}' came within {timeout.TotalSeconds} s; the stream is {(IsConnected ? State.ToString() : "not connected")}.");

    /// <summary>Takes the next packet, waiting for it without holding a thread.</summary>
    /// <param name="cancellation">Ends the wait.</param>
    /// <exception cref="OperationCanceledException">The wait was cancelled.</exception>
    /// <inheritdoc cref="TryNext" path="/exception"/>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public async ValueTask<Packet> NextAsync(CancellationToken cancellation = default)
    {
        Packet packet;
        while (!TryTake(out packet))
        {
            await _keeper.WaitAsync(cancellation).ConfigureAwait(false);
        }

        return packet;
    }

    /// <summary>All packets from now on.</summary>
    /// <param name="cancellation">Ends the enumeration with <see cref="OperationCanceledException"/>.</param>
    /// <inheritdoc cref="TryNext" path="/exception"/>
    public async IAsyncEnumerable<Packet> ReadAllAsync([EnumeratorCancellation] CancellationToken cancellation = default)
    {
        while (true)
        {
            yield return await NextAsync(cancellation).ConfigureAwait(false);
        }
    }

    /// <summary>Finds a packet by its number, wherever reading is: the packet of a frame has the number in the frame's
    /// <see cref="FrameMetadata.SourcePacket"/>. Taking thread.</summary>
    /// <param name="sequence">The number, in the publisher's present run.</param>
    /// <param name="packet">The packet; its <see cref="Packet.Missed"/> is 0.</param>
    /// <returns>False when it is not there yet or not any more, or when there is no connection.</returns>
    /// <exception cref="ProtocolException">The publisher breaks the protocol. The next call that waits connects again.</exception>
    public bool TryFind(ulong sequence, out Packet packet)
    {
        ObjectDisposedException.ThrowIf(_isDisposed, this);
        packet = default;
        return _keeper.Connection is { } connection && connection.TryFind(sequence, out packet);
    }

    /// <summary>Leaves the stream. Packets that were taken are not valid any more.</summary>
    public void Dispose()
    {
        if (!_isDisposed)
        {
            _isDisposed = true;
            _keeper.Dispose();
        }
    }

    private PacketConnection OpenConnection()
    {
        PacketConnection connection = PacketConnection.Open(Key, _options, _program, _before, _missedOn);
        Description = connection.Welcome.Description;
        Publisher = connection.Welcome.Program;
        Source = connection.Welcome.Source;
        _tracks = connection.ReadTracks();
        return connection;
    }

    private void OnClosing() => _before = _keeper.Connection;

    private string Describe(PacketConnection connection) =>
        $"Connected to the packets of '{Key}', published by '{connection.Welcome.Program}', with {_tracks.Length} tracks.";
}
