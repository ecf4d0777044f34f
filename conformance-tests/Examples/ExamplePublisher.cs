using System.Buffers.Binary;
using System.Diagnostics;
using CuFrames.Conformance.Memory;
using CuFrames.Conformance.Spec;
using CuFrames.Conformance.Wire;
using CuFrames.Interop;

namespace CuFrames.Conformance.Examples;

/// <summary>
/// A small publisher, written from the document and from nothing else. Without a fault it passes the suite; with one, the
/// suite must find it. One thread does everything.
/// </summary>
internal sealed class ExamplePublisher : IDisposable
{
    private const int FirstSlots = 6;
    private const int MaxSlots = 8;
    private const uint MostLeases = 4;
    private const int MostSubscribers = 40;
    private const int LeaseTimeoutMilliseconds = 400;

    // Longer than a busy machine keeps a subscriber from running.
    private const int LosslessMilliseconds = 5_000;
    private const int LateFrames = 500;

    private readonly ExamplePublisherOptions _options;
    private readonly UnixSocket _listener;
    private readonly EventLoop _loop = new();
    private readonly Ring _ring;
    private readonly Dictionary<nint, ExampleSession> _sessions = [];
    private readonly List<Packet> _leaked = [];
    private readonly Stopwatch _clock = Stopwatch.StartNew();
    private nint _nextToken = 1;
    private ulong _nextSubscriberId = 1;
    private long _nextFrame;
    private long? _formatChange;
    private int _framesSinceChange;
    private long? _losslessWaitingSince;
    private uint _nextCorrelation = 1;
    private ulong _evicted;
    private ulong _restedAt;
    private volatile bool _stop;

