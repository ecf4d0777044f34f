using CuFrames.Client.Internal;
using CuFrames.Interop;
using CuFrames.Protocol;

namespace CuFrames.Client;

/// <summary>
/// Publishes the packets of one stream: owns their socket and a ring of bytes that any number of subscribers read in place. The frames of the
/// same key are published by a <see cref="FramePublisher"/>, which may be another process's, or nobody's.
/// </summary>
/// <remarks>
/// <para>One thread at a time publishes: it calls <see cref="AddTrack"/>, <see cref="SetParameters"/>, <see cref="Publish"/> and <see cref="Dispose"/>.
/// <see cref="SetState"/>, <see cref="Evict"/>, <see cref="GetStatistics"/> and <see cref="Close"/> may be called by any thread.</para>
/// <para>Nothing that a subscriber does stops or slows the publishing thread: what is oldest is overwritten, and whoever lags is told.</para>
/// <para>A packet costs one copy of its bytes, no allocation, no lock and, unless a reader has to be woken, no system call.</para>
/// </remarks>
public sealed class PacketPublisher : IDisposable
{
    private readonly PacketServer _server;
    private readonly PacketRingWriter _ring;
    private readonly SubscriberWaker _waker;
    private bool _isDisposed;

    private PacketPublisher(string key, PacketPublisherOptions options)
    {
        _server = new PacketServer(key, options);
        _ring = _server.Ring;
        unsafe
        {
            _waker = new SubscriberWaker(_server.Table, _server.Block.FutexWord);
        }
    }

    /// <summary>The stream's key.</summary>
    public string Key => _server.Key;

    /// <summary>Random id of this run, never zero. Readers see from it that a publisher was started anew.</summary>
    public ulong Epoch => _server.Epoch;

    /// <summary>The socket that subscribers connect to.</summary>
    public string SocketPath => _server.SocketPath;

    /// <summary>Sequence of the newest packet; 0 before the first.</summary>
    public ulong Head => _ring.Head;

    /// <summary>Sequence of the oldest packet that is still there; <see cref="Head"/> plus 1: none.</summary>
    public ulong Oldest => _ring.Oldest;

    /// <summary>Largest packet in bytes: half of the ring.</summary>
    public long MaxPacketSize => _ring.MaxPacketSize;

    /// <summary>The tracks there are, by number.</summary>
    public IReadOnlyList<PacketTrack> Tracks => _server.Tracks;

    /// <summary>Takes the key's packets and listens. Subscribers can connect from now on.</summary>
    /// <param name="key">The stream's key (docs/protocol.md 1.1).</param>
    /// <param name="options">How to publish; null: the defaults.</param>
    /// <exception cref="StreamUnavailableException">ALREADY_PUBLISHED, or the runtime directory is missing or not writable.</exception>
    /// <exception cref="CuFramesException">INVALID_KEY or CONFIGURATION_INVALID.</exception>
    /// <exception cref="LinuxException">The kernel refused memory or a socket.</exception>
    public static PacketPublisher Create(string key, PacketPublisherOptions? options = null)
    {
        options ??= new PacketPublisherOptions();
        options.Validate();
        return new PacketPublisher(StreamKey.Require(key), options);
    }

    /// <summary>Adds a track. Tracks stay until the publisher ends; at most 8 are possible.</summary>
    /// <param name="kind">What it carries. Subscribers start at key frames of the first video track.</param>
    /// <param name="parameters">What decoders and containers need to know.</param>
    /// <param name="language">ISO 639-2 code of the language; empty: not known.</param>
    /// <exception cref="CuFramesException">CONFIGURATION_INVALID: there are 8 tracks, or a value is out of range.</exception>
    public PacketTrack AddTrack(TrackKind kind, TrackParameters parameters, string language = "")
    {
        ObjectDisposedException.ThrowIf(_isDisposed, this);
        ArgumentNullException.ThrowIfNull(parameters);
        ArgumentNullException.ThrowIfNull(language);
        return _server.AddTrack(kind, language, parameters);
    }

