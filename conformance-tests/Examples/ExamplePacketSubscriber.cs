using System.Buffers.Binary;
using System.Globalization;
using System.Security.Cryptography;
using CuFrames.Conformance.Memory;
using CuFrames.Conformance.Spec;
using CuFrames.Conformance.Wire;
using CuFrames.Interop;

namespace CuFrames.Conformance.Examples;

/// <summary>
/// A small subscriber of packets, written from section 14 of the document and from nothing else, that prints the lines that the suite asks for. It sleeps on
/// the futex. One thread does everything.
/// </summary>
internal sealed unsafe class ExamplePacketSubscriber(string socketPath, TextWriter output, PacketSubscriberFault fault) : IDisposable
{
    private const long SleepNanoseconds = 20_000_000;
    private const int RetryMilliseconds = 20;

    private Connection? _connection;
    private MemoryMapping? _block;
    private SubscriberPage? _page;
    private uint _indexCapacity;
    private ulong _byteCapacity;
    private ulong _epoch;
    private ulong _cursor;
    private ulong _taken;
    private ulong _seenOldest;
    private bool _awaitsStart;
    private bool _isStarting;
    private uint _arm;
    private volatile bool _stop;

    private MemoryMapping Block => _block!;

    private SubscriberPage Page => _page!;

    /// <summary>Reads, and connects again, until <see cref="Stop"/>.</summary>
    public void Run()
    {
        while (!_stop)
        {
            try
            {
                _connection = Connection.Open(socketPath);
                Greet();
                Read();
            }
            catch (LinuxException)
            {
                Thread.Sleep(RetryMilliseconds); // Nobody listens yet; nothing announces when.
            }
            catch (EndException exception)
            {
                Print(exception.Event, exception.Code);
            }
            catch (WireException exception)
            {
                _connection!.TrySend(Message.Build(
                    MessageType.BYE, 0, Tlv.U32(TlvType.ERROR_CODE, (uint)exception.Code), Tlv.Text(TlvType.ERROR_TEXT, exception.Message)));
                Print("disconnected", exception.Code);
            }
            finally
            {
                Leave();
            }
        }
    }

    /// <summary>Ends <see cref="Run"/> soon; any thread may call it.</summary>
    public void Stop() => _stop = true;

    public void Dispose() => Leave();

    private void Greet()
    {
        _connection!.Send(Message.Build(MessageType.HELLO, 4711, Tlv.VersionRange(1, 1), Tlv.Bytes(TlvType.PACKETS, [], Limits.MustUnderstand),
            Tlv.Text(TlvType.PROGRAM, "example-packet-subscriber")));
        using Packet packet = Receive(Limits.WelcomeMilliseconds) ?? throw new EndException("disconnected", ErrorCode.DISCONNECTED);
        Message message = Message.Parse(packet.Bytes, packet.Descriptors.Length, isForPackets: true);
        switch (message.Type)
        {
            case MessageType.REFUSE:
                throw new EndException("refused", message.Error);
            case MessageType.BYE:
                throw new EndException("disconnected", message.Error);
            case MessageType.WELCOME:
                Accept(message, packet);
                break;
            default:
                throw new WireException(ErrorCode.PROTOCOL_ERROR, "13.2", $"{message.Type} before WELCOME");
        }
    }

    private void Accept(Message welcome, Packet packet)
    {
        if (packet.Descriptors.Length != 2)
        {
            throw new WireException(ErrorCode.DESCRIPTOR_COUNT, "14.3", $"WELCOME with {packet.Descriptors.Length} descriptors");
        }

        _epoch = welcome.UInt64(TlvType.EPOCH);
        ulong id = welcome.UInt64(TlvType.SUBSCRIBER_ID);
        if (welcome.Version != 1 || welcome.UInt32(TlvType.VERSION) != 1 || _epoch == 0 || id == 0)
        {
            throw new WireException(ErrorCode.PROTOCOL_ERROR, "14.3", "WELCOME does not say what was asked for");
        }

        CheckDescription(welcome);
        MemoryFileSeals three = MemoryFileSeals.Seal | MemoryFileSeals.Grow | MemoryFileSeals.Shrink;
        MemoryFileSeals four = fault == PacketSubscriberFault.NoFutureWriteCheck ? three : three | MemoryFileSeals.FutureWrite;
        using (MemoryMapping header = Map(packet.Descriptors[0], four, PacketLayout.BlockSize, MappingAccess.ReadOnly, PacketLayout.PageSize))
        {
            CheckHeader(header);
        }

        long size = PacketLayout.BytesOffset(_indexCapacity) + (long)_byteCapacity;
        _block = Map(packet.Descriptors[0], four, size, MappingAccess.ReadOnly, size);
        _page = new SubscriberPage(Map(packet.Descriptors[1], three, Layout.SubscriberPage.FileSize, MappingAccess.ReadWrite, Layout.SubscriberPage.FileSize));
        if (BinaryPrimitives.ReadUInt64LittleEndian(_page.Bytes) != Layout.SubscriberPage.MagicValue ||
            BinaryPrimitives.ReadUInt64LittleEndian(_page.Bytes[Layout.SubscriberPage.SubscriberId..]) != id)
        {
            throw new WireException(ErrorCode.CONTROL_BLOCK_INVALID, "5.1", "the page is of somebody else");
        }

        Begin();
    }

