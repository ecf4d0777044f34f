using CuFrames.Client.Internal;
using CuFrames.Protocol;

namespace CuFrames.Client;

/// <summary>
/// A coded packet in the publisher's ring, read in place. Nothing is held: the publisher overwrites it when the ring comes round, which takes as long as
/// the ring is large. What is read of <see cref="Data"/> is whole if <see cref="IsValid"/> is still true afterwards.
/// </summary>
/// <remarks>Everything but the bytes is a copy and stays as it is. Times of the source are in units of <see cref="TrackParameters"/>' time base.</remarks>
public readonly struct Packet
{
    private readonly PacketConnection? _connection;
    private readonly ulong _position;

    internal Packet(PacketConnection connection, in PacketDescriptor descriptor, PacketTrack track, TrackParameters parameters, ulong missed)
    {
        _connection = connection;
        _position = descriptor.Position;
        Sequence = descriptor.Sequence;
        Track = track;
        Parameters = parameters;
        ParametersNumber = descriptor.Parameters;
        TrackSequence = descriptor.Counts[track.Number];
        Missed = missed;
        Size = (int)descriptor.Size;
        Flags = descriptor.Flags;
        Pts = descriptor.Pts;
        Dts = descriptor.Dts;
        Duration = descriptor.Duration;
        ArrivalTime = descriptor.ArrivalTime;
        CaptureTime = descriptor.CaptureTime;
        PublishTime = descriptor.PublishTime;
    }

    /// <summary>Number of the packet in its epoch, from 1, over all tracks: what a frame's <see cref="FrameMetadata.SourcePacket"/> names.</summary>
    public ulong Sequence { get; }

    /// <summary>The publisher's run that the packet comes from; 0 for a default value.</summary>
    public ulong Epoch => _connection?.Epoch ?? 0;

    /// <summary>The packet's place, to go on behind it later.</summary>
    public PacketPosition Position => new(Epoch, Sequence);

    /// <summary>Its track.</summary>
    public PacketTrack Track { get; }

    /// <summary>Number of the packet on its track, from 1.</summary>
    public ulong TrackSequence { get; }

    /// <summary>What it is coded with. The same object for all packets of a parameter set.</summary>
    public TrackParameters Parameters { get; }

    /// <summary>Number of its parameter set on its track, from 1.</summary>
    public uint ParametersNumber { get; }

    /// <summary>Packets lost, of all tracks, between the one taken before and this one. <see cref="PacketSubscriber.MissedOn"/> counts them for each track.</summary>
    public ulong Missed { get; }

    /// <summary>Length in bytes.</summary>
    public int Size { get; }

    /// <summary>Flags.</summary>
    public PacketFlags Flags { get; }

    /// <summary>Whether decoding may begin here.</summary>
    public bool IsKey => (Flags & PacketFlags.Key) != 0;

    /// <summary>Presentation time in units of the time base, or <see cref="FrameMetadata.UnknownPts"/>.</summary>
    public long Pts { get; }

    /// <summary>Decoding time in units of the time base, or <see cref="FrameMetadata.UnknownPts"/>.</summary>
    public long Dts { get; }

    /// <summary>Duration in units of the time base; 0: not known.</summary>
    public long Duration { get; }

    /// <summary>CLOCK_MONOTONIC in nanoseconds when the packet had arrived.</summary>
    public long ArrivalTime { get; }

    /// <summary>Wall clock at the camera in nanoseconds since 1970-01-01 UTC; 0: not known.</summary>
    public long CaptureTime { get; }

    /// <summary>CLOCK_MONOTONIC in nanoseconds at publish.</summary>
    public long PublishTime { get; }

    /// <summary>The bytes where they lie, without a copy; 64 zero bytes follow them. Check <see cref="IsValid"/> after reading, before what was read is
    /// used. For the taking thread: the span is good until that thread takes again after the connection has ended, or disposes the subscriber.</summary>
    /// <exception cref="PacketLostException">The connection that it came from is closed.</exception>
    public ReadOnlySpan<byte> Data => Connection.DataAt(Sequence, _position, Size);

    /// <summary>Whether all that was read of <see cref="Data"/> so far was whole: the packet is still in the ring. When the packet that was taken last is
    /// found not to be, the next one that is taken is a key frame of the video track: what lies between needs what was lost. Any thread.</summary>
    public bool IsValid => _connection is not null && _connection.IsThere(Sequence);

    /// <summary>Offset of its first byte, counted from the beginning of the epoch (docs/protocol.md 14.8).</summary>
    internal ulong BytePosition => _position;

    /// <summary>Where it was taken from.</summary>
    /// <exception cref="PacketLostException">This is a default value.</exception>
    internal PacketConnection Connection => _connection ?? throw new PacketLostException("This packet is a default value; packets come from a subscriber.");

    /// <summary>Throws if the packet is not valid any more.</summary>
    /// <exception cref="PacketLostException">See <see cref="IsValid"/>.</exception>
    public void ThrowIfInvalid()
    {
        if (!Connection.IsThere(Sequence))
        {
            throw Lost(Sequence);
        }
    }

    /// <summary>Copies the bytes and makes sure that the copy is whole. Any thread.</summary>
    /// <param name="destination">Room for <see cref="Size"/> bytes.</param>
    /// <returns>False when the packet was overwritten meanwhile: what was copied is worth nothing, and reading goes on as <see cref="IsValid"/> says.</returns>
    /// <exception cref="ArgumentException">The room is too small.</exception>
    public bool TryCopyTo(Span<byte> destination)
    {
        if (destination.Length < Size)
        {
            throw new ArgumentException($"A packet of {Size} bytes does not fit {destination.Length} bytes.", nameof(destination));
        }

        return Connection.TryCopy(Sequence, _position, destination[..Size]);
    }

    /// <summary>Copies the bytes and makes sure that the copy is whole. Any thread.</summary>
    /// <param name="destination">Room for <see cref="Size"/> bytes.</param>
    /// <exception cref="PacketLostException">The packet was overwritten.</exception>
    /// <exception cref="ArgumentException">The room is too small.</exception>
    public void CopyTo(Span<byte> destination)
    {
        if (!TryCopyTo(destination))
        {
            throw Lost(Sequence);
        }
    }

    internal static PacketLostException Lost(ulong sequence) => new(
        $"Packet {sequence} was overwritten by newer ones, or its connection was closed, before it was read. Read sooner, copy it, or give the publisher a larger ring.");
}
