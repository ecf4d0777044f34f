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

    // As long as the publisher polls its copy, which it has begun before it woke us. A publisher that wakes for nothing costs no more than this.
    private const long LongestSpinNanoseconds = CudaStream.SpinNanoseconds;

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

    // Set once, before the connection is used; null in the host domain.
    private CudaAttachment? _cuda;

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

    /// <summary>Null when the stream lies in main memory.</summary>
    public CudaAttachment? Cuda => _cuda;

    /// <summary>Whether the last take gave nothing because the GPU has not carried out our own releases yet. Taking thread.</summary>
    public bool AwaitsGpu { get; private set; }

    /// <summary>Why the connection ended.</summary>
    public ErrorCode EndCode { get; private set; }

    /// <summary>See <see cref="EndCode"/>.</summary>
    public string EndText { get; private set; } = "";

    /// <summary>Notices in the order in which they came; taken by the subscriber.</summary>
    public Queue<NoticeMessage> Notices { get; } = new();

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
        using UnixSocket socket = Connect(key, directory);
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

    /// <summary>Sleeps for a moment while all our leases are on their way through the GPU. Nothing tells when it has written a word.</summary>
    public unsafe void SleepForGpu() => _ = Futex.Wait(_block.FutexWord, Volatile.Read(ref *_block.FutexWord), 100_000);

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
        if (_block.Head == _cursor && Volatile.Read(ref *_block.FutexWord) != futexWord)
        {
            WaitForAnnounced();
        }

        if (_block.Head == _cursor)
        {
            ReadSocket();
        }
    }

    /// <summary>The publisher has woken us while its GPU completes a frame (8.2): it comes in less time than going to sleep again would take.</summary>
    private void WaitForAnnounced()
    {
        long end = MonotonicClock.NowNanoseconds + LongestSpinNanoseconds;
        while (_block.Head == _cursor && MonotonicClock.NowNanoseconds < end)
        {
            Thread.SpinWait(1);
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
        UnixSocket socket = Connect(key, options.Directory ?? StreamDirectory.RuntimeDirectory);
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

    private static WelcomeMessage Greet(UnixSocket socket, string key, HelloMessage hello, DescriptorSet descriptors, Func<bool>? isInterrupted)
    {
        byte[] buffer = new byte[Wire.MaxMessageSize];

        // A publisher that refuses at once may have hung up before HELLO: its answer is there to be read all the same.
        _ = socket.Send(hello.Write(buffer), [], HandshakeTimeoutMilliseconds);
        ReceiveResult result = ReceiveAnswer(socket, buffer, descriptors, isInterrupted);
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

    /// <summary>Waits for the publisher's answer, in slices in which an interruption is seen.</summary>
    /// <exception cref="OperationCanceledException">The wait was interrupted.</exception>
    private static ReceiveResult ReceiveAnswer(UnixSocket socket, byte[] buffer, DescriptorSet descriptors, Func<bool>? isInterrupted)
    {
        const int slice = 40;
        ReceiveResult result = default;
        for (int waited = 0; waited < HandshakeTimeoutMilliseconds; waited += slice)
        {
            result = socket.Receive(buffer, descriptors, slice);
            if (result.Status != ReceiveStatus.WouldBlock)
            {
                break;
            }

            if (isInterrupted?.Invoke() == true)
            {
                throw new OperationCanceledException("The wait for a publisher's answer was interrupted.");
            }
        }

        return result;
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
                AddSegment(segment!);
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
        RequireMemfd(file, ReadOnlySeals, (long)description.Size, ErrorCode.SegmentInvalid, $"Segment {description.SegmentId}");
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

    private CuFramesException Violation(ErrorCode code, string text)
    {
        if (State == ConnectionState.Active)
        {
            SayBye(_socket, code, text);
            End(ConnectionState.Disconnected, code, text);
        }

        // What two PID namespaces make impossible is nobody's breach.
        return code == ErrorCode.CudaIpcNamespace ? new StreamUnavailableException(code, text) : new ProtocolException(code, text);
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
                segment.Unmap();
            }

            _cuda?.Dispose();
            _pageMapping.Dispose();
            _controlMapping.Dispose();
            _descriptors.Dispose();
        }
    }
}
