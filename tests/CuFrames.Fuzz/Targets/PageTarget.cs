using System.Buffers.Binary;
using CuFrames.Client.Internal;
using CuFrames.Interop;
using CuFrames.Protocol;
using static CuFrames.Fuzz.BrokenInvariantException;

namespace CuFrames.Fuzz.Targets;

/// <summary>
/// A publisher looks at the pages of hostile subscribers: PageAudit judges two copies of one, SlotRing chooses slots under the eyes of two. The input
/// is a head of 12 bytes and a script that patches both.
/// </summary>
internal sealed unsafe class PageTarget : FuzzTarget
{
    private const int HeadSize = 12;
    private const int PageSize = SubscriberPageLayout.Size;
    private const int RingSlots = 8;
    private const int Picks = 4;

    private readonly GuardedMemory _first = new(PageSize);
    private readonly GuardedMemory _second = new(PageSize);
    private readonly GuardedMemory _block = new(ControlBlockLayout.Size);
    private readonly byte[] _pages = new byte[2 * PageSize];
    private readonly byte[] _sound;
    private readonly SubscriberTable _table = new();
    private readonly SubscriberSession[] _sessions;
    private readonly List<UnixSocket> _sockets = [];
    private readonly HostSegment _segment;
    private readonly Picture _picture;
    private readonly long _slotSize;

    public PageTarget()
    {
        _sound = SoundPages();
        _sound.CopyTo(_pages, 0);
        _picture = Picture.Create(PixelFormat.Gray8, 16, 16, out _slotSize);
        _segment = HostSegment.Create(1, 1, RingSlots * _slotSize, RingSlots);
        _segment.SlotCount = RingSlots;
        _sessions = [MakeSession(_first), MakeSession(_second)];
    }

    public override string Name => "page";

    public override IEnumerable<byte[]> Seeds(TestVectors vectors)
    {
        byte[] wanted = new byte[2 * PageSize];
        foreach (System.Text.Json.JsonElement vector in vectors.Of("subscriber-pages"))
        {
            byte[] page = TestVectors.Bytes(vector);
            page.CopyTo(wanted, 0);
            page.CopyTo(wanted, PageSize);
            yield return Input((byte)vector.GetProperty("granted").GetInt32(), 5, (ushort)TestVectors.UInt64(vector, "head"),
                TestVectors.UInt64(vector, "previous_cursor"), PatchScript.Difference(_sound, wanted));
        }

        yield return Input(2, 12, 100, 0, []);
        yield return Input(2, 0x4C, 100, 0, []);
    }

    public override void Mutate(InputBuffer input, FuzzRandom random, ReadOnlySpan<byte> other)
    {
        if (input.Length < HeadSize)
        {
            input.Set(other);
        }

        switch (random.Below(12))
        {
            case 0:
                input.Write(0, 1, (ulong)random.Below(68));
                break;
            case 1:
                input.Write(1, 1, random.Next());
                break;
            case 2:
                input.ChangeNumber(2, 2, random);
                break;
            case 3:
                input.ChangeNumber(4, 8, random);
                break;
            case 4:
                input.ChangeAnywhere(random, other);
                break;
            default:
                int page = random.Below(2) * PageSize;
                (int offset, int size) = random.Below(10) switch
                {
                    0 => (SubscriberPageLayout.CursorOffset, 8),
                    1 => (random.Below(PageSize / 8) * 8, 8),
                    2 => (SubscriberPageLayout.WaitingOffset, 4),
                    3 => (SubscriberPageLayout.LeaseOffset(random.Below(64)), 8),
                    _ => (SubscriberPageLayout.LeaseOffset(random.Below(RingSlots)), 8),
                };
                ulong value = random.Below(6) switch
                {
                    0 => 0,
                    1 => random.Interesting(),
                    2 => (ulong)random.Below(20),
                    3 => SubscriberPageLayout.EventPending + (ulong)random.Below(20),
                    _ => input.Read(2, 2) - (ulong)random.Below(4) + (ulong)random.Below(4),
                };
                PatchScript.Mutate(input, HeadSize, random, page + offset, size, value);
                if (random.OneIn(2))
                {
                    // In both copies: held all the time.
                    PatchScript.Mutate(input, HeadSize, random, PageSize - page + offset, size, value);
                }

                break;
        }
    }

    public override void Run(ReadOnlySpan<byte> input, OutcomeMap outcomes)
    {
        if (input.Length < HeadSize)
        {
            return;
        }

        ReadOnlySpan<byte> script = input[HeadSize..];
        PatchScript.Apply(script, _pages);
        Audit(input[0], BinaryPrimitives.ReadUInt16LittleEndian(input[2..]), BinaryPrimitives.ReadUInt64LittleEndian(input[4..]), outcomes);
        ChooseSlots(input[1], outcomes);
        PatchScript.Revert(script, _pages, _sound);
    }

    public override void Dispose()
    {
        _segment.Dispose();
        _sockets.ForEach(socket => socket.Dispose());
        _first.Dispose();
        _second.Dispose();
        _block.Dispose();
        base.Dispose();
    }

