using CuFrames.Interop;
using CuFrames.Protocol;
using CuFrames.Protocol.Messages;

namespace CuFrames.Client.Internal;

/// <summary>
/// The control side of a publisher: socket, handshakes, segments, notices, audits. Runs on the <see cref="ControlLoop"/>; the publishing
/// thread calls in when it grows, retires, evicts or changes state. Everything here is guarded by <see cref="_gate"/>.
/// </summary>
internal sealed class PublisherServer : LoopSource, IDisposable
{
    private const int MaxPendingHellos = 64;
    private const int MaxProbes = 256;

    // What one connection may cost before the others are served again.
    private const int MaxMessagesAtOnce = 32;
    private const int MaxAcceptsAtOnce = 32;
    private const long HandshakeTimeoutNanoseconds = 2_000_000_000;
    private const long AuditIntervalNanoseconds = 250_000_000;

    /// <summary>Written by the publishing thread; <c>state</c> and <c>control_messages</c> under the gate.</summary>
    public readonly ControlBlock Block;

    private readonly Lock _gate = new();
    private readonly PublisherOptions _options;
    private readonly string _program;
    private readonly FileLock _lock;
    private readonly SegmentMemory _memory;
    private readonly UnixSocket _listener;
    private readonly PeerCredentials _self;
    private readonly FileDescriptor _controlFile;
    private readonly MemoryMapping _controlMapping;
    private readonly List<SubscriberSession> _pending = [];
    private readonly List<SubscriberSession> _probes = [];
    private readonly List<Segment> _segments = [];
    private readonly List<Retirement> _retirements = [];
    private readonly byte[] _send = new byte[4096];
    private readonly byte[] _receive = new byte[Wire.MaxMessageSize];
    private readonly DescriptorSet _descriptors = new();
    private readonly byte[] _snapshots = new byte[2 * PageAudit.SnapshotSize];
    private nint _listenerToken;
    private bool _isListening;
    private volatile bool _isClosed;
    private bool _isDisposed;
    private ulong _lastSubscriberId;
    private uint _lastSegmentId;
    private long _nextAudit;
    private string _stateText = "";

    // What is taken from the budget that publishers share.
    private long _budgetTaken;

    private ulong _evicted;
    private ulong _hungUp;
    private ulong _refused;

    public PublisherServer(string key, PublisherOptions options)
    {
        Key = key;
        _options = options;
        _program = options.Program ?? AppDomain.CurrentDomain.FriendlyName;
        string directory = options.Directory ?? StreamDirectory.RuntimeDirectory;
        string lockPath = Path.Combine(directory, key + ".lock");
        SocketPath = Path.Combine(directory, key + ".sock");
        _memory = new SegmentMemory(key, options);
        try
        {
            _lock = TakeKey(key, lockPath);
        }
        catch
        {
            _memory.Dispose();
            throw;
        }

        try
        {
            Epoch = NewEpoch();
            _controlFile = MemoryFile.Create("cuframes-control", ControlBlockLayout.Size);
            _controlMapping = MemoryMapping.Map(_controlFile, ControlBlockLayout.Size, MappingAccess.ReadWrite, populate: true);
            unsafe
            {
                Block = new ControlBlock(_controlMapping.Pointer);
            }

            Block.Initialise(Epoch);
            MemoryFile.AddSeals(_controlFile,
                MemoryFileSeals.Seal | MemoryFileSeals.Grow | MemoryFileSeals.Shrink | MemoryFileSeals.FutureWrite);
            _self = OwnCredentials();

            // Who may read is decided in the handshake, where a refusal can say why: so anybody may connect.
            _listener = UnixSocket.Listen(SocketPath, 128, (UnixFileMode)0b110_110_110);
            _listenerToken = ControlLoop.Shared.Add(_listener.Descriptor, IoEvents.Readable, this);
            _isListening = true;
            ControlLoop.Shared.AddTicker(this);
        }
        catch
        {
            _listener?.Dispose();
            _controlMapping?.Dispose();
            _controlFile?.Dispose();
            _lock.Dispose();
            _memory.Dispose();
            throw;
        }
    }

    public string Key { get; }

    public string SocketPath { get; }

    public ulong Epoch { get; }

    public MemoryDomain Domain => _memory.Domain;

    public CudaContext? Cuda => _memory.Context;

    public SubscriberTable Table { get; } = new();

    /// <summary>Written by the publishing thread under the gate.</summary>
    public StreamFormat? Format { get; private set; }

    public uint Generation { get; private set; }

    /// <summary>Slots that new frames may go to. Written by the publishing thread, read for descriptions.</summary>
    public int Slots { get; set; }

    /// <summary>Set by the control side when the ring was larger than needed for long enough; taken by the publishing thread.</summary>
    public bool ShrinkIsDue { get; set; }

