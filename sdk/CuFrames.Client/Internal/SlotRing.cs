using System.Numerics;
using System.Runtime.Intrinsics.X86;
using CuFrames.Protocol;

namespace CuFrames.Client.Internal;

/// <summary>
/// The publisher's side of the lease protocol (docs/protocol.md 6.5). All fields belong to the publishing thread.
/// </summary>
/// <remarks>
/// Picking a slot, with its cost for n subscribers and s slots:
/// 1. Enter the table of subscribers: one locked increment.
/// 2. Find the writable slot with the smallest sequence, never that of the newest frame: s loads.
/// 3. An empty slot is ours: nobody can hold it, because its state is zero and was zero when the last scan found no lease.
/// 4. Look at the leases and, for lossless subscribers, at the cursors, without a fence: n loads. A slot that is held is left untouched, so
///    that its other readers do not see it vanish for a moment.
/// 5. <c>state :=</c> examined, then a full fence.
/// 6. Read the table of subscribers again, then their lease words: n loads. A subscriber sets its lease word, then a full fence, then reads
///    the state; so either it sees our mark and lets go, or we see its lease here and put the state back. Else <c>state := 0</c>.
///    The mark keeps the sequence, so that readers who hold the frame do not take it for lost in the moment between.
///    A lease that the subscriber has released to its GPU (EVENT) costs a query of the driver in addition, which waits for nothing.
///    The table is read behind the fence because a subscriber that joined in between may have leased the slot.
/// 7. Leave the table: one plain store.
/// The model in tests/model checks steps 5 and 6.
/// </remarks>
internal sealed class SlotRing(ControlBlock block, SubscriberTable table)
{
    private readonly ulong[] _sequence = new ulong[ControlBlockLayout.SlotCapacity];
    private readonly Segment?[] _segment = new Segment?[ControlBlockLayout.SlotCapacity];
    private readonly Picture[] _picture = new Picture[ControlBlockLayout.SlotCapacity];
    private readonly uint[] _generation = new uint[ControlBlockLayout.SlotCapacity];

    // Slots that new frames may go to, and slots that are only emptied. The others are free entries of the table.
    private ulong _writable;
    private ulong _draining;

    public ulong Head { get; private set; }

    public int WritableCount => BitOperations.PopCount(_writable);

    public int FreeEntries => ControlBlockLayout.SlotCapacity - BitOperations.PopCount(_writable | _draining);

    public bool HasDraining => _draining != 0;

    /// <summary>Whether the last pick met a frame that a lossless subscriber has not taken yet.</summary>
    public bool MetCursor { get; private set; }

    /// <summary>Who stood in the way of the oldest slot at the last pick that failed.</summary>
    public SubscriberSession? Blocker { get; private set; }

    public Segment SegmentOf(int slot) => _segment[slot]!;

    public ref readonly Picture PictureOf(int slot) => ref _picture[slot];

    /// <summary>Takes entries of the table for a segment's slots.</summary>
    public void AddSlots(Segment segment, in Picture layout, long slotSize)
    {
        int index = 0;
        for (int slot = 0; slot < ControlBlockLayout.SlotCapacity && index < segment.SlotCount; slot++)
        {
            ulong bit = 1UL << slot;
            if (((_writable | _draining) & bit) != 0)
            {
                continue;
            }

            Picture picture = layout;
            for (int plane = 0; plane < picture.PlaneCount; plane++)
            {
                picture.PlaneOffset[plane] += (ulong)(index * slotSize);
            }

            _picture[slot] = picture;
            _segment[slot] = segment;
            _sequence[slot] = 0;
            _generation[slot] = segment.Description.Generation;
            _writable |= bit;
            index++;
        }
    }

    /// <summary>Empties all slots and forgets them. Nobody holds a frame and nobody joins meanwhile.</summary>
    public void Clear()
    {
        for (ulong slots = _writable | _draining; slots != 0; slots &= slots - 1)
        {
            int slot = BitOperations.TrailingZeroCount(slots);
            block.SetSlotState(slot, 0);
            _segment[slot]!.SlotCount = 0;
            _segment[slot] = null;
        }

        (_writable, _draining) = (0, 0);
    }

