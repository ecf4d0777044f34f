using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using CuFrames.Client;
using CuFrames.Protocol;

namespace CuFrames.Native.Internal;

/// <summary>What the handle of a subscriber of packets stands for.</summary>
internal sealed unsafe class OpenPacketSubscriber : OpenReader<Packet>
{
    /// <summary>All that are open.</summary>
    public static readonly HandleTable<OpenPacketSubscriber> Table = new(HandleKind.PacketSubscriber);

    private readonly PacketSubscriber _subscriber;
    private nuint _handle;

    // The connection that the packet given last came from; null: none, or it was closed. Taking thread.
    private PacketRing? _ring;

    private OpenPacketSubscriber(PacketSubscriber subscriber)
    {
        _subscriber = subscriber;
    }

    /// <summary>Connects.</summary>
    /// <param name="key">The stream's key.</param>
    /// <param name="options">Null: the defaults.</param>
    /// <returns>The handle.</returns>
    public static nuint Open(string key, NativePacketSubscriberOptions* options)
    {
        NativePacketSubscriberOptions given = options == null ? default : SizedStructure.Read(options, "cuframes_packet_subscriber_options");
        if (given.Start > (uint)PacketStart.Next)
        {
            throw new LibraryException(LibraryError.InvalidArgument, $"There is no start {given.Start}: see enum cuframes_packet_start.");
        }

        EventCallback callback = new(given.OnEvent, given.EventUser);
        OpenPacketSubscriber? open = null;

        // Nobody can interrupt what has no handle yet.
        PacketSubscriber subscriber = PacketSubscriber.Connect(key, new PacketSubscriberOptions
        {
            Directory = NativeText.Read(given.Directory),
            Start = (PacketStart)given.Start,
            StartAfter = given.AfterEpoch == 0 ? null : new PacketPosition(given.AfterEpoch, given.AfterSequence),
            Reconnect = given.NoReconnect == 0,
            WaitForStream = given.WaitForStream != 0,
            Program = NativeText.Read(given.Program) ?? ProgramName.OfProcess,
            OnEvent = change => SubscriberEvents.Tell(key, callback, change),
            IsInterrupted = () => open is not null && open.IsWaitOver,
        });
        try
        {
            open = new OpenPacketSubscriber(subscriber);
            nuint handle = Table.Add(open);
            open._handle = handle;
            return handle;
        }
        catch
        {
            subscriber.Dispose();
            throw;
        }
    }

    /// <summary>The subscriber of a handle.</summary>
    /// <exception cref="LibraryException">INVALID_HANDLE.</exception>
    public static OpenPacketSubscriber Require(nuint handle) => Table.Find(handle) is { IsClosed: false } subscriber
        ? subscriber
        : throw new LibraryException(LibraryError.InvalidHandle, "This is no handle of a subscriber of packets, or the subscriber was closed.");

    /// <summary>cuframes_packet_subscriber_next.</summary>
    public int Next(long timeout, NativePacket* packet)
    {
        PacketRing.RequirePacket(packet);
        return Take(timeout, packet);
    }

    /// <summary>cuframes_packet_subscriber_find.</summary>
    public int Find(ulong sequence, NativePacket* packet)
    {
        PacketRing.RequirePacket(packet);
        if (!TryEnter(out int obstacle))
        {
            return obstacle;
        }

        try
        {
            return _subscriber.TryFind(sequence, out Packet found) && TryGive(found, packet)
                ? Failure.Ok
                : Failure.Because(ErrorCode.PacketLost, $"Packet {sequence} is not in the ring: not yet, or not any more.");
        }
        finally
        {
            Leave();
        }
    }

    /// <summary>cuframes_packet_subscriber_descriptor.</summary>
    public int GetDescriptor(int* descriptor)
    {
        if (descriptor == null)
        {
            throw new LibraryException(LibraryError.InvalidArgument, "There is no place to put the descriptor: the pointer is null.");
        }

        if (!TryEnter(out int obstacle))
        {
            return obstacle;
        }

        try
        {
            *descriptor = _subscriber.PollDescriptor.Number;
            return Failure.Ok;
        }
        finally
        {
            Leave();
        }
    }