    /// <summary>When the ring last needed its extra slots. CLOCK_MONOTONIC nanoseconds; written by both sides, any value is good.</summary>
    public long NeededAt { get; set; }

    /// <summary>Written under the gate, once; read by the publishing thread.</summary>
    public bool IsClosed => _isClosed;

    public override void OnReady(IoEvents events)
    {
        lock (_gate)
        {
            try
            {
                for (int i = 0; i < MaxAcceptsAtOnce && !_isClosed && _listener.TryAccept(out UnixSocket? socket); i++)
                {
                    Accept(socket);
                }
            }
            catch (LinuxException error)
            {
                // Out of descriptors: the connection keeps waiting. Looking away until the next tick keeps the loop from spinning.
                PauseListening();
                Report(PublisherEventKind.InternalError, 0, ErrorCode.OutOfResources, $"No subscriber of '{Key}' can be accepted now: {error.Message}");
            }
        }
    }

    public override void OnTick(long now)
    {
        lock (_gate)
        {
            if (_isClosed)
            {
                return;
            }

            ResumeListening();
            for (int i = _pending.Count - 1; i >= 0; i--)
            {
                if (now - _pending[i].AcceptedAt > HandshakeTimeoutNanoseconds)
                {
                    Refuse(_pending[i], 0, ErrorCode.HandshakeTimeout, "No HELLO came within two seconds of the connection.");
                }
            }

            if (now >= _nextAudit)
            {
                _nextAudit = now + AuditIntervalNanoseconds;
                Audit(now);
            }

            Table.Reap();
        }
    }

    public override void OnError(Exception error) =>
        Report(PublisherEventKind.InternalError, 0, ErrorCode.None, $"The publisher of '{Key}' met an error and goes on: {error}");

    public void OnSessionError(SubscriberSession session, Exception error)
    {
        lock (_gate)
        {
            Drop(session, PublisherEventKind.SubscriberLeft, ErrorCode.None, $"The connection failed: {error.Message}");
        }
    }

    public void OnSessionReady(SubscriberSession session)
    {
        lock (_gate)
        {
            for (int i = 0; i < MaxMessagesAtOnce && session.State != SessionState.Closed; i++)
            {
                ReceiveResult result = session.Socket.Receive(_receive, _descriptors);
                switch (result.Status)
                {
                    case ReceiveStatus.WouldBlock:
                        return;
                    case ReceiveStatus.PeerGone:
                        if (session.State == SessionState.Active)
                        {
                            _hungUp++;
                        }

                        Drop(session, PublisherEventKind.SubscriberLeft, ErrorCode.None, "It hung up.");
                        return;
                    case ReceiveStatus.Truncated:
                        Reject(session, 0, ErrorCode.ProtocolError, $"A message is longer than {Wire.MaxMessageSize} bytes.");
                        return;
                    case ReceiveStatus.ControlTruncated:
                        Reject(session, 0, ErrorCode.DescriptorCount, $"A message carries more than {Wire.MaxDescriptors} descriptors.");
                        return;
                }

                uint correlation = 0;
                try
                {
                    ReadOnlySpan<byte> packet = _receive.AsSpan(0, result.Length);
                    MessageHeader header = MessageHeader.Read(packet);
                    correlation = header.CorrelationId;
                    if (_descriptors.Count > 0)
                    {
                        int count = _descriptors.Count;
                        _descriptors.Clear();
                        throw new ProtocolException(ErrorCode.DescriptorCount, $"{header.Type} carries {count} descriptors; subscribers send none.");
                    }

                    Handle(session, header, packet[MessageHeaderLayout.Size..]);
                }
                catch (ProtocolException error)
                {
                    Reject(session, correlation, error.Code, error.Message);
                }
            }
        }
    }

    /// <summary>Sets the format of the frames to come. Publishing thread.</summary>
    /// <param name="format">The format.</param>
    /// <param name="generation">The generation of the slots that they will lie in.</param>
    public void SetFormat(StreamFormat format, uint generation)
    {
        lock (_gate)
        {
            Format = format;
            Generation = generation;
            Block.SegmentGeneration = generation;
        }
    }