    private void CheckDescription(Message welcome)
    {
        byte[] stream = welcome.Get(TlvType.PACKET_STREAM).Value;
        uint tracks = BinaryPrimitives.ReadUInt32LittleEndian(stream.AsSpan(4));
        uint[] numbers = [.. welcome.All(TlvType.TRACK).Select(tlv => tlv.UInt32).Order()];
        bool isSound = welcome.All(TlvType.TRACK).All(tlv =>
            BinaryPrimitives.ReadUInt32LittleEndian(tlv.Value.AsSpan(12)) <= 16_384 && BinaryPrimitives.ReadUInt32LittleEndian(tlv.Value.AsSpan(16)) <= 16_384);
        if (tracks > PacketLayout.Tracks || BinaryPrimitives.ReadUInt32LittleEndian(stream.AsSpan(8)) >= 1u << 31 ||
            (fault != PacketSubscriberFault.IgnoresTracks && (!isSound || !numbers.SequenceEqual(Enumerable.Range(0, (int)tracks).Select(number => (uint)number)))))
        {
            throw new WireException(ErrorCode.PROTOCOL_ERROR, "14.3", $"{tracks} tracks with the numbers {string.Join(", ", numbers)}");
        }
    }

    private static MemoryMapping Map(FileDescriptor file, MemoryFileSeals seals, long size, MappingAccess access, long length)
    {
        try
        {
            MemoryFile.RequireSeals(file, seals);
            long found = file.Stat().Size;
            return found >= size ? MemoryMapping.Map(file, length, access) : throw new InvalidDataException($"{found} bytes instead of {size}");
        }
        catch (Exception exception) when (exception is InvalidDataException or LinuxException)
        {
            throw new WireException(ErrorCode.CONTROL_BLOCK_INVALID, "14.5", exception.Message);
        }
    }

    private void CheckHeader(MemoryMapping header)
    {
        // One copy: what was checked is what is used.
        byte[] copy = header.ReadOnlySlice(0, PacketLayout.PacketBlock.State).ToArray();
        uint Word(int offset) => BinaryPrimitives.ReadUInt32LittleEndian(copy.AsSpan(offset));
        ulong Long(int offset) => BinaryPrimitives.ReadUInt64LittleEndian(copy.AsSpan(offset));
        _indexCapacity = Word(PacketLayout.PacketBlock.IndexCapacity);
        _byteCapacity = Long(PacketLayout.PacketBlock.ByteCapacity);
        bool isSound = Long(PacketLayout.PacketBlock.Magic) == PacketLayout.BlockMagic && Word(PacketLayout.PacketBlock.LayoutVersion) == 1 &&
            Word(PacketLayout.PacketBlock.TrackSize) == PacketLayout.TrackSize && Word(PacketLayout.PacketBlock.ParametersSize) == PacketLayout.ParametersSize &&
            Word(PacketLayout.PacketBlock.PacketSize) == PacketLayout.DescriptorSize && Word(PacketLayout.PacketBlock.TrackCapacity) == PacketLayout.Tracks &&
            Word(PacketLayout.PacketBlock.ParametersCapacity) == PacketLayout.Sets && Word(PacketLayout.PacketBlock.TracksOffset) == PacketLayout.TracksOffset &&
            Word(PacketLayout.PacketBlock.ParametersOffset) == PacketLayout.ParametersOffset && Word(PacketLayout.PacketBlock.IndexOffset) == PacketLayout.IndexOffset &&
            Long(PacketLayout.PacketBlock.Epoch) == _epoch && _indexCapacity is >= 16 and <= 65_536 && uint.IsPow2(_indexCapacity) &&
            _byteCapacity is >= 65_536 and <= 1UL << 32 && _byteCapacity % 4096 == 0 &&
            Long(PacketLayout.PacketBlock.BytesOffset) == (ulong)PacketLayout.BytesOffset(_indexCapacity) &&
            Long(PacketLayout.PacketBlock.TotalSize) == (ulong)PacketLayout.BytesOffset(_indexCapacity) + _byteCapacity;
        if (!isSound)
        {
            throw new WireException(ErrorCode.CONTROL_BLOCK_INVALID, "14.5", "the header of the packet block is wrong");
        }
    }

