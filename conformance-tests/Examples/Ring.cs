using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using CuFrames.Conformance.Memory;
using CuFrames.Conformance.Spec;
using CuFrames.Interop;

namespace CuFrames.Conformance.Examples;

/// <summary>
/// The memory of an example publisher: control block, segments and the steps of 6.5. Small and plain, written from the
/// document, with faults to choose from. For one thread.
/// </summary>
internal sealed unsafe class Ring : IDisposable
{
    private const MemoryFileSeals Seals =
        MemoryFileSeals.Seal | MemoryFileSeals.Grow | MemoryFileSeals.Shrink | MemoryFileSeals.FutureWrite;

    // Longer than whoever looks once a millisecond is kept waiting on a busy machine.
    private const int HeadStartMilliseconds = 25;

    private readonly MemoryMapping _control;
    private readonly byte* _base;
    private readonly PublisherFault _fault;
    private readonly List<RingSegment> _segments = [];
    private uint _lastSegmentId;
    private PictureShape _shape;

    public Ring(PictureShape shape, int slots, PublisherFault fault = PublisherFault.None, MemoryFileSeals without = MemoryFileSeals.None)
    {
        _fault = fault;
        _shape = shape;
        Epoch = BitConverter.ToUInt64(RandomNumberGenerator.GetBytes(8)) | 1;
        ControlDescriptor = MemoryFile.Create("conformance-control", Layout.ControlBlock.Size);
        _control = MemoryMapping.Map(ControlDescriptor, Layout.ControlBlock.Size, MappingAccess.ReadWrite);
        _base = _control.Pointer;
        Control = new ControlBlock(_control);
        Set(Layout.ControlBlock.Magic, Layout.ControlBlock.MagicValue);
        Set(Layout.ControlBlock.LayoutVersion, 1u);
        Set(Layout.ControlBlock.SlotSize, (uint)Layout.Slot.Size);
        Set(Layout.ControlBlock.IndexEntrySize, 8u);
        Set(Layout.ControlBlock.SlotCapacity, (uint)Layout.ControlBlock.SlotCount);
        Set(Layout.ControlBlock.IndexCapacity, (uint)Layout.ControlBlock.IndexCount);
        Set(Layout.ControlBlock.TotalSize, (uint)Layout.ControlBlock.Size);
        Set(Layout.ControlBlock.IndexOffset, (uint)Layout.ControlBlock.Index);
        Set(Layout.ControlBlock.SlotsOffset, (uint)Layout.ControlBlock.Slots);
        Set(Layout.ControlBlock.Epoch, Epoch);
        Set(Layout.ControlBlock.SegmentGeneration, 1u);
        MemoryFileSeals seals = fault == PublisherFault.UnsealedControlBlock ? MemoryFileSeals.None : Seals & ~without;
        if (seals != MemoryFileSeals.None)
        {
            MemoryFile.AddSeals(ControlDescriptor, seals);
        }

        AddSegment(slots);
    }

    public ulong Epoch { get; }

    public FileDescriptor ControlDescriptor { get; }

    /// <summary>The control block as subscribers read it.</summary>
    public ControlBlock Control { get; }

    public IReadOnlyList<RingSegment> Segments => _segments;

    public PictureShape Shape => _shape;

    /// <summary>Slots of the current generation.</summary>
    public int SlotCount => CurrentSlots().Count();

    public ulong Head => Control.Head;

    public long MemoryBytes => _segments.Sum(segment => segment.Size);

    public uint Generation => Control.SegmentGeneration;

    /// <summary>Grows the ring of the current generation.</summary>
    public RingSegment AddSegment(int slots, MemoryFileSeals without = MemoryFileSeals.None)
    {
        var taken = _segments.SelectMany(segment => segment.Slots).ToHashSet();
        int[] free = Enumerable.Range(0, Layout.ControlBlock.SlotCount).Where(slot => !taken.Contains(slot)).Take(slots).ToArray();
        if (_fault == PublisherFault.UnsealedSegment)
        {
            without = Seals;
        }

        var segment = new RingSegment(++_lastSegmentId, Generation, _shape, free, without);
        _segments.Add(segment);
        return segment;
    }

