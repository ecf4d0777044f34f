using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using CuFrames.Protocol;

namespace CuFrames.Client.Internal;

/// <summary>The words of a mapped control block (docs/protocol.md 4). The publisher writes them, subscribers read.</summary>
/// <remarks>
/// Who orders what: <c>state</c>, index and <c>head</c> are written with release and read with acquire, so that whoever sees a sequence
/// sees the pixels and the descriptor behind it. The two store-load fences of the lease protocol stand where it is run:
/// <see cref="SlotRing"/> and <see cref="StreamConnection"/>.
/// </remarks>
internal readonly unsafe struct ControlBlock(byte* address)
{
    // In a slot's state: the publisher looks whether somebody holds the frame, and nothing is written yet (6.5).
    private const ulong Examined = 1UL << 63;

    private readonly byte* _address = address;

    public uint* FutexWord => (uint*)(_address + ControlBlockLayout.FutexWordOffset);

    public ulong Head
    {
        get => Volatile.Read(ref U64(ControlBlockLayout.HeadOffset));
        set => Volatile.Write(ref U64(ControlBlockLayout.HeadOffset), value);
    }

    public uint ControlMessages
    {
        get => Volatile.Read(ref U32(ControlBlockLayout.ControlMessagesOffset));
        set => Volatile.Write(ref U32(ControlBlockLayout.ControlMessagesOffset), value);
    }

    public StreamState State
    {
        get => (StreamState)Volatile.Read(ref U32(ControlBlockLayout.StateOffset));
        set => Volatile.Write(ref U32(ControlBlockLayout.StateOffset), (uint)value);
    }

    public uint SegmentGeneration
    {
        get => Volatile.Read(ref U32(ControlBlockLayout.SegmentGenerationOffset));
        set => Volatile.Write(ref U32(ControlBlockLayout.SegmentGenerationOffset), value);
    }

    public ulong Dropped
    {
        get => Volatile.Read(ref U64(ControlBlockLayout.DroppedOffset));
        set => Volatile.Write(ref U64(ControlBlockLayout.DroppedOffset), value);
    }

    public ulong Epoch => U64(ControlBlockLayout.EpochOffset);

    public ulong SlotState(int slot) => Volatile.Read(ref U64(ControlBlockLayout.SlotOffset(slot) + SlotLayout.StateOffset));

    /// <summary>Whether a slot still holds a frame, be it that the publisher examines it just now: the question of those who hold it.</summary>
    public bool HoldsFrame(int slot, ulong sequence) => (SlotState(slot) & ~Examined) == sequence;

    /// <summary>Step 2 of 6.5, without its fence: from now on nobody can lease the frame, and those who hold it can still trust it.</summary>
    public void ExamineSlot(int slot, ulong sequence) => SetSlotState(slot, sequence | Examined);

    public void SetSlotState(int slot, ulong sequence) =>
        Volatile.Write(ref U64(ControlBlockLayout.SlotOffset(slot) + SlotLayout.StateOffset), sequence);

    public ulong IndexEntry(ulong sequence) => Volatile.Read(ref U64(ControlBlockLayout.IndexEntryOffset(sequence)));

    public void SetIndexEntry(ulong sequence, int slot) =>
        Volatile.Write(ref U64(ControlBlockLayout.IndexEntryOffset(sequence)), (sequence << 8) | (uint)slot);

    /// <summary>A copy of what a slot's descriptor says. Read under a lease, and judged as a copy: the writer may be hostile.</summary>
    public SlotDescriptor ReadDescriptor(int slot)
    {
        byte* entry = _address + ControlBlockLayout.SlotOffset(slot);
        return new SlotDescriptor(
            *(uint*)(entry + SlotLayout.SegmentIdOffset),
            *(uint*)(entry + SlotLayout.SegmentGenerationOffset),
            *(FrameMetadata*)(entry + SlotLayout.MetaOffset),
            *(Picture*)(entry + SlotLayout.PictureOffset));
    }

    public void WriteDescriptor(int slot, uint segmentId, uint generation, in FrameMetadata metadata, in Picture picture)
    {
        byte* entry = _address + ControlBlockLayout.SlotOffset(slot);
        *(uint*)(entry + SlotLayout.SegmentIdOffset) = segmentId;
        *(uint*)(entry + SlotLayout.SegmentGenerationOffset) = generation;
        *(FrameMetadata*)(entry + SlotLayout.MetaOffset) = metadata;
        *(Picture*)(entry + SlotLayout.PictureOffset) = picture;
    }

    public void Initialise(ulong epoch)
    {
        U64(ControlBlockLayout.MagicOffset) = Wire.ControlBlockMagic;
        U32(ControlBlockLayout.LayoutVersionOffset) = ControlBlockLayout.LayoutVersion;
        U32(ControlBlockLayout.SlotSizeOffset) = SlotLayout.Size;
        U32(ControlBlockLayout.IndexEntrySizeOffset) = ControlBlockLayout.IndexEntrySize;
        U32(ControlBlockLayout.SlotCapacityOffset) = ControlBlockLayout.SlotCapacity;
        U32(ControlBlockLayout.IndexCapacityOffset) = ControlBlockLayout.IndexCapacity;
        U32(ControlBlockLayout.TotalSizeOffset) = ControlBlockLayout.Size;
        U32(ControlBlockLayout.IndexOffsetOffset) = ControlBlockLayout.IndexOffset;
        U32(ControlBlockLayout.SlotsOffsetOffset) = ControlBlockLayout.SlotsOffset;
        U64(ControlBlockLayout.EpochOffset) = epoch;
    }

    /// <summary>Checks the header of a peer's control block.</summary>
    /// <returns>Null when it is sound, else what is wrong.</returns>
    public static string? FindFault(ReadOnlySpan<byte> header, ulong epoch)
    {
        if (MemoryMarshal.Read<ulong>(header[ControlBlockLayout.MagicOffset..]) != Wire.ControlBlockMagic)
        {
            return "its magic is wrong";
        }

        ReadOnlySpan<(int Offset, uint Expected, string Name)> words =
        [
            (ControlBlockLayout.LayoutVersionOffset, ControlBlockLayout.LayoutVersion, "layout_version"),
            (ControlBlockLayout.SlotSizeOffset, SlotLayout.Size, "slot_size"),
            (ControlBlockLayout.IndexEntrySizeOffset, ControlBlockLayout.IndexEntrySize, "index_entry_size"),
            (ControlBlockLayout.SlotCapacityOffset, ControlBlockLayout.SlotCapacity, "slot_capacity"),
            (ControlBlockLayout.IndexCapacityOffset, ControlBlockLayout.IndexCapacity, "index_capacity"),
            (ControlBlockLayout.TotalSizeOffset, ControlBlockLayout.Size, "total_size"),
            (ControlBlockLayout.IndexOffsetOffset, ControlBlockLayout.IndexOffset, "index_offset"),
            (ControlBlockLayout.SlotsOffsetOffset, ControlBlockLayout.SlotsOffset, "slots_offset"),
        ];
        foreach ((int offset, uint expected, string name) in words)
        {
            uint found = MemoryMarshal.Read<uint>(header[offset..]);
            if (found != expected)
            {
                return $"{name} is {found} instead of {expected}";
            }
        }

        ulong foundEpoch = MemoryMarshal.Read<ulong>(header[ControlBlockLayout.EpochOffset..]);
        return foundEpoch == epoch ? null : $"its epoch is {foundEpoch:x16} and WELCOME's {epoch:x16}";
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private ref ulong U64(int offset) => ref *(ulong*)(_address + offset);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private ref uint U32(int offset) => ref *(uint*)(_address + offset);
}
