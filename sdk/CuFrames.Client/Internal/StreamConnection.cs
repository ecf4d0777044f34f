using System.Diagnostics.CodeAnalysis;
using CuFrames.Interop;
using CuFrames.Protocol;
using CuFrames.Protocol.Messages;

namespace CuFrames.Client.Internal;

/// <summary>
/// The subscriber's side of one connection: handshake, mappings, the lease protocol (docs/protocol.md 6.6). Used by one thread, the taking
/// thread, but for <see cref="Release"/> and <see cref="IsValid"/>, which any thread may call.
/// </summary>
[SuppressMessage("Design", "CA1001", Justification = "Frames that are held outlive Close: LeaveMappings disposes what is owned.")]
internal sealed class StreamConnection
{
    private const int HandshakeTimeoutMilliseconds = 5000;

    // Bounds for what a publisher that floods us can cost: time in one call, mappings, memory.
    private const int MaxMessagesAtOnce = 256;
    private const int MaxSegments = ControlBlockLayout.SlotCapacity;
    private const int MaxNotices = 16;
    private const MemoryFileSeals ReadOnlySeals =
        MemoryFileSeals.Seal | MemoryFileSeals.Grow | MemoryFileSeals.Shrink | MemoryFileSeals.FutureWrite;
    private const MemoryFileSeals PageSeals = MemoryFileSeals.Seal | MemoryFileSeals.Grow | MemoryFileSeals.Shrink;

    // A take follows a publisher that is faster than itself this often before it gives up for now.
    private const int MaxTakeRounds = 1000;

    private readonly UnixSocket _socket;

    // One for each connection, not for each thread: an asynchronous reader moves from thread to thread.
    private readonly byte[] _packet = new byte[Wire.MaxMessageSize];
    private readonly MemoryMapping _controlMapping;
    private readonly MemoryMapping _pageMapping;
    private readonly ControlBlock _block;
    private readonly SubscriberPage _page;
    private readonly List<MappedSegment> _segments = [];
    private readonly FrameLease[] _leases;
    private readonly DescriptorSet _descriptors = new();
    private readonly bool _isLossless;
    private readonly int _granted;
    private ulong _cursor;
    private uint _seenControlMessages;
    private uint _arm;
    private bool _isRetiring;

    // WELCOME and the segments of frames that are there already are messages of their own (3.6): up to this time, CLOCK_MONOTONIC in
    // nanoseconds, a frame may be seen before its segment has come.
    private readonly long _segmentsDue = MonotonicClock.NowNanoseconds + (HandshakeTimeoutMilliseconds * 1_000_000L);
    private bool _awaitsSegment;

    // Held frames plus one while the subscriber uses the connection. Whoever brings it to zero unmaps.
    private int _users = 1;

    // Written by the taking thread, read by any thread that checks a frame.
    private int _state;

    private StreamConnection(
        UnixSocket socket, WelcomeMessage welcome, MemoryMapping controlMapping, MemoryMapping pageMapping, ulong previousEpoch, ulong previousCursor)
    {
        _socket = socket;
        Welcome = welcome;
        _controlMapping = controlMapping;
        _pageMapping = pageMapping;
        unsafe
        {
            _block = new ControlBlock(controlMapping.Pointer);
            _page = new SubscriberPage(pageMapping.Pointer);
        }

        _granted = (int)welcome.Leases;
        _isLossless = welcome.Delivery == Delivery.Lossless;
        _leases = new FrameLease[ControlBlockLayout.SlotCapacity];
        for (int slot = 0; slot < _leases.Length; slot++)
        {
            _leases[slot] = new FrameLease(this, slot);
        }

        ulong head = _block.Head;
        _cursor = welcome.Epoch == previousEpoch && previousCursor <= head ? previousCursor : head == 0 ? 0 : head - 1;
        _page.Cursor = _cursor;
    }

    public WelcomeMessage Welcome { get; }

    public ulong Epoch => Welcome.Epoch;

    public UnixSocket Socket => _socket;

    public ConnectionState State => (ConnectionState)Volatile.Read(ref _state);

    public StreamState StreamState => _block.State;

    public ulong Head => _block.Head;

    public ulong Cursor => _cursor;

    public int GrantedLeases => _granted;

    public bool HasDoorbell => (Welcome.Wakes & Wake.Doorbell) != 0;

    public int HeldFrames => Volatile.Read(ref _users) - 1;