    /// <summary>Begins a new generation with another shape (6.10).</summary>
    public RingSegment ChangeFormat(PictureShape shape, int slots)
    {
        _shape = shape;
        Set(Layout.ControlBlock.SegmentGeneration, Generation + 1);
        return AddSegment(slots);
    }

    /// <summary>Gives all segments back (6.11). There is no subscriber.</summary>
    public void Rest()
    {
        foreach (RingSegment segment in _segments)
        {
            foreach (int slot in segment.Slots)
            {
                SetSlotState(slot, 0);
            }

            segment.Dispose();
        }

        _segments.Clear();
    }

    /// <summary>Runs the steps of 6.5 up to the wake.</summary>
    /// <param name="pages">Pages of the active subscribers.</param>
    /// <param name="holdsBack">Whether a lossless subscriber still needs the frame with this sequence.</param>
    /// <param name="alter">Changes the slot's 256 bytes before the frame is announced, for tests of subscribers.</param>
    /// <returns>The sequence; zero if no slot could be chosen.</returns>
    public ulong TryPublish(IReadOnlyCollection<SubscriberPage> pages, Func<ulong, bool>? holdsBack = null, Action<byte[]>? alter = null)
    {
        foreach (int slot in CurrentSlots().OrderBy(Control.SlotState).ToList())
        {
            ulong old = Control.SlotState(slot);
            if ((old == Head && old != 0) || HoldsBack(old, holdsBack) || !TryClaim(slot, old, pages))
            {
                continue;
            }

            ulong sequence = Head + 1;
            if (_fault == PublisherFault.SequenceGap && sequence % 5 == 0)
            {
                sequence++;
            }

            Write(slot, sequence, alter);
            return sequence;
        }

        return 0;
    }

    /// <summary>Empties the oldest slots of older generations and names the segments that have none left (6.10).</summary>
    public IReadOnlyList<RingSegment> CollectRetired(IReadOnlyCollection<SubscriberPage> pages)
    {
        List<RingSegment> retired = [];
        foreach (RingSegment segment in _segments.Where(segment => segment.Generation < Generation))
        {
            foreach (int slot in segment.Slots)
            {
                ulong old = Control.SlotState(slot);
                if (old != 0 && old != Head)
                {
                    _ = TryClaim(slot, old, pages);
                }
            }

            if (segment.Slots.All(slot => Control.SlotState(slot) == 0))
            {
                retired.Add(segment);
            }
        }

        foreach (RingSegment segment in retired)
        {
            _segments.Remove(segment);
        }

        return retired;
    }

    /// <summary>SHA-256 of the visible picture of a frame that is still there.</summary>
    public string Hash(ulong sequence)
    {
        int slot = (int)(Control.IndexEntry(sequence) & 0xFF);
        RingSegment segment = _segments.Find(candidate => candidate.Slots.Contains(slot))!;
        Picture? picture = Picture.Read(
            Control.CopySlot(slot).AsSpan(Layout.Slot.Picture, Layout.Picture.Size), (ulong)segment.Size, out string fault);
        return picture?.Hash(segment.Mapping.ReadOnlySlice) ?? throw new InvalidOperationException(fault);
    }

    public void CountControlMessage() => Set(Layout.ControlBlock.ControlMessages, Control.ControlMessages + 1);

    public void CountDropped() => Set(Layout.ControlBlock.Dropped, Control.Dropped + 1);

    /// <summary>Writes any word of the control block.</summary>
    public void Set(int offset, uint value) => Volatile.Write(ref *(uint*)(_base + offset), value);

    /// <summary>Writes any word of the control block.</summary>
    public void Set(int offset, ulong value) => Volatile.Write(ref *(ulong*)(_base + offset), value);

    public void SetSlotState(int slot, ulong value) =>
        Set(Layout.ControlBlock.Slots + (slot * Layout.Slot.Size) + Layout.Slot.State, value);

    public void SetIndexEntry(ulong sequence, ulong value) => Set(Layout.ControlBlock.Index + (8 * (int)(sequence & 127)), value);

    /// <summary>Announces a head (6.5, step 7).</summary>
    public void Announce(ulong sequence)
    {
        Set(Layout.ControlBlock.Head, sequence);
        Set(Layout.ControlBlock.FutexWord, Control.FutexValue + 1);
        Interlocked.MemoryBarrier();
    }

