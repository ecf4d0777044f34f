using CuFrames.Interop;
using CuFrames.Protocol;
using CuFrames.Protocol.Messages;

namespace CuFrames.Client.Internal;

/// <summary>
/// The control side of a publisher of frames: segments beside what <see cref="StreamServer"/> does. The publishing thread calls in when it
/// grows or retires. Everything here is guarded by the gate.
/// </summary>
internal sealed class PublisherServer : StreamServer
{
    /// <summary>Written by the publishing thread; <c>state</c> and <c>control_messages</c> under the gate.</summary>
    public readonly ControlBlock Block;

    private readonly PublisherOptions _options;
    private readonly SegmentMemory _memory;
    private readonly FileDescriptor _controlFile;
    private readonly MemoryMapping _controlMapping;
    private readonly List<Segment> _segments = [];
    private readonly List<Retirement> _retirements = [];
    private uint _lastSegmentId;

    // The newest sequence when the publisher last went to rest; 0: it has not, or before its first frame. Under the gate.
    private ulong _restedAt;

    // What is taken from the budget that publishers share.
    private long _budgetTaken;

    public PublisherServer(string key, PublisherOptions options)
        : base(key, key, new ServerOptions(options.Directory, options.Program, options.MaxSubscribers, options.Readers, options.Quotas, options.OnEvent, options.Descriptors))
    {
        _options = options;
        try
        {
            _memory = new SegmentMemory(key, options);
            _controlFile = MemoryFile.Create("cuframes-control", ControlBlockLayout.Size);
            _controlMapping = MemoryMapping.Map(_controlFile, ControlBlockLayout.Size, MappingAccess.ReadWrite, populate: true);
            unsafe
            {
                Block = new ControlBlock(_controlMapping.Pointer);
            }

            Block.Initialise(Epoch);
            MemoryFile.AddSeals(_controlFile,
                MemoryFileSeals.Seal | MemoryFileSeals.Grow | MemoryFileSeals.Shrink | MemoryFileSeals.FutureWrite);
            Listen();
        }
        catch
        {
            _controlMapping?.Dispose();
            _controlFile?.Dispose();
            _memory?.Dispose();
            ReleaseKey();
            throw;
        }
    }

    public MemoryDomain Domain => _memory.Domain;

    public CudaContext? Cuda => _memory.Context;

    /// <summary>Why the newest segment is not pinned; null if it is, or need not be. Publishing thread, which also makes segments.</summary>
    public string? PinningFault => _memory.PinningFault;

    /// <summary>Written by the publishing thread under the gate.</summary>
    public StreamFormat? Format { get; private set; }

    public uint Generation { get; private set; }

    /// <summary>Slots that new frames may go to. Written by the publishing thread, read for descriptions.</summary>
    public int Slots { get; set; }

    /// <summary>Set by the control side when the ring was larger than needed for long enough; taken by the publishing thread.</summary>
    public bool ShrinkIsDue { get; set; }

    /// <summary>When the ring last needed its extra slots. CLOCK_MONOTONIC nanoseconds; written by both sides, any value is good.</summary>
    public long NeededAt { get; set; }

    protected override StreamState State
    {
        get => Block.State;
        set => Block.State = value;
    }

    protected override FileDescriptor BlockFile => _controlFile;

    /// <summary>Sets the format of the frames to come. Publishing thread.</summary>
    /// <param name="format">The format.</param>
    /// <param name="generation">The generation of the slots that they will lie in.</param>
    public void SetFormat(StreamFormat format, uint generation)
    {
        lock (Gate)
        {
            Format = format;
            Generation = generation;
            Block.SegmentGeneration = generation;
        }
    }

    /// <summary>Segments in main memory that are made from now on are pinned, because a device copies into them.</summary>
    public void PinFor(CudaContext context)
    {
        lock (Gate)
        {
            _memory.CopiesFrom = context;
        }
    }

    /// <summary>
    /// Waits for the device that writes into the ring, if one does: after a frame that was begun and will not be published, work of whoever
    /// filled it may still write to its slot, and unmapping waits for nothing. Publishing thread, outside of the frame's path.
    /// </summary>
    public void WaitForDevice()
    {
        try
        {
            (_memory.Context ?? _memory.CopiesFrom)?.WaitForAllWork();
        }
        catch (CudaException)
        {
            // In a broken context nothing runs any more. Whoever enqueued the work hears of it from his own calls.
        }
    }

