using System.Buffers.Binary;

namespace CuFrames.Protocol;

/// <summary>The description of a stream (docs/protocol.md 3.7), as it was when the publisher sent it.</summary>
public sealed record StreamDescription
{
    /// <summary>How samples lie in memory; <see cref="Protocol.PixelFormat.Unknown"/> before the first frame's format is known.</summary>
    public PixelFormat PixelFormat { get; init; }

    /// <summary>Visible columns.</summary>
    public int Width { get; init; }

    /// <summary>Visible rows.</summary>
    public int Height { get; init; }

    /// <summary>State of the stream.</summary>
    public StreamState State { get; init; }

    /// <summary>Frames per second as announced by the source, numerator; 0: not known.</summary>
    public uint FrameRateNumerator { get; init; }

    /// <summary>Frames per second as announced by the source, denominator.</summary>
    public uint FrameRateDenominator { get; init; }

    /// <summary>Where frames lie.</summary>
    public MemoryDomain Domain { get; init; } = MemoryDomain.Host;

    /// <summary>Slots in use.</summary>
    public int Slots { get; init; }

    /// <summary>Limit to which the ring grows.</summary>
    public int MaxSlots { get; init; }

    /// <summary>Subscribers now.</summary>
    public int Subscribers { get; init; }

    /// <summary>Newest sequence.</summary>
    public ulong Head { get; init; }

    /// <summary>Frames dropped because every slot was held.</summary>
    public ulong Dropped { get; init; }

    /// <summary>Bytes of all segments.</summary>
    public ulong MemoryBytes { get; init; }

    /// <summary>UUID of the CUDA device; empty for host.</summary>
    public Guid Device { get; init; }

    /// <summary>Matrix coefficients as in ITU-T H.273.</summary>
    public byte ColourMatrix { get; init; }

    /// <summary>Range of the samples.</summary>
    public ColourRange ColourRange { get; init; }

    /// <summary>Colour primaries as in ITU-T H.273.</summary>
    public byte ColourPrimaries { get; init; }

    /// <summary>Transfer characteristics as in ITU-T H.273.</summary>
    public byte ColourTransfer { get; init; }

    /// <summary>Milliseconds for which a lease is safe while others starve.</summary>
    public uint LeaseTimeoutMilliseconds { get; init; }

    /// <summary>Subscribers evicted in this epoch.</summary>
    public ulong Evicted { get; init; }

    internal static StreamDescription Read(ReadOnlySpan<byte> value) => new()
    {
        PixelFormat = (PixelFormat)U32(value, StreamDescriptionLayout.PixelFormatOffset),
        Width = Count(value, StreamDescriptionLayout.WidthOffset, Wire.MaxDimension, "columns"),
        Height = Count(value, StreamDescriptionLayout.HeightOffset, Wire.MaxDimension, "rows"),
        State = (StreamState)U32(value, StreamDescriptionLayout.StateOffset),
        FrameRateNumerator = U32(value, StreamDescriptionLayout.FrameRateNumeratorOffset),
        FrameRateDenominator = U32(value, StreamDescriptionLayout.FrameRateDenominatorOffset),
        Domain = (MemoryDomain)U32(value, StreamDescriptionLayout.DomainOffset),
        Slots = Count(value, StreamDescriptionLayout.SlotsOffset, ControlBlockLayout.SlotCapacity, "slots"),
        MaxSlots = Count(value, StreamDescriptionLayout.MaxSlotsOffset, ControlBlockLayout.SlotCapacity, "slots at most"),
        Subscribers = Count(value, StreamDescriptionLayout.SubscribersOffset, int.MaxValue, "subscribers"),
        Head = U64(value, StreamDescriptionLayout.HeadOffset),
        Dropped = U64(value, StreamDescriptionLayout.DroppedOffset),
        MemoryBytes = U64(value, StreamDescriptionLayout.MemoryBytesOffset),
        Device = new Guid(value.Slice(StreamDescriptionLayout.DeviceUuidOffset, 16), bigEndian: true),
        ColourMatrix = value[StreamDescriptionLayout.ColourMatrixOffset],
        ColourRange = (ColourRange)value[StreamDescriptionLayout.ColourRangeOffset],
        ColourPrimaries = value[StreamDescriptionLayout.ColourPrimariesOffset],
        ColourTransfer = value[StreamDescriptionLayout.ColourTransferOffset],
        LeaseTimeoutMilliseconds = U32(value, StreamDescriptionLayout.LeaseTimeoutMsOffset),
        Evicted = U64(value, StreamDescriptionLayout.EvictedOffset),
    };

    internal void Write(Span<byte> value)
    {
        Put(value, StreamDescriptionLayout.PixelFormatOffset, (uint)PixelFormat);
        Put(value, StreamDescriptionLayout.WidthOffset, (uint)Width);
        Put(value, StreamDescriptionLayout.HeightOffset, (uint)Height);
        Put(value, StreamDescriptionLayout.StateOffset, (uint)State);
        Put(value, StreamDescriptionLayout.FrameRateNumeratorOffset, FrameRateNumerator);
        Put(value, StreamDescriptionLayout.FrameRateDenominatorOffset, FrameRateDenominator);
        Put(value, StreamDescriptionLayout.DomainOffset, (uint)Domain);
        Put(value, StreamDescriptionLayout.SlotsOffset, (uint)Slots);
        Put(value, StreamDescriptionLayout.MaxSlotsOffset, (uint)MaxSlots);
        Put(value, StreamDescriptionLayout.SubscribersOffset, (uint)Subscribers);
        Put(value, StreamDescriptionLayout.HeadOffset, Head);
        Put(value, StreamDescriptionLayout.DroppedOffset, Dropped);
        Put(value, StreamDescriptionLayout.MemoryBytesOffset, MemoryBytes);
        Device.TryWriteBytes(value.Slice(StreamDescriptionLayout.DeviceUuidOffset, 16), bigEndian: true, out _);
        value[StreamDescriptionLayout.ColourMatrixOffset] = ColourMatrix;
        value[StreamDescriptionLayout.ColourRangeOffset] = (byte)ColourRange;
        value[StreamDescriptionLayout.ColourPrimariesOffset] = ColourPrimaries;
        value[StreamDescriptionLayout.ColourTransferOffset] = ColourTransfer;
        Put(value, StreamDescriptionLayout.LeaseTimeoutMsOffset, LeaseTimeoutMilliseconds);
        Put(value, StreamDescriptionLayout.EvictedOffset, Evicted);
    }

    /// <summary>A number that users get as an <see cref="int"/>: a peer's value beyond its limit must not turn negative.</summary>
    private static int Count(ReadOnlySpan<byte> value, int offset, int limit, string what)
    {
        uint count = U32(value, offset);
        return count <= (uint)limit
            ? (int)count
            : throw new ProtocolException(ErrorCode.ProtocolError, $"The description of the stream names {count} {what}; {limit} is the limit.");
    }

    private static uint U32(ReadOnlySpan<byte> value, int offset) => BinaryPrimitives.ReadUInt32LittleEndian(value[offset..]);

    private static ulong U64(ReadOnlySpan<byte> value, int offset) => BinaryPrimitives.ReadUInt64LittleEndian(value[offset..]);

    private static void Put(Span<byte> value, int offset, uint number) => BinaryPrimitives.WriteUInt32LittleEndian(value[offset..], number);

    private static void Put(Span<byte> value, int offset, ulong number) => BinaryPrimitives.WriteUInt64LittleEndian(value[offset..], number);
}