    public void Wake() => _ = Futex.Wake(Control.FutexWord, int.MaxValue);

    public void Dispose()
    {
        _segments.ForEach(segment => segment.Dispose());
        _control.Dispose();
        ControlDescriptor.Dispose();
    }

    /// <summary>Step 1 of 6.5: such a slot is not even examined, or its subscriber would find its frame gone for that moment.</summary>
    private bool HoldsBack(ulong old, Func<ulong, bool>? holdsBack) =>
        _fault != PublisherFault.NoLeaseCheck && old != 0 && holdsBack?.Invoke(old) == true;

    private IEnumerable<int> CurrentSlots() =>
        _segments.Where(segment => segment.Generation == Generation).SelectMany(segment => segment.Slots);

    /// <summary>Steps 2 and 3 of 6.5, and the zero of step 4.</summary>
    private bool TryClaim(int slot, ulong old, IReadOnlyCollection<SubscriberPage> pages)
    {
        const ulong examined = 1UL << 63;
        SetSlotState(slot, old == 0 ? 0 : old | examined);
        Interlocked.MemoryBarrier();
        bool held = pages.Any(page => page.GetLease(slot) != 0);
        if (held && _fault != PublisherFault.NoLeaseCheck)
        {
            SetSlotState(slot, old);
            return false;
        }

        SetSlotState(slot, 0);
        Interlocked.MemoryBarrier();
        return true;
    }

    private void Write(int slot, ulong sequence, Action<byte[]>? alter)
    {
        if (_fault == PublisherFault.HeadFirst)
        {
            Announce(sequence);
            Thread.Sleep(HeadStartMilliseconds); // The fault: long enough to be seen.
        }

        RingSegment segment = _segments.Find(candidate => candidate.Slots.Contains(slot))!;
        Span<byte> pixels = segment.Mapping.Slice(segment.OffsetOf(slot), (int)segment.Shape.SlotBytes);
        Fill(pixels, sequence ^ Epoch);
        byte[] descriptor = new byte[Layout.Slot.Size];
        BinaryPrimitives.WriteUInt32LittleEndian(descriptor.AsSpan(Layout.Slot.SegmentId), segment.Id);
        BinaryPrimitives.WriteUInt32LittleEndian(descriptor.AsSpan(Layout.Slot.SegmentGeneration), segment.Generation);
        Span<byte> meta = descriptor.AsSpan(Layout.Slot.Meta, Layout.FrameMeta.Size);
        BinaryPrimitives.WriteInt64LittleEndian(meta[Layout.FrameMeta.Pts..], (long)sequence * 20_000_000);
        BinaryPrimitives.WriteInt64LittleEndian(meta[Layout.FrameMeta.PublishTime..], MonotonicClock.NowNanoseconds);
        meta[Layout.FrameMeta.ColourMatrix] = 1;
        meta[Layout.FrameMeta.ColourRange] = 1;
        segment.Shape.Describe(segment.OffsetOf(slot)).CopyTo(descriptor.AsSpan(Layout.Slot.Picture));
        alter?.Invoke(descriptor);

        // The first eight bytes are the state, which comes last.
        descriptor.AsSpan(8).CopyTo(new Span<byte>(_base + Layout.ControlBlock.Slots + (slot * Layout.Slot.Size) + 8, Layout.Slot.Size - 8));
        Set(Layout.ControlBlock.State, Limits.StateLive);
        SetSlotState(slot, sequence);
        SetIndexEntry(sequence, (sequence << 8) | (uint)slot);
        if (_fault != PublisherFault.HeadFirst)
        {
            Announce(sequence);
        }
    }

    /// <summary>Fills memory, padding included, with numbers that differ from frame to frame.</summary>
    private static void Fill(Span<byte> bytes, ulong seed)
    {
        // splitmix64, of Steele, Lea and Flood: any seed will do.
        foreach (ref ulong word in MemoryMarshal.Cast<byte, ulong>(bytes))
        {
            seed += 0x9E3779B97F4A7C15;
            ulong mixed = (seed ^ (seed >> 30)) * 0xBF58476D1CE4E5B9;
            mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EB;
            word = mixed ^ (mixed >> 31);
        }
    }
}