    /// <summary>No new frame goes to these slots any more.</summary>
    public void DrainAll()
    {
        for (ulong slots = _writable; slots != 0; slots &= slots - 1)
        {
            _segment[BitOperations.TrailingZeroCount(slots)]!.IsDraining = true;
        }

        _draining |= _writable;
        _writable = 0;
    }

    /// <summary>No new frame goes to a segment's slots any more.</summary>
    public void Drain(Segment segment)
    {
        segment.IsDraining = true;
        for (ulong slots = _writable; slots != 0; slots &= slots - 1)
        {
            int slot = BitOperations.TrailingZeroCount(slots);
            if (ReferenceEquals(_segment[slot], segment))
            {
                _writable &= ~(1UL << slot);
                _draining |= 1UL << slot;
            }
        }
    }

    /// <summary>Finds a slot to write into and empties it.</summary>
    /// <returns>The slot, or -1 when every slot is held.</returns>
    public int Pick()
    {
        MetCursor = false;
        Blocker = null;
        table.Enter();
        int slot = TakeOldest(_writable);
        table.Exit();
        return slot;
    }

    /// <summary>Empties the oldest of the slots that are draining, if nobody holds it.</summary>
    /// <returns>The segment that has no slot left now, to be retired; null if there is none.</returns>
    public Segment? DrainOne()
    {
        table.Enter();
        int slot = TakeOldest(_draining);
        table.Exit();
        if (slot < 0)
        {
            return null;
        }

        Segment segment = _segment[slot]!;
        _draining &= ~(1UL << slot);
        _segment[slot] = null;
        return --segment.SlotCount == 0 ? segment : null;
    }

    /// <summary>Makes the frame in a slot the newest: steps 5 to 7 of 6.5. The descriptor and the pixels are complete.</summary>
    public void Publish(int slot, in FrameMetadata metadata)
    {
        ulong sequence = Head + 1;
        block.WriteDescriptor(slot, _segment[slot]!.Id, _generation[slot], metadata, _picture[slot]);
        block.SetSlotState(slot, sequence);
        block.SetIndexEntry(sequence, slot);
        block.Head = sequence;
        _sequence[slot] = sequence;
        Head = sequence;
    }

    private int TakeOldest(ulong candidates)
    {
        while (true)
        {
            int oldest = -1;
            ulong oldestSequence = ulong.MaxValue;
            for (ulong slots = candidates; slots != 0; slots &= slots - 1)
            {
                int slot = BitOperations.TrailingZeroCount(slots);
                ulong sequence = _sequence[slot];
                if (sequence < oldestSequence && (sequence != Head || sequence == 0))
                {
                    oldest = slot;
                    oldestSequence = sequence;
                }
            }

            if (oldest < 0 || oldestSequence == 0)
            {
                return oldest;
            }

            if (!IsInUse(oldest, oldestSequence))
            {
                block.ExamineSlot(oldest, oldestSequence);
                Interlocked.MemoryBarrier();
                if (!IsLeased(oldest))
                {
                    block.SetSlotState(oldest, 0);
                    if (!X86Base.IsSupported)
                    {
                        // The zero is out before the first pixel: an evicted reader's last check depends on it. On x86 stores keep their order.
                        Interlocked.MemoryBarrier();
                    }

                    _sequence[oldest] = 0;
                    return oldest;
                }

                block.SetSlotState(oldest, oldestSequence);
            }

            candidates &= ~(1UL << oldest);
        }
    }

    private bool IsInUse(int slot, ulong sequence)
    {
        if (FaultInjection.SkipLeaseScan)
        {
            return false;
        }

        foreach (SubscriberSession session in table.Active)
        {
            bool isAhead = session.IsLossless && session.Page.Cursor < sequence;
            if (isAhead || session.Holds(slot))
            {
                MetCursor |= isAhead;
                Blocker ??= session;
                return true;
            }
        }

        return false;
    }

    private bool IsLeased(int slot)
    {
        if (FaultInjection.SkipLeaseScan)
        {
            return false;
        }

        foreach (SubscriberSession session in table.Active)
        {
            if (session.Holds(slot))
            {
                Blocker ??= session;
                return true;
            }
        }

        return table.IsClosed;
    }
}
