using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using CuFrames.Client;
using CuFrames.Client.Internal;
using CuFrames.Interop;
using CuFrames.Protocol;
using CuFrames.Protocol.Messages;
using static CuFrames.Fuzz.BrokenInvariantException;

namespace CuFrames.Fuzz.Targets;

/// <summary>
/// A subscriber takes packets from a hostile publisher's packet block, by the very code that users run (PacketConnection). Block and page end at memory
/// that nobody may touch. The input is a head of 2 bytes, how to start and how many to take, and a script that patches what describes packets in a sound
/// block: header and tracks, the heads of the parameter sets of two tracks, the index.
/// </summary>
internal sealed unsafe class PacketBlockTarget : FuzzTarget
{
    private const int HeadSize = 2;
    private const ulong Epoch = 0xFEDCBA9876543210;
    private const int IndexCapacity = 16;
    private const long ByteCapacity = 65536;
    private const int Tracks = 2;
    private const int Packets = 40;

    // The script's view of the block: these parts, one behind the other.
    private const int SetsAt = PacketBlockLayout.TrackTableOffset + (PacketBlockLayout.TrackCapacity * TrackLayout.Size);
    private const int SetHeadSize = TrackParametersLayout.ExtradataOffset;
    private const int IndexAt = SetsAt + (Tracks * PacketBlockLayout.ParametersCapacity * SetHeadSize);
    private const int ViewSize = IndexAt + (IndexCapacity * PacketDescriptorLayout.Size);

    private readonly GuardedMemory _block = new((int)PacketBlock.SizeOf(IndexCapacity, ByteCapacity));
    private readonly GuardedMemory _page = new(SubscriberPageLayout.FileSize);
    private readonly byte[] _sound = new byte[ViewSize];
    private readonly byte[] _view = new byte[ViewSize];
    private readonly ulong[] _missedOn = new ulong[PacketBlockLayout.TrackCapacity];
    private readonly MemoryMapping _unused;
    private readonly PacketConnection _connection;
    private (UnixSocket Near, UnixSocket Far) _sockets = UnixSocket.CreatePair();

    public PacketBlockTarget()
    {
        MakeSound();
        Gather(_sound);
        _sound.CopyTo(_view, 0);
        _unused = MapNew(SubscriberPageLayout.FileSize);
        PacketWelcomeMessage welcome = new() { Epoch = Epoch, Key = "fuzz", SubscriberId = 1 };
        _connection = Make(_sockets.Near, welcome, _unused, _unused, new PacketBlock(_block.Address, IndexCapacity, ByteCapacity), _missedOn);
        PageOf(_connection) = new SubscriberPage(_page.Address);
    }

    public override string Name => "packet-block";

    public override IEnumerable<byte[]> Seeds(TestVectors vectors)
    {
        for (byte start = 0; start < 4; start++)
        {
            yield return [start, 20];
        }

        byte[] wanted = new byte[ViewSize];
        foreach (System.Text.Json.JsonElement vector in vectors.Of("packet-descriptors"))
        {
            _sound.CopyTo(wanted, 0);
            TestVectors.Bytes(vector).CopyTo(wanted, IndexAt + (int)(TestVectors.UInt64(vector, "sequence") % IndexCapacity * PacketDescriptorLayout.Size));
            yield return [1, 20, .. PatchScript.Difference(_sound, wanted)];
        }

        foreach (System.Text.Json.JsonElement vector in vectors.Of("packet-blocks"))
        {
            _sound.CopyTo(wanted, 0);
            TestVectors.Bytes(vector).CopyTo(wanted, 0);
            yield return [1, 20, .. PatchScript.Difference(_sound, wanted)];
        }
    }

