using System.Diagnostics.CodeAnalysis;
using CuFrames.Interop;
using CuFrames.Protocol;
using CuFrames.Protocol.Messages;

namespace CuFrames.Client.Internal;

/// <summary>
/// The subscriber's side of one connection: handshake, mappings, the lease protocol (docs/protocol.md 6.6). Used by one thread, the taking
/// thread, but for <see cref="Release(FrameLease, ulong)"/> and its twin, and <see cref="IsValid"/>, which any thread may call.
/// </summary>
[SuppressMessage("Design", "CA1001", Justification = "Frames that are held outlive Close: LeaveMappings disposes what is owned.")]
internal sealed class StreamConnection : SubscriberConnection
{
    // A bound for what a publisher that floods us can cost.
    private const int MaxSegments = ControlBlockLayout.SlotCapacity;

    // A take follows a publisher that is faster than itself this often before it gives up for now.
    private const int MaxTakeRounds = 1000;

    private readonly MemoryMapping _controlMapping;
    private readonly MemoryMapping _pageMapping;
    private readonly ControlBlock _block;
    private readonly List<MappedSegment> _segments = [];
    private readonly FrameLease[] _leases;
    private readonly bool _isLossless;
    private readonly int _granted;
    private bool _isRetiring;

    // Frames between the cursor of the connection before and START: missed, and told with the first frame.
    private ulong _missedBefore;

    // WELCOME and the segments of frames that are there already are messages of their own (3.6): up to this time, CLOCK_MONOTONIC in
    // nanoseconds, a frame may be seen before its segment has come.
    private readonly long _segmentsDue = MonotonicClock.NowNanoseconds + (Handshake.TimeoutMilliseconds * 1_000_000L);
    private bool _awaitsSegment;

    // Set once, before the connection is used; null in the host domain.
    private CudaAttachment? _cuda;

    // Held frames plus one while the subscriber uses the connection. Whoever brings it to zero unmaps.
    private int _users = 1;

    private StreamConnection(
        UnixSocket socket, WelcomeMessage welcome, MemoryMapping controlMapping, MemoryMapping pageMapping, ulong previousEpoch, ulong previousCursor)
        : base(socket, PageOf(pageMapping), welcome.Epoch, welcome.Wakes)
    {
        Welcome = welcome;
        _controlMapping = controlMapping;
        _pageMapping = pageMapping;
        unsafe
        {
            _block = new ControlBlock(controlMapping.Pointer);
        }

        _granted = (int)welcome.Leases;
        _isLossless = welcome.Delivery == Delivery.Lossless;
        _leases = new FrameLease[ControlBlockLayout.SlotCapacity];
        for (int slot = 0; slot < _leases.Length; slot++)
        {
            _leases[slot] = new FrameLease(this, slot);
        }

        ulong head = _block.Head;
        bool goesOn = welcome.Epoch == previousEpoch && previousCursor <= head;
        _cursor = goesOn ? previousCursor : welcome.Start ?? (head == 0 ? 0 : head - 1);
        if (welcome.Start > _cursor)
        {
            _missedBefore = welcome.Start.Value - _cursor;
            _cursor = welcome.Start.Value;
        }

        _page.Cursor = _cursor;
    }

    public WelcomeMessage Welcome { get; }

    public override StreamState StreamState => _block.State;

    public override ulong Head => _block.Head;

    private protected override uint ControlMessages => _block.ControlMessages;

    private protected override unsafe uint* FutexWord => _block.FutexWord;

    public int GrantedLeases => _granted;

    public int HeldFrames => Volatile.Read(ref _users) - 1;

    /// <summary>Null when the stream lies in main memory.</summary>
    public CudaAttachment? Cuda => _cuda;