    /// <summary>Makes a segment and tells everybody. Publishing thread, outside of the frame's path.</summary>
    /// <exception cref="LinuxException">There is no memory.</exception>
    /// <exception cref="CuFramesException">The stream's memory limit or the shared budget stands in the way, or the device has no room.</exception>
    public Segment AddSegment(long slotSize, int slots, uint generation)
    {
        lock (_gate)
        {
            long limit = _options.MemoryLimit != 0
                ? _options.MemoryLimit
                : (2 * LargestSlot(slotSize) + _memory.Granularity) * _options.MaxSlots;
            long wanted = _memory.SizeOf(slotSize, slots);
            long used = SegmentBytes();
            if (used + UnansweredBytes() + wanted > limit)
            {
                EvictOverdueRetirements();
            }

            if (used + UnansweredBytes() + wanted > limit)
            {
                throw new CuFramesException(ErrorCode.OutOfResources,
                    $"Stream '{Key}' asks for {MemoryBudget.Text(wanted)} for {slots} slots; its limit is {MemoryBudget.Text(limit)}, in use are " +
                    $"{MemoryBudget.Text(used)}, readers have yet to give back {MemoryBudget.Text(UnansweredBytes())}, and it would be " +
                    $"{MemoryBudget.Text(used + UnansweredBytes() + wanted)}. Raise the memory limit or lower the number of slots.");
            }

            TakeFromBudget(wanted);
            Segment segment;
            try
            {
                segment = _memory.Create(++_lastSegmentId, generation, wanted, slots);
            }
            catch
            {
                SettleBudget();
                throw;
            }

            segment.SlotCount = slots;
            _segments.Add(segment);
            ReadOnlySpan<byte> message = segment.Message.Write(_send);
            foreach (SubscriberSession session in Table.Active)
            {
                if (SendOrEvict(session, message, segment.File))
                {
                    session.KnownSegments.Add(segment.Id);
                }
            }

            Block.ControlMessages++;
            return segment;
        }
    }

    /// <summary>Gives a segment up that no slot lies in any more. Publishing thread, outside of the frame's path.</summary>
    public void RetireSegment(Segment segment)
    {
        lock (_gate)
        {
            _segments.Remove(segment);

            // A legacy handle dies with the memory, and the driver does not allow the memory to go while others have it mapped: it waits
            // for their answers. A descriptor and a mapping keep the other kinds alive by themselves.
            bool isKept = segment.Description.HandleKind == HandleKind.CudaIpc;
            Retirement retirement = new(
                segment.Id, segment.Size, segment.Size / segment.Description.Slots, MonotonicClock.NowNanoseconds, isKept ? segment : null);
            ReadOnlySpan<byte> message = SegmentIdMessage.Write(_send, MessageType.Retire, segment.Id);
            foreach (SubscriberSession session in Table.Active)
            {
                if (SendOrEvict(session, message, null))
                {
                    retirement.Unanswered.Add(session);
                }
            }

            _retirements.Add(retirement);
            if (!isKept)
            {
                segment.Dispose();
            }

            Block.ControlMessages++;
            ForgetAnsweredRetirements();
        }
    }

    /// <summary>Changes the stream's state and tells everybody. Any thread.</summary>
    public void SetState(StreamState state, string text)
    {
        lock (_gate)
        {
            if (_isClosed || (Block.State == state && _stateText == text))
            {
                return;
            }

            StreamState before = Block.State;
            Block.State = state;
            _stateText = text;
            NoticeKind kind = state == StreamState.SourceLost ? NoticeKind.SourceLost : NoticeKind.SourceBack;
            if (state == StreamState.SourceLost || (before == StreamState.SourceLost && state == StreamState.Live))
            {
                ReadOnlySpan<byte> message = new NoticeMessage(kind, ErrorCode.None, text).Write(_send);
                foreach (SubscriberSession session in Table.Active)
                {
                    // A full queue: the state stands in the control block anyway (9.4).
                    _ = session.Socket.TrySendSmall(message);
                }

                foreach (SubscriberSession probe in _probes)
                {
                    _ = probe.Socket.TrySendSmall(message);
                }
            }

            Block.ControlMessages++;
        }
    }

    /// <summary>Takes a subscriber's leases away and hangs up. Any thread that is not looking at pages.</summary>
    public void Evict(SubscriberSession session, ErrorCode code, string text)
    {
        lock (_gate)
        {
            if (session.State != SessionState.Active)
            {
                return;
            }

            _evicted++;
            _ = session.Socket.TrySendSmall(new NoticeMessage(NoticeKind.Evicted, code, text).Write(_send));
            Drop(session, PublisherEventKind.SubscriberEvicted, code, text);
        }
    }

    public bool Evict(ulong subscriberId, string text)
    {
        SubscriberSession? session = Array.Find(Table.Active, candidate => candidate.Id == subscriberId);
        if (session is not null)
        {
            Evict(session, ErrorCode.EvictedByOperator, text);
        }

        return session is not null;
    }

    /// <summary>Judges every page now. Any thread that is not looking at pages.</summary>
    /// <returns>Whether somebody was evicted.</returns>
    public bool AuditNow()
    {
        lock (_gate)
        {
            ulong before = _evicted;
            Audit(MonotonicClock.NowNanoseconds);
            return _evicted != before;
        }
    }

    public void ReportGrowth(PublisherEventKind kind, ErrorCode code, string text) => Report(kind, 0, code, text);