    public override void Mutate(InputBuffer input, FuzzRandom random, ReadOnlySpan<byte> other)
    {
        if (input.Length < HeadSize)
        {
            input.Set(other);
        }

        int entry = IndexAt + (random.Below(IndexCapacity) * PacketDescriptorLayout.Size);
        int set = SetsAt + (random.Below(Tracks * PacketBlockLayout.ParametersCapacity) * SetHeadSize);
        int track = PacketBlockLayout.TrackTableOffset + (random.Below(3) * TrackLayout.Size);
        switch (random.Below(16))
        {
            case 0:
                input.Write(0, 2, random.Next());
                break;
            case 1:
                input.ChangeAnywhere(random, other);
                break;
            case 2:
                PatchScript.Mutate(input, HeadSize, random, PacketBlockLayout.HeadOffset, 8, random.OneIn(2) ? random.Interesting() : Packets + (ulong)random.Below(30) - 15);
                break;
            case 3:
                PatchScript.Mutate(input, HeadSize, random, PacketBlockLayout.OldestOffset, 8, random.OneIn(3) ? random.Interesting() : (ulong)random.Below(Packets + 3));
                break;
            case 4:
                PatchScript.Mutate(input, HeadSize, random, PacketBlockLayout.LastKeyOffset, 8, random.OneIn(3) ? random.Interesting() : (ulong)random.Below(Packets + 3));
                break;
            case 5:
                PatchScript.Mutate(input, HeadSize, random, PacketBlockLayout.TracksOffset, 4, random.OneIn(2) ? (ulong)random.Below(4) : random.Interesting());
                break;
            case 6:
                PatchScript.Mutate(input, HeadSize, random, random.Below(10) * 8, random.OneIn(2) ? 4 : 8, random.Interesting());
                break;
            case 7:
                PatchScript.Mutate(input, HeadSize, random, track + (random.Below(3) * 4), 4, random.OneIn(2) ? (ulong)random.Below(10) : random.Interesting());
                break;
            case 8:
                PatchScript.Mutate(input, HeadSize, random, set + (random.Below(32) * 4), 4, random.Interesting());
                break;
            case 9:
                PatchScript.Mutate(input, HeadSize, random, entry + PacketDescriptorLayout.PositionOffset, 8, random.OneIn(2) ? 64 * (ulong)random.Below(3000) : random.Interesting());
                break;
            case 10:
                PatchScript.Mutate(input, HeadSize, random, entry + PacketDescriptorLayout.SizeOffset, 4, random.OneIn(2) ? (ulong)random.Below(33000) : random.Interesting());
                break;
            case 11:
                PatchScript.Mutate(input, HeadSize, random, entry + PacketDescriptorLayout.CountsOffset + (8 * random.Below(3)), 8, random.OneIn(2) ? (ulong)random.Below(Packets) : random.Interesting());
                break;
            default:
                PatchScript.Mutate(input, HeadSize, random, entry + (random.Below(10) * 4), 4, random.OneIn(2) ? (ulong)random.Below(20) : random.Interesting());
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
        PatchScript.Apply(script, _view);
        Scatter(_view);
        CheckHeader(outcomes);
        Take((PacketStart)(input[0] % 3), (input[0] & 0x80) != 0, input[1] % 24, outcomes);
        PatchScript.Revert(script, _view, _sound);
    }

    public override void Dispose()
    {
        _sockets.Near.Dispose();
        _sockets.Far.Dispose();
        _unused.Dispose();
        _block.Dispose();
        _page.Dispose();
        base.Dispose();
    }

    private void CheckHeader(OutcomeMap outcomes)
    {
        bool isSound = _block.Bytes[..(PacketBlockLayout.TotalSizeOffset + 8)].SequenceEqual(_sound.AsSpan(0, PacketBlockLayout.TotalSizeOffset + 8));
        string? fault = PacketBlock.FindFault(_block.Bytes[..PacketBlockLayout.StateOffset], Epoch, out int indexCapacity, out long byteCapacity);
        Require(fault is not null || (indexCapacity is >= 16 and <= 65536 && byteCapacity is >= 65536 and <= 1L << 32), "An impossible size was accepted.");
        Require(!isSound || fault is null, $"A sound header was refused: {fault}");
        outcomes.Add(0xA000, fault ?? "");
    }

    private void Take(PacketStart start, bool isGivenPosition, int takes, OutcomeMap outcomes)
    {
        Reset();
        ulong missed = 0;
        try
        {
            Begin(_connection, new PacketSubscriberOptions { Start = start, StartAfter = isGivenPosition ? new PacketPosition(Epoch, 20) : null }, null);
            for (int take = 0; take < takes; take++)
            {
                ulong before = _connection.Cursor;
                if (!_connection.TryTake(out Packet packet))
                {
                    outcomes.Add(0xA100 + (int)start);
                    break;
                }

                missed += packet.Missed;
                CheckTaken(packet, before);
                outcomes.Add(0xA200 + Math.Min(take, 7) + (packet.Track.Number << 3) + (packet.Missed > 0 ? 0x20 : 0));
                if (_connection.TryFind(packet.Sequence, out Packet found))
                {
                    Require(found.Sequence == packet.Sequence && found.Size == packet.Size, "Another packet was found than was taken.");
                }
            }
        }
        catch (ProtocolException error) when (error.Code is ErrorCode.PacketInvalid or ErrorCode.ControlBlockInvalid)
        {
            Require(_connection.State == ConnectionState.Disconnected, "A connection lives on after its publisher broke the protocol.");
            outcomes.Add(0xA300 + (int)error.Code, error.Message);
        }

        Require(new SubscriberPage(_page.Address).Missed == missed, "The page says something else of losses than packets do.");
        for (int slot = 0; slot < ControlBlockLayout.SlotCapacity; slot++)
        {
            Require(new SubscriberPage(_page.Address).LeaseOf(slot) == 0, "A lease word was set.");
        }
    }

    /// <summary>All that is handed out lies in the ring, and the packet is the one that its entry says.</summary>
    private void CheckTaken(in Packet packet, ulong before)
    {
        ReadOnlySpan<byte> block = _block.Bytes;
        ulong head = BinaryPrimitives.ReadUInt64LittleEndian(block[200..]);
        ulong oldest = BinaryPrimitives.ReadUInt64LittleEndian(block[208..]);
        ulong sequence = packet.Sequence;
        Require(sequence > before && sequence >= oldest && sequence <= head && sequence < 1UL << 56, $"Packet {sequence} was taken after {before} with {oldest} to {head} in the ring.");
        ReadOnlySpan<byte> entry = block[(1052672 + (int)(sequence & 15) * 192)..];
        ulong position = BinaryPrimitives.ReadUInt64LittleEndian(entry[8..]);
        uint size = BinaryPrimitives.ReadUInt32LittleEndian(entry[16..]);
        Require(BinaryPrimitives.ReadUInt64LittleEndian(entry) == sequence, "The entry does not describe this packet.");
        Require(packet.Size == size && size <= 32768 && (position % 65536) + size + 64 <= 65536, "A packet that reaches out of its ring was handed out.");
        fixed (byte* first = packet.Data)
        {
            Require(size == 0 || first == _block.Address + 1056768 + (position % 65536), "The bytes of another place were handed out.");
        }

        ulong sum = 0;
        foreach (byte value in packet.Data)
        {
            sum += value;
        }

        Require(sum <= 255UL * size, "A byte is a byte.");
        Require(packet.Track.Number < (int)BinaryPrimitives.ReadUInt32LittleEndian(block[136..]), "A packet of an unknown track was handed out.");
        Require(packet.Parameters is { TimeBaseNumerator: >= 1, TimeBaseDenominator: >= 1, Width: >= 0 and <= 16384, Extradata.Length: <= 16128 }, "Impossible parameters were handed out.");
        Require(packet.IsValid && packet.TryCopyTo(new byte[packet.Size]), "A packet that was just taken is not valid.");
        Require(_connection.Cursor == sequence && new SubscriberPage(_page.Address).Cursor == sequence, "The cursor is not the packet that was taken.");
        Require(packet.Missed < sequence && packet.TrackSequence >= 1 && packet.TrackSequence <= sequence, "Counts make no sense.");
    }

    /// <summary>Makes the connection as it was after WELCOME.</summary>
    private void Reset()
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
        CursorOf(_connection) = 0;
        SeenOf(_connection) = 0;
        TrackCountOf(_connection) = 0;
        VideoTrackOf(_connection) = -1;
        SeenOldestOf(_connection) = 0;
        AwaitsKeyOf(_connection) = false;
        HasBaseCountsOf(_connection) = false;
        BaseCountsOf(_connection) = default;
        Array.Clear(SetsOf(_connection));
    }