    /// <summary>Makes a segment and tells everybody. Publishing thread, outside of the frame's path.</summary>
    /// <exception cref="LinuxException">There is no memory.</exception>
    /// <exception cref="CuFramesException">The stream's memory limit or the shared budget stands in the way, or the device has no room.</exception>
    public Segment AddSegment(long slotSize, int slots, uint generation)
    {
        lock (Gate)
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
            ReadOnlySpan<byte> message = segment.Message.Write(SendBuffer);
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
        lock (Gate)
        {
            _segments.Remove(segment);

            // A legacy handle dies with the memory, and the driver does not allow the memory to go while others have it mapped: it waits
            // for their answers. A descriptor and a mapping keep the other kinds alive by themselves.
            bool isKept = segment.Description.HandleKind == HandleKind.CudaIpc;
            Retirement retirement = new(
                segment.Id, segment.Size, segment.Size / segment.Description.Slots, MonotonicClock.NowNanoseconds, isKept ? segment : null);
            ReadOnlySpan<byte> message = SegmentIdMessage.Write(SendBuffer, MessageType.Retire, segment.Id);
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

    /// <summary>Empties the ring and gives all segments back, unless there is a subscriber (6.11). Publishing thread.</summary>
    /// <returns>Whether that was done.</returns>
    public bool TryRest(SlotRing ring)
    {
        // Who joins does so under the gate: before this, and we do not rest, or after it, and START says where to begin.
        lock (Gate)
        {
            if (IsClosed || Table.Active.Length > 0)
            {
                return false;
            }

            _restedAt = Block.Head;
            ring.Clear();
            while (_segments.Count > 0)
            {
                RetireSegment(_segments[^1]);
            }

            Slots = 0;
            ShrinkIsDue = false;
            return true;
        }
    }

    /// <summary>Judges every page now. Any thread that is not looking at pages.</summary>
    /// <returns>Whether somebody was evicted.</returns>
    public bool AuditNow()
    {
        lock (Gate)
        {
            ulong before = Evicted;
            Audit(MonotonicClock.NowNanoseconds);
            return Evicted != before;
        }
    }

    public void ReportGrowth(PublisherEventKind kind, ErrorCode code, string text) => Report(kind, 0, code, text);

    public PublisherStatistics GetStatistics(ulong dropped)
    {
        lock (Gate)
        {
            List<SubscriberStatistics> subscribers = [];
            ulong head = IsDisposed ? 0 : Block.Head;
            ulong heldMask = 0;
            Span<byte> snapshot = Snapshots.AsSpan(0, PageAudit.SnapshotSize);
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
                Evicted = Evicted,
                HungUp = HungUp,
                Refused = Refused,
                Slots = Slots,
                HeldSlots = PageAudit.Count(heldMask),
                SegmentBytes = SegmentBytes(),
                UnansweredBytes = UnansweredBytes(),
                State = IsClosed ? StreamState.Ended : Block.State,
                Subscribers = subscribers,
            };
        }
    }

    protected override void CountControlMessage() => Block.ControlMessages++;

    protected override void RequireKind(HelloMessage hello)
    {
        if (hello.IsForPackets)
        {
            throw new ProtocolException(ErrorCode.UnsupportedTlv,
                $"This socket offers frames, and HELLO asks for packets. The packets of '{Key}' are at {StreamFiles.PacketName(Key)}.sock.");
        }
    }

    protected override (ErrorCode Code, string Text)? FindObstacle(HelloMessage hello)
    {
        if (hello.Delivery == Delivery.Lossless && _options.LosslessTimeout == TimeSpan.Zero)
        {
            return (ErrorCode.DeliveryNotGranted, $"Stream '{Key}' does not offer lossless delivery, because its source does not wait. Ask for in-order delivery.");
        }

        return _memory.FindObstacle(Key, hello.Domains) is { } distance ? (ErrorCode.DomainNotMappable, distance) : null;
    }

    // A reader that has not called the CUDA driver yet learns in this way that it has to (it comes again at once): nothing to report.
    protected override bool IsQuestion(HelloMessage hello, ErrorCode code) =>
        code == ErrorCode.DomainNotMappable && !hello.Domains.Any(offer => offer.Domain == MemoryDomain.Cuda);

    protected override void Grant(SubscriberSession session, HelloMessage hello)
    {
        session.Delivery = hello.Delivery;
        session.Leases = (int)Math.Min(hello.Leases, (uint)_options.MaxLeases);
        session.Fences = GrantedFences(hello.Fences);
    }

    protected override ReadOnlySpan<byte> WriteWelcome(SubscriberSession? session, HelloMessage hello, uint correlation)
    {
        WelcomeMessage welcome = new()
        {
            Epoch = Epoch,
            Key = Key,
            Program = Program,
            Source = _options.Source,
            Description = Describe(),
            StateText = StateText,
        };
        if (session is not null)
        {
            welcome = welcome with
            {
                SubscriberId = session.Id,
                Delivery = session.Delivery,
                Leases = (uint)session.Leases,
                Fences = session.Fences,
                Wakes = (hello.Wakes & Wake.Doorbell) | Wake.Futex,
                Start = _restedAt != 0 && _restedAt == welcome.Description.Head ? _restedAt : null,
            };
        }

        return welcome.Write(SendBuffer, correlation);
    }

    protected override void Introduce(SubscriberSession session)
    {
        foreach (Segment segment in _segments)
        {
            if (!SendOrEvict(session, segment.Message.Write(SendBuffer), segment.File))
            {
                return;
            }

            session.KnownSegments.Add(segment.Id);
        }
    }

    protected override string GrantText(SubscriberSession session) => $", {session.Delivery} delivery, {session.Leases} leases";

    protected override void HandleActive(SubscriberSession session, MessageHeader header, ReadOnlySpan<byte> payload)
    {
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
            default:
                throw new ProtocolException(ErrorCode.ProtocolError, $"A subscriber does not send {header.Type} here.");
        }
    }

    protected override void OnSessionDropped(SubscriberSession session)
    {
        foreach (Retirement retirement in _retirements)
        {
            retirement.Unanswered.Remove(session);
        }

        ForgetAnsweredRetirements();
    }

    protected override void Audit(long now)
    {
        Span<byte> first = Snapshots.AsSpan(0, PageAudit.SnapshotSize);
        Span<byte> second = Snapshots.AsSpan(PageAudit.SnapshotSize);
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

    protected override void DisposeMemory()
    {
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
    }

    private static void RequireKnown(SubscriberSession session, uint segmentId)
    {
        if (!session.KnownSegments.Contains(segmentId))
        {
            throw new ProtocolException(ErrorCode.ProtocolError, $"A message names segment {segmentId}, which this subscriber does not have.");
        }
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
            Evicted = Evicted,
        };
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

    /// <summary>A segment that some subscribers still have to give back, with the segment itself if its memory has to stay until then.</summary>
    private sealed record Retirement(uint SegmentId, long Size, long SlotSize, long Since, Segment? Kept)
    {
        public HashSet<SubscriberSession> Unanswered { get; } = [];
    }
}