    public PublisherStatistics GetStatistics(ulong dropped)
    {
        lock (_gate)
        {
            List<SubscriberStatistics> subscribers = [];
            ulong head = _isDisposed ? 0 : Block.Head;
            ulong heldMask = 0;
            Span<byte> snapshot = _snapshots.AsSpan(0, PageAudit.SnapshotSize);
            foreach (SubscriberSession session in Table.Active)
            {
                PageAudit.Copy(session.Page, snapshot);
                ulong held = PageAudit.HeldSlots(snapshot);
                heldMask |= held;
                ulong cursor = session.Page.Cursor;
                subscribers.Add(new SubscriberStatistics
                {
                    SubscriberId = session.Id,
                    Program = session.Program,
                    ProcessId = session.Peer.ProcessId,
                    UserId = session.Peer.UserId,
                    Delivery = session.Delivery,
                    GrantedLeases = session.Leases,
                    HeldLeases = PageAudit.Count(held),
                    Lag = cursor < head ? head - cursor : 0,
                    Taken = session.Page.Taken,
                    Missed = session.Page.Missed,
                });
            }

            return new PublisherStatistics
            {
                Published = head,
                Dropped = dropped,
                Evicted = _evicted,
                HungUp = _hungUp,
                Refused = _refused,
                Slots = Slots,
                HeldSlots = PageAudit.Count(heldMask),
                SegmentBytes = SegmentBytes(),
                UnansweredBytes = UnansweredBytes(),
                State = _isClosed ? StreamState.Ended : Block.State,
                Subscribers = subscribers,
            };
        }
    }

    /// <summary>Says goodbye to everybody and gives socket and key back. Any thread that is not looking at pages.</summary>
    public void Close()
    {
        lock (_gate)
        {
            if (_isClosed)
            {
                return;
            }

            Table.Close();
            Block.State = StreamState.Ended;
            PauseListening();
            ControlLoop.Shared.RemoveTicker(this);
            ReadOnlySpan<byte> message = new NoticeMessage(NoticeKind.ShuttingDown, ErrorCode.ShuttingDown, $"The publisher of '{Key}' ends.").Write(_send);
            foreach (SubscriberSession session in (SubscriberSession[])[.. Table.Active, .. _probes, .. _pending])
            {
                if (session.State != SessionState.AwaitHello)
                {
                    _ = session.Socket.TrySendSmall(message);
                }

                Drop(session, PublisherEventKind.SubscriberLeft, ErrorCode.None, "The publisher ends.");
            }

            _isClosed = true;
            _listener.Dispose();
            _lock.Dispose();
        }
    }

    /// <summary>Closes, unless somebody reads or is about to.</summary>
    public bool CloseIfUnused()
    {
        lock (_gate)
        {
            if (!_isClosed)
            {
                // Those who have connected and were not heard yet count too.
                OnReady(IoEvents.Readable);
                if (Table.Active.Length + _pending.Count > 0)
                {
                    return false;
                }

                Close();
            }

            return true;
        }
    }

    /// <summary>Closes, and gives the memory back. The caller is the publishing thread, or that thread has ended.</summary>
    public void Dispose()
    {
        Close();
        lock (_gate)
        {
            if (_isDisposed)
            {
                return;
            }

            _isDisposed = true;

            // Nobody looks at a page now.
            Table.Reap();
            foreach (Segment segment in _segments)
            {
                segment.Dispose();
            }

            foreach (Retirement retirement in _retirements)
            {
                retirement.Kept?.Dispose();
            }

            _segments.Clear();
            _retirements.Clear();
            SettleBudget();
            _memory.Dispose();
            _controlMapping.Dispose();
            _controlFile.Dispose();
            _descriptors.Dispose();
        }
    }

    private static FileLock TakeKey(string key, string lockPath)
    {
        try
        {
            FileLock? taken = FileLock.TryAcquire(lockPath);
            if (taken is not null)
            {
                return taken;
            }
        }
        catch (LinuxException error)
        {
            throw new StreamUnavailableException(
                error.Errno is Errno.EACCES or Errno.EROFS ? ErrorCode.AccessDenied : ErrorCode.SystemCallFailed,
                $"Stream '{key}' cannot be published: {error.Message}", error);
        }

        int? holder = FileLock.ReadHolder(lockPath);
        throw new StreamUnavailableException(ErrorCode.AlreadyPublished,
            $"Stream '{key}' is published already" + (holder is null ? "" : $" by process {holder}") +
            $" (lock {lockPath}). Choose another key or end that publisher.");
    }