    private void MakeSound()
    {
        PacketBlock block = new(_block.Address, IndexCapacity, ByteCapacity);
        block.Initialise(Epoch);
        block.State = StreamState.Live;
        PacketRingWriter ring = new(block, 0);
        TrackParameters video = new() { Codec = Codec.H264, CodecName = "h264", Width = 640, Height = 360, Extradata = new byte[40] };
        ring.AddTrack(TrackKind.Video, "", video);
        ring.AddTrack(TrackKind.Audio, "deu", new TrackParameters { Codec = Codec.Aac, CodecName = "aac", SampleRate = 48_000, Channels = 2 });
        byte[] data = new byte[3000];
        for (int i = 0; i < Packets; i++)
        {
            if (i % 10 == 9)
            {
                ring.SetParameters(0, video with { Width = 640 + i });
            }

            ring.Write(i % 3 == 2 ? 1 : 0, data.AsSpan(0, 70 * (i + 1)), new PacketMetadata { Flags = i % 6 == 0 ? PacketFlags.Key : 0 }, 1 + i);
        }
    }

    /// <summary>Copies the parts that the script sees out of the block.</summary>
    private void Gather(Span<byte> view)
    {
        Span<byte> block = _block.Bytes;
        block[..SetsAt].CopyTo(view);
        for (int set = 0; set < Tracks * PacketBlockLayout.ParametersCapacity; set++)
        {
            block.Slice(PacketBlockLayout.ParametersOffset + (set * TrackParametersLayout.Size), SetHeadSize).CopyTo(view[(SetsAt + (set * SetHeadSize))..]);
        }

        block.Slice(PacketBlockLayout.IndexStart, ViewSize - IndexAt).CopyTo(view[IndexAt..]);
    }

