using System.Buffers.Binary;
using System.Globalization;
using CuFrames.Conformance.Memory;
using CuFrames.Conformance.Spec;
using CuFrames.Conformance.Wire;
using CuFrames.Interop;

namespace CuFrames.Conformance.Examples;

/// <summary>
/// A small subscriber, written from the document and from nothing else, that prints the lines that the suite asks for. It
/// takes the newest frame and sleeps on the futex. One thread does everything.
/// </summary>
internal sealed unsafe class ExampleSubscriber(string socketPath, TextWriter output, SubscriberFault fault) : IDisposable
{
    private const uint WantedLeases = 2;
    private const long SleepNanoseconds = 20_000_000;

    // Long beside the pauses that a busy machine makes between two frames, short beside the time that an answer may take.
    private const long LongSleepNanoseconds = 1_500_000_000;
    private const int RetryMilliseconds = 20;

    private readonly Dictionary<uint, (ulong Size, MemoryMapping Mapping)> _segments = [];
    private readonly List<Packet> _leaked = [];
    private Connection? _connection;
    private ControlBlock? _control;
    private SubscriberPage? _page;
    private uint _granted;
    private ulong _epoch;
    private ulong _cursor;
    private bool _counts;
    private uint _arm;
    private uint _controlMessages;
    private volatile bool _stop;

    private SubscriberPage Page => _page!;