    /// <summary>Why the connection ended.</summary>
    public ErrorCode EndCode { get; private set; }

    /// <summary>See <see cref="EndCode"/>.</summary>
    public string EndText { get; private set; } = "";

    /// <summary>Notices in the order in which they came; taken by the subscriber.</summary>
    public Queue<NoticeMessage> Notices { get; } = new();

    /// <exception cref="StreamUnavailableException">Nobody publishes the stream, or the publisher refuses.</exception>
    /// <exception cref="ProtocolException">The publisher breaks the protocol.</exception>
    public static StreamConnection Open(string key, SubscriberOptions options, string program, ulong previousEpoch, ulong previousCursor)
    {
        UnixSocket socket = Connect(key, options.Directory ?? StreamDirectory.RuntimeDirectory);
        try
        {
            HelloMessage hello = new()
            {
                Program = program,
                Delivery = options.Delivery,
                Leases = (uint)options.Leases,
                Domains = [DomainOffer.Host],
                Fences = Fence.Cpu,
                Wakes = Wake.Futex | Wake.Doorbell,
            };
            using DescriptorSet descriptors = new();
            WelcomeMessage welcome = Greet(socket, key, hello, descriptors);
            try
            {
                return Map(socket, welcome, descriptors, previousEpoch, previousCursor);
            }
            catch (ProtocolException error)
            {
                SayBye(socket, error.Code, error.Message);
                throw;
            }
        }
        catch
        {
            HangUp(socket);
            throw;
        }
    }

    /// <summary>Asks for a stream's description only.</summary>
    /// <inheritdoc cref="Open" path="/exception"/>
    public static WelcomeMessage Probe(string key, string directory, string program)
    {
        using UnixSocket socket = Connect(key, directory);
        using DescriptorSet descriptors = new();
        return Greet(socket, key, new HelloMessage { Program = program, IsProbe = true }, descriptors);
    }

    /// <summary>Takes a frame if there is one. Steps 1 to 6 of 6.6; no system call unless the publisher sent a message.</summary>
    /// <returns>Null when there is none.</returns>
    /// <exception cref="CuFramesException">LEASES_EXHAUSTED: as many frames are held as were granted.</exception>
    /// <exception cref="ProtocolException">The publisher breaks the protocol; the connection is over.</exception>
    public FrameLease? TryTake(bool newest)
    {
        if (_block.ControlMessages != _seenControlMessages)
        {
            ReadSocket();
        }
        else if (_isRetiring)
        {
            AnswerRetirements();
        }

        // A publisher that said goodbye writes no more: what is in its ring can still be taken. One that hung up without a word may be
        // alive and not look at our leases any more.
        if (State != ConnectionState.Active && EndCode != ErrorCode.ShuttingDown)
        {
            return null;
        }

        ulong head = ReadHead();
        if (head == _cursor)
        {
            return null;
        }

        if (HeldFrames >= _granted)
        {
            throw new CuFramesException(ErrorCode.LeasesExhausted,
                $"{_granted} frames are held, which is what the publisher granted. Release one before the next is taken, or ask for more leases.");
        }

        for (int round = 0; round < MaxTakeRounds && head > _cursor; round++)
        {
            if ((newest ? TryLease(head) : TryLeaseOldest(head)) is { } lease)
            {
                return lease;
            }

            if (_awaitsSegment)
            {
                // The publisher is about to send it. A caller that waits comes back at once, because there is a frame.
                _awaitsSegment = false;
                _ = _socket.Poll(IoEvents.Readable, 1);
                return null;
            }

            ulong newer = ReadHead();
            if (newer == head)
            {
                // The newest frame is never taken away while it is the newest (6.5), neither by a publisher that lives nor by its death.
                return State == ConnectionState.Active
                    ? throw Violation(ErrorCode.ControlBlockInvalid, $"The newest sequence is {head}, and no slot holds it.")
                    : null;
            }

            head = newer;
        }

        return head < _cursor
            ? throw Violation(ErrorCode.ControlBlockInvalid, $"The newest sequence went back from {_cursor} to {head}.")
            : null;
    }

    /// <summary>Whether a frame's content can be trusted: it is held, and the slot still holds it.</summary>
    public bool IsValid(FrameLease lease, ulong sequence)
    {
        if (lease.Sequence != sequence || State == ConnectionState.Evicted)
        {
            return false;
        }

        // What was read of the frame was read before the state (6.9). The publisher has the other fence, between its zero and its first write.
        Interlocked.MemoryBarrier();
        return _block.HoldsFrame(lease.Slot, sequence);
    }

