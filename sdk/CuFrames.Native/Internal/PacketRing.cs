using CuFrames.Client;
using CuFrames.Client.Internal;
using CuFrames.Protocol;

namespace CuFrames.Native.Internal;

/// <summary>What the owner of a cuframes_packet stands for: the connection that it was taken from, whose memory stays mapped as long as the subscriber or a
/// retained packet needs it.</summary>
/// <remarks>Any thread may check, copy, retain and release. The subscriber's taking thread opens, remembers and leaves.</remarks>
internal sealed unsafe class PacketRing
{
    /// <summary>All whose memory is mapped.</summary>
    public static readonly HandleTable<PacketRing> Table = new(HandleKind.PacketRing);

    private readonly PacketConnection _connection;

    // At the places that the sets have in the block. Written by the taking thread (release), read by any thread (acquire).
    private readonly PacketSet?[] _sets = new PacketSet?[PacketBlockLayout.TrackCapacity * PacketBlockLayout.ParametersCapacity];
    private readonly Lock _gate = new();

    // Under the gate: packets that are retained, and whether the subscriber uses this connection.
    private int _retained;
    private bool _isLeft;

    private PacketRing(PacketConnection connection)
    {
        _connection = connection;
    }

    public nuint Handle { get; private set; }

    /// <summary>Whether the connection has ended and was closed.</summary>
    public bool IsClosed => _connection.IsClosed;

    public static PacketRing Open(PacketConnection connection)
    {
        PacketRing ring = new(connection);
        connection.HoldMemory();
        try
        {
            ring.Handle = Table.Add(ring);
            return ring;
        }
        catch
        {
            connection.LetGoOfMemory();
            throw;
        }
    }

    /// <summary>The ring that a packet lies in.</summary>
    /// <exception cref="LibraryException">INVALID_ARGUMENT, INVALID_HANDLE.</exception>
    /// <exception cref="PacketLostException">Its connection was closed.</exception>
    public static PacketRing Of(NativePacket* packet)
    {
        RequirePacket(packet);
        nuint owner = (nuint)packet->Owner;
        return Table.Find(owner) ?? throw ((owner & byte.MaxValue) == HandleKind.PacketRing
            ? Packet.Lost(packet->Sequence)
            : new LibraryException(LibraryError.InvalidHandle, "This is no packet of a subscriber: its structure was never filled in."));
    }

    /// <exception cref="LibraryException">INVALID_ARGUMENT.</exception>
    public static void RequirePacket(NativePacket* packet)
    {
        // A structure must reach as far as what tells one packet from another.
        const uint smallest = 48;
        if (packet == null)
        {
            throw new LibraryException(LibraryError.InvalidArgument, "The packet is null.");
        }

        if (packet->Size < smallest)
        {
            throw new LibraryException(LibraryError.InvalidArgument,
                $"The size of cuframes_packet is {packet->Size} bytes. Initialise the structure with CUFRAMES_PACKET_INIT.");
        }
    }

    public bool IsOf(PacketConnection connection) => ReferenceEquals(_connection, connection);

    /// <summary>cuframes_packet_check.</summary>
    public bool IsThere(ulong sequence) => _connection.IsThere(sequence);

    /// <summary>cuframes_packet_copy.</summary>
    /// <returns>False when the copy is not whole.</returns>
    /// <exception cref="LibraryException">INVALID_ARGUMENT: the structure is not as it was filled in.</exception>
    public bool TryCopy(NativePacket* packet, byte* destination)
    {
        ulong capacity = (ulong)_connection.ByteCapacity;
        if (packet->DataSize > capacity || (packet->Position % capacity) + packet->DataSize > capacity)
        {
            throw new LibraryException(LibraryError.InvalidArgument, $"A packet of {packet->DataSize} bytes cannot lie where the structure says: it was changed.");
        }

        return _connection.TryCopy(packet->Sequence, packet->Position, new Span<byte>(destination, (int)packet->DataSize));
    }

    /// <summary>cuframes_packet_get_track.</summary>
    /// <returns>Null when eight newer sets have come.</returns>
    public PacketSet? FindSet(uint track, uint number) =>
        track < PacketBlockLayout.TrackCapacity && Volatile.Read(ref _sets[PlaceOf(track, number)]) is { } set && set.Number == number ? set : null;

    /// <summary>Keeps the parameters of a packet for <see cref="FindSet"/>.</summary>
    public void Remember(in Packet packet)
    {
        ref PacketSet? place = ref _sets[PlaceOf((uint)packet.Track.Number, packet.ParametersNumber)];
        if (place is null || place.Number != packet.ParametersNumber)
        {
            Volatile.Write(ref place, new PacketSet(packet.Track, packet.ParametersNumber, packet.Parameters));
        }
    }

    /// <summary>cuframes_packet_retain.</summary>
    /// <returns>False when the memory is on its way out.</returns>
    public bool TryRetain()
    {
        lock (_gate)
        {
            if (_isLeft && _retained == 0)
            {
                return false;
            }

            _retained++;
            return true;
        }
    }

    /// <summary>cuframes_packet_release.</summary>
    /// <returns>False when no packet is retained.</returns>
    public bool TryRelease()
    {
        lock (_gate)
        {
            if (_retained == 0)
            {
                return false;
            }

            _retained--;
            LeaveMemory();
            return true;
        }
    }

    /// <summary>The subscriber needs the connection no longer.</summary>
    public void Leave()
    {
        lock (_gate)
        {
            _isLeft = true;
            LeaveMemory();
        }
    }

    private static int PlaceOf(uint track, uint number) =>
        (int)((track * PacketBlockLayout.ParametersCapacity) + (number & (PacketBlockLayout.ParametersCapacity - 1)));

    private void LeaveMemory()
    {
        if (_isLeft && _retained == 0)
        {
            _ = Table.Remove(Handle);
            _connection.LetGoOfMemory();
        }
    }
}
