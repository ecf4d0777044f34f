namespace CuFrames.Protocol;

/// <summary>The control block that a publisher shows to all its subscribers (docs/protocol.md 4.1).</summary>
public static class ControlBlockLayout
{
    /// <summary>Size of the layout in bytes.</summary>
    public const int Size = 17664;

    /// <summary>Entries of the slot table.</summary>
    public const int SlotCapacity = 64;

    /// <summary>Entries of the index, a power of two above <see cref="SlotCapacity"/>.</summary>
    public const int IndexCapacity = 128;

    /// <summary>Size of an index entry in bytes.</summary>
    public const int IndexEntrySize = 8;

    /// <summary>The layout's version.</summary>
    public const uint LayoutVersion = 1;

    /// <summary>Sequences stay below this, so that a slot number fits beside them in an index entry.</summary>
    public const ulong SequenceLimit = 1UL << 56;

    /// <summary>Offset of the index entry for a sequence.</summary>
    /// <param name="sequence">The sequence.</param>
    public static int IndexEntryOffset(ulong sequence) => IndexOffset + ((int)(sequence & (IndexCapacity - 1)) * IndexEntrySize);

    /// <summary>Offset of a slot's descriptor.</summary>
    /// <param name="slot">The slot, 0 to 63.</param>
    public static int SlotOffset(int slot) => SlotsOffset + (slot * SlotLayout.Size);

    /// <summary>Offset of <c>magic</c>: <see cref="Wire.ControlBlockMagic"/>.</summary>
    [WireField("u64", 8)]
    public const int MagicOffset = 0;

    /// <summary>Offset of <c>layout_version</c>: 1.</summary>
    [WireField("u32", 4)]
    public const int LayoutVersionOffset = 8;

    /// <summary>Offset of <c>slot_size</c>: <see cref="SlotLayout.Size"/>.</summary>
    [WireField("u32", 4)]
    public const int SlotSizeOffset = 12;

    /// <summary>Offset of <c>index_entry_size</c>: 8.</summary>
    [WireField("u32", 4)]
    public const int IndexEntrySizeOffset = 16;

    /// <summary>Offset of <c>slot_capacity</c>: entries of the slot table.</summary>
    [WireField("u32", 4)]
    public const int SlotCapacityOffset = 20;

    /// <summary>Offset of <c>index_capacity</c>: entries of the index.</summary>
    [WireField("u32", 4)]
    public const int IndexCapacityOffset = 24;

    /// <summary>Offset of <c>total_size</c>: size of the block.</summary>
    [WireField("u32", 4)]
    public const int TotalSizeOffset = 28;

    /// <summary>Offset of <c>index_offset</c>: where the index begins.</summary>
    [WireField("u32", 4)]
    public const int IndexOffsetOffset = 32;

    /// <summary>Offset of <c>slots_offset</c>: where the slot table begins.</summary>
    [WireField("u32", 4)]
    public const int SlotsOffsetOffset = 36;

    /// <summary>Offset of <c>epoch</c>: random id of this run of the publisher.</summary>
    [WireField("u64", 8)]
    public const int EpochOffset = 40;

    /// <summary>Offset of <c>state</c>: a <see cref="StreamState"/>.</summary>
    [WireField("u32", 4)]
    public const int StateOffset = 64;

    /// <summary>Offset of <c>segment_generation</c>: counts changes of format.</summary>
    [WireField("u32", 4)]
    public const int SegmentGenerationOffset = 68;

    /// <summary>Offset of <c>control_messages</c>: counts messages sent to all subscribers.</summary>
    [WireField("u32", 4)]
    public const int ControlMessagesOffset = 72;

    /// <summary>Offset of <c>dropped</c>: frames dropped because every slot was held.</summary>
    [WireField("u64", 8)]
    public const int DroppedOffset = 80;

    /// <summary>Offset of <c>futex_word</c>: changes with every publish.</summary>
    [WireField("u32", 4)]
    public const int FutexWordOffset = 128;

    /// <summary>Offset of <c>head</c>: newest sequence.</summary>
    [WireField("u64", 8)]
    public const int HeadOffset = 136;

    /// <summary>Offset of <c>index</c>: the ring of sequence and slot.</summary>
    [WireField("entries", 1024)]
    public const int IndexOffset = 256;

    /// <summary>Offset of <c>slots</c>: the slot table.</summary>
    [WireField("entries", 16384)]
    public const int SlotsOffset = 1280;
}