    /// <summary>14.12.</summary>
    private void Begin()
    {
        _seenOldest = 0;
        _cursor = 0;
        (ulong oldest, ulong head) = Bounds();
        ulong key = U64(PacketLayout.PacketBlock.LastKey);
        bool isThere = key >= oldest && key <= head && key != 0;
        ulong start = fault == PacketSubscriberFault.StartsAtOldest ? oldest : isThere ? key : head + 1;
        _awaitsStart = fault != PacketSubscriberFault.StartsAtOldest && !isThere;
        _isStarting = true;
        _cursor = start - 1;
        _taken = _cursor;
        MoveCursor();
    }

    private void Read()
    {
        while (!_stop)
        {
            ReadSocket();
            TakeAll();
            Page.Waiting = (++_arm << 2) | Limits.WakeFutex;
            Interlocked.MemoryBarrier();
            uint word = Volatile.Read(ref *FutexWord);
            if (U64(PacketLayout.PacketBlock.Head) == _cursor)
            {
                _ = Futex.Wait(FutexWord, word, SleepNanoseconds);
            }

            Page.Waiting = 0;
        }
    }

    private uint* FutexWord => (uint*)(Block.Pointer + PacketLayout.PacketBlock.FutexWord);

    /// <summary>Takes what is there (14.11, 14.13).</summary>
    private void TakeAll()
    {
        while (!_stop)
        {
            (ulong oldest, ulong head) = Bounds();
            if (head == _cursor)
            {
                return;
            }

            ulong sequence = _cursor + 1;
            if (sequence < oldest)
            {
                sequence = oldest;
                _cursor = oldest - 1;
                _awaitsStart = fault != PacketSubscriberFault.GoesOnAnywhere;
                if (sequence > head)
                {
                    // All that there was has been let go of.
                    MoveCursor();
                    continue;
                }
            }

            if (Descriptor(sequence) is not { } descriptor)
            {
                continue;
            }

            if (_awaitsStart && !IsStart(descriptor))
            {
                _cursor = sequence;
                MoveCursor();
                continue;
            }

            uint size = U32(descriptor, PacketLayout.PacketDescriptor.Size);
            ulong position = U64(descriptor, PacketLayout.PacketDescriptor.Position);
            string hash = Convert.ToHexStringLower(SHA256.HashData(
                Block.ReadOnlySlice(PacketLayout.BytesOffset(_indexCapacity) + (long)(position % _byteCapacity), (int)size)));
            Interlocked.MemoryBarrier();
            if (U64(PacketLayout.PacketBlock.Oldest) > sequence && fault != PacketSubscriberFault.NoRecheck)
            {
                continue;
            }

            Give(sequence, hash);
        }
    }

    private void Give(ulong sequence, string hash)
    {
        ulong missed = _isStarting || fault == PacketSubscriberFault.NothingMissed ? 0 : sequence - _taken - 1;
        _isStarting = false;
        _awaitsStart = false;
        _cursor = sequence;
        _taken = sequence;
        if (fault != PacketSubscriberFault.NoPage)
        {
            Page.Taken++;
            Page.Missed += missed;
        }

        if (fault == PacketSubscriberFault.Leases)
        {
            Page.SetLease(0, sequence);
        }

        MoveCursor();
        output.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{{\"sequence\":{sequence},\"epoch\":\"{_epoch:x16}\",\"sha256\":\"{hash}\",\"missed\":{missed}}}"));
        output.Flush();
    }

