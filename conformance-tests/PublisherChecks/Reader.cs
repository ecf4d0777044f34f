using System.Buffers.Binary;
using System.Diagnostics;
using CuFrames.Conformance.Memory;
using CuFrames.Conformance.Spec;
using CuFrames.Conformance.Suite;
using CuFrames.Conformance.Wire;
using CuFrames.Interop;

namespace CuFrames.Conformance.PublisherChecks;

/// <summary>A well-behaved subscriber, the hand with which a publisher is examined. For one thread.</summary>
internal sealed unsafe class Reader : IDisposable
{
    private const int AnswerMilliseconds = 15_000;

    // No longer, because this is what faulty publishers fail to do most often.
    private const int EvictionMilliseconds = 15_000;

    private readonly Dictionary<uint, Segment> _segments = [];
    private readonly List<Message> _others = [];
    private readonly ulong _firstHead;
    private uint _controlMessages;
    private bool _drained;

    private Reader(Connection connection, Message welcome, FileDescriptor control, FileDescriptor page)
    {
        Connection = connection;
        Welcome = welcome;
        ControlDescriptor = control;
        PageDescriptor = page;
        Control = new ControlBlock(MemoryMapping.Map(control, Layout.ControlBlock.Size, MappingAccess.ReadOnly));
        Page = new SubscriberPage(MemoryMapping.Map(page, Layout.SubscriberPage.FileSize, MappingAccess.ReadWrite));
        Granted = welcome.UInt32(TlvType.LEASES);
        Epoch = welcome.UInt64(TlvType.EPOCH);
        _firstHead = BinaryPrimitives.ReadUInt64LittleEndian(Description.AsSpan(Layout.StreamDescription.Head));
    }

    public Connection Connection { get; }

    public Message Welcome { get; }

    public FileDescriptor ControlDescriptor { get; }

    public FileDescriptor PageDescriptor { get; }

    public ControlBlock Control { get; }

    public SubscriberPage Page { get; }

    public uint Granted { get; }

    public ulong Epoch { get; }

    public IReadOnlyDictionary<uint, Segment> Segments => _segments;

    /// <summary>Messages other than SEGMENT, RETIRE and DOORBELL, in the order in which they came.</summary>
    public IReadOnlyList<Message> Others => _others;

    /// <summary>SEGMENT and RETIRE messages, in the order in which they came.</summary>
    public List<(MessageType Type, uint SegmentId)> Announcements { get; } = [];

    public int Doorbells { get; private set; }

    public bool HungUp { get; private set; }

    /// <summary>Bytes of the stream's description in WELCOME.</summary>
    public byte[] Description => Welcome.Get(TlvType.STREAM_DESCRIPTION).Value;

    /// <summary>Slots in use, by WELCOME.</summary>
    public uint Slots => BinaryPrimitives.ReadUInt32LittleEndian(Description.AsSpan(Layout.StreamDescription.Slots));

    /// <summary>Connects and is welcomed.</summary>
    public static Reader Open(PublisherContext context, HelloOptions? options = null)
    {
        options ??= new HelloOptions();
        var connection = Connection.Open(context.SocketPath);
        try
        {
            connection.Send(options.Build());
            return FromAnswer(connection, connection.Receive(AnswerMilliseconds));
        }
        catch
        {
            connection.Dispose();
            throw;
        }
    }

    /// <summary>Connects, or returns null with the answer if it was refused.</summary>
    public static Reader? TryOpen(PublisherContext context, HelloOptions options, out Message? refusal)
    {
        var connection = Connection.Open(context.SocketPath);
        refusal = null;
        try
        {
            connection.Send(options.Build());
            Packet answer = connection.Receive(AnswerMilliseconds);
            if (answer.Kind == PacketKind.Packet && answer.Parse() is { Type: MessageType.REFUSE } message)
            {
                refusal = message;
                connection.Dispose();
                return null;
            }

            return FromAnswer(connection, answer);
        }
        catch
        {
            connection.Dispose();
            throw;
        }
    }

    /// <summary>Waits for the first segments and for a frame, so that what follows need not.</summary>
    public void AwaitFirstFrame()
    {
        Until(() => Control.Head > 0 && _segments.Count > 0, 10_000, "6.5", "a frame", () => $"head {Control.Head}");
    }

