using System.Buffers.Binary;
using System.Diagnostics;
using CuFrames.Conformance.Spec;
using CuFrames.Conformance.Wire;
using CuFrames.Interop;

namespace CuFrames.Conformance.Examples;

/// <summary>
/// A small publisher of packets, written from section 14 of the document and from nothing else: a video and an audio track. Without a fault it
/// passes the suite; with one, the suite must find it. One thread does everything.
/// </summary>
internal sealed unsafe class ExamplePacketPublisher : IDisposable
{
    private const uint IndexCapacity = 64;
    private const ulong ByteCapacity = 65_536;
    private const int PacketMilliseconds = 4;
    private const int ParametersEvery = 50;

    private readonly PacketPublisherFault _fault;
    private readonly UnixSocket _listener;
    private readonly FileDescriptor _file;
    private readonly MemoryMapping _block;
    private readonly ulong _epoch = (ulong)Random.Shared.NextInt64(1, long.MaxValue);
    private readonly List<(Connection Connection, FileDescriptor? Page, MemoryMapping? Mapping, ulong Id)> _sessions = [];
    private readonly ulong[] _counts = new ulong[PacketLayout.Tracks];
    private readonly uint[] _lastSet = new uint[2];
    private readonly Dictionary<ulong, ulong> _positions = [];
    private ulong _head;
    private ulong _oldest = 1;
    private ulong _end;
    private ulong _lastId;
    private uint _futex;
    private volatile bool _stop;