    private void MoveCursor()
    {
        if (fault != PacketSubscriberFault.NoPage)
        {
            Page.Cursor = _cursor;
        }
    }

    private (ulong Oldest, ulong Head) Bounds()
    {
        ulong oldest = U64(PacketLayout.PacketBlock.Oldest);
        ulong head = U64(PacketLayout.PacketBlock.Head);
        bool isOldestWrong = oldest == 0 || oldest < _seenOldest || oldest > head + 1;
        if (head >= Limits.EndOfSequences || head < _cursor || (isOldestWrong && fault != PacketSubscriberFault.TrustsOldest))
        {
            throw new WireException(ErrorCode.CONTROL_BLOCK_INVALID, "14.11", $"oldest is {oldest} after {_seenOldest}, head {head} after {_cursor}");
        }

        _seenOldest = oldest;
        return (Math.Min(oldest, head + 1), head);
    }

    /// <summary>Steps 2 to 4 of 14.11; null when the packet is gone.</summary>
    private byte[]? Descriptor(ulong sequence)
    {
        byte[] copy = Block.ReadOnlySlice(
            PacketLayout.IndexOffset + ((long)(sequence & (_indexCapacity - 1)) * PacketLayout.DescriptorSize), PacketLayout.DescriptorSize).ToArray();
        Interlocked.MemoryBarrier();
        if (U64(PacketLayout.PacketBlock.Oldest) > sequence && fault != PacketSubscriberFault.NoRecheck)
        {
            return null;
        }

        uint tracks = U32(PacketLayout.PacketBlock.Tracks);
        if (tracks > PacketLayout.Tracks)
        {
            throw new WireException(ErrorCode.CONTROL_BLOCK_INVALID, "14.11", $"{tracks} tracks");
        }

        uint track = U32(copy, PacketLayout.PacketDescriptor.Track);
        uint size = U32(copy, PacketLayout.PacketDescriptor.Size);
        ulong position = U64(copy, PacketLayout.PacketDescriptor.Position);
        if (U64(copy, PacketLayout.PacketDescriptor.Sequence) != sequence || track >= tracks || position % 64 != 0 || size > _byteCapacity / 2 ||
            (position % _byteCapacity) + size + PacketLayout.Zeros > _byteCapacity)
        {
            throw new WireException(ErrorCode.PACKET_INVALID, "14.11",
                $"the descriptor of packet {sequence} is wrong: sequence {U64(copy, PacketLayout.PacketDescriptor.Sequence)}, track {track}, {size} bytes at {position}");
        }

        ulong sum = 0;
        bool isAbove = false;
        for (int i = 0; i < PacketLayout.Tracks; i++)
        {
            ulong count = U64(copy, PacketLayout.PacketDescriptor.Counts + (8 * i));
            isAbove |= count > sequence;
            sum += count;
        }

        bool areCountsWrong = isAbove || sum != sequence || U64(copy, PacketLayout.PacketDescriptor.Counts + (8 * (int)track)) == 0;
        if (areCountsWrong && fault != PacketSubscriberFault.IgnoresCounts)
        {
            throw new WireException(ErrorCode.PACKET_INVALID, "14.11", $"the counts of packet {sequence} are wrong");
        }

        return fault == PacketSubscriberFault.IgnoresSets || IsSetSound(track, U32(copy, PacketLayout.PacketDescriptor.Parameters), sequence) ? copy : null;
    }

    /// <returns>False when the packet is gone, and the set may be too.</returns>
    private bool IsSetSound(uint track, uint number, ulong sequence)
    {
        long entry = PacketLayout.TracksOffset + (track * PacketLayout.TrackSize);
        bool isThere = number >= 1 && number <= U32(entry + PacketLayout.Track.Current) && number >= U32(entry + PacketLayout.Track.Oldest);
        byte[] set = Block.ReadOnlySlice(
            PacketLayout.ParametersOffset + ((long)((PacketLayout.Sets * track) + (number & 7)) * PacketLayout.ParametersSize), PacketLayout.ParametersHeadSize).ToArray();
        Interlocked.MemoryBarrier();
        isThere &= U32(entry + PacketLayout.Track.Oldest) <= number;
        if (!isThere && U64(PacketLayout.PacketBlock.Oldest) > sequence)
        {
            return false;
        }

        uint numerator = U32(set, PacketLayout.TrackParameters.TimeBaseNumerator);
        uint denominator = U32(set, PacketLayout.TrackParameters.TimeBaseDenominator);
        return isThere && U32(set, PacketLayout.TrackParameters.Number) == number && numerator is >= 1 and < 1u << 31 && denominator is >= 1 and < 1u << 31 &&
            U32(set, PacketLayout.TrackParameters.Width) <= 16_384 && U32(set, PacketLayout.TrackParameters.Height) <= 16_384 &&
            U32(set, PacketLayout.TrackParameters.ExtradataSize) <= 16_128
            ? true
            : throw new WireException(ErrorCode.PACKET_INVALID, "14.11", $"set {number} of track {track} is wrong");
    }