    /// <summary>Changes a track's parameters: the packets to come are coded with them. Packets of the eighth set before are let go, if some are still
    /// there.</summary>
    /// <param name="track">A track of this publisher.</param>
    /// <param name="parameters">The parameters. When they are the current ones, nothing happens.</param>
    /// <exception cref="CuFramesException">CONFIGURATION_INVALID: a value is out of range. The old parameters stay.</exception>
    public void SetParameters(PacketTrack track, TrackParameters parameters)
    {
        ObjectDisposedException.ThrowIf(_isDisposed, this);
        ArgumentNullException.ThrowIfNull(parameters);
        Require(track);
        if (!track.Parameters.Equals(parameters))
        {
            _ring.SetParameters(track.Number, parameters);
            track.Parameters = parameters;
            track.ParametersNumber++;
        }
    }

    /// <summary>Publishes a packet.</summary>
    /// <param name="track">A track of this publisher.</param>
    /// <param name="data">The packet's bytes, as the source sent them. They are copied.</param>
    /// <param name="metadata">What else is known of it.</param>
    /// <returns>Its sequence; 0 after <see cref="Close"/>.</returns>
    /// <exception cref="CuFramesException">PACKET_TOO_LARGE: more than half of the ring; it is counted, and the stream goes on without it.</exception>
    public ulong Publish(PacketTrack track, ReadOnlySpan<byte> data, in PacketMetadata metadata)
    {
        ObjectDisposedException.ThrowIf(_isDisposed, this);
        Require(track);
        if (_server.IsClosed)
        {
            return 0;
        }

        if (_server.Block.State != StreamState.Live)
        {
            _server.SetState(StreamState.Live, "");
        }

        ulong sequence = _ring.Write(track.Number, data, metadata, MonotonicClock.NowNanoseconds);
        if (sequence == 0)
        {
            throw new CuFramesException(ErrorCode.PacketTooLarge,
                $"A packet of {data.Length} bytes cannot be published on '{Key}': {MaxPacketSize} bytes, half of the ring, are the most. Make the ring larger.");
        }

        _waker.Wake();
        return sequence;
    }

    /// <summary>Tells readers what the source does. A published packet makes the state LIVE by itself.</summary>
    /// <param name="state">The state.</param>
    /// <param name="reason">Why, for people, without secrets.</param>
    public void SetState(StreamState state, string reason = "") => _server.SetState(state, reason);

    /// <summary>Evicts a subscriber.</summary>
    /// <param name="subscriberId">Its number, from the statistics.</param>
    /// <param name="reason">What it is told.</param>
    /// <returns>False when there is no such subscriber.</returns>
    public bool Evict(ulong subscriberId, string reason) => _server.Evict(subscriberId, reason);

    /// <summary>Figures as they are now.</summary>
    public PacketPublisherStatistics GetStatistics() => _server.GetStatistics();

    /// <summary>
    /// Ends the stream for everybody else, from any thread and at once, whatever the publishing thread is doing: readers are told, the key
    /// is free again. <see cref="Publish"/> publishes nothing any more; the memory stays until <see cref="Dispose"/>.
    /// </summary>
    public void Close() => _server.Close();

    /// <summary>Ends the stream: readers are told, the key is free again. What is in the ring stays readable for those who are connected.</summary>
    public void Dispose()
    {
        if (!_isDisposed)
        {
            _isDisposed = true;
            _server.Dispose();
        }
    }

    /// <summary>A packet of the own ring, in place: a decoder that wakes up begins in the past. Publishing thread; nothing changes before it publishes again.</summary>
    /// <param name="sequence">The packet's.</param>
    /// <param name="descriptor">What the ring says of it.</param>
    /// <param name="data">Its bytes; 64 zeros follow.</param>
    /// <returns>False when it is gone or not there yet.</returns>
    internal unsafe bool TryRead(ulong sequence, out PacketDescriptor descriptor, out ReadOnlySpan<byte> data)
    {
        if (_isDisposed || sequence < Oldest || sequence > Head)
        {
            descriptor = default;
            data = default;
            return false;
        }

        _server.Block.ReadDescriptor(sequence, out descriptor);
        data = new ReadOnlySpan<byte>(_server.Block.BytesAt(descriptor.Position), (int)descriptor.Size);
        return true;
    }

    private void Require(PacketTrack track)
    {
        ArgumentNullException.ThrowIfNull(track);
        PacketTrack[] tracks = _server.Tracks;
        if (track.Number >= tracks.Length || !ReferenceEquals(tracks[track.Number], track))
        {
            throw new ArgumentException("The track is not one of this publisher: AddTrack makes them.", nameof(track));
        }
    }
}