    /// <summary>cuframes_packet_subscriber_get_info.</summary>
    public int GetInfo(NativePacketSubscriberInfo* info)
    {
        if (!TryEnter(out int obstacle))
        {
            return obstacle;
        }

        try
        {
            NativePacketSubscriberInfo filled = new()
            {
                IsConnected = _subscriber.IsConnected ? 1u : 0,
                State = (uint)_subscriber.State,
                Tracks = (uint)_subscriber.Tracks.Count,
                Epoch = _subscriber.Epoch,
                Taken = _subscriber.Taken,
                Missed = _subscriber.Missed,
                ByteCapacity = _subscriber.Description?.ByteCapacity ?? 0,
                Reconnects = (uint)_subscriber.Reconnects,
                Evictions = (uint)_subscriber.Evictions,
            };
            for (int track = 0; track < NativePacketSubscriberInfo.MaxTracks; track++)
            {
                filled.MissedOnTrack[track] = _subscriber.MissedOn(track);
            }

            NativeText.Copy(_subscriber.Publisher, filled.Publisher, NativePacketSubscriberInfo.TextBytes);
            NativeText.Copy(_subscriber.Source, filled.Source, NativePacketSubscriberInfo.TextBytes);
            SizedStructure.Write(info, filled, "cuframes_packet_subscriber_info");
            return Failure.Ok;
        }
        finally
        {
            Leave();
        }
    }

    /// <summary>cuframes_packet_subscriber_get_track.</summary>
    public int GetTrack(uint number, NativePacketTrack* track)
    {
        if (!TryEnter(out int obstacle))
        {
            return obstacle;
        }

        try
        {
            IReadOnlyList<PacketTrack> tracks = _subscriber.Tracks;
            if (number >= (uint)tracks.Count)
            {
                return Failure.Because(LibraryError.InvalidArgument, $"There is no track {number}: the stream has {tracks.Count}, counted from 0.");
            }

            PacketTrack found = tracks[(int)number];
            PacketTracks.Write(track, found, found.ParametersNumber, found.Parameters);
            return Failure.Ok;
        }
        finally
        {
            Leave();
        }
    }

    protected override bool TryTake(out Packet taken) => _subscriber.TryTake(out taken);

    protected override bool TryPoll(out Packet taken)
    {
        bool isTaken = _subscriber.TryPoll(out taken);
        LeaveClosedRing();
        return isTaken;
    }

    protected override bool TryNext(TimeSpan timeout, out Packet taken)
    {
        bool isTaken = _subscriber.TryNext(timeout, out taken);
        LeaveClosedRing();
        return isTaken;
    }

    protected override bool TryGive(in Packet taken, void* place)
    {
        NativePacket* packet = (NativePacket*)place;
        PacketRing ring = RingOf(taken);
        ring.Remember(taken);
        if (packet->Size >= (uint)sizeof(NativePacket))
        {
            Fill(taken, ring, ref *packet);
        }
        else
        {
            NativePacket filled = default;
            Fill(taken, ring, ref filled);
            SizedStructure.Write(packet, filled, "cuframes_packet");
        }

        return true;
    }

    protected override void Finish()
    {
        _subscriber.Dispose();
        _ring?.Leave();
        _ = Table.Remove(_handle);
    }

    private static void Fill(in Packet taken, PacketRing ring, ref NativePacket packet)
    {
        ReadOnlySpan<byte> data = taken.Data;
        TrackParameters parameters = taken.Parameters;
        packet.Track = (uint)taken.Track.Number;
        packet.Owner = ring.Handle;
        packet.Position = taken.BytePosition;
        packet.Data = (nuint)Unsafe.AsPointer(ref MemoryMarshal.GetReference(data));
        packet.DataSize = (ulong)data.Length;
        packet.Sequence = taken.Sequence;
        packet.Epoch = taken.Epoch;
        packet.Missed = taken.Missed;
        packet.TrackSequence = taken.TrackSequence;
        packet.Kind = (uint)taken.Track.Kind;
        packet.Parameters = taken.ParametersNumber;
        packet.Flags = (uint)taken.Flags;
        packet.TimeBaseNumerator = parameters.TimeBaseNumerator;
        packet.TimeBaseDenominator = parameters.TimeBaseDenominator;
        packet.Reserved = 0;
        packet.Pts = taken.Pts;
        packet.Dts = taken.Dts;
        packet.Duration = taken.Duration;
        packet.ArrivalTime = taken.ArrivalTime;
        packet.CaptureTime = taken.CaptureTime;
        packet.PublishTime = taken.PublishTime;
    }

    private PacketRing RingOf(in Packet taken)
    {
        if (_ring is not { } ring || !ring.IsOf(taken.Connection))
        {
            _ring?.Leave();
            _ring = null;
            _ring = ring = PacketRing.Open(taken.Connection);
        }

        return ring;
    }

    /// <summary>A publisher that is gone takes no memory while another one is waited for.</summary>
    private void LeaveClosedRing()
    {
        if (_ring is { IsClosed: true } ring)
        {
            _ring = null;
            ring.Leave();
        }
    }
}