    private static ulong NewEpoch()
    {
        // Not RandomNumberGenerator: it loads OpenSSL into the process, and ends the process where there is none. The kernel's random bits are in
        // a GUID as well; the six that are fixed lie in bytes of one half whose counterparts in the other half are random.
        Span<byte> bytes = stackalloc byte[16];
        ulong epoch;
        do
        {
            Guid.NewGuid().TryWriteBytes(bytes);
            epoch = BitConverter.ToUInt64(bytes) ^ BitConverter.ToUInt64(bytes[8..]);
        }
        while (epoch == 0);

        return epoch;
    }

    private static PeerCredentials OwnCredentials()
    {
        (UnixSocket first, UnixSocket second) = UnixSocket.CreatePair();
        using (first)
        using (second)
        {
            return first.GetPeerCredentials();
        }
    }

    private void Accept(UnixSocket socket)
    {
        SubscriberSession session;
        try
        {
            session = new SubscriberSession(this, socket, MonotonicClock.NowNanoseconds);
            session.LoopToken = ControlLoop.Shared.Add(socket.Descriptor, IoEvents.Readable | IoEvents.PeerClosed, session);
        }
        catch
        {
            socket.Dispose();
            throw;
        }

        _pending.Add(session);

        // HELLO is there already as a rule. Who has sent it is not to suffer from those who have not.
        Serve(session);
        if (_pending.Count > MaxPendingHellos)
        {
            Serve(_pending[0]);
        }

        if (_pending.Count > MaxPendingHellos)
        {
            Refuse(_pending[0], 0, ErrorCode.HandshakeTimeout, $"More than {MaxPendingHellos} connections have not sent HELLO; this one has waited longest.");
        }
    }

    private void Serve(SubscriberSession session)
    {
        try
        {
            OnSessionReady(session);
        }
        catch (LinuxException error)
        {
            OnSessionError(session, error);
        }
    }

    private void Handle(SubscriberSession session, MessageHeader header, ReadOnlySpan<byte> payload)
    {
        if (session.State == SessionState.Probing)
        {
            Drop(session, PublisherEventKind.SubscriberLeft, ErrorCode.None, "");
            return;
        }

        if (session.State == SessionState.AwaitHello)
        {
            if (header.Type == MessageType.Bye)
            {
                Drop(session, PublisherEventKind.SubscriberLeft, ErrorCode.None, "");
                return;
            }

            if (header.Type != MessageType.Hello)
            {
                throw new ProtocolException(ErrorCode.ProtocolError, $"The first message is {header.Type}; it must be HELLO.");
            }

            Welcome(session, header, HelloMessage.Read(payload));
            return;
        }

        if (header.Version != Wire.Version)
        {
            throw new ProtocolException(ErrorCode.ProtocolError, $"A message is of version {header.Version}; {Wire.Version} was chosen.");
        }

        switch (header.Type)
        {
            case MessageType.SegmentReady:
                uint ready = SegmentIdMessage.Read(payload);
                RequireKnown(session, ready);
                if (!session.ReadySegments.Add(ready))
                {
                    throw new ProtocolException(ErrorCode.ProtocolError, $"Segment {ready} was said to be ready before.");
                }

                break;
            case MessageType.Retired:
                uint id = SegmentIdMessage.Read(payload);
                RequireKnown(session, id);
                session.KnownSegments.Remove(id);
                session.ReadySegments.Remove(id);
                Retirement? retirement = _retirements.Find(candidate => candidate.SegmentId == id);
                if (retirement is not null)
                {
                    retirement.Unanswered.Remove(session);
                    ForgetAnsweredRetirements();
                }

                break;
            case MessageType.Event:
                AddEvent(session, EventMessage.Read(payload));
                break;
            case MessageType.Bye:
                RefuseMessage bye = RefuseMessage.Read(payload);
                Drop(session, PublisherEventKind.SubscriberLeft, bye.Code, bye.Text.Length > 0 ? $"It said: {bye.Text}" : "It said goodbye.");
                break;
            default:
                throw new ProtocolException(ErrorCode.ProtocolError, $"A subscriber does not send {header.Type} here.");
        }
    }

    private static void RequireKnown(SubscriberSession session, uint segmentId)
    {
        if (!session.KnownSegments.Contains(segmentId))
        {
            throw new ProtocolException(ErrorCode.ProtocolError, $"A message names segment {segmentId}, which this subscriber does not have.");
        }
    }