    /// <summary>Ends a lease. Any thread.</summary>
    public unsafe void Release(FrameLease lease, ulong sequence)
    {
        if (!lease.TryEnd(sequence, out MappedSegment? segment))
        {
            return;
        }

        _page.Release(lease.Slot);
        _page.CountRelease();
        if (_isLossless && _page.MakeProgress())
        {
            Futex.Wake(_page.ProgressWord, 1);
        }

        segment!.Release();
        LeaveMappings();
    }

    /// <summary>Says that we are about to sleep, in the given way.</summary>
    /// <returns>False when there is something to see already; then we do not sleep.</returns>
    public unsafe bool PrepareToSleep(Wake wake, out uint futexWord)
    {
        futexWord = Volatile.Read(ref *_block.FutexWord);
        _page.Waiting = (++_arm << 2) | (uint)wake;

        // Pairs with the publisher's fence between head and its look at our word (8.1).
        Interlocked.MemoryBarrier();
        if (_block.Head == _cursor && _block.ControlMessages == _seenControlMessages)
        {
            return true;
        }

        _page.Waiting = 0;
        return false;
    }

    /// <summary>Sleeps on the futex for at most 50 ms, then looks at the socket if nothing came: neither a silent publisher's death nor
    /// somebody who wakes us for nothing keeps us from noticing a hang-up.</summary>
    public unsafe void Sleep(uint futexWord, long nanoseconds)
    {
        const long longest = 50_000_000;
        _ = Futex.Wait(_block.FutexWord, futexWord, Math.Clamp(nanoseconds, 0, longest));
        _page.Waiting = 0;
        if (_block.Head == _cursor)
        {
            ReadSocket();
        }
    }

    /// <summary>Ends a sleep that waited for a DOORBELL.</summary>
    public void WakeUp() => _page.Waiting = 0;

    /// <summary>Reads the socket empty and acts on what is there.</summary>
    /// <exception cref="ProtocolException">The publisher breaks the protocol; the connection is over.</exception>
    public void ReadSocket()
    {
        if (State != ConnectionState.Active)
        {
            return;
        }

        uint counter = _block.ControlMessages;
        byte[] buffer = _packet;
        for (int messages = 0; State == ConnectionState.Active && messages < MaxMessagesAtOnce; messages++)
        {
            ReceiveResult result = _socket.Receive(buffer, _descriptors);
            switch (result.Status)
            {
                case ReceiveStatus.WouldBlock:
                    _seenControlMessages = counter;
                    AnswerRetirements();
                    return;
                case ReceiveStatus.PeerGone:
                    End(ConnectionState.Disconnected, ErrorCode.Disconnected, "The publisher hung up.");
                    return;
                case ReceiveStatus.Truncated:
                    throw Violation(ErrorCode.ProtocolError, $"A message is longer than {Wire.MaxMessageSize} bytes.");
                case ReceiveStatus.ControlTruncated:
                    throw Violation(ErrorCode.DescriptorCount, $"A message carries more than {Wire.MaxDescriptors} descriptors.");
            }

            try
            {
                ReadOnlySpan<byte> packet = buffer.AsSpan(0, result.Length);
                Handle(MessageHeader.Read(packet), packet[MessageHeaderLayout.Size..]);
            }
            catch (ProtocolException error)
            {
                throw Violation(error.Code, error.Message);
            }
            finally
            {
                _descriptors.Clear();
            }
        }
    }

    /// <summary>Leaves the publisher. Frames that are held keep their mappings until they are released.</summary>
    public void Close(bool sayBye)
    {
        if (State == ConnectionState.Active)
        {
            if (sayBye)
            {
                SayBye(_socket, ErrorCode.None, "");
            }

            End(ConnectionState.Disconnected, ErrorCode.None, "The subscriber left.");
        }

        HangUp(_socket);
        LeaveMappings();
    }

