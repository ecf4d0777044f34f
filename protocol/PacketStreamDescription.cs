using System.Buffers.Binary;

namespace CuFrames.Protocol;

/// <summary>The description of a stream of packets (docs/protocol.md 14.3), as it was when the publisher sent it.</summary>
public sealed record PacketStreamDescription
{
    /// <summary>State of the stream.</summary>
    public StreamState State { get; init; }

    /// <summary>Tracks so far.</summary>
    public int Tracks { get; init; }

    /// <summary>Subscribers, probes not counted.</summary>
    public int Subscribers { get; init; }

    /// <summary>Sequence of the newest packet; 0 before the first.</summary>
    public ulong Head { get; init; }

    /// <summary>Sequence of the oldest packet that was still there; <see cref="Head"/> plus 1: none.</summary>
    public ulong Oldest { get; init; }

    /// <summary>Bytes of the ring.</summary>
    public ulong ByteCapacity { get; init; }

    /// <summary>Nanoseconds between the arrivals of the oldest and the newest packet.</summary>
    public ulong BufferedTime { get; init; }

    /// <summary>Packets that were too large to be published.</summary>
    public ulong Refused { get; init; }

    /// <summary>Subscribers evicted in this epoch.</summary>
    public ulong Evicted { get; init; }

    internal static PacketStreamDescription Read(ReadOnlySpan<byte> value)
    {
        uint tracks = BinaryPrimitives.ReadUInt32LittleEndian(value[PacketStreamDescriptionLayout.TracksOffset..]);
        uint subscribers = BinaryPrimitives.ReadUInt32LittleEndian(value[PacketStreamDescriptionLayout.SubscribersOffset..]);
        if (tracks > PacketBlockLayout.TrackCapacity || subscribers > int.MaxValue)
        {
            throw new ProtocolException(ErrorCode.ProtocolError, $"PACKET_STREAM names {tracks} tracks and {subscribers} subscribers.");
        }

        return new PacketStreamDescription
        {
            State = (StreamState)BinaryPrimitives.ReadUInt32LittleEndian(value[PacketStreamDescriptionLayout.StateOffset..]),
            Tracks = (int)tracks,
            Subscribers = (int)subscribers,
            Head = U64(value, PacketStreamDescriptionLayout.HeadOffset),
            Oldest = U64(value, PacketStreamDescriptionLayout.OldestOffset),
            ByteCapacity = U64(value, PacketStreamDescriptionLayout.ByteCapacityOffset),
            BufferedTime = U64(value, PacketStreamDescriptionLayout.BufferedTimeOffset),
            Refused = U64(value, PacketStreamDescriptionLayout.RefusedOffset),
            Evicted = U64(value, PacketStreamDescriptionLayout.EvictedOffset),
        };
    }

    internal void Write(Span<byte> value)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(value[PacketStreamDescriptionLayout.StateOffset..], (uint)State);
        BinaryPrimitives.WriteInt32LittleEndian(value[PacketStreamDescriptionLayout.TracksOffset..], Tracks);
        BinaryPrimitives.WriteInt32LittleEndian(value[PacketStreamDescriptionLayout.SubscribersOffset..], Subscribers);
        Set(value, PacketStreamDescriptionLayout.HeadOffset, Head);
        Set(value, PacketStreamDescriptionLayout.OldestOffset, Oldest);
        Set(value, PacketStreamDescriptionLayout.ByteCapacityOffset, ByteCapacity);
        Set(value, PacketStreamDescriptionLayout.BufferedTimeOffset, BufferedTime);
        Set(value, PacketStreamDescriptionLayout.RefusedOffset, Refused);
        Set(value, PacketStreamDescriptionLayout.EvictedOffset, Evicted);
    }

    private static ulong U64(ReadOnlySpan<byte> value, int offset) => BinaryPrimitives.ReadUInt64LittleEndian(value[offset..]);

    private static void Set(Span<byte> value, int offset, ulong number) => BinaryPrimitives.WriteUInt64LittleEndian(value[offset..], number);
}