    private void Welcome(SubscriberSession session, MessageHeader header, HelloMessage hello)
    {
        if (header.Version != hello.LowestVersion)
        {
            throw new ProtocolException(ErrorCode.ProtocolError,
                $"HELLO's header is of version {header.Version} and its lowest version is {hello.LowestVersion}; they must be equal.");
        }

        if (FindRefusal(session, hello) is { } refusal)
        {
            // A reader that has not called the CUDA driver yet learns in this way that it has to (it comes again at once): nothing to report.
            bool isQuestion = refusal.Code == ErrorCode.DomainNotMappable && !hello.Domains.Any(offer => offer.Domain == MemoryDomain.Cuda);
            Refuse(session, header.CorrelationId, refusal.Code, refusal.Text, (byte)hello.LowestVersion, !isQuestion);
            return;
        }

        WelcomeMessage welcome = new()
        {
            Epoch = Epoch,
            Key = Key,
            Program = _program,
            Source = _options.Source,
            Description = Describe(),
            StateText = _stateText,
        };
        _pending.Remove(session);
        session.Program = hello.Program;
        if (hello.IsProbe)
        {
            session.State = SessionState.Probing;
            _probes.Add(session);
            if (_probes.Count > MaxProbes)
            {
                Drop(_probes[0], PublisherEventKind.SubscriberLeft, ErrorCode.None, "");
            }

            if (session.Socket.TrySendSmall(welcome.Write(_send, header.CorrelationId)) != SendStatus.Sent)
            {
                Drop(session, PublisherEventKind.SubscriberLeft, ErrorCode.None, "");
            }

            return;
        }

        session.Id = ++_lastSubscriberId;
        session.Delivery = hello.Delivery;
        session.Leases = (int)Math.Min(hello.Leases, (uint)_options.MaxLeases);
        session.Fences = GrantedFences(hello.Fences);
        welcome = welcome with
        {
            SubscriberId = session.Id,
            Delivery = hello.Delivery,
            Leases = (uint)session.Leases,
            Fences = session.Fences,
            Wakes = (hello.Wakes & Wake.Doorbell) | Wake.Futex,
        };
        FileDescriptor page;
        try
        {
            page = session.CreatePage();
        }
        catch (LinuxException error)
        {
            Refuse(session, header.CorrelationId, ErrorCode.OutOfResources, $"No page can be made for this subscriber: {error.Message}");
            return;
        }

        using (page)
        {
            // The session enters the table before the subscriber can lease a slot: the publishing thread never overlooks it.
            session.State = SessionState.Active;
            Table.Add(session);
            if (session.Socket.Send(welcome.Write(_send, header.CorrelationId), [_controlFile, page]) != SendStatus.Sent)
            {
                Drop(session, PublisherEventKind.SubscriberLeft, ErrorCode.None, "It hung up during the handshake.");
                return;
            }
        }

        foreach (Segment segment in _segments)
        {
            if (!SendOrEvict(session, segment.Message.Write(_send), segment.File))
            {
                return;
            }

            session.KnownSegments.Add(segment.Id);
        }

        Report(PublisherEventKind.SubscriberJoined, session.Id, ErrorCode.None,
            $"Subscriber {session.Id} of '{Key}' joined: '{session.Program}', process {session.Peer.ProcessId}, user {session.Peer.UserId}, " +
            $"{session.Delivery} delivery, {session.Leases} leases.");
    }

    private (ErrorCode Code, string Text)? FindRefusal(SubscriberSession session, HelloMessage hello)
    {
        if (hello.LowestVersion > Wire.Version || hello.HighestVersion < Wire.Version)
        {
            return (ErrorCode.VersionMismatch,
                $"The subscriber speaks versions {hello.LowestVersion} to {hello.HighestVersion}, this publisher speaks {Wire.Version}. Update the older of the two.");
        }

        if (_options.Readers.FindObstacle(session.Peer, _self) is { } obstacle)
        {
            return (ErrorCode.AccessDenied, obstacle);
        }

        if (hello.IsProbe)
        {
            return null;
        }

        if (Table.Active.Length >= _options.MaxSubscribers)
        {
            return (ErrorCode.TooManySubscribers, $"Stream '{Key}' has {_options.MaxSubscribers} subscribers, which is its limit. Raise the limit or end a reader.");
        }

        if (hello.Delivery == Delivery.Lossless && _options.LosslessTimeout == TimeSpan.Zero)
        {
            return (ErrorCode.DeliveryNotGranted, $"Stream '{Key}' does not offer lossless delivery, because its source does not wait. Ask for in-order delivery.");
        }

        return _memory.FindObstacle(Key, hello.Domains) is { } distance ? (ErrorCode.DomainNotMappable, distance) : null;
    }

    private Fence GrantedFences(Fence wanted)
    {
        Fence able = Fence.Cpu;
        if (_memory.Context is { } context)
        {
            able |= Fence.Stream | (context.Device.HasIpcEvents ? Fence.Event : 0);
        }

        return (wanted & able) | Fence.Cpu;
    }