    private static UnixSocket Connect(string key, string directory)
    {
        string path = Path.Combine(directory, StreamKey.Require(key) + ".sock");
        try
        {
            return UnixSocket.Connect(path, HandshakeTimeoutMilliseconds);
        }
        catch (LinuxException error)
        {
            throw error.Errno switch
            {
                Errno.ENOENT or Errno.ECONNREFUSED or Errno.ENOTDIR => new StreamUnavailableException(ErrorCode.StreamNotFound,
                    $"Nobody publishes stream '{key}' (no publisher listens at {path}). Start its publisher, or see 'cuframes ls' for the streams there are.", error),
                Errno.ETIMEDOUT => new StreamUnavailableException(ErrorCode.HandshakeTimeout,
                    $"The publisher of '{key}' accepts no connection. It is stopped or overloaded.", error),
                Errno.EACCES => new StreamUnavailableException(ErrorCode.AccessDenied,
                    $"Stream '{key}' cannot be reached: {error.Message}", error),
                _ => new StreamUnavailableException(ErrorCode.SystemCallFailed, $"Stream '{key}' cannot be reached: {error.Message}", error),
            };
        }
    }

    private static WelcomeMessage Greet(UnixSocket socket, string key, HelloMessage hello, DescriptorSet descriptors)
    {
        byte[] buffer = new byte[Wire.MaxMessageSize];

        // A publisher that refuses at once may have hung up before HELLO: its answer is there to be read all the same.
        _ = socket.Send(hello.Write(buffer), [], HandshakeTimeoutMilliseconds);
        ReceiveResult result = socket.Receive(buffer, descriptors, HandshakeTimeoutMilliseconds);
        switch (result.Status)
        {
            case ReceiveStatus.WouldBlock:
                throw new StreamUnavailableException(ErrorCode.HandshakeTimeout,
                    $"The publisher of '{key}' did not answer within {HandshakeTimeoutMilliseconds / 1000} s. It is stopped or overloaded.");
            case ReceiveStatus.PeerGone:
                throw new StreamUnavailableException(ErrorCode.Disconnected, $"The publisher of '{key}' hung up during the handshake.");
        }

        try
        {
            return ReadAnswer(result, buffer, key, hello, descriptors);
        }
        catch (ProtocolException error)
        {
            SayBye(socket, error.Code, error.Message);
            throw;
        }
    }

    private static WelcomeMessage ReadAnswer(ReceiveResult result, byte[] buffer, string key, HelloMessage hello, DescriptorSet descriptors)
    {
        if (result.Status != ReceiveStatus.Received)
        {
            throw result.Status == ReceiveStatus.Truncated
                ? new ProtocolException(ErrorCode.ProtocolError, $"The answer of the publisher of '{key}' is longer than {Wire.MaxMessageSize} bytes.")
                : new ProtocolException(ErrorCode.DescriptorCount, $"The answer of the publisher of '{key}' carries too many descriptors.");
        }

        ReadOnlySpan<byte> packet = buffer.AsSpan(0, result.Length);
        MessageHeader header = MessageHeader.Read(packet);
        ReadOnlySpan<byte> payload = packet[MessageHeaderLayout.Size..];
        if (header.Type is not (MessageType.Welcome or MessageType.Refuse or MessageType.Bye))
        {
            throw new ProtocolException(ErrorCode.ProtocolError, $"The publisher of '{key}' answered {header.Type} instead of WELCOME.");
        }

        int expected = header.Type == MessageType.Welcome && !hello.IsProbe ? 2 : 0;
        if (descriptors.Count != expected)
        {
            throw new ProtocolException(ErrorCode.DescriptorCount, $"{header.Type} carries {descriptors.Count} descriptors instead of {expected}.");
        }

        if (header.Type == MessageType.Refuse)
        {
            RefuseMessage refuse = RefuseMessage.ReadRefuse(payload);
            throw new StreamUnavailableException(refuse.Code, $"The publisher of '{key}' refused: {refuse.Text}");
        }

        if (header.Version == Wire.Version && header.Type == MessageType.Bye)
        {
            RefuseMessage bye = RefuseMessage.Read(payload);
            throw new StreamUnavailableException(ErrorCode.Disconnected, $"The publisher of '{key}' left during the handshake. {bye.Text}");
        }

        if (header.Type != MessageType.Welcome || header.Version != Wire.Version)
        {
            throw new ProtocolException(ErrorCode.ProtocolError,
                $"The publisher of '{key}' answered {header.Type} of version {header.Version} instead of WELCOME of version {Wire.Version}.");
        }

        WelcomeMessage welcome = WelcomeMessage.Read(payload);
        if (welcome.Version != Wire.Version)
        {
            throw new ProtocolException(ErrorCode.ProtocolError, $"WELCOME chooses version {welcome.Version}, and {Wire.Version} was offered.");
        }

        if (!hello.IsProbe)
        {
            welcome.RequireSubscription();
            if (welcome.Delivery != hello.Delivery || welcome.Leases > hello.Leases)
            {
                throw new ProtocolException(ErrorCode.ProtocolError,
                    $"WELCOME grants {welcome.Delivery} delivery with {welcome.Leases} leases; asked for were {hello.Delivery} and {hello.Leases}.");
            }
        }

        return welcome;
    }