    public ExamplePublisher(ExamplePublisherOptions options)
    {
        _options = options;
        _ring = new Ring(PictureShape.Cropped, FirstSlots, options.Fault);
        _listener = UnixSocket.Listen(options.SocketPath, 256, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        _loop.Add(_listener, IoEvents.Readable, 0);
    }

    private IEnumerable<ExampleSession> Active => _sessions.Values.Where(session => session.Page is not null);

    /// <summary>Publishes until <see cref="Stop"/>.</summary>
    public void Run()
    {
        Span<LoopEvent> events = new LoopEvent[64];
        while (!_stop)
        {
            int wait = (int)Math.Clamp(_nextFrame - _clock.ElapsedMilliseconds, 0, 20);
            int count = _loop.Wait(events, wait);
            for (int i = 0; i < count; i++)
            {
                if (events[i].Token == 0)
                {
                    AcceptAll();
                }
                else if (_sessions.TryGetValue(events[i].Token, out ExampleSession? session))
                {
                    ReadAll(session);
                }
            }

            ExpireHandshakes();
            CheckPages();
            if (_clock.ElapsedMilliseconds >= _nextFrame)
            {
                Tick();
            }

            RemoveClosed();
        }
    }

    /// <summary>Ends <see cref="Run"/>; any thread may call it.</summary>
    public void Stop()
    {
        _stop = true;
        _loop.Wake();
    }

    public void Dispose()
    {
        foreach (ExampleSession session in _sessions.Values)
        {
            if (session.Page is not null && !session.Closed)
            {
                session.Connection.TrySend(Message.Build(MessageType.NOTICE, 0, Tlv.U32(TlvType.NOTICE_KIND, (uint)NoticeKind.SHUTTING_DOWN)));
            }

            session.Dispose();
        }

        _leaked.ForEach(packet => packet.Dispose());
        _listener.Dispose();
        _loop.Dispose();
        _ring.Dispose();
    }

    private void AcceptAll()
    {
        while (_listener.TryAccept(out UnixSocket? socket))
        {
            var session = new ExampleSession(new Connection(socket), _clock.ElapsedMilliseconds);
            _sessions[_nextToken] = session;
            _loop.Add(socket, IoEvents.Readable, _nextToken);
            _nextToken++;
        }
    }

    private void ReadAll(ExampleSession session)
    {
        while (!session.Closed)
        {
            Packet packet = session.Connection.Receive(0);
            switch (packet.Kind)
            {
                case PacketKind.Nothing:
                    return;
                case PacketKind.HangUp:
                    Close(session);
                    return;
                case PacketKind.Truncated:
                    Fail(session, new WireException(ErrorCode.PROTOCOL_ERROR, "2.2", "the message is too long"), 0);
                    return;
                case PacketKind.ControlTruncated:
                    Fail(session, new WireException(ErrorCode.DESCRIPTOR_COUNT, "2.2", "too many descriptors"), 0);
                    return;
                default:
                    Handle(session, packet);
                    break;
            }
        }
    }

    private void Handle(ExampleSession session, Packet packet)
    {
        if (_options.Fault == PublisherFault.LeaksDescriptors)
        {
            _leaked.Add(packet);
        }

        if (session.Probing)
        {
            packet.Dispose();
            Close(session);
            return;
        }

        uint correlation = packet.Bytes.Length >= Limits.HeaderSize ? BinaryPrimitives.ReadUInt32LittleEndian(packet.Bytes.AsSpan(12)) : 0;
        try
        {
            if (_options.Fault == PublisherFault.IgnoresMustUnderstand)
            {
                ForgetMustUnderstand(packet.Bytes);
            }

            Message message = packet.Parse();
            if (session.Page is null)
            {
                Greet(session, message);
            }
            else
            {
                HandleActive(session, message);
            }
        }
        catch (WireException exception)
        {
            Fail(session, exception, correlation);
        }
        finally
        {
            if (_options.Fault != PublisherFault.LeaksDescriptors)
            {
                packet.Dispose();
            }
        }
    }

    private void Greet(ExampleSession session, Message hello)
    {
        if (hello.Type == MessageType.BYE)
        {
            Close(session);
            return;
        }

        if (hello.Type != MessageType.HELLO)
        {
            throw new WireException(ErrorCode.PROTOCOL_ERROR, "13.1", $"{hello.Type} before HELLO");
        }

        byte[] range = hello.Get(TlvType.VERSION_RANGE).Value;
        ushort lowest = BinaryPrimitives.ReadUInt16LittleEndian(range);
        ushort highest = BinaryPrimitives.ReadUInt16LittleEndian(range.AsSpan(2));
        bool probe = hello.Has(TlvType.PROBE);
        uint leases = probe ? 1 : hello.UInt32(TlvType.LEASES);
        var delivery = probe ? Delivery.NEWEST : (Delivery)hello.UInt32(TlvType.DELIVERY);
        if (lowest > highest || hello.Version != lowest || leases is 0 or > Limits.MaxLeases || !Enum.IsDefined(delivery))
        {
            throw new WireException(ErrorCode.PROTOCOL_ERROR, "3.2", "HELLO contradicts itself");
        }

        if (lowest > Limits.Version || highest < Limits.Version)
        {
            Refuse(session, ErrorCode.VERSION_MISMATCH, "this publisher speaks version 1", hello.Correlation, hello.Version);
            return;
        }

        if (probe)
        {
            session.Probing = true;
            session.Connection.Send(Welcome(hello, null));
            return;
        }

        if (Active.Count() >= MostSubscribers)
        {
            Refuse(session, ErrorCode.TOO_MANY_SUBSCRIBERS, $"{MostSubscribers} subscribers are there", hello.Correlation);
            return;
        }

        if (!hello.All(TlvType.DOMAIN).Any(IsHost))
        {
            Refuse(session, ErrorCode.DOMAIN_NOT_MAPPABLE, "the stream lies in host memory", hello.Correlation);
            return;
        }

        uint wakes = hello.Has(TlvType.WAKES) ? hello.UInt32(TlvType.WAKES) : 0;
        session.Wakes = Limits.WakeFutex | (wakes & Limits.WakeDoorbell);
        session.Delivery = delivery;
        session.Granted = Math.Min(leases, MostLeases);
        Activate(session, hello);
    }

    private void Activate(ExampleSession session, Message hello)
    {
        ulong id = _nextSubscriberId++;
        session.PageDescriptor = MemoryFile.Create("conformance-page", Layout.SubscriberPage.FileSize);
        MemoryMapping mapping = MemoryMapping.Map(session.PageDescriptor, Layout.SubscriberPage.FileSize, MappingAccess.ReadWrite);
        BinaryPrimitives.WriteUInt64LittleEndian(mapping.Slice(Layout.SubscriberPage.Magic, 8), Layout.SubscriberPage.MagicValue);
        BinaryPrimitives.WriteUInt64LittleEndian(mapping.Slice(Layout.SubscriberPage.SubscriberId, 8), id);
        MemoryFile.AddSeals(session.PageDescriptor, MemoryFileSeals.Seal | MemoryFileSeals.Grow | MemoryFileSeals.Shrink);
        session.Page = new SubscriberPage(mapping);
        session.Connection.Send(Welcome(hello, (session, id)), _ring.ControlDescriptor, session.PageDescriptor);
        foreach (RingSegment segment in _ring.Segments)
        {
            Announce(session, segment);
        }

        _formatChange ??= _clock.ElapsedMilliseconds + _options.FormatChangeMilliseconds;
    }

    private static bool IsHost(Tlv offer) =>
        BinaryPrimitives.ReadUInt32LittleEndian(offer.Value) == Limits.DomainHost &&
        (BinaryPrimitives.ReadUInt32LittleEndian(offer.Value.AsSpan(Layout.DomainOffer.HandleKinds)) & (1u << (int)Limits.HandleHostMemfd)) != 0;

    private byte[] Welcome(Message hello, (ExampleSession Session, ulong Id)? subscriber)
    {
        List<byte[]> tlvs =
        [
            Tlv.U32(TlvType.VERSION, Limits.Version), Tlv.U64(TlvType.FEATURES, 0), Tlv.U64(TlvType.EPOCH, _ring.Epoch),
            Tlv.Text(TlvType.STREAM_KEY, "conformance"), Tlv.Bytes(TlvType.STREAM_DESCRIPTION, Describe()),
            Tlv.Text(TlvType.PROGRAM, "example-publisher"),
        ];
        if (subscriber is { } active)
        {
            tlvs.Add(Tlv.U64(TlvType.SUBSCRIBER_ID, active.Id));
            tlvs.Add(Tlv.U32(TlvType.DELIVERY, (uint)active.Session.Delivery));
            tlvs.Add(Tlv.U32(TlvType.LEASES, active.Session.Granted));
            tlvs.Add(Tlv.U32(TlvType.FENCES, Limits.FenceCpu));
            tlvs.Add(Tlv.U32(TlvType.WAKES, active.Session.Wakes));
            if (_restedAt != 0 && _restedAt == _ring.Head && _options.Fault != PublisherFault.NoStart)
            {
                tlvs.Add(Tlv.Start(_restedAt));
            }
        }

        return Message.Build(MessageType.WELCOME, _options.Fault == PublisherFault.NoCorrelation ? 0 : hello.Correlation, [.. tlvs]);
    }

    private byte[] Describe()
    {
        byte[] value = new byte[Layout.StreamDescription.Size];
        void Word(int offset, uint word) => BinaryPrimitives.WriteUInt32LittleEndian(value.AsSpan(offset), word);
        void Long(int offset, ulong word) => BinaryPrimitives.WriteUInt64LittleEndian(value.AsSpan(offset), word);
        Word(Layout.StreamDescription.PixelFormat, _ring.Shape.Format.FourCc);
        Word(Layout.StreamDescription.Width, (uint)_ring.Shape.Width);
        Word(Layout.StreamDescription.Height, (uint)_ring.Shape.Height);
        Word(Layout.StreamDescription.State, _ring.Control.State);
        Word(Layout.StreamDescription.FrameRateNumerator, 1000);
        Word(Layout.StreamDescription.FrameRateDenominator, (uint)_options.FrameMilliseconds);
        Word(Layout.StreamDescription.Domain, Limits.DomainHost);
        Word(Layout.StreamDescription.Slots, (uint)_ring.SlotCount);
        Word(Layout.StreamDescription.MaxSlots, MaxSlots);
        Word(Layout.StreamDescription.Subscribers, (uint)Active.Count());
        Long(Layout.StreamDescription.Head, _ring.Head);
        Long(Layout.StreamDescription.Dropped, _ring.Control.Dropped);
        Long(Layout.StreamDescription.MemoryBytes, (ulong)_ring.MemoryBytes);
        value[Layout.StreamDescription.ColourMatrix] = 1;
        value[Layout.StreamDescription.ColourRange] = 1;
        Word(Layout.StreamDescription.LeaseTimeoutMs, LeaseTimeoutMilliseconds);
        Long(Layout.StreamDescription.Evicted, _evicted);
        return value;
    }

    private void HandleActive(ExampleSession session, Message message)
    {
        if (message.Version != Limits.Version)
        {
            throw new WireException(ErrorCode.PROTOCOL_ERROR, "2.9", $"version {message.Version} was not agreed on");
        }

        switch (message.Type)
        {
            case MessageType.BYE:
                Close(session);
                break;
            case MessageType.SEGMENT_READY when session.KnownSegments.Contains(message.UInt32(TlvType.SEGMENT_ID)) &&
                session.ReadySegments.Add(message.UInt32(TlvType.SEGMENT_ID)):
                break;
            case MessageType.RETIRED when session.KnownSegments.Contains(message.UInt32(TlvType.SEGMENT_ID)):
                break;
            default:
                throw new WireException(ErrorCode.PROTOCOL_ERROR, "13.1", $"{message.Type} is not expected");
        }
    }

    private void Announce(ExampleSession session, RingSegment segment)
    {
        session.KnownSegments.Add(segment.Id);
        if (!session.Connection.TrySend(segment.Announce(_nextCorrelation++), segment.Descriptor))
        {
            Evict(session, ErrorCode.SOCKET_NOT_READ, "the socket is full");
        }
    }

    private void AnnounceToAll(RingSegment segment)
    {
        foreach (ExampleSession session in Active)
        {
            Announce(session, segment);
        }

        _ring.CountControlMessage();
    }

    private void Fail(ExampleSession session, WireException exception, uint correlation)
    {
        if (session.Page is null)
        {
            Refuse(session, exception.Code, exception.Message, correlation);
        }
        else
        {
            Evict(session, exception.Code, exception.Message);
        }
    }

    private void Refuse(ExampleSession session, ErrorCode code, string text, uint correlation, byte version = Limits.Version)
    {
        List<byte[]> tlvs = [Tlv.U32(TlvType.ERROR_CODE, (uint)code), Tlv.Text(TlvType.ERROR_TEXT, text)];
        if (code == ErrorCode.VERSION_MISMATCH)
        {
            tlvs.Add(Tlv.VersionRange(Limits.Version, Limits.Version));
        }

        uint answered = _options.Fault == PublisherFault.NoCorrelation ? 0 : correlation;
        session.Connection.TrySend(Message.Build(version, (byte)MessageType.REFUSE, answered, [.. tlvs]));
        Close(session);
    }

    private void Evict(ExampleSession session, ErrorCode code, string text)
    {
        _evicted++;
        _ring.CountControlMessage();
        session.Connection.TrySend(Message.Build(MessageType.NOTICE, 0, Tlv.U32(TlvType.NOTICE_KIND, (uint)NoticeKind.EVICTED),
            Tlv.U32(TlvType.ERROR_CODE, (uint)code), Tlv.Text(TlvType.ERROR_TEXT, text)));
        Close(session);
    }

    private void Close(ExampleSession session)
    {
        if (!session.Closed)
        {
            _loop.Remove(session.Connection.Socket.Descriptor);
            session.Dispose();
        }
    }

    private void RemoveClosed()
    {
        foreach ((nint token, ExampleSession session) in _sessions.Where(pair => pair.Value.Closed).ToList())
        {
            _sessions.Remove(token);
        }
    }

    private void ExpireHandshakes()
    {
        if (_options.Fault == PublisherFault.NoHandshakeTimeout)
        {
            return;
        }

        foreach (ExampleSession session in _sessions.Values.Where(session => session is { Closed: false, Page: null, Probing: false }).ToList())
        {
            if (_clock.ElapsedMilliseconds - session.AcceptedAt >= Limits.HandshakeMilliseconds)
            {
                Refuse(session, ErrorCode.HANDSHAKE_TIMEOUT, "no HELLO within two seconds", 0);
            }
        }
    }

    private void CheckPages()
    {
        if (_options.Fault == PublisherFault.NoPageCheck)
        {
            return;
        }

        foreach (ExampleSession session in Active.Where(session => !session.Closed).ToList())
        {
            ErrorCode verdict = Judge(session);
            if (verdict != ErrorCode.NONE)
            {
                Evict(session, verdict, "the page holds what it must not hold");
            }
        }
    }

    private ErrorCode Judge(ExampleSession session)
    {
        ulong cursor = session.Page!.Cursor;
        ulong head = _ring.Head;
        if (cursor > head || cursor < session.LastCursor)
        {
            return ErrorCode.PAGE_INVALID;
        }

        session.LastCursor = cursor;
        int count = 0;
        for (int slot = 0; slot < Layout.ControlBlock.SlotCount; slot++)
        {
            ulong word = session.Page.GetLease(slot);
            ulong sequence = word & (ulong.MaxValue >> 1);
            if (word != 0 && (sequence == 0 || sequence > head))
            {
                return ErrorCode.PAGE_INVALID;
            }

            count += word == 0 ? 0 : 1;
        }

        return count > session.Granted ? ErrorCode.LEASE_QUOTA_EXCEEDED : ErrorCode.NONE;
    }

    private void Tick()
    {
        if (_formatChange is { } due && _clock.ElapsedMilliseconds >= due)
        {
            _formatChange = long.MaxValue;
            RingSegment segment = _ring.ChangeFormat(
                new PictureShape(PixelFormat.All[1], 65, 33, [0, 0, 0, 3], 0), FirstSlots);
            if (_options.Fault != PublisherFault.LateSegment)
            {
                AnnounceToAll(segment);
            }
        }

        List<ExampleSession> active = Active.Where(session => !session.Closed).ToList();
        if (_options.Rests && active.Count == 0)
        {
            _restedAt = _ring.Head;
            _ring.Rest();
            _nextFrame = _clock.ElapsedMilliseconds + _options.FrameMilliseconds;
            return;
        }

        if (_ring.SlotCount == 0)
        {
            AnnounceToAll(_ring.AddSegment(FirstSlots));
        }

        List<SubscriberPage> pages = [.. active.Select(session => session.Page!)];
        ulong sequence = _ring.TryPublish(pages, old => HoldsBack(active, old));
        long now = _clock.ElapsedMilliseconds;
        if (sequence == 0)
        {
            CouldNotPublish(active, now);
            return;
        }

        _losslessWaitingSince = null;
        active.ForEach(session => session.InTheWaySince = null);
        _nextFrame = now + _options.FrameMilliseconds;
        WakeWhoWaits(active);
        foreach (RingSegment segment in _ring.CollectRetired(pages))
        {
            foreach (ExampleSession session in active.Where(session => !session.Closed))
            {
                session.Connection.TrySend(Message.Build(MessageType.RETIRE, _nextCorrelation++, Tlv.U32(TlvType.SEGMENT_ID, segment.Id)));
            }

            _ring.CountControlMessage();
            segment.Dispose();
        }

        if (_options.Fault == PublisherFault.LateSegment && _formatChange == long.MaxValue && ++_framesSinceChange == LateFrames)
        {
            // Too late: frames lie in it already.
            active.ForEach(session => _ring.Segments.Where(segment => !session.KnownSegments.Contains(segment.Id)).ToList()
                .ForEach(segment => Announce(session, segment)));
        }
    }

    private static bool HoldsBack(IEnumerable<ExampleSession> active, ulong sequence) =>
        active.Any(session => session.Delivery == Delivery.LOSSLESS && session.Page!.Cursor < sequence);

    private void CouldNotPublish(List<ExampleSession> active, long now)
    {
        // Comes back soon, and only when that makes sense: a lossless reader or a holder may let go at any time.
        _nextFrame = now + Math.Min(_options.FrameMilliseconds, 5);
        if (active.Find(session => session.Delivery == Delivery.LOSSLESS) is { } lossless)
        {
            _losslessWaitingSince ??= now;
            if (now - _losslessWaitingSince > LosslessMilliseconds)
            {
                Evict(lossless, ErrorCode.LOSSLESS_TIMEOUT, "no frame was taken in time");
                _losslessWaitingSince = null;
            }

            return;
        }

        if (_ring.SlotCount < MaxSlots)
        {
            AnnounceToAll(_ring.AddSegment(MaxSlots - _ring.SlotCount));
            _nextFrame = now;
            return;
        }

        _ring.CountDropped();
        _nextFrame = now + _options.FrameMilliseconds;
        foreach (ExampleSession session in active.Where(session => session.Page!.CountLeases() > 0))
        {
            session.InTheWaySince ??= now;
            if (now - session.InTheWaySince > LeaseTimeoutMilliseconds && _options.Fault != PublisherFault.NoLeaseTimeout)
            {
                Evict(session, ErrorCode.LEASE_TIMEOUT, "frames were held too long while others starved");
            }
        }
    }

    private void WakeWhoWaits(List<ExampleSession> active)
    {
        bool futex = false;
        foreach (ExampleSession session in active)
        {
            uint waiting = session.Page!.Waiting;
            futex |= (waiting & 3) == Limits.WakeFutex;
            bool ring = (waiting & 3) == Limits.WakeDoorbell && (session.Wakes & Limits.WakeDoorbell) != 0;
            if (ring && (waiting != session.LastRung || _options.Fault == PublisherFault.DoorbellPerFrame))
            {
                session.LastRung = waiting;
                session.Connection.TrySend(Message.Build(MessageType.DOORBELL, 0));
            }
        }

        if (futex && _options.Fault != PublisherFault.NoFutexWake)
        {
            _ring.Wake();
        }
    }

    private static void ForgetMustUnderstand(byte[] packet)
    {
        // The flag is bit 15 of the flags of each TLV; a malformed packet is left to the parser.
        for (int position = Limits.HeaderSize; position + Limits.TlvHeadSize <= packet.Length;)
        {
            packet[position + 3] &= 0x7F;
            ulong length = BinaryPrimitives.ReadUInt32LittleEndian(packet.AsSpan(position + 4));
            ulong next = (ulong)position + Limits.TlvHeadSize + ((length + 7) & ~7UL);
            position = (int)Math.Min(next, (ulong)packet.Length);
        }
    }
}
