using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using CuFrames.Client.Internal;
using CuFrames.Interop;
using CuFrames.Protocol;
using CuFrames.Protocol.Messages;
using static CuFrames.Fuzz.BrokenInvariantException;

namespace CuFrames.Fuzz.Targets;

/// <summary>
/// A subscriber takes frames from a hostile publisher's control block, by the very code that users run (StreamConnection). The block and the page end
/// at memory that nobody may touch. The input is a head of 11 bytes and a script that patches a sound block.
/// </summary>
internal sealed unsafe class ControlBlockTarget : FuzzTarget
{
    private const int HeadSize = 11;
    private const ulong Epoch = 0xFEDCBA9876543210;
    private const int Granted = 2;
    private const int Slots = 8;
    private const ulong SoundHead = 1000;

    private static readonly (uint Id, long Size)[] Segments = [(1, 65536), (2, 1 << 20)];

    private readonly GuardedMemory _block = new(ControlBlockLayout.Size);
    private readonly GuardedMemory _page = new(SubscriberPageLayout.FileSize);
    private readonly byte[] _sound = SoundBlock();
    private readonly MemoryMapping _unused;
    private readonly List<MemoryMapping> _segments = [];
    private readonly StreamConnection _connection;
    private readonly FrameLease[] _held = new FrameLease[Granted];
    private (UnixSocket Near, UnixSocket Far) _sockets = UnixSocket.CreatePair();

    public ControlBlockTarget()
    {
        _sound.CopyTo(_block.Bytes);
        _unused = MapNew(SubscriberPageLayout.FileSize);
        WelcomeMessage welcome = new() { Epoch = Epoch, Key = "fuzz", SubscriberId = 1, Delivery = Delivery.InOrder, Leases = Granted };
        using MemoryMapping block = MapNew(ControlBlockLayout.Size);
        _connection = Make(_sockets.Near, welcome, block, _unused, 0, 0);
        BlockOf(_connection) = new ControlBlock(_block.Address);
        PageOf(_connection) = new SubscriberPage(_page.Address);
        foreach ((uint id, long size) in Segments)
        {
            _segments.Add(MapNew(size));
            SegmentsOf(_connection).Add(new HostMappedSegment(id, _segments[^1]));
        }
    }

    public override string Name => "control-block";

    public override IEnumerable<byte[]> Seeds(TestVectors vectors)
    {
        for (byte shape = 0; shape < 16; shape++)
        {
            yield return Input(shape, SoundHead - 4, []);
        }

        byte[] wanted = new byte[ControlBlockLayout.Size];
        foreach (System.Text.Json.JsonElement vector in vectors.Of("control-blocks"))
        {
            _sound.CopyTo(wanted, 0);
            TestVectors.Bytes(vector).CopyTo(wanted, 0);
            yield return Input(1, SoundHead - 1, PatchScript.Difference(_sound, wanted));
        }

        foreach (System.Text.Json.JsonElement vector in vectors.Of("slots"))
        {
            _sound.CopyTo(wanted, 0);
            TestVectors.Bytes(vector).CopyTo(wanted, ControlBlockLayout.SlotOffset(SlotOf(SoundHead)));
            BinaryPrimitives.WriteUInt64LittleEndian(wanted.AsSpan(ControlBlockLayout.SlotOffset(SlotOf(SoundHead))), SoundHead);
            yield return Input(1, SoundHead - 1, PatchScript.Difference(_sound, wanted));
        }

        foreach (System.Text.Json.JsonElement vector in vectors.Of("index-entries"))
        {
            ulong sequence = TestVectors.UInt64(vector, "sequence");
            byte[] head = PatchScript.Of(ControlBlockLayout.HeadOffset, BitConverter.GetBytes(sequence));
            yield return Input(1, sequence - 1, [.. head, .. PatchScript.Of(ControlBlockLayout.IndexEntryOffset(sequence), TestVectors.Bytes(vector))]);
        }
    }