    /// <exception cref="StreamUnavailableException">Nobody publishes the stream, or the publisher refuses.</exception>
    /// <exception cref="ProtocolException">The publisher breaks the protocol.</exception>
    /// <exception cref="CudaException">The stream's device cannot be used.</exception>
    public static StreamConnection Open(string key, SubscriberOptions options, string program, ulong previousEpoch, ulong previousCursor)
    {
        // The driver costs a process hundreds of milliseconds and megabytes: it is called only for a stream that needs it, which is known when
        // the publisher has refused main memory.
        bool offersCuda = options.Cuda is not null || CudaDriver.IsInitialised;
        try
        {
            return Connect(key, options, program, previousEpoch, previousCursor, offersCuda);
        }
        catch (StreamUnavailableException error) when (error.Code == ErrorCode.DomainNotMappable && !offersCuda)
        {
            if (!CudaDriver.TryInitialise(out string? obstacle))
            {
                throw new StreamUnavailableException(error.Code, $"{error.Message} In this process: {obstacle}", error);
            }

            return Connect(key, options, program, previousEpoch, previousCursor, offersCuda: true);
        }
    }

    /// <summary>Asks for a stream's description only.</summary>
    /// <inheritdoc cref="Open(string, SubscriberOptions, string, ulong, ulong)" path="/exception"/>
    public static WelcomeMessage Probe(string key, string directory, string program)
    {
        using UnixSocket socket = Handshake.Connect(StreamKey.Require(key), directory, key);
        using DescriptorSet descriptors = new();
        return Greet(socket, key, new HelloMessage { Program = program, IsProbe = true }, descriptors, isInterrupted: null);
    }

    /// <summary>Takes a frame if there is one. Steps 1 to 6 of 6.6; no system call unless the publisher sent a message.</summary>
    /// <returns>Null when there is none.</returns>
    /// <exception cref="CuFramesException">LEASES_EXHAUSTED: as many frames are held as were granted.</exception>
    /// <exception cref="ProtocolException">The publisher breaks the protocol; the connection is over.</exception>
    public FrameLease? TryTake(bool newest)
    {
        AwaitsGpu = false;
        if (_cuda is { HasPending: true })
        {
            FinishReleases();
        }

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
            if (_cuda is { HasPending: true })
            {
                _cuda.ThrowIfBroken();
                AwaitsGpu = true;
                return null;
            }

            throw new CuFramesException(ErrorCode.LeasesExhausted,
                $"{_granted} frames are held, which is what the publisher granted. Release one before the next is taken, or ask for more leases.");
        }