    /// <summary>Copies them into the block.</summary>
    private void Scatter(ReadOnlySpan<byte> view)
    {
        Span<byte> block = _block.Bytes;
        view[..SetsAt].CopyTo(block);
        for (int set = 0; set < Tracks * PacketBlockLayout.ParametersCapacity; set++)
        {
            view.Slice(SetsAt + (set * SetHeadSize), SetHeadSize).CopyTo(block[(PacketBlockLayout.ParametersOffset + (set * TrackParametersLayout.Size))..]);
        }

        view[IndexAt..].CopyTo(block[PacketBlockLayout.IndexStart..]);
    }

    private static MemoryMapping MapNew(long size)
    {
        using FileDescriptor file = MemoryFile.Create("cuframes-fuzz", size);
        return MemoryMapping.Map(file, size, MappingAccess.ReadWrite);
    }

    // The handshake needs a publisher in another thread; what is tried here begins after it.
    [UnsafeAccessor(UnsafeAccessorKind.Constructor)]
    private static extern PacketConnection Make(
        UnixSocket socket, PacketWelcomeMessage welcome, MemoryMapping blockMapping, MemoryMapping pageMapping, PacketBlock block, ulong[] missedOn);

    [UnsafeAccessor(UnsafeAccessorKind.Method, Name = "Begin")]
    private static extern void Begin(PacketConnection connection, PacketSubscriberOptions options, PacketConnection? before);

    [UnsafeAccessor(UnsafeAccessorKind.Field, Name = "_socket")]
    private static extern ref UnixSocket SocketOf(SubscriberConnection connection);

    [UnsafeAccessor(UnsafeAccessorKind.Field, Name = "_page")]
    private static extern ref SubscriberPage PageOf(SubscriberConnection connection);

    [UnsafeAccessor(UnsafeAccessorKind.Field, Name = "_state")]
    private static extern ref int StateOf(SubscriberConnection connection);

    [UnsafeAccessor(UnsafeAccessorKind.Field, Name = "_cursor")]
    private static extern ref ulong CursorOf(SubscriberConnection connection);

    [UnsafeAccessor(UnsafeAccessorKind.Field, Name = "_seenControlMessages")]
    private static extern ref uint SeenOf(SubscriberConnection connection);

    [UnsafeAccessor(UnsafeAccessorKind.Field, Name = "_trackCount")]
    private static extern ref int TrackCountOf(PacketConnection connection);

    [UnsafeAccessor(UnsafeAccessorKind.Field, Name = "_videoTrack")]
    private static extern ref int VideoTrackOf(PacketConnection connection);

    [UnsafeAccessor(UnsafeAccessorKind.Field, Name = "_seenOldest")]
    private static extern ref ulong SeenOldestOf(PacketConnection connection);

    [UnsafeAccessor(UnsafeAccessorKind.Field, Name = "_awaitsKey")]
    private static extern ref bool AwaitsKeyOf(PacketConnection connection);

    [UnsafeAccessor(UnsafeAccessorKind.Field, Name = "_hasBaseCounts")]
    private static extern ref bool HasBaseCountsOf(PacketConnection connection);

    [UnsafeAccessor(UnsafeAccessorKind.Field, Name = "_baseCounts")]
    private static extern ref PacketDescriptor.TrackCounts BaseCountsOf(PacketConnection connection);

    [UnsafeAccessor(UnsafeAccessorKind.Field, Name = "_sets")]
    private static extern ref (uint Number, TrackParameters? Parameters)[] SetsOf(PacketConnection connection);
}