    public override void Mutate(InputBuffer input, FuzzRandom random, ReadOnlySpan<byte> other)
    {
        if (input.Length < HeadSize)
        {
            input.Set(other);
        }

        ulong sequence = SoundHead - (ulong)random.Below(Slots);
        int slot = ControlBlockLayout.SlotOffset(SlotOf(sequence));
        int picture = slot + SlotLayout.PictureOffset;
        switch (random.Below(16))
        {
            case 0:
                input.Write(0, 1, random.Next());
                break;
            case 1:
                input.ChangeNumber(2, 8, random);
                break;
            case 2:
                input.Write(2, 8, SoundHead - (ulong)random.Below(140));
                break;
            case 3:
                input.ChangeAnywhere(random, other);
                break;
            case 4:
                PatchScript.Mutate(input, HeadSize, random, ControlBlockLayout.HeadOffset, 8,
                    random.OneIn(2) ? random.Interesting() : SoundHead + (ulong)random.Below(300) - 150);
                break;
            case 5:
                PatchScript.Mutate(input, HeadSize, random, ControlBlockLayout.ControlMessagesOffset, 4, random.Next());
                break;
            case 6:
                PatchScript.Mutate(input, HeadSize, random, random.Below(16) * 8, random.OneIn(2) ? 4 : 8, random.Interesting());
                break;
            case 7:
                ulong named = random.OneIn(2) ? sequence : random.Interesting();
                PatchScript.Mutate(input, HeadSize, random, ControlBlockLayout.IndexEntryOffset(named), 8, (named << 8) | (byte)random.Next());
                break;
            case 8:
                PatchScript.Mutate(input, HeadSize, random, ControlBlockLayout.IndexEntryOffset(sequence), 8, random.Interesting());
                break;
            case 9:
                PatchScript.Mutate(input, HeadSize, random, slot, 8, random.OneIn(2) ? 0 : random.Interesting());
                break;
            case 10:
                PatchScript.Mutate(input, HeadSize, random, slot + SlotLayout.SegmentIdOffset, 4, (ulong)random.Below(4));
                break;
            case 11:
                PatchScript.Mutate(input, HeadSize, random, picture + PictureLayout.PixelFormatOffset, 4, PictureJudge.Formats[random.Below(PictureJudge.Formats.Length)]);
                break;
            case 12:
                PatchScript.Mutate(input, HeadSize, random, picture + (random.Below(6) * 4), 4, random.Interesting());
                break;
            default:
                bool isOffset = random.OneIn(2);
                ulong value = random.OneIn(3) ? random.Interesting() : 64 * (ulong)random.Below(1200);
                PatchScript.Mutate(input, HeadSize, random,
                    picture + (isOffset ? PictureLayout.Plane0OffsetOffset + (random.Below(4) * 8) : PictureLayout.Plane0PitchOffset + (random.Below(4) * 4)),
                    isOffset ? 8 : 4, value);
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
        PatchScript.Apply(script, _block.Bytes);
        CheckHeader(outcomes);
        Take(isNewest: (input[0] & 1) != 0, takes: 1 + ((input[0] >> 1) & 3), isHolding: (input[0] & 8) != 0,
            BinaryPrimitives.ReadUInt64LittleEndian(input[2..]), outcomes);
        PatchScript.Revert(script, _block.Bytes, _sound);
    }

    public override void Dispose()
    {
        _sockets.Near.Dispose();
        _sockets.Far.Dispose();
        _unused.Dispose();
        _segments.ForEach(segment => segment.Dispose());
        _block.Dispose();
        _page.Dispose();
        base.Dispose();
    }

    private static int SlotOf(ulong sequence) => (int)(sequence % Slots);

    private void CheckHeader(OutcomeMap outcomes)
    {
        // Only what 4.1 names: from magic to epoch.
        bool isSound = _block.Bytes[..(ControlBlockLayout.EpochOffset + 8)].SequenceEqual(_sound.AsSpan(0, ControlBlockLayout.EpochOffset + 8));
        string? fault = ControlBlock.FindFault(_block.Bytes[..ControlBlockLayout.FutexWordOffset], Epoch);
        Require(isSound == (fault is null), $"The header of the control block was misjudged: {fault ?? "accepted"}");
        outcomes.Add(0x9000, fault ?? "");
    }

    private void Take(bool isNewest, int takes, bool isHolding, ulong cursor, OutcomeMap outcomes)
    {
        Begin(cursor);
        int held = 0;
        try
        {
            for (int take = 0; take < takes; take++)
            {
                ulong before = _connection.Cursor;
                FrameLease? lease = _connection.TryTake(isNewest);
                CheckLeaseWords(lease, held);
                if (lease is null)
                {
                    outcomes.Add(0x9100 + (int)_connection.State);
                    break;
                }

                CheckTaken(lease, before);
                outcomes.Add(0x9200 + Math.Min(take, 3) + ((int)((uint)lease.Picture.PixelFormat % 61) << 2));
                if (isHolding)
                {
                    _held[held++] = lease;
                }
                else
                {
                    _connection.Release(lease, lease.Sequence);
                    CheckLeaseWords(null, held);
                }
            }
        }
        catch (ProtocolException error) when (error.Code is ErrorCode.FrameInvalid or ErrorCode.ProtocolError or ErrorCode.ControlBlockInvalid)
        {
            Require(_connection.State == ConnectionState.Disconnected, "A connection lives on after its publisher broke the protocol.");
            CheckLeaseWords(null, held);
            outcomes.Add(0x9300 + (int)error.Code, error.Message);
        }
        catch (CuFramesException error) when (error.Code == ErrorCode.LeasesExhausted)
        {
            Require(held == Granted, "Leases were exhausted before their time.");
            outcomes.Add(0x9400);
        }

        while (held > 0)
        {
            FrameLease lease = _held[--held];
            _connection.Release(lease, lease.Sequence);
        }

        CheckLeaseWords(null, 0);
    }

    /// <summary>Makes the connection as it was after WELCOME.</summary>
    private void Begin(ulong cursor)
    {
        if (_connection.State != ConnectionState.Active)
        {
            // The one before was shut down.
            _sockets.Near.Dispose();
            _sockets.Far.Dispose();
            _sockets = UnixSocket.CreatePair();
            SocketOf(_connection) = _sockets.Near;
            StateOf(_connection) = (int)ConnectionState.Active;
        }

        _page.Bytes[..SubscriberPageLayout.Size].Clear();
        CursorOf(_connection) = cursor;
        SeenOf(_connection) = 0;
    }

    /// <summary>What a reader touches lies in a segment that was announced, and the frame is the one it says.</summary>
    private void CheckTaken(FrameLease lease, ulong before)
    {
        ulong sequence = lease.Sequence;
        ReadOnlySpan<byte> block = _block.Bytes;
        ulong head = BinaryPrimitives.ReadUInt64LittleEndian(block[136..]);
        Require(sequence > before && sequence <= head && sequence < 1UL << 56, $"Frame {sequence} was taken after {before} while {head} was the newest.");
        Require(lease.Slot is >= 0 and < 64, $"Slot {lease.Slot} was leased.");
        Require(BinaryPrimitives.ReadUInt64LittleEndian(block[(256 + (int)(sequence & 127) * 8)..]) == ((sequence << 8) | (uint)lease.Slot), "The index does not name this frame.");
        ReadOnlySpan<byte> slot = block.Slice(1280 + (lease.Slot * 256), 256);
        Require(BinaryPrimitives.ReadUInt64LittleEndian(slot) == sequence, "The slot does not hold this frame.");
        uint id = BinaryPrimitives.ReadUInt32LittleEndian(slot[8..]);
        (uint Id, long Size) segment = Array.Find(Segments, candidate => candidate.Id == id);
        Require(segment.Id == id && lease.Segment!.Id == id, $"The frame lies in segment {id}, which was not announced.");
        Require(PictureJudge.IsSound(slot[128..], (ulong)segment.Size), "A picture that reaches out of its segment was handed out.");
        Picture picture = lease.Picture;
        Require(new ReadOnlySpan<byte>(&picture, 88).SequenceEqual(slot.Slice(128, 88)), "Another picture was handed out.");
        Require(lease.Missed == sequence - before - 1, "The count of missed frames is wrong.");
        Require(_connection.Cursor == sequence && new SubscriberPage(_page.Address).Cursor == sequence, "The cursor is not the frame that was taken.");
        Require(_connection.IsValid(lease, sequence), "A frame that was just taken is not valid.");
    }

    /// <summary>Lease words are set for frames that are held, and for nothing else.</summary>
    private void CheckLeaseWords(FrameLease? taken, int held)
    {
        for (int slot = 0; slot < ControlBlockLayout.SlotCapacity; slot++)
        {
            ulong word = BinaryPrimitives.ReadUInt64LittleEndian(_page.Bytes[(128 + (slot * 8))..]);
            if (word != 0)
            {
                bool isHeld = taken?.Slot == slot && taken.Sequence == word;
                for (int i = 0; i < held; i++)
                {
                    isHeld |= _held[i].Slot == slot && _held[i].Sequence == word;
                }

                Require(isHeld, $"Lease word {slot} says {word}, and no such frame is held.");
            }
        }
    }

    private static byte[] SoundBlock()
    {
        byte[] bytes = new byte[ControlBlockLayout.Size];
        fixed (byte* address = bytes)
        {
            ControlBlock block = new(address);
            block.Initialise(Epoch);
            block.State = StreamState.Live;
            block.SegmentGeneration = 1;
            for (ulong sequence = SoundHead - Slots + 1; sequence <= SoundHead; sequence++)
            {
                // In one segment pictures of one plane, in the other one of two.
                uint id = 1 + (uint)(sequence & 1);
                Picture picture = Picture.Create(id == 1 ? PixelFormat.Gray8 : PixelFormat.Nv12, 100, 60, out long size);
                for (int plane = 0; plane < picture.PlaneCount; plane++)
                {
                    picture.PlaneOffset[plane] += (ulong)((SlotOf(sequence) / 2) * size);
                }

                block.WriteDescriptor(SlotOf(sequence), id, 1, default, picture);
                block.SetSlotState(SlotOf(sequence), sequence);
                block.SetIndexEntry(sequence, SlotOf(sequence));
            }

            block.Head = SoundHead;
        }

        return bytes;
    }

    private static MemoryMapping MapNew(long size)
    {
        using FileDescriptor file = MemoryFile.Create("cuframes-fuzz", size);
        return MemoryMapping.Map(file, size, MappingAccess.ReadWrite);
    }

    private static byte[] Input(byte shape, ulong cursor, byte[] script) => [shape, 0, .. BitConverter.GetBytes(cursor), 0, .. script];

    // The handshake needs a publisher in another thread; what is tried here begins after it.
    [UnsafeAccessor(UnsafeAccessorKind.Constructor)]
    private static extern StreamConnection Make(
        UnixSocket socket, WelcomeMessage welcome, MemoryMapping controlMapping, MemoryMapping pageMapping, ulong previousEpoch, ulong previousCursor);

    [UnsafeAccessor(UnsafeAccessorKind.Field, Name = "_socket")]
    private static extern ref UnixSocket SocketOf(SubscriberConnection connection);

    [UnsafeAccessor(UnsafeAccessorKind.Field, Name = "_block")]
    private static extern ref ControlBlock BlockOf(StreamConnection connection);

    [UnsafeAccessor(UnsafeAccessorKind.Field, Name = "_page")]
    private static extern ref SubscriberPage PageOf(SubscriberConnection connection);

    [UnsafeAccessor(UnsafeAccessorKind.Field, Name = "_segments")]
    private static extern ref List<MappedSegment> SegmentsOf(StreamConnection connection);

    [UnsafeAccessor(UnsafeAccessorKind.Field, Name = "_state")]
    private static extern ref int StateOf(SubscriberConnection connection);

    [UnsafeAccessor(UnsafeAccessorKind.Field, Name = "_cursor")]
    private static extern ref ulong CursorOf(SubscriberConnection connection);

    [UnsafeAccessor(UnsafeAccessorKind.Field, Name = "_seenControlMessages")]
    private static extern ref uint SeenOf(SubscriberConnection connection);
}