    private static StreamConnection Map(
        UnixSocket socket, WelcomeMessage welcome, DescriptorSet descriptors, ulong previousEpoch, ulong previousCursor)
    {
        using FileDescriptor controlFile = descriptors.Take(0);
        using FileDescriptor pageFile = descriptors.Take(1);
        RequireMemfd(controlFile, ReadOnlySeals, ControlBlockLayout.Size, ErrorCode.ControlBlockInvalid, "The control block");
        RequireMemfd(pageFile, PageSeals, SubscriberPageLayout.FileSize, ErrorCode.ControlBlockInvalid, "The subscriber's page");
        MemoryMapping control = MemoryMapping.Map(controlFile, ControlBlockLayout.Size, MappingAccess.ReadOnly, populate: true);
        try
        {
            if (ControlBlock.FindFault(control.ReadOnlySlice(0, ControlBlockLayout.FutexWordOffset), welcome.Epoch) is { } fault)
            {
                throw new ProtocolException(ErrorCode.ControlBlockInvalid, $"The control block cannot be used: {fault}.");
            }

            MemoryMapping page = MemoryMapping.Map(pageFile, SubscriberPageLayout.FileSize, MappingAccess.ReadWrite, populate: true);
            try
            {
                RequirePage(page, welcome.SubscriberId);
                return new StreamConnection(socket, welcome, control, page, previousEpoch, previousCursor);
            }
            catch
            {
                page.Dispose();
                throw;
            }
        }
        catch
        {
            control.Dispose();
            throw;
        }
    }

    private static unsafe void RequirePage(MemoryMapping mapping, ulong subscriberId)
    {
        SubscriberPage page = new(mapping.Pointer);
        if (page.Magic != Wire.SubscriberPageMagic || page.SubscriberId != subscriberId)
        {
            throw new ProtocolException(ErrorCode.ControlBlockInvalid, "The subscriber's page has a wrong magic or another subscriber's id.");
        }
    }

    private static void RequireMemfd(FileDescriptor file, MemoryFileSeals seals, long size, ErrorCode code, string what)
    {
        MemoryFileSeals found;
        try
        {
            found = file.GetSeals();
        }
        catch (LinuxException)
        {
            throw new ProtocolException(code, $"{what} is not a memfd.");
        }

        if ((found & seals) != seals)
        {
            throw new ProtocolException(code, $"{what} lacks the seals {seals & ~found}: its publisher could change or cut it under our hands.");
        }

        long length = file.Stat().Size;
        if (length < size)
        {
            throw new ProtocolException(code, $"{what} has {length} bytes; {size} are needed.");
        }
    }

    /// <summary>Closes a socket. With packets unread the kernel would reset the connection, and our BYE would not be read.</summary>
    private static void HangUp(UnixSocket socket)
    {
        socket.Shutdown();
        using DescriptorSet descriptors = new();
        Span<byte> packet = stackalloc byte[256];
        while (socket.Receive(packet, descriptors).Status is not (ReceiveStatus.PeerGone or ReceiveStatus.WouldBlock))
        {
        }

        socket.Dispose();
    }

    private static void SayBye(UnixSocket socket, ErrorCode code, string text)
    {
        byte[] buffer = new byte[2048];
        _ = socket.TrySendSmall(new RefuseMessage(code, text).WriteBye(buffer));
    }

    /// <summary>The newest sequence. A peer's number above the limit would make our own sequences overflow.</summary>
    private ulong ReadHead()
    {
        ulong head = _block.Head;
        return head < ControlBlockLayout.SequenceLimit
            ? head
            : throw Violation(ErrorCode.ControlBlockInvalid, $"The newest sequence is {head}; sequences stay below 2^56.");
    }

