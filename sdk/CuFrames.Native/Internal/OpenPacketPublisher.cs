using CuFrames.Client;
using CuFrames.Protocol;

namespace CuFrames.Native.Internal;

/// <summary>What the handle of a publisher of packets stands for.</summary>
/// <remarks>As with <see cref="OpenPublisher"/>: calls of the publishing thread hold <c>_publishing</c>, those of any thread <c>_gate</c>, and closing both.</remarks>
internal sealed unsafe class OpenPacketPublisher : IDisposable
{
    private readonly PacketPublisher _publisher;
    private readonly Lock _gate = new();

    // Under the gate.
    private bool _isClosed;

    // 1 while a thread is in a publishing call. Taken by exchange, given back with release.
    private int _publishing;

    private OpenPacketPublisher(PacketPublisher publisher)
    {
        _publisher = publisher;
    }

    /// <summary>Takes the packets of a key.</summary>
    public static OpenPacketPublisher Open(string key, in NativePacketPublisherOptions options)
    {
        EventCallback callback = new(options.OnEvent, options.EventUser);
        ulong[] epoch = [0];
        PacketPublisher publisher = PacketPublisher.Create(
            key, PublisherSettings.Read(options, happened => PublisherEvents.Tell(key, callback, Volatile.Read(ref epoch[0]), happened)));
        Volatile.Write(ref epoch[0], publisher.Epoch);
        return new OpenPacketPublisher(publisher);
    }

    /// <summary>Ends the stream. The handle is not known to anybody any more.</summary>
    public void Dispose()
    {
        // From now on nothing is published; a thread that is inside a publishing call comes out of it.
        _publisher.Close();
        SpinWait wait = default;
        while (Interlocked.CompareExchange(ref _publishing, 1, 0) != 0)
        {
            wait.SpinOnce();
        }

        lock (_gate)
        {
            _isClosed = true;
            _publisher.Dispose();
        }
    }

    public int AddTrack(in NativePacketTrack track, uint* number)
    {
        if (!TryEnter(out int refusal))
        {
            return refusal;
        }

        try
        {
            PacketTrack added = _publisher.AddTrack((TrackKind)track.Kind, PacketTracks.ParametersOf(track), PacketTracks.LanguageOf(track));
            if (number != null)
            {
                *number = (uint)added.Number;
            }

            return Failure.Ok;
        }
        finally
        {
            Leave();
        }
    }

    public int SetParameters(uint number, in NativePacketTrack track)
    {
        if (!TryEnter(out int refusal))
        {
            return refusal;
        }

        try
        {
            _publisher.SetParameters(FindTrack(number), PacketTracks.ParametersOf(track));
            return Failure.Ok;
        }
        finally
        {
            Leave();
        }
    }

    public int Publish(in NativePacket packet, ulong* sequence)
    {
        if (packet.Data == 0 && packet.DataSize > 0)
        {
            return Failure.Because(LibraryError.InvalidArgument, "The packet has no data: the pointer is null and data_size is not."u8);
        }

        if (!TryEnter(out int refusal))
        {
            return refusal;
        }

        try
        {
            PacketMetadata metadata = new()
            {
                Pts = packet.Pts,
                Dts = packet.Dts,
                Duration = packet.Duration,
                Flags = (PacketFlags)packet.Flags,
                ArrivalTime = packet.ArrivalTime,
                CaptureTime = packet.CaptureTime,
            };

            // No ring is so large that a packet of 2 GiB fits; the publisher says so.
            int size = (int)Math.Min(packet.DataSize, int.MaxValue);
            ulong number = _publisher.Publish(FindTrack(packet.Track), new ReadOnlySpan<byte>((void*)packet.Data, size), metadata);
            if (sequence != null)
            {
                *sequence = number;
            }

            return number != 0 ? Failure.Ok : Failure.Because(LibraryError.InvalidHandle, "The publisher was closed."u8);
        }
        finally
        {
            Leave();
        }
    }

    public void SetState(StreamState state, string reason)
    {
        lock (_gate)
        {
            ThrowIfClosed();
            _publisher.SetState(state, reason);
        }
    }

    /// <returns>False when there is no such subscriber.</returns>
    public bool Evict(ulong subscriberId, string reason)
    {
        lock (_gate)
        {
            ThrowIfClosed();
            return _publisher.Evict(subscriberId, reason);
        }
    }

    public NativePacketPublisherInfo GetInfo()
    {
        lock (_gate)
        {
            ThrowIfClosed();
            PacketPublisherStatistics statistics = _publisher.GetStatistics();
            NativePacketPublisherInfo info = new()
            {
                State = (uint)statistics.State,
                Epoch = _publisher.Epoch,
                Head = statistics.Published,
                Oldest = statistics.Oldest,
                BufferedTime = statistics.BufferedTime.Ticks * 100,
                ByteCapacity = statistics.ByteCapacity,
                TooLarge = statistics.TooLarge,
                Evicted = statistics.Evicted,
                HungUp = statistics.HungUp,
                Refused = statistics.Refused,
                Tracks = (uint)statistics.Tracks.Count,
                Subscribers = (uint)statistics.Subscribers.Count,
            };
            NativeText.Copy(_publisher.SocketPath, info.SocketPath, NativePacketPublisherInfo.TextBytes);
            return info;
        }
    }

    public IReadOnlyList<SubscriberStatistics> GetSubscribers()
    {
        lock (_gate)
        {
            ThrowIfClosed();
            return _publisher.GetStatistics().Subscribers;
        }
    }

    private PacketTrack FindTrack(uint number)
    {
        IReadOnlyList<PacketTrack> tracks = _publisher.Tracks;
        return number < (uint)tracks.Count
            ? tracks[(int)number]
            : throw new LibraryException(LibraryError.InvalidArgument,
                $"There is no track {number}: the publisher has {tracks.Count}, counted from 0. cuframes_packet_publisher_add_track adds one.");
    }

    /// <summary>Begins a publishing call.</summary>
    private bool TryEnter(out int refusal)
    {
        bool isFirst = Interlocked.CompareExchange(ref _publishing, 1, 0) == 0;
        refusal = isFirst
            ? Failure.Ok
            : Failure.Because(LibraryError.Busy, "Another thread is in a publishing call of this publisher: one thread at a time publishes."u8);
        return isFirst;
    }

    private void Leave() => Volatile.Write(ref _publishing, 0);

    private void ThrowIfClosed()
    {
        if (_isClosed)
        {
            throw new LibraryException(LibraryError.InvalidHandle, $"The publisher of '{_publisher.Key}' was closed.");
        }
    }
}
