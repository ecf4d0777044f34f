namespace CuFrames.Protocol;

/// <summary>The packet block: everything that readers of packets read (docs/protocol.md 14.5). The index and the byte ring follow it.</summary>
public static class PacketBlockLayout
{
    /// <summary>Size of the layout in bytes.</summary>
    public const int Size = 1052672;

    /// <summary>The layout's version.</summary>
    public const uint LayoutVersion = 1;

    /// <summary>Most tracks of a stream.</summary>
    public const int TrackCapacity = 8;

    /// <summary>Parameter sets that are kept for each track, a power of two.</summary>
    public const int ParametersCapacity = 8;

    /// <summary>Fewest entries of the index.</summary>
    public const int MinIndexCapacity = 16;

    /// <summary>Most entries of the index.</summary>
    public const int MaxIndexCapacity = 65536;

    /// <summary>Fewest bytes of the byte ring.</summary>
    public const long MinByteCapacity = 65536;

    /// <summary>Most bytes of the byte ring.</summary>
    public const long MaxByteCapacity = 1L << 32;

    /// <summary>The byte ring's offset and size are multiples of this many bytes.</summary>
    public const int ByteAlignment = 4096;

    /// <summary>Packets begin at multiples of this many bytes of the byte ring.</summary>
    public const int PacketAlignment = 64;

    /// <summary>Zero bytes behind each packet: what libavcodec calls AV_INPUT_BUFFER_PADDING_SIZE.</summary>
    public const int PacketPadding = 64;

    /// <summary>Sequences stay below this, as those of frames do.</summary>
    public const ulong SequenceLimit = ControlBlockLayout.SequenceLimit;

    /// <summary>Offset of the index.</summary>
    public const int IndexStart = Size;

    /// <summary>Offset of a track's entry.</summary>
    /// <param name="track">The track, 0 to 7.</param>
    public static int TrackOffset(int track) => TrackTableOffset + (track * TrackLayout.Size);

    /// <summary>Offset of a parameter set's entry.</summary>
    /// <param name="track">The track, 0 to 7.</param>
    /// <param name="number">The set's number, from 1.</param>
    public static int ParameterSetOffset(int track, uint number) =>
        ParametersOffset + (((track * ParametersCapacity) + (int)(number & (ParametersCapacity - 1))) * TrackParametersLayout.Size);

    /// <summary>Offset of the byte ring for an index of a given size.</summary>
    /// <param name="indexCapacity">Entries of the index.</param>
    public static long BytesStart(int indexCapacity) =>
        (IndexStart + ((long)indexCapacity * PacketDescriptorLayout.Size) + ByteAlignment - 1) / ByteAlignment * ByteAlignment;

    /// <summary>Offset of <c>magic</c>: <see cref="Wire.PacketBlockMagic"/>.</summary>
    [WireField("u64", 8)]
    public const int MagicOffset = 0;

    /// <summary>Offset of <c>layout_version</c>: 1.</summary>
    [WireField("u32", 4)]
    public const int LayoutVersionOffset = 8;

    /// <summary>Offset of <c>track_size</c>: <see cref="TrackLayout.Size"/>.</summary>
    [WireField("u32", 4)]
    public const int TrackSizeOffset = 12;

    /// <summary>Offset of <c>parameters_size</c>: <see cref="TrackParametersLayout.Size"/>.</summary>
    [WireField("u32", 4)]
    public const int ParametersSizeOffset = 16;

    /// <summary>Offset of <c>packet_size</c>: <see cref="PacketDescriptorLayout.Size"/>.</summary>
    [WireField("u32", 4)]
    public const int PacketSizeOffset = 20;

    /// <summary>Offset of <c>track_capacity</c>: 8: entries of the track table.</summary>
    [WireField("u32", 4)]
    public const int TrackCapacityOffset = 24;

    /// <summary>Offset of <c>parameters_capacity</c>: 8: parameter sets that are kept for each track.</summary>
    [WireField("u32", 4)]
    public const int ParametersCapacityOffset = 28;

    /// <summary>Offset of <c>index_capacity</c>: entries of the index, a power of two, 16 to 65,536.</summary>
    [WireField("u32", 4)]
    public const int IndexCapacityOffset = 32;

    /// <summary>Offset of <c>tracks_offset</c>: where the track table begins.</summary>
    [WireField("u32", 4)]
    public const int TracksOffsetOffset = 36;

    /// <summary>Offset of <c>epoch</c>: random id of this run of the publisher.</summary>
    [WireField("u64", 8)]
    public const int EpochOffset = 40;

    /// <summary>Offset of <c>parameters_offset</c>: where the parameter sets begin.</summary>
    [WireField("u32", 4)]
    public const int ParametersOffsetOffset = 48;

    /// <summary>Offset of <c>index_offset</c>: where the index begins.</summary>
    [WireField("u32", 4)]
    public const int IndexOffsetOffset = 52;

    /// <summary>Offset of <c>bytes_offset</c>: where the byte ring begins.</summary>
    [WireField("u64", 8)]
    public const int BytesOffsetOffset = 56;

    /// <summary>Offset of <c>byte_capacity</c>: bytes of the byte ring, a multiple of 4,096, 65,536 to 2^32.</summary>
    [WireField("u64", 8)]
    public const int ByteCapacityOffset = 64;

    /// <summary>Offset of <c>total_size</c>: size of the block.</summary>
    [WireField("u64", 8)]
    public const int TotalSizeOffset = 72;

    /// <summary>Offset of <c>state</c>: a <see cref="StreamState"/>.</summary>
    [WireField("u32", 4)]
    public const int StateOffset = 128;

    /// <summary>Offset of <c>control_messages</c>: counts messages sent to all subscribers.</summary>
    [WireField("u32", 4)]
    public const int ControlMessagesOffset = 132;

    /// <summary>Offset of <c>tracks</c>: entries of the track table in use; never fewer than before.</summary>
    [WireField("u32", 4)]
    public const int TracksOffset = 136;

    /// <summary>Offset of <c>refused</c>: packets that were too large.</summary>
    [WireField("u64", 8)]
    public const int RefusedOffset = 144;

    /// <summary>Offset of <c>futex_word</c>: changes with every publish.</summary>
    [WireField("u32", 4)]
    public const int FutexWordOffset = 192;

    /// <summary>Offset of <c>head</c>: newest sequence; zero before the first packet.</summary>
    [WireField("u64", 8)]
    public const int HeadOffset = 200;

    /// <summary>Offset of <c>oldest</c>: the smallest sequence that may still be read; 1 in the beginning, at most head plus 1.</summary>
    [WireField("u64", 8)]
    public const int OldestOffset = 208;

    /// <summary>Offset of <c>last_key</c>: newest sequence at which a subscriber may start.</summary>
    [WireField("u64", 8)]
    public const int LastKeyOffset = 216;

    /// <summary>Offset of <c>track_table</c>: entries of <see cref="TrackLayout"/>.</summary>
    [WireField("entries", 512)]
    public const int TrackTableOffset = 256;

    /// <summary>Offset of <c>parameters</c>: entries of <see cref="TrackParametersLayout"/>.</summary>
    [WireField("entries", 1048576)]
    public const int ParametersOffset = 4096;
}