    /// <summary>Leases the oldest frame after the cursor that is still there.</summary>
    private FrameLease? TryLeaseOldest(ulong head)
    {
        ulong sequence = Math.Max(_cursor + 1, head >= ControlBlockLayout.IndexCapacity ? head - ControlBlockLayout.IndexCapacity + 1 : 1);
        for (; sequence <= head && !_awaitsSegment; sequence++)
        {
            if (TryLease(sequence) is { } lease)
            {
                return lease;
            }
        }

        return null;
    }

    private FrameLease? TryLease(ulong sequence)
    {
        ulong entry = _block.IndexEntry(sequence);
        int slot = (int)(entry & 0xFF);
        if (entry >> 8 != sequence || slot >= ControlBlockLayout.SlotCapacity || _block.SlotState(slot) != sequence)
        {
            return null;
        }

        if (_leases[slot].Sequence is not 0 and var held)
        {
            // Either we were evicted a moment ago, which the socket tells, or the publisher does not honour leases.
            ReadSocket();
            return State != ConnectionState.Active
                ? null
                : throw Violation(ErrorCode.FrameInvalid, $"Frame {sequence} lies in slot {slot}, in which frame {held} is still held.");
        }

        if (FaultInjection.SkipRecheck)
        {
            Thread.SpinWait(FaultInjection.WindowSpins);
        }

        _page.Lease(slot, sequence);
        if (_block.SlotState(slot) != sequence && !FaultInjection.SkipRecheck)
        {
            _page.Release(slot);
            return null;
        }

        SlotDescriptor descriptor = _block.ReadDescriptor(slot);
        MappedSegment? segment = FindSegment(descriptor.SegmentId);
        if (segment is null)
        {
            ReadSocket();
            segment = FindSegment(descriptor.SegmentId);
        }

        if (segment is null && State == ConnectionState.Active && MonotonicClock.NowNanoseconds < _segmentsDue)
        {
            _page.Release(slot);
            _awaitsSegment = true;
            return null;
        }

        string? fault = segment is null
            ? State == ConnectionState.Active ? $"segment {descriptor.SegmentId} was never announced" : null
            : descriptor.Picture.FindFault((ulong)segment.Mapping.Length);
        if (fault is not null && _block.HoldsFrame(slot, sequence) && State == ConnectionState.Active)
        {
            _page.Release(slot);
            throw Violation(ErrorCode.FrameInvalid, $"Frame {sequence} cannot be read: {fault}.");
        }

        if (fault is not null || segment is null)
        {
            _page.Release(slot);
            return null;
        }

        ulong missed = sequence - _cursor - 1;
        _cursor = sequence;
        _page.Cursor = sequence;
        _page.Taken++;
        _page.Missed += missed;
        segment.Hold();
        Interlocked.Increment(ref _users);
        FrameLease lease = _leases[slot];
        lease.Fill(sequence, descriptor, segment, missed);
        if (_isLossless)
        {
            WakePublisher();
        }

        return lease;
    }

    private unsafe void WakePublisher()
    {
        if (_page.MakeProgress())
        {
            Futex.Wake(_page.ProgressWord, 1);
        }
    }

    private void Handle(MessageHeader header, ReadOnlySpan<byte> payload)
    {
        if (header.Version != Wire.Version)
        {
            throw new ProtocolException(ErrorCode.ProtocolError, $"A message is of version {header.Version}; {Wire.Version} was chosen.");
        }

        SegmentMessage? segment = header.Type == MessageType.Segment ? SegmentMessage.Read(payload) : null;
        int expected = segment is null || segment.Description.HandleKind == HandleKind.CudaIpc ? 0 : 1;

        // A second WELCOME may bring its two: it is refused below, as the message that does not belong here.
        if (_descriptors.Count != expected && header.Type != MessageType.Welcome)
        {
            throw new ProtocolException(ErrorCode.DescriptorCount, $"{header.Type} carries {_descriptors.Count} descriptors instead of {expected}.");
        }

        switch (header.Type)
        {
            case MessageType.Segment:
                AddSegment(segment!.Description);
                break;
            case MessageType.Retire:
                uint id = SegmentIdMessage.Read(payload);
                MappedSegment retiring = FindSegment(id)
                    ?? throw new ProtocolException(ErrorCode.ProtocolError, $"RETIRE names segment {id}, which was not announced.");
                retiring.IsRetiring = true;
                AnswerRetirements();
                break;
            case MessageType.Notice:
                NoticeMessage notice = NoticeMessage.Read(payload);
                if (notice.Kind == NoticeKind.Evicted)
                {
                    End(ConnectionState.Evicted, notice.Code, notice.Text);
                }
                else if (notice.Kind == NoticeKind.ShuttingDown)
                {
                    End(ConnectionState.Disconnected, ErrorCode.ShuttingDown, notice.Text);
                }
                else
                {
                    if (Notices.Count == MaxNotices)
                    {
                        Notices.Dequeue();
                    }

                    Notices.Enqueue(notice);
                }

                break;
            case MessageType.Bye:
                RefuseMessage bye = RefuseMessage.Read(payload);
                End(ConnectionState.Disconnected, ErrorCode.Disconnected, bye.Text.Length > 0 ? $"The publisher left: {bye.Text}" : "The publisher left.");
                break;
            case MessageType.Doorbell:
                // It has no TLV of its own; one that must be understood is refused here as elsewhere.
                TlvReader reader = new(payload);
                while (reader.Next())
                {
                    reader.SkipUnknown();
                }

                break;
            default:
                throw new ProtocolException(ErrorCode.ProtocolError, $"A publisher does not send {header.Type} here.");
        }
    }