    private bool IsStart(byte[] descriptor)
    {
        uint tracks = U32(PacketLayout.PacketBlock.Tracks);
        for (uint track = 0; track < tracks; track++)
        {
            if (U32(PacketLayout.TracksOffset + (track * PacketLayout.TrackSize) + PacketLayout.Track.Kind) == PacketLayout.KindVideo)
            {
                return U32(descriptor, PacketLayout.PacketDescriptor.Track) == track &&
                    (U32(descriptor, PacketLayout.PacketDescriptor.Flags) & PacketLayout.FlagKey) != 0;
            }
        }

        return true;
    }

    private void ReadSocket()
    {
        while (Receive(0) is { } packet)
        {
            using (packet)
            {
                Message message = packet.Parse();
                if (message.Version != 1)
                {
                    throw new WireException(ErrorCode.PROTOCOL_ERROR, "2.9", $"version {message.Version} was not agreed on");
                }

                switch (message.Type)
                {
                    case MessageType.NOTICE when message.UInt32(TlvType.NOTICE_KIND) == (uint)NoticeKind.EVICTED:
                        throw new EndException("evicted", message.Error);
                    case MessageType.NOTICE when message.UInt32(TlvType.NOTICE_KIND) == (uint)NoticeKind.SHUTTING_DOWN:
                        // What is in the ring is given first.
                        TakeAll();
                        throw new EndException("disconnected", ErrorCode.SHUTTING_DOWN);
                    case MessageType.BYE:
                        throw new EndException("disconnected", message.Error == ErrorCode.NONE ? ErrorCode.DISCONNECTED : message.Error);
                    case MessageType.NOTICE or MessageType.DOORBELL:
                        break;
                    default:
                        if (fault != PacketSubscriberFault.AcceptsMessages)
                        {
                            throw new WireException(ErrorCode.PROTOCOL_ERROR, "14.4", $"{message.Type} is not expected");
                        }

                        break;
                }
            }
        }
    }

    /// <summary>A packet, or null if none came in time.</summary>
    private Packet? Receive(int timeoutMilliseconds)
    {
        Packet packet = _connection!.Receive(timeoutMilliseconds);
        return packet.Kind switch
        {
            PacketKind.Packet => packet,
            PacketKind.Nothing => null,
            PacketKind.HangUp => throw new EndException("disconnected", ErrorCode.DISCONNECTED),
            PacketKind.Truncated => throw new WireException(ErrorCode.PROTOCOL_ERROR, "2.2", "a message that is too long"),
            _ => throw new WireException(ErrorCode.DESCRIPTOR_COUNT, "2.2", "a message with too many descriptors"),
        };
    }

    private uint U32(long offset) => Volatile.Read(ref *(uint*)(Block.Pointer + offset));

    private ulong U64(long offset) => Volatile.Read(ref *(ulong*)(Block.Pointer + offset));

    private static uint U32(byte[] copy, int offset) => BinaryPrimitives.ReadUInt32LittleEndian(copy.AsSpan(offset));

    private static ulong U64(byte[] copy, int offset) => BinaryPrimitives.ReadUInt64LittleEndian(copy.AsSpan(offset));

    private void Print(string name, ErrorCode code)
    {
        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{{\"event\":\"{name}\",\"code\":{(uint)code}}}"));
        output.Flush();
    }

    private void Leave()
    {
        _block?.Dispose();
        _page?.Dispose();
        _connection?.Dispose();
        _block = null;
        _page = null;
        _connection = null;
    }

    /// <summary>The connection is over without a fault of the publisher.</summary>
    private sealed class EndException(string name, ErrorCode code) : Exception(name)
    {
        public string Event { get; } = name;

        public ErrorCode Code { get; } = code;
    }
}