    public ExamplePacketPublisher(string socketPath, PacketPublisherFault fault)
    {
        _fault = fault;
        _listener = UnixSocket.Listen(socketPath, 64, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        long size = PacketLayout.BytesOffset(IndexCapacity) + (long)ByteCapacity;
        _file = MemoryFile.Create("cuframes-example", size);
        _block = MemoryMapping.Map(_file, size, MappingAccess.ReadWrite);
        WriteHeader();
        MemoryFileSeals seals = MemoryFileSeals.Grow | MemoryFileSeals.Shrink;
        MemoryFile.AddSeals(_file, fault == PacketPublisherFault.UnsealedBlock ? seals : seals | MemoryFileSeals.FutureWrite | MemoryFileSeals.Seal);
    }

    /// <summary>Publishes until <see cref="Stop"/>.</summary>
    public void Run()
    {
        var clock = Stopwatch.StartNew();
        long next = 0;
        while (!_stop)
        {
            while (_listener.TryAccept(out UnixSocket? socket))
            {
                Greet(new Connection(socket));
            }

            for (int i = _sessions.Count - 1; i >= 0; i--)
            {
                Serve(i);
            }

            if (clock.ElapsedMilliseconds >= next)
            {
                next = clock.ElapsedMilliseconds + PacketMilliseconds;
                Publish();
            }

            Thread.Sleep(1); // A simple loop is what an example wants.
        }
    }

    /// <summary>Ends <see cref="Run"/>; any thread may call it.</summary>
    public void Stop() => _stop = true;

    public void Dispose()
    {
        for (int i = _sessions.Count - 1; i >= 0; i--)
        {
            Close(i);
        }

        _listener.Dispose();
        _block.Dispose();
        _file.Dispose();
    }

    private void WriteHeader()
    {
        U64(PacketLayout.PacketBlock.Magic, PacketLayout.BlockMagic);
        U32(PacketLayout.PacketBlock.LayoutVersion, 1);
        U32(PacketLayout.PacketBlock.TrackSize, PacketLayout.TrackSize);
        U32(PacketLayout.PacketBlock.ParametersSize, PacketLayout.ParametersSize);
        U32(PacketLayout.PacketBlock.PacketSize, PacketLayout.DescriptorSize);
        U32(PacketLayout.PacketBlock.TrackCapacity, PacketLayout.Tracks);
        U32(PacketLayout.PacketBlock.ParametersCapacity, PacketLayout.Sets);
        U32(PacketLayout.PacketBlock.IndexCapacity, IndexCapacity);
        U32(PacketLayout.PacketBlock.TracksOffset, PacketLayout.TracksOffset);
        U64(PacketLayout.PacketBlock.Epoch, _epoch);
        U32(PacketLayout.PacketBlock.ParametersOffset, PacketLayout.ParametersOffset);
        U32(PacketLayout.PacketBlock.IndexOffset, PacketLayout.IndexOffset);
        U64(PacketLayout.PacketBlock.BytesOffset, (ulong)PacketLayout.BytesOffset(IndexCapacity));
        U64(PacketLayout.PacketBlock.ByteCapacity, ByteCapacity);
        U64(PacketLayout.PacketBlock.TotalSize, (ulong)PacketLayout.BytesOffset(IndexCapacity) + ByteCapacity);
        U32(PacketLayout.PacketBlock.State, Limits.StateLive);
        U64(PacketLayout.PacketBlock.Oldest, 1);
        for (uint track = 0; track < 2; track++)
        {
            U32(PacketLayout.TracksOffset + (track * PacketLayout.TrackSize) + PacketLayout.Track.Kind, 1 + track);
            U32(PacketLayout.TracksOffset + (track * PacketLayout.TrackSize) + PacketLayout.Track.Oldest, 1);
            WriteSet(track, 1);
        }

        U32(PacketLayout.PacketBlock.Tracks, 2);
    }

    private void WriteSet(uint track, uint number)
    {
        long entry = PacketLayout.TracksOffset + (track * PacketLayout.TrackSize);
        if (number > PacketLayout.Sets)
        {
            // A set is so old that its packets are gone: the index is shorter than that.
            U32(entry + PacketLayout.Track.Oldest, number - PacketLayout.Sets + 1);
            Interlocked.MemoryBarrier();
        }

        long set = PacketLayout.ParametersOffset + ((long)((PacketLayout.Sets * track) + (number & 7)) * PacketLayout.ParametersSize);
        U32(set + PacketLayout.TrackParameters.Number, number);
        U32(set + PacketLayout.TrackParameters.TimeBaseNumerator, 1);
        U32(set + PacketLayout.TrackParameters.TimeBaseDenominator, 90_000);
        U32(set + PacketLayout.TrackParameters.Width, track == 0 ? 640 + number : 0);
        U32(entry + PacketLayout.Track.Current, number);
    }

    private void Greet(Connection connection)
    {
        using Packet hello = connection.Receive(2_000);
        if (hello.Kind != PacketKind.Packet || hello.Bytes.Length < Limits.HeaderSize)
        {
            connection.Dispose();
            return;
        }

        uint correlation = BinaryPrimitives.ReadUInt32LittleEndian(hello.Bytes.AsSpan(12));
        bool isForPackets = false;
        bool isProbe = false;
        for (int at = Limits.HeaderSize; at + Limits.TlvHeadSize <= hello.Bytes.Length;)
        {
            ushort type = BinaryPrimitives.ReadUInt16LittleEndian(hello.Bytes.AsSpan(at));
            isForPackets |= type == (ushort)TlvType.PACKETS;
            isProbe |= type == (ushort)TlvType.PROBE;
            at += Limits.TlvHeadSize + (((int)BinaryPrimitives.ReadUInt32LittleEndian(hello.Bytes.AsSpan(at + 4)) + 7) & ~7);
        }

        if (!isForPackets && _fault != PacketPublisherFault.AcceptsFrames)
        {
            connection.Send(Message.Build(MessageType.REFUSE, correlation, Tlv.U32(TlvType.ERROR_CODE, (uint)ErrorCode.PROTOCOL_ERROR), Tlv.Text(TlvType.ERROR_TEXT, "This socket offers packets.")));
            connection.Dispose();
            return;
        }

        byte[] stream = new byte[64];
        BinaryPrimitives.WriteUInt32LittleEndian(stream, Limits.StateLive);
        BinaryPrimitives.WriteUInt32LittleEndian(stream.AsSpan(4), 2);
        BinaryPrimitives.WriteUInt64LittleEndian(stream.AsSpan(16), _head);
        BinaryPrimitives.WriteUInt64LittleEndian(stream.AsSpan(24), _oldest);
        List<byte[]> tlvs =
        [
            Tlv.Bytes(TlvType.PACKETS, [], _fault == PacketPublisherFault.OptionalPackets ? (ushort)0 : Limits.MustUnderstand),
            Tlv.U32(TlvType.VERSION, 1), Tlv.U64(TlvType.FEATURES, 0), Tlv.U64(TlvType.EPOCH, _epoch), Tlv.Text(TlvType.STREAM_KEY, "conformance"),
            Tlv.Bytes(TlvType.PACKET_STREAM, stream), Tlv.Bytes(TlvType.TRACK, Describe(0)), Tlv.Bytes(TlvType.TRACK, Describe(1)),
        ];
        if (isProbe)
        {
            connection.Send(Message.Build(MessageType.WELCOME, correlation, [.. tlvs]));
            _sessions.Add((connection, null, null, 0));
            return;
        }

        FileDescriptor page = MemoryFile.Create("cuframes-example-page", PacketLayout.PageSize);
        MemoryMapping mapping = MemoryMapping.Map(page, PacketLayout.PageSize, MappingAccess.ReadWrite);
        MemoryFile.AddSeals(page, MemoryFileSeals.Seal | MemoryFileSeals.Grow | MemoryFileSeals.Shrink);
        *(ulong*)mapping.Pointer = Layout.SubscriberPage.MagicValue;
        *(ulong*)(mapping.Pointer + 8) = ++_lastId;
        tlvs.Add(Tlv.U64(TlvType.SUBSCRIBER_ID, _lastId));
        tlvs.Add(Tlv.U32(TlvType.WAKES, Limits.WakeFutex));
        connection.Send(Message.Build(MessageType.WELCOME, correlation, [.. tlvs]), _file, page);
        _sessions.Add((connection, page, mapping, _lastId));
    }

    private static byte[] Describe(uint track)
    {
        byte[] value = new byte[88];
        BinaryPrimitives.WriteUInt32LittleEndian(value, track);
        BinaryPrimitives.WriteUInt32LittleEndian(value.AsSpan(4), 1 + track);
        return value;
    }

    private void Serve(int number)
    {
        (Connection connection, _, MemoryMapping? page, _) = _sessions[number];
        using Packet packet = connection.Receive(0);
        if (packet.Kind == PacketKind.HangUp)
        {
            Close(number);
            return;
        }

        bool isBye = packet.Kind == PacketKind.Packet && packet.Bytes.Length > 5 && packet.Bytes[5] == (byte)MessageType.BYE;
        if (isBye || (packet.Kind == PacketKind.Packet && page is null))
        {
            Close(number);
            return;
        }

        if (packet.Kind == PacketKind.Packet && _fault != PacketPublisherFault.AcceptsMessages)
        {
            Evict(number, ErrorCode.PROTOCOL_ERROR);
            return;
        }

        if (page is null || _fault == PacketPublisherFault.NoPageCheck)
        {
            return;
        }

        ulong cursor = *(ulong*)(page.Pointer + Layout.SubscriberPage.Cursor);
        if (cursor > _head)
        {
            Evict(number, ErrorCode.PAGE_INVALID);
        }
        else if (!page.ReadOnlySlice(Layout.SubscriberPage.Leases, 512).SequenceEqual(new byte[512]))
        {
            Evict(number, ErrorCode.LEASE_QUOTA_EXCEEDED);
        }
    }

    private void Evict(int number, ErrorCode code)
    {
        _sessions[number].Connection.TrySend(Message.Build(MessageType.NOTICE, 0,
            Tlv.U32(TlvType.NOTICE_KIND, (uint)NoticeKind.EVICTED), Tlv.U32(TlvType.ERROR_CODE, (uint)code), Tlv.Text(TlvType.ERROR_TEXT, "The page or a message is wrong.")));
        Close(number);
    }

    private void Close(int number)
    {
        (Connection connection, FileDescriptor? page, MemoryMapping? mapping, _) = _sessions[number];
        _sessions.RemoveAt(number);
        mapping?.Dispose();
        page?.Dispose();
        connection.Dispose();
    }

    private void Publish()
    {
        ulong sequence = _head + 1;
        uint track = sequence % 3 == 2 ? 1u : 0;
        bool isKey = sequence % 15 == 1;
        if (sequence % ParametersEvery == 0)
        {
            WriteSet(0, 1 + (uint)(sequence / ParametersEvery));
        }

        uint size = 1_000 + (uint)(sequence * 37 % 900);
        ulong position = (_end + 63) / 64 * 64;
        if (_fault == PacketPublisherFault.Gaps)
        {
            position += 64;
        }

        if ((position % ByteCapacity) + size + PacketLayout.Zeros > ByteCapacity)
        {
            position = (position + ByteCapacity - 1) / ByteCapacity * ByteCapacity;
        }

        _end = position + size + PacketLayout.Zeros;
        while (_oldest < sequence && (_oldest + IndexCapacity <= sequence || _positions[_oldest] + ByteCapacity < (_end + 63) / 64 * 64))
        {
            _positions.Remove(_oldest++);
        }

        if (_fault != PacketPublisherFault.NeverMovesOldest)
        {
            U64(PacketLayout.PacketBlock.Oldest, _oldest);
            Interlocked.MemoryBarrier();
        }

        Span<byte> bytes = _block.Slice(PacketLayout.BytesOffset(IndexCapacity) + (long)(position % ByteCapacity), (int)size + PacketLayout.Zeros);
        bytes[..(int)size].Fill((byte)(1 + (sequence % 200)));
        bytes[(int)size..].Fill(_fault == PacketPublisherFault.NoZeros ? (byte)0xAA : (byte)0);
        _counts[track]++;
        uint set = U32(PacketLayout.TracksOffset + (track * PacketLayout.TrackSize) + PacketLayout.Track.Current);
        bool hasChanged = _lastSet[track] != 0 && _lastSet[track] != set && _fault != PacketPublisherFault.UnmarkedChange;
        _lastSet[track] = set;
        long entry = PacketLayout.IndexOffset + ((long)(sequence & (IndexCapacity - 1)) * PacketLayout.DescriptorSize);
        U64(entry + PacketLayout.PacketDescriptor.Sequence, sequence);
        U64(entry + PacketLayout.PacketDescriptor.Position, position);
        U32(entry + PacketLayout.PacketDescriptor.Size, size);
        U32(entry + PacketLayout.PacketDescriptor.Track, track);
        U32(entry + PacketLayout.PacketDescriptor.Parameters, set);
        U32(entry + PacketLayout.PacketDescriptor.Flags, (isKey ? PacketLayout.FlagKey : 0) | (hasChanged ? PacketLayout.FlagParametersChanged : 0));
        for (int i = 0; i < PacketLayout.Tracks; i++)
        {
            // The sum is right, which the descriptor alone cannot tell from counts that are right.
            ulong count = _fault == PacketPublisherFault.WrongCounts ? (i == 0 ? sequence - 1 : i == 1 ? 1UL : 0) : _counts[i];
            U64(entry + PacketLayout.PacketDescriptor.Counts + (8 * i), count);
        }

        _positions[sequence] = position;
        _head = sequence;
        U64(PacketLayout.PacketBlock.Head, sequence);
        if ((isKey && track == 0) || _fault == PacketPublisherFault.EveryPacketIsLastKey)
        {
            U64(PacketLayout.PacketBlock.LastKey, sequence);
        }

        U32(PacketLayout.PacketBlock.FutexWord, ++_futex);
        Interlocked.MemoryBarrier();
        if (_fault != PacketPublisherFault.NoFutexWake && _sessions.Exists(session => session.Mapping is { } page && *(uint*)(page.Pointer + Layout.SubscriberPage.Waiting) != 0))
        {
            Futex.Wake((uint*)(_block.Pointer + PacketLayout.PacketBlock.FutexWord), int.MaxValue);
        }
    }

    private uint U32(long offset) => *(uint*)(_block.Pointer + offset);

    private void U32(long offset, uint value) => Volatile.Write(ref *(uint*)(_block.Pointer + offset), value);

    private void U64(long offset, ulong value) => Volatile.Write(ref *(ulong*)(_block.Pointer + offset), value);
}