    private ControlBlock Control => _control!;

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
            catch (HangUpException exception)
            {
                Print(exception.Event, exception.Code);
            }
            catch (WireException exception)
            {
                SayBye(exception.Code, exception.Message);
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

    public void Dispose()
    {
        Leave();
        _leaked.ForEach(packet => packet.Dispose());
    }

    private void Greet()
    {
        const uint correlation = 4711;
        _connection!.Send(Message.Build(MessageType.HELLO, correlation, Tlv.VersionRange(1, 1), Tlv.U32(TlvType.DELIVERY, (uint)Delivery.NEWEST),
            Tlv.U32(TlvType.LEASES, WantedLeases), Tlv.Domain(Limits.DomainHost, 1 << (int)Limits.HandleHostMemfd),
            Tlv.Text(TlvType.PROGRAM, "example-subscriber")));
        using Packet packet = Receive(Limits.WelcomeMilliseconds) ?? throw new HangUpException("disconnected", ErrorCode.DISCONNECTED);
        Message message = Parse(packet);
        switch (message.Type)
        {
            case MessageType.REFUSE:
                throw new HangUpException("refused", message.Error);
            case MessageType.BYE:
                throw Leave(message);
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
            throw new WireException(ErrorCode.DESCRIPTOR_COUNT, "3.3", $"WELCOME with {packet.Descriptors.Length} descriptors");
        }

        _granted = welcome.UInt32(TlvType.LEASES);
        _epoch = welcome.UInt64(TlvType.EPOCH);
        ulong id = welcome.UInt64(TlvType.SUBSCRIBER_ID);
        if (welcome.Version != 1 || welcome.UInt32(TlvType.VERSION) != 1 || _epoch == 0 || id == 0 || _granted is 0 or > WantedLeases ||
            welcome.UInt32(TlvType.DELIVERY) != (uint)Delivery.NEWEST)
        {
            throw new WireException(ErrorCode.PROTOCOL_ERROR, "3.3", "WELCOME grants what was not asked for");
        }

        MemoryFileSeals three = MemoryFileSeals.Seal | MemoryFileSeals.Grow | MemoryFileSeals.Shrink;
        _control = new ControlBlock(Map(packet.Descriptors[0], three | MemoryFileSeals.FutureWrite, Layout.ControlBlock.Size,
            MappingAccess.ReadOnly, ErrorCode.CONTROL_BLOCK_INVALID));
        CheckControlBlock();
        _page = new SubscriberPage(Map(packet.Descriptors[1], three, Layout.SubscriberPage.FileSize, MappingAccess.ReadWrite,
            ErrorCode.CONTROL_BLOCK_INVALID));
        if (BinaryPrimitives.ReadUInt64LittleEndian(_page.Bytes) != Layout.SubscriberPage.MagicValue ||
            BinaryPrimitives.ReadUInt64LittleEndian(_page.Bytes[Layout.SubscriberPage.SubscriberId..]) != id)
        {
            throw new WireException(ErrorCode.CONTROL_BLOCK_INVALID, "5.1", "the page is of somebody else");
        }

        // With START the frames from there on count as missed; without it none does before the first one taken.
        _cursor = 0;
        _counts = false;
        if (welcome.Has(TlvType.START))
        {
            ulong start = welcome.UInt64(TlvType.START);
            ulong head = BinaryPrimitives.ReadUInt64LittleEndian(welcome.Get(TlvType.STREAM_DESCRIPTION).Value.AsSpan(Layout.StreamDescription.Head));
            if (start > head)
            {
                throw new WireException(ErrorCode.PROTOCOL_ERROR, "3.3", $"START is {start} and head {head}");
            }

            if (fault != SubscriberFault.IgnoresStart)
            {
                _cursor = start;
                _counts = true;
                Page.Cursor = start;
            }
        }

        _controlMessages = ~Control.ControlMessages;
    }

    private MemoryMapping Map(FileDescriptor file, MemoryFileSeals seals, long size, MappingAccess access, ErrorCode code)
    {
        try
        {
            MemoryFile.RequireSeals(file, fault == SubscriberFault.NoFutureWriteCheck ? seals & ~MemoryFileSeals.FutureWrite : seals);
            return MemoryMapping.Map(file, size, access);
        }
        catch (Exception exception) when (exception is InvalidDataException or LinuxException)
        {
            throw new WireException(code, "4.1", exception.Message);
        }
    }

    private void CheckControlBlock()
    {
        bool sound = Control.ReadUInt64(Layout.ControlBlock.Magic) == Layout.ControlBlock.MagicValue &&
            Control.ReadUInt32(Layout.ControlBlock.LayoutVersion) == 1 &&
            Control.ReadUInt32(Layout.ControlBlock.SlotSize) == Layout.Slot.Size &&
            Control.ReadUInt32(Layout.ControlBlock.IndexEntrySize) == 8 &&
            Control.ReadUInt32(Layout.ControlBlock.SlotCapacity) == Layout.ControlBlock.SlotCount &&
            Control.ReadUInt32(Layout.ControlBlock.IndexCapacity) == Layout.ControlBlock.IndexCount &&
            Control.ReadUInt32(Layout.ControlBlock.TotalSize) == Layout.ControlBlock.Size &&
            Control.ReadUInt32(Layout.ControlBlock.IndexOffset) == Layout.ControlBlock.Index &&
            Control.ReadUInt32(Layout.ControlBlock.SlotsOffset) == Layout.ControlBlock.Slots &&
            Control.ReadUInt64(Layout.ControlBlock.Epoch) == _epoch;
        if (!sound)
        {
            throw new WireException(ErrorCode.CONTROL_BLOCK_INVALID, "4.1", "the header of the control block is wrong");
        }
    }

    private void Read()
    {
        while (!_stop)
        {
            if (fault != SubscriberFault.IgnoresControlMessages)
            {
                ReadMessagesIfAny();
            }
            else if (_segments.Count == 0)
            {
                ReadSocket();
            }

            ulong head = Control.Head;
            if (head < _cursor || head >= Limits.EndOfSequences)
            {
                throw new WireException(ErrorCode.CONTROL_BLOCK_INVALID, "4.2", $"head is {head} after {_cursor}");
            }

            if (head > _cursor && _segments.Count > 0)
            {
                if (Take(head))
                {
                    continue;
                }

                if (Control.Head == head)
                {
                    throw new WireException(ErrorCode.CONTROL_BLOCK_INVALID, "4.2", $"the newest frame, {head}, is gone");
                }
            }

            Page.Waiting = (++_arm << 2) | Limits.WakeFutex;
            Interlocked.MemoryBarrier();
            uint word = Control.FutexValue;
            bool read = fault != SubscriberFault.IgnoresControlMessages;
            if (Control.Head == head)
            {
                // Who sleeps for longer sees a frame before the message that came just before it.
                read |= Futex.Wait(Control.FutexWord, word, read ? SleepNanoseconds : LongSleepNanoseconds) == FutexWaitResult.TimedOut;
            }

            Page.Waiting = 0;
            if (read)
            {
                ReadSocket();
            }
        }
    }

    private bool Take(ulong sequence)
    {
        ulong entry = Control.IndexEntry(sequence);
        int slot = (int)(entry & 0xFF);
        if (entry >> 8 != sequence || slot >= Layout.ControlBlock.SlotCount)
        {
            return false;
        }

        if (fault != SubscriberFault.NoLease)
        {
            Page.SetLease(slot, sequence);
            Interlocked.MemoryBarrier();
        }

        if (Control.SlotState(slot) != sequence && fault != SubscriberFault.NoStateCheck)
        {
            Page.SetLease(slot, 0);
            return false;
        }

        if (fault == SubscriberFault.ExceedsQuota)
        {
            Page.SetLease((slot + 1) % 2 == 0 ? 0 : 63, sequence);
        }

        ulong missed = !_counts || fault == SubscriberFault.NothingMissed ? 0 : sequence - _cursor - 1;
        string hash = HashFrame(slot);
        _cursor = sequence;
        _counts = true;
        Page.Cursor = fault == SubscriberFault.CursorGoesBack && Page.Taken > 0 ? 0 : sequence;
        Page.Taken++;
        Page.Missed += missed;
        if (fault != SubscriberFault.NeverReleases)
        {
            Page.Released++;
            Page.SetLease(slot, 0);
            if (fault == SubscriberFault.ExceedsQuota)
            {
                Page.SetLease((slot + 1) % 2 == 0 ? 0 : 63, 0);
            }
        }

        output.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{{\"sequence\":{sequence},\"epoch\":\"{_epoch:x16}\",\"sha256\":\"{hash}\",\"missed\":{missed}}}"));
        output.Flush();
        return true;
    }

    private string HashFrame(int slot)
    {
        byte[] descriptor = Control.CopySlot(slot);
        uint id = BinaryPrimitives.ReadUInt32LittleEndian(descriptor.AsSpan(Layout.Slot.SegmentId));
        if (!_segments.TryGetValue(id, out (ulong Size, MemoryMapping Mapping) segment))
        {
            throw new WireException(ErrorCode.FRAME_INVALID, "6.4", $"segment {id} is unknown");
        }

        byte[] picture = descriptor[Layout.Slot.Picture..(Layout.Slot.Picture + Layout.Picture.Size)];
        if (fault == SubscriberFault.IgnoresCrop)
        {
            picture.AsSpan(Layout.Picture.CropLeft, 8).Clear();
        }

        Picture? read = Picture.Read(picture, segment.Size, out string reason);
        if (read is not null)
        {
            return read.Hash(segment.Mapping.ReadOnlySlice);
        }

        // Who does not check would read rows that overlap, or outside the mapping; this one reads nothing and pretends.
        return fault == SubscriberFault.NoPitchCheck && reason.Contains("is below the", StringComparison.Ordinal)
            ? string.Empty
            : throw new WireException(ErrorCode.FRAME_INVALID, "4.9", reason);
    }

    private void ReadMessagesIfAny()
    {
        uint count = Control.ControlMessages;
        if (count != _controlMessages)
        {
            _controlMessages = count;
            ReadSocket();
        }
    }

    private void ReadSocket()
    {
        while (Receive(0) is { } packet)
        {
            if (fault == SubscriberFault.LeaksDescriptors)
            {
                _leaked.Add(packet);
                Handle(Parse(packet), packet);
            }
            else
            {
                using (packet)
                {
                    Handle(Parse(packet), packet);
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
            PacketKind.HangUp => throw new HangUpException("disconnected", ErrorCode.DISCONNECTED),
            PacketKind.Truncated => throw new WireException(ErrorCode.PROTOCOL_ERROR, "2.2", "a message that is too long"),
            _ => throw new WireException(ErrorCode.DESCRIPTOR_COUNT, "2.2", "a message with too many descriptors"),
        };
    }

    private Message Parse(Packet packet)
    {
        if (fault == SubscriberFault.IgnoresMustUnderstand)
        {
            for (int position = Limits.HeaderSize; position + Limits.TlvHeadSize <= packet.Bytes.Length;)
            {
                packet.Bytes[position + 3] &= 0x7F;
                ulong length = BinaryPrimitives.ReadUInt32LittleEndian(packet.Bytes.AsSpan(position + 4));
                ulong next = (ulong)position + Limits.TlvHeadSize + ((length + 7) & ~7UL);
                position = (int)Math.Min(next, (ulong)packet.Bytes.Length);
            }
        }

        return packet.Parse();
    }

    private void Handle(Message message, Packet packet)
    {
        if (message.Version != 1)
        {
            throw new WireException(ErrorCode.PROTOCOL_ERROR, "2.9", $"version {message.Version} was not agreed on");
        }

        switch (message.Type)
        {
            case MessageType.SEGMENT:
                AddSegment(message, packet);
                break;
            case MessageType.RETIRE:
                uint id = message.UInt32(TlvType.SEGMENT_ID);
                if (!_segments.Remove(id, out (ulong Size, MemoryMapping Mapping) segment))
                {
                    throw new WireException(ErrorCode.PROTOCOL_ERROR, "13.2", $"RETIRE of segment {id}, which is unknown");
                }

                segment.Mapping.Dispose();
                Answer(MessageType.RETIRED, id, SubscriberFault.NoRetired);
                break;
            case MessageType.NOTICE when message.UInt32(TlvType.NOTICE_KIND) == (uint)NoticeKind.EVICTED:
                throw new HangUpException("evicted", message.Error);
            case MessageType.NOTICE when message.UInt32(TlvType.NOTICE_KIND) == (uint)NoticeKind.SHUTTING_DOWN:
                throw new HangUpException("disconnected", ErrorCode.SHUTTING_DOWN);
            case MessageType.BYE:
                throw Leave(message);
            case MessageType.NOTICE or MessageType.DOORBELL:
                break;
            default:
                throw new WireException(ErrorCode.PROTOCOL_ERROR, "13.2", $"{message.Type} is not expected");
        }
    }

    private void AddSegment(Message message, Packet packet)
    {
        byte[] value = message.Get(TlvType.SEGMENT).Value;
        uint Word(int offset) => BinaryPrimitives.ReadUInt32LittleEndian(value.AsSpan(offset));
        uint id = Word(Layout.SegmentDescription.SegmentId);
        ulong size = BinaryPrimitives.ReadUInt64LittleEndian(value.AsSpan(Layout.SegmentDescription.Bytes));
        if (_segments.ContainsKey(id))
        {
            throw new WireException(ErrorCode.PROTOCOL_ERROR, "13.2", $"segment {id} is known");
        }

        if (Word(Layout.SegmentDescription.Domain) != Limits.DomainHost || Word(Layout.SegmentDescription.HandleKind) != Limits.HandleHostMemfd ||
            size is 0 or > Limits.MaxSegmentSize)
        {
            throw new WireException(ErrorCode.SEGMENT_INVALID, "6.3", "a segment that cannot be mapped");
        }

        MemoryFileSeals seals = MemoryFileSeals.Seal | MemoryFileSeals.Grow | MemoryFileSeals.Shrink | MemoryFileSeals.FutureWrite;
        _segments[id] = (size, Map(packet.Descriptors[0], seals, (long)size, MappingAccess.ReadOnly, ErrorCode.SEGMENT_INVALID));
        Answer(MessageType.SEGMENT_READY, id, SubscriberFault.NoSegmentReady);
    }

    private void Answer(MessageType type, uint segment, SubscriberFault unless)
    {
        if (fault != unless)
        {
            _connection!.TrySend(Message.Build(type, 0, Tlv.U32(TlvType.SEGMENT_ID, segment)));
        }
    }

    private HangUpException Leave(Message bye)
    {
        if (fault == SubscriberFault.AnswersBye)
        {
            SayBye(ErrorCode.NONE, "goodbye");
        }

        return new HangUpException("disconnected", bye.Error);
    }

    private void SayBye(ErrorCode code, string text) => _connection!.TrySend(Message.Build(
        MessageType.BYE, 0, Tlv.U32(TlvType.ERROR_CODE, (uint)code), Tlv.Text(TlvType.ERROR_TEXT, text)));

    private void Print(string name, ErrorCode code)
    {
        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{{\"event\":\"{name}\",\"code\":{(uint)code}}}"));
        output.Flush();
    }

    private void Leave()
    {
        foreach ((ulong _, MemoryMapping mapping) in _segments.Values)
        {
            mapping.Dispose();
        }

        _segments.Clear();
        _control?.Dispose();
        _page?.Dispose();
        _connection?.Dispose();
        _control = null;
        _page = null;
        _connection = null;
    }

    /// <summary>The connection is over without a fault of the publisher.</summary>
    private sealed class HangUpException(string name, ErrorCode code) : Exception(name)
    {
        public string Event { get; } = name;

        public ErrorCode Code { get; } = code;
    }
}
