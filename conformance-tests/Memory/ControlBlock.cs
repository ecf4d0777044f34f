using CuFrames.Conformance.Spec;
using CuFrames.Interop;

namespace CuFrames.Conformance.Memory;

/// <summary>
/// A mapped control block (section 4). The publisher writes it, this side reads it; each getter is one whole, acquiring read.
/// </summary>
internal sealed unsafe class ControlBlock(MemoryMapping mapping) : IDisposable
{
    private readonly byte* _base = mapping.Pointer;

    public uint State => Volatile.Read(ref *(uint*)(_base + Layout.ControlBlock.State));

    public uint SegmentGeneration => Volatile.Read(ref *(uint*)(_base + Layout.ControlBlock.SegmentGeneration));

    public uint ControlMessages => Volatile.Read(ref *(uint*)(_base + Layout.ControlBlock.ControlMessages));

    public ulong Dropped => Volatile.Read(ref *(ulong*)(_base + Layout.ControlBlock.Dropped));

    public ulong Head => Volatile.Read(ref *(ulong*)(_base + Layout.ControlBlock.Head));

    public uint FutexValue => Volatile.Read(ref *FutexWord);

    public uint* FutexWord => (uint*)(_base + Layout.ControlBlock.FutexWord);

    public ReadOnlySpan<byte> Bytes => new(_base, Layout.ControlBlock.Size);

    public ulong IndexEntry(ulong sequence) =>
        Volatile.Read(ref *(ulong*)(_base + Layout.ControlBlock.Index + (8 * (int)(sequence & 127))));

    /// <summary>The sequence that a slot holds, be it that the publisher examines the slot just now (6.5, step 2).</summary>
    public ulong HeldSequence(int slot) => SlotState(slot) & ~(1UL << 63);

    public ulong SlotState(int slot) => Volatile.Read(ref *(ulong*)(SlotPointer(slot) + Layout.Slot.State));

    /// <summary>A copy of a slot's descriptor.</summary>
    public byte[] CopySlot(int slot) => new ReadOnlySpan<byte>(SlotPointer(slot), Layout.Slot.Size).ToArray();

    public uint ReadUInt32(int offset) => *(uint*)(_base + offset);

    public ulong ReadUInt64(int offset) => *(ulong*)(_base + offset);

    public void Dispose() => mapping.Dispose();

    private byte* SlotPointer(int slot) => _base + Layout.ControlBlock.Slots + (slot * Layout.Slot.Size);
}