    /// <summary>7.2: opens the event of a slot.</summary>
    private void AddEvent(SubscriberSession session, EventMessage message)
    {
        if ((session.Fences & Fence.Event) == 0)
        {
            throw new ProtocolException(ErrorCode.ProtocolError, "EVENT was sent, and the EVENT fence was not granted.");
        }

        if (session.HasEvent(message.Slot))
        {
            throw new ProtocolException(ErrorCode.ProtocolError, $"A second event for slot {message.Slot} was sent.");
        }

        CudaEvent opened;
        try
        {
            opened = CudaEvent.OpenInterprocess(_memory.Context!, message.Handle.Span);
        }
        catch (CudaException error) when (error.Code == ErrorCode.CudaIpcNamespace)
        {
            throw new ProtocolException(error.Code, $"The event of slot {message.Slot} cannot be opened: {error.Message}");
        }
        catch (CudaException error)
        {
            session.NoteBrokenEvent($"The event of slot {message.Slot} cannot be opened: {error.Message}");
            return;
        }

        session.AddEvent(message.Slot, opened);
    }

    private void TakeFromBudget(long bytes)
    {
        _options.Budget?.Take(Key, bytes);
        _budgetTaken += bytes;
    }

    /// <summary>Gives back what is not in use any more.</summary>
    private void SettleBudget()
    {
        long spare = _budgetTaken - SegmentBytes() - UnansweredBytes();
        if (spare > 0)
        {
            _options.Budget?.Give(spare);
            _budgetTaken -= spare;
        }
    }

    private void ForgetAnsweredRetirements()
    {
        for (int i = _retirements.Count - 1; i >= 0; i--)
        {
            if (_retirements[i].Unanswered.Count == 0)
            {
                _retirements[i].Kept?.Dispose();
                _retirements.RemoveAt(i);
            }
        }

        SettleBudget();
    }

    private StreamDescription Describe()
    {
        StreamFormat format = Format ?? new StreamFormat(PixelFormat.Unknown, 0, 0);
        return new StreamDescription
        {
            PixelFormat = format.PixelFormat,
            Width = format.Width,
            Height = format.Height,
            State = Block.State,
            FrameRateNumerator = format.FrameRateNumerator,
            FrameRateDenominator = format.FrameRateDenominator,
            Slots = Slots,
            MaxSlots = _options.MaxSlots,
            Subscribers = Table.Active.Length,
            Domain = _memory.Domain,
            Device = _memory.Device,
            Head = Block.Head,
            Dropped = Block.Dropped,
            MemoryBytes = (ulong)SegmentBytes(),
            ColourMatrix = format.ColourMatrix,
            ColourRange = format.ColourRange,
            ColourPrimaries = format.ColourPrimaries,
            ColourTransfer = format.ColourTransfer,
            LeaseTimeoutMilliseconds = (uint)_options.LeaseTimeout.TotalMilliseconds,
            Evicted = _evicted,
        };
    }

    private void Reject(SubscriberSession session, uint correlation, ErrorCode code, string text)
    {
        if (session.State == SessionState.AwaitHello)
        {
            Refuse(session, correlation, code, text);
        }
        else if (session.State == SessionState.Active)
        {
            Evict(session, code, text);
        }
        else
        {
            Drop(session, PublisherEventKind.SubscriberLeft, code, text);
        }
    }

    private void Refuse(
        SubscriberSession session, uint correlation, ErrorCode code, string text, byte version = Wire.Version, bool isReported = true)
    {
        _refused += isReported ? 1u : 0u;
        _ = session.Socket.TrySendSmall(new RefuseMessage(code, text).WriteRefuse(_send, correlation, version));
        Drop(session, isReported ? PublisherEventKind.SubscriberRefused : PublisherEventKind.SubscriberLeft, code, text);
    }

    private bool SendOrEvict(SubscriberSession session, ReadOnlySpan<byte> message, FileDescriptor? descriptor)
    {
        SendStatus status;
        try
        {
            status = descriptor is null ? session.Socket.TrySendSmall(message) : session.Socket.Send(message, [descriptor]);
        }
        catch (LinuxException error)
        {
            // ETOOMANYREFS, ENOBUFS: the subscriber would not know of memory that frames lie in, so it cannot stay.
            Evict(session, ErrorCode.OutOfResources, $"A message about memory could not be sent: {error.Message}");
            return false;
        }

        if (status == SendStatus.WouldBlock)
        {
            Evict(session, ErrorCode.SocketNotRead, "The subscriber does not read its socket, and a message about its memory could not be delivered.");
        }

        // A peer that is gone is noticed by the loop.
        return status == SendStatus.Sent;
    }