    /// <summary>Reads the socket empty.</summary>
    public void Drain(int timeoutMilliseconds = 0)
    {
        while (!HungUp)
        {
            Packet packet = Connection.Receive(timeoutMilliseconds);
            timeoutMilliseconds = 0;
            switch (packet.Kind)
            {
                case PacketKind.Nothing:
                    return;
                case PacketKind.HangUp:
                    HungUp = true;
                    return;
                case PacketKind.Packet:
                    Accept(packet);
                    break;
                default:
                    throw new WireException(ErrorCode.PROTOCOL_ERROR, "2.2", "a message that is too long or has too many descriptors");
            }
        }
    }

    /// <summary>Takes a frame if it is still there (6.6, steps 3 to 6, without the counters' skipping).</summary>
    /// <returns>The frame; null if it is gone.</returns>
    public Frame? TryTake(ulong sequence)
    {
        ReadMessagesIfAny();
        ulong entry = Control.IndexEntry(sequence);
        if (entry >> 8 != sequence)
        {
            return null;
        }

        int slot = (int)(entry & 0xFF);
        Expect.That(slot < Layout.ControlBlock.SlotCount, "an index entry that names a slot below 64 (4.2)", $"slot {slot}");
        Page.SetLease(slot, sequence);
        Interlocked.MemoryBarrier();
        if (Control.SlotState(slot) != sequence)
        {
            Page.SetLease(slot, 0);
            return null;
        }

        Page.Cursor = Math.Max(Page.Cursor, sequence);
        Page.Taken++;
        return Examine(sequence, slot);
    }

    /// <summary>Takes the newest frame that is newer than <paramref name="after"/>, waiting for one.</summary>
    public Frame TakeNewest(ulong after = 0, int timeoutMilliseconds = 30_000)
    {
        var watch = Stopwatch.StartNew();
        while (true)
        {
            ReadMessagesIfAny();
            ulong head = Control.Head;
            if (head > after && TryTake(head) is { } frame)
            {
                return frame;
            }

            CheckAlive();
            Expect.That(watch.ElapsedMilliseconds < timeoutMilliseconds, $"a frame after {after} within {timeoutMilliseconds} ms",
                $"head {Control.Head}, state {Control.State}");
            if (head <= after)
            {
                Pause();
            }
        }
    }

    public void Release(Frame frame)
    {
        Page.SetLease(frame.Slot, 0);
        Page.Released++;
    }

    /// <summary>Waits until so many more frames have been published.</summary>
    public void AwaitFrames(ulong count, int timeoutMilliseconds = 20_000)
    {
        ulong target = Control.Head + count;
        Until(() => Control.Head >= target, timeoutMilliseconds, "6.5", $"{count} more frames", () => $"head {Control.Head} of {target}");
    }

    /// <summary>Waits for a condition while the socket is read.</summary>
    public void Until(Func<bool> condition, int timeoutMilliseconds, string paragraph, string expected, Func<string> found)
    {
        var watch = Stopwatch.StartNew();
        while (!condition())
        {
            CheckAlive();
            if (watch.ElapsedMilliseconds > timeoutMilliseconds)
            {
                throw Expect.Failure($"{expected} within {timeoutMilliseconds} ms ({paragraph})", found());
            }

            Pause();
            Drain();
        }
    }

    /// <summary>Waits for eviction: NOTICE EVICTED with the code, then hang-up (6.9).</summary>
    public void ExpectEviction(ErrorCode code, int timeoutMilliseconds = EvictionMilliseconds)
    {
        var watch = Stopwatch.StartNew();
        while (!HungUp && watch.ElapsedMilliseconds < timeoutMilliseconds)
        {
            Drain(50);
        }

        Message? notice = _others.Find(message => message.Type == MessageType.NOTICE && message.UInt32(TlvType.NOTICE_KIND) == (uint)NoticeKind.EVICTED);
        string found = _others.Count == 0 ? "no message" : string.Join(", ", _others);
        found += HungUp ? ", then a hang-up" : $", and no hang-up within {timeoutMilliseconds} ms";
        Expect.That(notice is not null && notice.Error == code && notice.Has(TlvType.ERROR_TEXT) && HungUp,
            $"NOTICE EVICTED with {code} and a text, then a hang-up (6.9)", found);
    }

    /// <summary>The peer must not have hung up.</summary>
    public void CheckAlive()
    {
        if (!HungUp)
        {
            Drain();
        }

        Expect.That(!HungUp, "that the connection lasts",
            _others.Count == 0 ? "a hang-up without a message" : string.Join(", ", _others) + ", then a hang-up");
    }