    private void Audit(int granted, ulong head, ulong lastCursor, OutcomeMap outcomes)
    {
        ReadOnlySpan<byte> first = _pages.AsSpan(0, PageSize), second = _pages.AsSpan(PageSize);
        ulong cursor = lastCursor;
        ErrorCode found = PageAudit.Check(first, second, head, granted, ref cursor, out string text);

        // Paragraph 5.2, word by word.
        ulong now = BinaryPrimitives.ReadUInt64LittleEndian(second[24..]);
        bool isInvalid = now > head || now < lastCursor;
        int held = 0;
        ulong mask = 0;
        for (int slot = 0; slot < 64; slot++)
        {
            ulong before = BinaryPrimitives.ReadUInt64LittleEndian(first[(128 + (8 * slot))..]);
            ulong after = BinaryPrimitives.ReadUInt64LittleEndian(second[(128 + (8 * slot))..]);
            ulong sequence = after & 0x7FFFFFFFFFFFFFFF;
            isInvalid |= after != 0 && (sequence == 0 || sequence > head);
            held += after != 0 && after == before ? 1 : 0;
            mask |= after != 0 ? 1UL << slot : 0;
        }

        ErrorCode expected = isInvalid ? ErrorCode.PageInvalid : held > granted ? ErrorCode.LeaseQuotaExceeded : ErrorCode.None;
        Require(found == expected, $"PageAudit said {found} where {expected} was right: {text}");
        Require((found == ErrorCode.None) == (text.Length == 0), "PageAudit gave a verdict without a sentence, or a sentence without a verdict.");
        Require(found != ErrorCode.None || cursor == now, "PageAudit did not keep the cursor of a sound page.");
        Require(PageAudit.HeldSlots(second) == mask, "PageAudit.HeldSlots named other slots.");
        outcomes.Add(0x8000 + (int)found, text);
        outcomes.Add(0x8100 + Math.Min(held, 10));
    }

    /// <summary>Publishes a few frames with both pages empty, then shows the hostile ones and lets the ring choose.</summary>
    private void ChooseSlots(byte shape, OutcomeMap outcomes)
    {
        _first.Bytes.Clear();
        _second.Bytes.Clear();
        _block.Bytes.Clear();
        ControlBlock block = new(_block.Address);
        SlotRing ring = new(block, _table);
        ring.AddSlots(_segment, _picture, _slotSize);
        _sessions[0].Delivery = (shape & 0x20) != 0 ? Delivery.Lossless : Delivery.Newest;
        _sessions[1].Delivery = (shape & 0x40) != 0 ? Delivery.Lossless : Delivery.InOrder;
        for (int frame = shape & 0x1F; frame > 0; frame--)
        {
            // A lossless reader that has taken everything.
            new SubscriberPage(_first.Address).Cursor = new SubscriberPage(_second.Address).Cursor = ring.Head;
            int slot = ring.Pick();
            Require(slot is >= 0 and < RingSlots, "No slot was free while nobody held one.");
            ring.Publish(slot, default);
        }

        _pages.AsSpan(0, PageSize).CopyTo(_first.Bytes);
        _pages.AsSpan(PageSize).CopyTo(_second.Bytes);
        Span<ulong> before = stackalloc ulong[RingSlots];
        for (int pick = 0; pick < Picks; pick++)
        {
            int expected = -1;
            for (int slot = 0; slot < RingSlots; slot++)
            {
                before[slot] = block.SlotState(slot);
                if ((before[slot] == 0 || (before[slot] != ring.Head && !IsInTheWay(slot, before[slot]))) && (expected < 0 || before[slot] < before[expected]))
                {
                    expected = slot;
                }
            }

            int found = ring.Pick();
            Require(found == expected, $"SlotRing chose slot {found} where {expected} was right.");
            for (int slot = 0; slot < RingSlots; slot++)
            {
                Require(block.SlotState(slot) == (slot == found ? 0 : before[slot]), $"Choosing a slot changed slot {slot}.");
            }

            outcomes.Add(0x8200 + (Math.Min(found + 1, 2) << 4) + (ring.MetCursor ? 1 : 0) + (ring.Blocker is null ? 0 : 2) + (found >= 0 && before[found] == 0 ? 4 : 0));
            if (found < 0)
            {
                return;
            }

            ring.Publish(found, default);
        }
    }

    private bool IsInTheWay(int slot, ulong sequence) => _sessions.Any(session =>
    {
        ReadOnlySpan<byte> page = ReferenceEquals(session, _sessions[0]) ? _first.Bytes : _second.Bytes;
        return BinaryPrimitives.ReadUInt64LittleEndian(page[(128 + (8 * slot))..]) != 0 ||
            (session.Delivery == Delivery.Lossless && BinaryPrimitives.ReadUInt64LittleEndian(page[24..]) < sequence);
    });

    private SubscriberSession MakeSession(GuardedMemory page)
    {
        (UnixSocket near, UnixSocket far) = UnixSocket.CreatePair();
        _sockets.AddRange([near, far]);

        // Nothing of what is tried here asks the server.
        SubscriberSession session = new(null!, near, 0) { Page = new SubscriberPage(page.Address) };
        _table.Add(session);
        return session;
    }

    private static byte[] SoundPages()
    {
        byte[] pages = new byte[2 * PageSize];
        foreach (int at in (int[])[0, PageSize])
        {
            BinaryPrimitives.WriteUInt64LittleEndian(pages.AsSpan(at), Wire.SubscriberPageMagic);
            BinaryPrimitives.WriteUInt64LittleEndian(pages.AsSpan(at + SubscriberPageLayout.SubscriberIdOffset), 1);
        }

        return pages;
    }

    private static byte[] Input(byte granted, byte shape, ushort head, ulong lastCursor, byte[] script) =>
        [granted, shape, .. BitConverter.GetBytes(head), .. BitConverter.GetBytes(lastCursor), .. script];
}
