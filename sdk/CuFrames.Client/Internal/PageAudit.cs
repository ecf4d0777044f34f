using System.Numerics;
using System.Runtime.InteropServices;
using CuFrames.Protocol;

namespace CuFrames.Client.Internal;

/// <summary>Judges a subscriber's page (docs/protocol.md 5.2). Pure: it sees copies only and never fails.</summary>
internal static class PageAudit
{
    /// <summary>Bytes of a page that are judged.</summary>
    public const int SnapshotSize = SubscriberPageLayout.Size;

    /// <summary>Judges two copies of a page, taken one after the other.</summary>
    /// <param name="first">The first copy.</param>
    /// <param name="second">The second copy. A lease that both show was held all the time between them, so leases that both show
    /// were held at once; a subscriber that exchanges one frame for another meanwhile is not blamed.</param>
    /// <param name="head">The newest sequence, read after both copies.</param>
    /// <param name="granted">Leases granted.</param>
    /// <param name="lastCursor">The cursor at the audit before; replaced by the one now.</param>
    /// <param name="text">What is wrong.</param>
    /// <returns><see cref="ErrorCode.None"/>, <see cref="ErrorCode.PageInvalid"/> or <see cref="ErrorCode.LeaseQuotaExceeded"/>.</returns>
    public static ErrorCode Check(
        ReadOnlySpan<byte> first, ReadOnlySpan<byte> second, ulong head, int granted, ref ulong lastCursor, out string text)
    {
        ulong cursor = MemoryMarshal.Read<ulong>(second[SubscriberPageLayout.CursorOffset..]);
        if (cursor > head || cursor < lastCursor)
        {
            text = $"The page's cursor is {cursor}; it was {lastCursor} and the newest frame is {head}.";
            return ErrorCode.PageInvalid;
        }

        lastCursor = cursor;
        int held = 0;
        for (int slot = 0; slot < ControlBlockLayout.SlotCapacity; slot++)
        {
            ulong before = MemoryMarshal.Read<ulong>(first[SubscriberPageLayout.LeaseOffset(slot)..]);
            ulong now = MemoryMarshal.Read<ulong>(second[SubscriberPageLayout.LeaseOffset(slot)..]);
            ulong sequence = now & ~SubscriberPageLayout.EventPending;
            if (sequence > head || (sequence == 0 && now != 0))
            {
                text = $"The page's lease word {slot} is {now}; the newest frame is {head}.";
                return ErrorCode.PageInvalid;
            }

            if (now != 0 && now == before)
            {
                held++;
            }
        }

        if (held > granted)
        {
            text = $"{held} frames are held at once and {granted} were granted. Release frames sooner, or ask for more leases.";
            return ErrorCode.LeaseQuotaExceeded;
        }

        text = "";
        return ErrorCode.None;
    }

    /// <summary>Copies a page word by word, each word whole.</summary>
    public static unsafe void Copy(SubscriberPage page, Span<byte> snapshot)
    {
        Span<ulong> words = MemoryMarshal.Cast<byte, ulong>(snapshot[..SnapshotSize]);
        for (int i = 0; i < words.Length; i++)
        {
            words[i] = Volatile.Read(ref ((ulong*)page.Address)[i]);
        }
    }

    /// <summary>Mask of the slots that a copy of a page holds.</summary>
    public static ulong HeldSlots(ReadOnlySpan<byte> snapshot)
    {
        ulong mask = 0;
        for (int slot = 0; slot < ControlBlockLayout.SlotCapacity; slot++)
        {
            if (MemoryMarshal.Read<ulong>(snapshot[SubscriberPageLayout.LeaseOffset(slot)..]) != 0)
            {
                mask |= 1UL << slot;
            }
        }

        return mask;
    }

    /// <summary>How many slots a mask names.</summary>
    public static int Count(ulong mask) => BitOperations.PopCount(mask);
}