    private void AddSegment(SegmentDescription description)
    {
        if (FindSegment(description.SegmentId) is not null)
        {
            throw new ProtocolException(ErrorCode.ProtocolError, $"Segment {description.SegmentId} was announced before.");
        }

        if (description.Domain != MemoryDomain.Host || description.HandleKind != HandleKind.HostMemfd)
        {
            throw new ProtocolException(ErrorCode.SegmentInvalid,
                $"Segment {description.SegmentId} is of domain {description.Domain} and kind {description.HandleKind}; this subscriber offered host memfds only.");
        }

        if (_segments.Count == MaxSegments)
        {
            throw new ProtocolException(ErrorCode.SegmentInvalid, $"{MaxSegments} segments are live already, and every one has at least one of the {MaxSegments} slots.");
        }

        using FileDescriptor file = _descriptors.Take(0);
        RequireMemfd(file, ReadOnlySeals, (long)description.Size, ErrorCode.SegmentInvalid, $"Segment {description.SegmentId}");
        MemoryMapping mapping;
        try
        {
            mapping = MemoryMapping.Map(file, (long)description.Size, MappingAccess.ReadOnly);
        }
        catch (LinuxException error)
        {
            throw new ProtocolException(ErrorCode.SegmentInvalid, $"Segment {description.SegmentId} of {description.Size} bytes cannot be mapped: {error.Message}");
        }

        _segments.Add(new MappedSegment(description.SegmentId, mapping));
        Tell(MessageType.SegmentReady, description.SegmentId);
    }

    private void AnswerRetirements()
    {
        _isRetiring = false;
        for (int i = _segments.Count - 1; i >= 0; i--)
        {
            MappedSegment segment = _segments[i];
            _isRetiring |= segment.IsRetiring && segment.IsHeld;
            if (segment.IsRetiring && !segment.IsHeld)
            {
                _segments.RemoveAt(i);
                segment.Mapping.Dispose();
                Tell(MessageType.Retired, segment.Id);
            }
        }
    }

    private void Tell(MessageType type, uint segmentId)
    {
        Span<byte> buffer = stackalloc byte[64];

        // A publisher that does not read loses the answer, and with it only its own count of memory.
        _ = _socket.TrySendSmall(SegmentIdMessage.Write(buffer, type, segmentId));
    }

    private MappedSegment? FindSegment(uint id)
    {
        foreach (MappedSegment segment in _segments)
        {
            if (segment.Id == id)
            {
                return segment;
            }
        }

        return null;
    }

    private ProtocolException Violation(ErrorCode code, string text)
    {
        if (State == ConnectionState.Active)
        {
            SayBye(_socket, code, text);
            End(ConnectionState.Disconnected, code, text);
        }

        return new ProtocolException(code, text);
    }

    private void End(ConnectionState state, ErrorCode code, string text)
    {
        EndCode = code;
        EndText = text;
        Volatile.Write(ref _state, (int)state);
        _socket.Shutdown();
    }

    private void LeaveMappings()
    {
        if (Interlocked.Decrement(ref _users) == 0)
        {
            foreach (MappedSegment segment in _segments)
            {
                segment.Mapping.Dispose();
            }

            _pageMapping.Dispose();
            _controlMapping.Dispose();
            _descriptors.Dispose();
        }
    }
}