        for (int round = 0; round < MaxTakeRounds && head > _cursor; round++)
        {
            if ((newest ? TryLease(head) : TryLeaseOldest(head)) is { } lease)
            {
                return lease;
            }

            if (AwaitsGpu)
            {
                return null;
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

    /// <summary>Ends a lease behind the work of a stream, without waiting for it unless no fence but CPU is there. Any thread.</summary>
    /// <exception cref="CudaException">The driver refused; the frame is held as before.</exception>
    public void Release(FrameLease lease, ulong sequence, CudaStream stream)
    {
        if (_cuda is null || _cuda.ReleaseFence == Fence.Cpu)
        {
            stream.Synchronize();
            Release(lease, sequence);
            return;
        }

        if (!lease.TryBeginRelease(sequence))
        {
            return;
        }

        try
        {
            _cuda.EnqueueRelease(lease.Slot, sequence, stream);
        }
        catch
        {
            lease.Restore(sequence);
            throw;
        }

        lease.EndRelease();
        _page.CountRelease();
    }

    /// <summary>Finishes the releases that the GPU has carried out. The taking thread, or the control loop once the connection is closed.</summary>
    /// <exception cref="CudaException">The context is broken.</exception>
    public void FinishReleases()
    {
        int slot;
        while ((slot = _cuda!.TryFinish()) >= 0)
        {
            FinishRelease(slot);
        }
    }

    /// <summary>Gives up the releases of a context that is broken, so that memory is not kept for it.</summary>
    public void AbandonReleases()
    {
        int slot;
        while ((slot = _cuda!.Abandon()) >= 0)
        {
            FinishRelease(slot);
        }
    }

    /// <summary>Leaves the publisher. Frames that are held keep their mappings until they are released.</summary>
    public override void Close(bool sayBye)
    {
        CloseSocket(sayBye);
        if (_cuda is not null && HeldFrames > 0)
        {
            // Frames are held or on their way through the GPU, and nobody will call us for the latter.
            _ = new DeferredClose(this);
        }

        LeaveMappings();
    }

    private static StreamConnection Connect(
        string key, SubscriberOptions options, string program, ulong previousEpoch, ulong previousCursor, bool offersCuda)
    {
        UnixSocket socket = Handshake.Connect(StreamKey.Require(key), options.Directory ?? StreamDirectory.RuntimeDirectory, key);
        try
        {
            HelloMessage hello = new()
            {
                Program = program,
                Delivery = options.Delivery,
                Leases = (uint)options.Leases,
                Domains = offersCuda ? [DomainOffer.Host, .. CudaOffers(options.Cuda)] : [DomainOffer.Host],
                Fences = offersCuda ? FencesOf(options) : Fence.Cpu,
                Wakes = Wake.Futex | Wake.Doorbell,
            };
            using DescriptorSet descriptors = new();
            WelcomeMessage welcome = Greet(socket, key, hello, descriptors, options.IsInterrupted);
            try
            {
                StreamConnection connection = Map(socket, welcome, descriptors, previousEpoch, previousCursor);
                connection.Attach(key, hello, options);
                return connection;
            }
            catch (CuFramesException error)
            {
                Handshake.SayBye(socket, error.Code, error.Message);
                throw;
            }
        }
        catch
        {
            Handshake.HangUp(socket);
            throw;
        }
    }

    private static IEnumerable<DomainOffer> CudaOffers(CudaContext? context)
    {
        foreach (CudaDevice device in context is null ? CudaDriver.Devices : [context.Device])
        {
            uint kinds = 1u << (int)HandleKind.CudaIpc;
            if (device.HasVirtualMemory && device.HasPosixHandles)
            {
                kinds |= 1u << (int)HandleKind.CudaVmm;
            }

            yield return new DomainOffer(MemoryDomain.Cuda, kinds, device.Uuid);
        }
    }

    private static Fence FencesOf(SubscriberOptions options)
    {
        Fence able = Fence.Cpu;
        foreach (CudaDevice device in options.Cuda is { } context ? [context.Device] : CudaDriver.Devices)
        {
            able |= device.HasStreamMemoryOperations && device.HasHostRegistration ? Fence.Stream : 0;
            able |= device.HasIpcEvents ? Fence.Event : 0;
        }

        return (able & options.Fences) | Fence.Cpu;
    }

    /// <summary>Opens the device that the stream lies on. Whatever goes wrong, the mappings are left.</summary>
    private void Attach(string key, HelloMessage hello, SubscriberOptions options)
    {
        StreamDescription description = Welcome.Description;
        if (description.Domain != MemoryDomain.Cuda)
        {
            return;
        }

        try
        {
            bool wasOffered = hello.Domains.Any(offer => offer.Domain == MemoryDomain.Cuda && offer.Device == description.Device);
            CudaDevice device = (wasOffered ? CudaDriver.FindDevice(description.Device) : null)
                ?? throw new ProtocolException(ErrorCode.SegmentInvalid, $"Stream '{key}' lies on GPU-{description.Device}, which was not offered.");
            _cuda = new CudaAttachment(device, options.Cuda, _socket, _page, Welcome.Fences & hello.Fences);
        }
        catch
        {
            LeaveMappings();
            throw;
        }
    }

    private static WelcomeMessage Greet(UnixSocket socket, string key, HelloMessage hello, DescriptorSet descriptors, Func<bool>? isInterrupted)
    {
        ReadOnlySpan<byte> payload = Handshake.Greet(socket, key, hello, descriptors, isInterrupted);
        try
        {
            WelcomeMessage welcome = WelcomeMessage.Read(payload);
            Handshake.RequireVersion(welcome.Version);
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
        catch (ProtocolException error)
        {
            Handshake.SayBye(socket, error.Code, error.Message);
            throw;
        }
    }

    private static StreamConnection Map(
        UnixSocket socket, WelcomeMessage welcome, DescriptorSet descriptors, ulong previousEpoch, ulong previousCursor)
    {
        using FileDescriptor controlFile = descriptors.Take(0);
        using FileDescriptor pageFile = descriptors.Take(1);
        Handshake.RequireMemfd(controlFile, Handshake.ReadOnlySeals, ControlBlockLayout.Size, ErrorCode.ControlBlockInvalid, "The control block");
        MemoryMapping control = MemoryMapping.Map(controlFile, ControlBlockLayout.Size, MappingAccess.ReadOnly, populate: true);
        try
        {
            if (ControlBlock.FindFault(control.ReadOnlySlice(0, ControlBlockLayout.FutexWordOffset), welcome.Epoch) is { } fault)
            {
                throw new ProtocolException(ErrorCode.ControlBlockInvalid, $"The control block cannot be used: {fault}.");
            }

            MemoryMapping page = Handshake.MapPage(pageFile, welcome.SubscriberId);
            return new StreamConnection(socket, welcome, control, page, previousEpoch, previousCursor);
        }
        catch
        {
            control.Dispose();
            throw;
        }
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
        for (; sequence <= head && !_awaitsSegment && !AwaitsGpu; sequence++)
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
            if (held == FrameLease.Releasing)
            {
                // Another thread has told the GPU, and the GPU was quicker than that thread.
                AwaitsGpu = true;
                return null;
            }

            // Either we were evicted a moment ago, which the socket tells, or the publisher does not honour leases.
            ReadSocket();
            return State != ConnectionState.Active
                ? null
                : throw Violation(ErrorCode.FrameInvalid, $"Frame {sequence} lies in slot {slot}, in which frame {held} is still held.");
        }

        if (_cuda is { } cuda && cuda.IsPending(slot))
        {
            // The publisher has seen our release carried out before we have. This is asked for after the lease's sequence: a thread that
            // releases notes first what is pending.
            FinishReleases();
            if (cuda.IsPending(slot))
            {
                AwaitsGpu = true;
                return null;
            }
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
            : descriptor.Picture.FindFault((ulong)segment.Size);
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

        ulong missed = sequence - _cursor - 1 + _missedBefore;
        _missedBefore = 0;
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

    private protected override int ExpectedDescriptors(MessageHeader header, ReadOnlySpan<byte> payload) =>
        header.Type == MessageType.Segment && SegmentMessage.Read(payload).Description.HandleKind != HandleKind.CudaIpc ? 1 : 0;

    private protected override void OnSocketRead() => AnswerRetirements();

    private protected override void HandleOther(MessageHeader header, ReadOnlySpan<byte> payload)
    {
        switch (header.Type)
        {
            case MessageType.Segment:
                AddSegment(SegmentMessage.Read(payload));
                break;
            case MessageType.Retire:
                uint id = SegmentIdMessage.Read(payload);
                MappedSegment retiring = FindSegment(id)
                    ?? throw new ProtocolException(ErrorCode.ProtocolError, $"RETIRE names segment {id}, which was not announced.");
                retiring.IsRetiring = true;
                AnswerRetirements();
                break;
            default:
                throw new ProtocolException(ErrorCode.ProtocolError, $"A publisher does not send {header.Type} here.");
        }
    }

    private void AddSegment(SegmentMessage message)
    {
        SegmentDescription description = message.Description;
        if (FindSegment(description.SegmentId) is not null)
        {
            throw new ProtocolException(ErrorCode.ProtocolError, $"Segment {description.SegmentId} was announced before.");
        }

        bool isHost = description.Domain == MemoryDomain.Host && description.HandleKind == HandleKind.HostMemfd;
        bool isCuda = description.Domain == MemoryDomain.Cuda && description.HandleKind is HandleKind.CudaVmm or HandleKind.CudaIpc;
        if (_cuda is null ? !isHost : !isCuda || description.Device != _cuda.Context.Device.Uuid)
        {
            throw new ProtocolException(ErrorCode.SegmentInvalid,
                $"Segment {description.SegmentId} is of domain {description.Domain} and kind {description.HandleKind}, on GPU-{description.Device}; " +
                (_cuda is null ? "the stream was said to lie in main memory." : $"the stream was said to lie on {_cuda.Context.Device.UuidText}."));
        }

        if (_segments.Count == MaxSegments)
        {
            throw new ProtocolException(ErrorCode.SegmentInvalid, $"{MaxSegments} segments are live already, and every one has at least one of the {MaxSegments} slots.");
        }

        MappedSegment? mapped = _cuda is null ? MapHost(description) : Import(message);
        if (mapped is not null)
        {
            _segments.Add(mapped);
            Tell(MessageType.SegmentReady, description.SegmentId);
        }
    }

    private HostMappedSegment MapHost(SegmentDescription description)
    {
        using FileDescriptor file = _descriptors.Take(0);
        Handshake.RequireMemfd(file, Handshake.ReadOnlySeals, (long)description.Size, ErrorCode.SegmentInvalid, $"Segment {description.SegmentId}");
        try
        {
            return new HostMappedSegment(description.SegmentId, MemoryMapping.Map(file, (long)description.Size, MappingAccess.ReadOnly));
        }
        catch (LinuxException error)
        {
            throw new ProtocolException(ErrorCode.SegmentInvalid, $"Segment {description.SegmentId} of {description.Size} bytes cannot be mapped: {error.Message}");
        }
    }

    /// <returns>Null when the publisher is gone, and with it what its legacy handle named; then the connection has ended.</returns>
    private CudaMappedSegment? Import(SegmentMessage message)
    {
        SegmentDescription description = message.Description;
        long size = (long)description.Size;
        try
        {
            if (description.HandleKind == HandleKind.CudaIpc)
            {
                return new CudaMappedSegment(description.SegmentId, CudaMemory.OpenInterprocess(_cuda!.Context, message.CudaIpcHandle.Span, size), size);
            }

            using FileDescriptor file = _descriptors.Take(0);
            return new CudaMappedSegment(description.SegmentId, CudaMemory.ImportReadOnly(_cuda!.Context, file, size), size);
        }
        catch (CudaException error) when (description.HandleKind == HandleKind.CudaIpc && error.Code == ErrorCode.CudaCallFailed && !error.IsSticky && PublisherHangsUp())
        {
            End(ConnectionState.Disconnected, ErrorCode.Disconnected, "The publisher is gone, and with it a segment that it had announced.");
            return null;
        }
        catch (CudaException error)
        {
            throw new ProtocolException(
                error.Code == ErrorCode.CudaIpcNamespace ? error.Code : ErrorCode.SegmentInvalid,
                $"Segment {description.SegmentId} of {description.Size} bytes cannot be mapped: {error.Message}");
        }
    }

    /// <summary>Whether the publisher has hung up, or does within a second: the kernel closes the sockets of a process that was killed one by
    /// one with all else that it had.</summary>
    private bool PublisherHangsUp() => (_socket.Poll(IoEvents.PeerClosed, 1000) & IoEvents.PeerClosed) != 0;

    private void FinishRelease(int slot)
    {
        MappedSegment segment = _leases[slot].Segment!;
        if (_isLossless)
        {
            WakePublisher();
        }

        segment.Release();
        LeaveMappings();
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
                segment.Unmap();
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

    private static unsafe SubscriberPage PageOf(MemoryMapping mapping) => new(mapping.Pointer);

    private void LeaveMappings()
    {
        if (Interlocked.Decrement(ref _users) == 0)
        {
            foreach (MappedSegment segment in _segments)
            {
                segment.Unmap();
            }

            _cuda?.Dispose();
            _pageMapping.Dispose();
            _controlMapping.Dispose();
            _descriptors.Dispose();
        }
    }
}