    public void Dispose()
    {
        foreach (Segment segment in _segments.Values)
        {
            segment.Dispose();
        }

        Control.Dispose();
        Page.Dispose();
        ControlDescriptor.Dispose();
        PageDescriptor.Dispose();
        Connection.Dispose();
    }

    private static Reader FromAnswer(Connection connection, Packet answer)
    {
        Expect.That(answer.Kind == PacketKind.Packet, "WELCOME (3.3)", answer.Kind.ToString());
        Message welcome = answer.Parse();
        Expect.That(welcome.Type == MessageType.WELCOME && welcome.DescriptorCount == 2, "WELCOME with two descriptors (3.3)",
            $"{welcome} with {welcome.DescriptorCount} descriptors");
        return new Reader(connection, welcome, answer.Descriptors[0], answer.Descriptors[1]);
    }

    // The rest of a millisecond is long enough to leave the processor to the publisher and short beside a frame's time.
    private static void Pause() => Thread.Sleep(1);

    private void ReadMessagesIfAny()
    {
        uint count = Control.ControlMessages;
        if (!_drained || count != _controlMessages)
        {
            _drained = true;
            _controlMessages = count;
            Drain();
        }
    }

    private void Accept(Packet packet)
    {
        Message message = packet.Parse();
        Expect.That(message.Version == Limits.Version, "version 1 in the header of every message (2.9)", $"{message.Version} in {message.Type}");
        switch (message.Type)
        {
            case MessageType.SEGMENT:
                Announcements.Add((message.Type, AddSegment(message, packet)));
                break;
            case MessageType.RETIRE:
                uint id = message.UInt32(TlvType.SEGMENT_ID);
                Expect.That(_segments.Remove(id, out Segment? segment), "RETIRE of a segment that was sent (6.10)", $"segment {id}");
                Announcements.Add((message.Type, id));
                segment.Dispose();
                Connection.Send(Message.Build(MessageType.RETIRED, message.Correlation, Tlv.U32(TlvType.SEGMENT_ID, id)));
                break;
            case MessageType.DOORBELL:
                Doorbells++;
                break;
            default:
                _others.Add(message);
                break;
        }
    }

    private uint AddSegment(Message message, Packet packet)
    {
        byte[] value = message.Get(TlvType.SEGMENT).Value;
        uint Read(int offset) => BinaryPrimitives.ReadUInt32LittleEndian(value.AsSpan(offset));
        uint id = Read(Layout.SegmentDescription.SegmentId);
        ulong size = BinaryPrimitives.ReadUInt64LittleEndian(value.AsSpan(Layout.SegmentDescription.Bytes));
        Expect.That(id > 0 && !_segments.ContainsKey(id), "a segment_id from 1 that was not used before (6.3)", $"{id}");
        Expect.That(packet.Descriptors.Length == 1, "a segment in host memory, with one descriptor", $"{packet.Descriptors.Length} descriptors");
        Expect.That(size is > 0 and <= Limits.MaxSegmentSize, "a size from 1 to 2^40 (6.3)", $"{size}");
        _segments[id] = new Segment(id, Read(Layout.SegmentDescription.Domain), Read(Layout.SegmentDescription.HandleKind),
            Read(Layout.SegmentDescription.SegmentGeneration), size, message.Correlation, packet.Descriptors[0],
            MemoryMapping.Map(packet.Descriptors[0], (long)size, MappingAccess.ReadOnly));
        Connection.Send(Message.Build(MessageType.SEGMENT_READY, message.Correlation, Tlv.U32(TlvType.SEGMENT_ID, id)));
        return id;
    }

    private Frame Examine(ulong sequence, int slot)
    {
        byte[] descriptor = Control.CopySlot(slot);
        uint id = BinaryPrimitives.ReadUInt32LittleEndian(descriptor.AsSpan(Layout.Slot.SegmentId));
        if (sequence <= _firstHead)
        {
            // The segment of a frame that was there before WELCOME may still be on its way (3.6).
            Until(() => _segments.ContainsKey(id), AnswerMilliseconds, "3.6", $"segment {id}", () => "none");
        }

        Expect.That(_segments.TryGetValue(id, out Segment? segment), "a frame in a segment that was sent before it (6.4)",
            $"frame {sequence} in segment {id}");
        Picture? picture = Picture.Read(descriptor.AsSpan(Layout.Slot.Picture, Layout.Picture.Size), segment.Size, out string fault);
        Expect.That(picture is not null, "a picture as 4.9 says", $"frame {sequence}: {fault}");
        return new Frame(sequence, slot, descriptor, segment, picture);
    }
}