    private void Drop(SubscriberSession session, PublisherEventKind kind, ErrorCode code, string text)
    {
        if (session.State == SessionState.Closed)
        {
            return;
        }

        bool wasActive = session.State == SessionState.Active;
        session.State = SessionState.Closed;
        ControlLoop.Shared.Remove(session.Socket.Descriptor, session.LoopToken);
        session.Socket.Shutdown();
        if (wasActive)
        {
            Table.Remove(session);

            // Whoever was dropped is told by its socket, and by this to look there: a reader that is always busy would not look for long,
            // and its leases count no more. The others look in vain, once.
            Block.ControlMessages++;
            foreach (Retirement retirement in _retirements)
            {
                retirement.Unanswered.Remove(session);
            }

            ForgetAnsweredRetirements();
            Table.Reap();
        }
        else
        {
            _pending.Remove(session);
            _probes.Remove(session);
            session.Close();
        }

        if (wasActive || kind == PublisherEventKind.SubscriberRefused)
        {
            Report(kind, session.Id, code, kind switch
            {
                PublisherEventKind.SubscriberRefused => $"A subscriber of '{Key}' was refused (process {session.Peer.ProcessId}, user {session.Peer.UserId}): {text}",
                PublisherEventKind.SubscriberEvicted => $"Subscriber {session.Id} of '{Key}' was evicted ('{session.Program}', process {session.Peer.ProcessId}): {text}",
                _ => $"Subscriber {session.Id} of '{Key}' left ('{session.Program}', process {session.Peer.ProcessId}). {text}",
            });
        }
    }

    private void Audit(long now)
    {
        Span<byte> first = _snapshots.AsSpan(0, PageAudit.SnapshotSize);
        Span<byte> second = _snapshots.AsSpan(PageAudit.SnapshotSize);
        ulong heldMask = 0;
        foreach (SubscriberSession session in Table.Active)
        {
            PageAudit.Copy(session.Page, first);
            PageAudit.Copy(session.Page, second);
            ErrorCode code = PageAudit.Check(first, second, Block.Head, session.Leases, ref session.LastCursor, out string text);
            if (code == ErrorCode.None && session.BrokenEventSince is not 0 and var since && now - since > AuditIntervalNanoseconds)
            {
                code = ErrorCode.SegmentInvalid;
                text = $"An event of this subscriber cannot be asked for any more: {session.BrokenEventText}";
            }

            if (code != ErrorCode.None)
            {
                Evict(session, code, text);
            }
            else
            {
                heldMask |= PageAudit.HeldSlots(second);
            }
        }

        // The newest frame's slot and one to write into are needed beside those that are held.
        if (Slots <= _options.Slots || PageAudit.Count(heldMask) + 2 > _options.Slots)
        {
            NeededAt = now;
        }
        else if (now - NeededAt > _options.ShrinkAfter.Ticks * 100)
        {
            ShrinkIsDue = true;
        }
    }

    private void EvictOverdueRetirements()
    {
        long limit = MonotonicClock.NowNanoseconds - (_options.LeaseTimeout.Ticks * 100);
        foreach (Retirement retirement in _retirements.FindAll(candidate => candidate.Since < limit))
        {
            foreach (SubscriberSession session in (SubscriberSession[])[.. retirement.Unanswered])
            {
                Evict(session, ErrorCode.LeaseTimeout,
                    $"Segment {retirement.SegmentId} was retired and not given back within {_options.LeaseTimeout.TotalSeconds} s, and its memory is needed.");
            }
        }
    }

    /// <summary>Size of the largest slot there is: after a change to a small format, the large frames still need their room.</summary>
    private long LargestSlot(long slotSize)
    {
        foreach (Segment segment in _segments)
        {
            slotSize = Math.Max(slotSize, segment.Size / segment.Description.Slots);
        }

        foreach (Retirement retirement in _retirements)
        {
            slotSize = Math.Max(slotSize, retirement.SlotSize);
        }

        return slotSize;
    }

    private long SegmentBytes()
    {
        long bytes = 0;
        foreach (Segment segment in _segments)
        {
            bytes += segment.Size;
        }

        return bytes;
    }

    private long UnansweredBytes()
    {
        long bytes = 0;
        foreach (Retirement retirement in _retirements)
        {
            bytes += retirement.Size;
        }

        return bytes;
    }

    private void PauseListening()
    {
        if (_isListening)
        {
            _isListening = false;
            ControlLoop.Shared.Remove(_listener.Descriptor, _listenerToken);
        }
    }

    private void ResumeListening()
    {
        if (!_isListening)
        {
            _listenerToken = ControlLoop.Shared.Add(_listener.Descriptor, IoEvents.Readable, this);
            _isListening = true;
        }
    }

    private void Report(PublisherEventKind kind, ulong subscriberId, ErrorCode code, string text) =>
        _options.OnEvent?.Invoke(new PublisherEvent(kind, subscriberId, code, text));

    /// <summary>A segment that some subscribers still have to give back, with the segment itself if its memory has to stay until then.</summary>
    private sealed record Retirement(uint SegmentId, long Size, long SlotSize, long Since, Segment? Kept)
    {
        public HashSet<SubscriberSession> Unanswered { get; } = [];
    }
}
