using CuFrames.Interop;
using CuFrames.Protocol;
using CuFrames.Protocol.Messages;

namespace CuFrames.Client.Internal;

/// <summary>
/// What the publishers of frames and of packets have in common: the key, the socket, handshakes, notices, eviction. Runs on the
/// <see cref="ControlLoop"/>; the publishing thread calls in when it evicts or changes state. Everything here is guarded by <see cref="Gate"/>.
/// </summary>
internal abstract class StreamServer : LoopSource, IDisposable
{
    private const int MaxPendingHellos = 64;
    private const int MaxProbes = 256;

    // What one connection may cost before the others are served again.
    private const int MaxMessagesAtOnce = 32;
    private const int MaxAcceptsAtOnce = 32;
    private const long HandshakeTimeoutNanoseconds = 2_000_000_000;

    /// <summary>Another process that counts for quotas has until then, from the connection on: a subscriber waits five seconds.</summary>
    private const long QuotaTimeoutNanoseconds = 4_000_000_000;

    /// <summary>How often pages are looked at.</summary>
    protected const long AuditIntervalNanoseconds = 250_000_000;

    private readonly ServerOptions _options;
    private readonly FileLock _lock;
    private readonly PeerCredentials _self;
    private readonly List<SubscriberSession> _pending = [];

    // Those in AwaitQuota. With the active ones they are never more than there may be.
    private readonly List<SubscriberSession> _asking = [];
    private readonly List<SubscriberSession> _probes = [];
    private readonly byte[] _receive = new byte[Wire.MaxMessageSize];
    private readonly DescriptorSet _descriptors = new();
    private UnixSocket? _listener;
    private nint _listenerToken;
    private bool _isListening;
    private volatile bool _isClosed;
    private ulong _lastSubscriberId;
    private long _nextAudit;

    /// <summary>Takes the key.</summary>
    /// <param name="key">The stream's key.</param>
    /// <param name="fileName">Name of socket and lock, without their extensions.</param>
    /// <param name="options">How to serve.</param>
    /// <exception cref="StreamUnavailableException">ALREADY_PUBLISHED, or the runtime directory is missing or not writable.</exception>
    protected StreamServer(string key, string fileName, ServerOptions options)
    {
        Key = key;
        _options = options;
        Program = options.Program ?? AppDomain.CurrentDomain.FriendlyName;
        string directory = options.Directory ?? StreamDirectory.RuntimeDirectory;
        SocketPath = Path.Combine(directory, fileName + ".sock");
        _self = PeerCredentials.OfThisProcess();
        _lock = TakeKey(key, Path.Combine(directory, fileName + ".lock"));
        Epoch = NewEpoch();
    }

    public string Key { get; }

    public string SocketPath { get; }

    public ulong Epoch { get; }

    public SubscriberTable Table { get; } = new();

    /// <summary>Written under the gate, once; read by the publishing thread.</summary>
    public bool IsClosed => _isClosed;

    protected Lock Gate { get; } = new();

    /// <summary>Whether the memory is gone. Under the gate.</summary>
    protected bool IsDisposed { get; private set; }

    protected string Program { get; }

    protected string StateText { get; private set; } = "";

    protected byte[] SendBuffer { get; } = new byte[4096];

    protected byte[] Snapshots { get; } = new byte[2 * PageAudit.SnapshotSize];

    protected ulong Evicted { get; private set; }

    protected ulong HungUp { get; private set; }

    protected ulong Refused { get; private set; }

    /// <summary>State in the memory that all subscribers read. Written under the gate.</summary>
    protected abstract StreamState State { get; set; }

    /// <summary>The memory that all subscribers read, as WELCOME carries it.</summary>
    protected abstract FileDescriptor BlockFile { get; }

    public override void OnReady(IoEvents events)
    {
        lock (Gate)
        {
            try
            {
                for (int i = 0; i < MaxAcceptsAtOnce && !_isClosed && _listener!.TryAccept(out UnixSocket? socket); i++)
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
        lock (Gate)
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

            for (int i = _asking.Count - 1; i >= 0; i--)
            {
                if (now - _asking[i].AcceptedAt > QuotaTimeoutNanoseconds)
                {
                    Refuse(_asking[i], _asking[i].Correlation, ErrorCode.HandshakeTimeout, "The process that counts for the quotas of all users did not answer in time. Try again.");
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
        lock (Gate)
        {
            Drop(session, PublisherEventKind.SubscriberLeft, ErrorCode.None, $"The connection failed: {error.Message}");
        }
    }

    public void OnSessionReady(SubscriberSession session)
    {
        lock (Gate)
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
                            HungUp++;
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

    /// <summary>Changes the stream's state and tells everybody. Any thread.</summary>
    public void SetState(StreamState state, string text)
    {
        lock (Gate)
        {
            if (_isClosed || (State == state && StateText == text))
            {
                return;
            }

            StreamState before = State;
            State = state;
            StateText = text;
            NoticeKind kind = state == StreamState.SourceLost ? NoticeKind.SourceLost : NoticeKind.SourceBack;
            if (state == StreamState.SourceLost || (before == StreamState.SourceLost && state == StreamState.Live))
            {
                ReadOnlySpan<byte> message = new NoticeMessage(kind, ErrorCode.None, text).Write(SendBuffer);
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

            CountControlMessage();
        }
    }

    /// <summary>Takes a subscriber's leases away and hangs up. Any thread that is not looking at pages.</summary>
    public void Evict(SubscriberSession session, ErrorCode code, string text)
    {
        lock (Gate)
        {
            if (session.State != SessionState.Active)
            {
                return;
            }

            Evicted++;
            _ = session.Socket.TrySendSmall(new NoticeMessage(NoticeKind.Evicted, code, text).Write(SendBuffer));
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

    /// <summary>Says goodbye to everybody and gives socket and key back. Any thread that is not looking at pages.</summary>
    public void Close()
    {
        lock (Gate)
        {
            if (_isClosed)
            {
                return;
            }

            Table.Close();
            State = StreamState.Ended;
            PauseListening();
            ControlLoop.Shared.RemoveTicker(this);
            ReadOnlySpan<byte> message = new NoticeMessage(NoticeKind.ShuttingDown, ErrorCode.ShuttingDown, $"The publisher of '{Key}' ends.").Write(SendBuffer);
            foreach (SubscriberSession session in (SubscriberSession[])[.. Table.Active, .. _probes, .. _asking, .. _pending])
            {
                if (session.State is not (SessionState.AwaitHello or SessionState.AwaitQuota))
                {
                    _ = session.Socket.TrySendSmall(message);
                }

                Drop(session, PublisherEventKind.SubscriberLeft, ErrorCode.None, "The publisher ends.");
            }

            _isClosed = true;
            _listener!.Dispose();
            _lock.Dispose();
        }
    }

    /// <summary>Closes, and gives the memory back. The caller is the publishing thread, or that thread has ended.</summary>
    public void Dispose()
    {
        Close();
        lock (Gate)
        {
            if (!IsDisposed)
            {
                IsDisposed = true;
                Table.Reap();
                DisposeMemory();
                _descriptors.Dispose();
            }
        }
    }

    /// <summary>Opens the socket. The last step of making a server.</summary>
    protected void Listen()
    {
        // Who may read is decided in the handshake, where a refusal can say why: so anybody may connect.
        _listener = UnixSocket.Listen(SocketPath, 128, (UnixFileMode)0b110_110_110);
        _listenerToken = ControlLoop.Shared.Add(_listener.Descriptor, IoEvents.Readable, this);
        _isListening = true;
        ControlLoop.Shared.AddTicker(this);
    }

    /// <summary>Gives the key back when a server cannot be made.</summary>
    protected void ReleaseKey()
    {
        _listener?.Dispose();
        _lock.Dispose();
    }

    /// <summary>Gives back what is mapped. Under the gate, once; nobody looks at a page now.</summary>
    protected abstract void DisposeMemory();

    /// <summary>Tells all subscribers to look at their sockets (6.4).</summary>
    protected abstract void CountControlMessage();

    /// <summary>Looks for what stands in the way of a sound HELLO that is no probe, access and the number of subscribers apart.</summary>
    protected abstract (ErrorCode Code, string Text)? FindObstacle(HelloMessage hello);

    /// <summary>Checks that a HELLO is meant for this kind of stream.</summary>
    /// <exception cref="ProtocolException">It is not.</exception>
    protected abstract void RequireKind(HelloMessage hello);

    /// <summary>Whether a refusal is the answer to a question rather than a failure, and is not reported.</summary>
    protected virtual bool IsQuestion(HelloMessage hello, ErrorCode code) => false;

    /// <summary>Notes in a new session what a HELLO is granted.</summary>
    protected abstract void Grant(SubscriberSession session, HelloMessage hello);

    /// <summary>Writes WELCOME into <see cref="SendBuffer"/>.</summary>
    /// <param name="session">The session, with its id; null for a probe.</param>
    /// <param name="hello">What was asked for.</param>
    /// <param name="correlation">The HELLO's.</param>
    protected abstract ReadOnlySpan<byte> WriteWelcome(SubscriberSession? session, HelloMessage hello, uint correlation);

    /// <summary>Sends what follows WELCOME. The session may end by it.</summary>
    protected virtual void Introduce(SubscriberSession session)
    {
    }

    /// <summary>What a new subscriber was granted, for people.</summary>
    protected abstract string GrantText(SubscriberSession session);

    /// <summary>Handles a message of an active subscriber, BYE apart.</summary>
    /// <exception cref="ProtocolException">The message does not belong here.</exception>
    protected abstract void HandleActive(SubscriberSession session, MessageHeader header, ReadOnlySpan<byte> payload);

    /// <summary>An active session has ended and left the table.</summary>
    protected virtual void OnSessionDropped(SubscriberSession session)
    {
    }

    /// <summary>Looks at every page.</summary>
    protected abstract void Audit(long now);

    protected bool SendOrEvict(SubscriberSession session, ReadOnlySpan<byte> message, FileDescriptor? descriptor)
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

    protected void Report(PublisherEventKind kind, ulong subscriberId, ErrorCode code, string text) =>
        _options.OnEvent?.Invoke(new PublisherEvent(kind, subscriberId, code, text));

    private void Report(PublisherEventKind kind, SubscriberSession session, ErrorCode code, string text) =>
        _options.OnEvent?.Invoke(new PublisherEvent(kind, session.Id, code, text)
        {
            UserId = session.Peer.UserId,
            ProcessId = session.Peer.ProcessId,
            Program = session.Program.Length > 0 ? session.Program : null,
        });

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
            if (error.Errno == Errno.EACCES && OwnerOf(lockPath) is { } owner)
            {
                throw new StreamUnavailableException(ErrorCode.AlreadyPublished,
                    $"Stream '{key}' is, or was, published by user {owner}, whose lock {lockPath} is. Choose another key, or have that user or the owner of the directory remove it.", error);
            }

            throw new StreamUnavailableException(
                error.Errno is Errno.EACCES or Errno.EROFS ? ErrorCode.AccessDenied : ErrorCode.SystemCallFailed,
                $"Stream '{key}' cannot be published: {error.Message}", error);
        }

        int? holder = FileLock.ReadHolder(lockPath);
        throw new StreamUnavailableException(ErrorCode.AlreadyPublished,
            $"Stream '{key}' is published already" + (holder is null ? "" : $" by process {holder}") +
            $" (lock {lockPath}). Choose another key or end that publisher.");
    }

    /// <summary>The other user whose file a path is; null: it is there for nobody, or is our own.</summary>
    private static uint? OwnerOf(string path)
    {
        try
        {
            return FileStatus.At(path) is { } status && status.UserId != PeerCredentials.OfThisProcess().UserId ? status.UserId : null;
        }
        catch (LinuxException)
        {
            // The error before this one is the one to be told.
            return null;
        }
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

        if (session.State is SessionState.AwaitHello or SessionState.AwaitQuota)
        {
            if (header.Type == MessageType.Bye)
            {
                Drop(session, PublisherEventKind.SubscriberLeft, ErrorCode.None, "");
                return;
            }

            if (session.State == SessionState.AwaitQuota)
            {
                throw new ProtocolException(ErrorCode.ProtocolError, $"{header.Type} came before the answer to HELLO.");
            }

            if (header.Type != MessageType.Hello)
            {
                throw new ProtocolException(ErrorCode.ProtocolError, $"The first message is {header.Type}; it must be HELLO.");
            }

            HelloMessage hello = HelloMessage.Read(payload);
            RequireKind(hello);
            Welcome(session, header, hello);
            return;
        }

        if (header.Version != Wire.Version)
        {
            throw new ProtocolException(ErrorCode.ProtocolError, $"A message is of version {header.Version}; {Wire.Version} was chosen.");
        }

        if (header.Type == MessageType.Bye)
        {
            RefuseMessage bye = RefuseMessage.Read(payload);
            Drop(session, PublisherEventKind.SubscriberLeft, bye.Code, bye.Text.Length > 0 ? $"It said: {bye.Text}" : "It said goodbye.");
            return;
        }

        HandleActive(session, header, payload);
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
            Refuse(session, header.CorrelationId, refusal.Code, refusal.Text, (byte)hello.LowestVersion, !IsQuestion(hello, refusal.Code));
            return;
        }

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

            if (session.Socket.TrySendSmall(WriteWelcome(null, hello, header.CorrelationId)) != SendStatus.Sent)
            {
                Drop(session, PublisherEventKind.SubscriberLeft, ErrorCode.None, "");
            }

            return;
        }

        Grant(session, hello);
        if (_options.Quotas is not { } quotas)
        {
            Admit(session, header, hello);
            return;
        }

        (session.State, session.Correlation) = (SessionState.AwaitQuota, header.CorrelationId);
        _asking.Add(session);
        quotas.Ask(session.Peer, _self, Key, session.Leases, (share, obstacle) => OnQuota(session, header, hello, share, obstacle));
    }

    /// <summary>Goes on with a session when it is known what its user's quota leaves it, which may be fewer leases. Any thread that is not looking at pages.</summary>
    private void OnQuota(SubscriberSession session, MessageHeader header, HelloMessage hello, ReaderShare? share, string? obstacle)
    {
        lock (Gate)
        {
            if (session.State != SessionState.AwaitQuota)
            {
                // It has gone meanwhile.
                if (share is not null)
                {
                    _options.Quotas!.Give(share);
                }

                return;
            }

            _asking.Remove(session);
            (session.Share, session.Leases) = (share, share?.Leases ?? session.Leases);
            if (obstacle is not null)
            {
                Refuse(session, header.CorrelationId, ErrorCode.TooManySubscribers, obstacle, (byte)hello.LowestVersion);
                return;
            }

            try
            {
                Admit(session, header, hello);
            }
            catch (LinuxException error)
            {
                OnSessionError(session, error);
            }
        }
    }

    private void Admit(SubscriberSession session, MessageHeader header, HelloMessage hello)
    {
        session.Id = ++_lastSubscriberId;
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
            // The session enters the table before the subscriber can write into its page: the publishing thread never overlooks it.
            session.State = SessionState.Active;
            ReadOnlySpan<byte> welcome = WriteWelcome(session, hello, header.CorrelationId);
            Table.Add(session);
            if (session.Socket.Send(welcome, [BlockFile, page]) != SendStatus.Sent)
            {
                Drop(session, PublisherEventKind.SubscriberLeft, ErrorCode.None, "It hung up during the handshake.");
                return;
            }
        }

        // It has the descriptors: who hangs up now has joined, and has left.
        Report(PublisherEventKind.SubscriberJoined, session, ErrorCode.None,
            $"Subscriber {session.Id} of '{Key}' joined: '{session.Program}', process {session.Peer.ProcessId}, user {session.Peer.UserId}{GrantText(session)}.");
        Introduce(session);
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

        return Table.Active.Length + _asking.Count >= _options.MaxSubscribers
            ? (ErrorCode.TooManySubscribers, $"Stream '{Key}' has {_options.MaxSubscribers} subscribers, which is its limit. Raise the limit or end a reader.")
            : _options.Descriptors?.FindObstacle($"A subscriber of '{Key}'", session.Socket.Descriptor.Number) is { } full
            ? (ErrorCode.OutOfResources, full)
            : FindObstacle(hello);
    }

    private void Reject(SubscriberSession session, uint correlation, ErrorCode code, string text)
    {
        if (session.State is SessionState.AwaitHello or SessionState.AwaitQuota)
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
        Refused += isReported ? 1u : 0u;
        _ = session.Socket.TrySendSmall(new RefuseMessage(code, text).WriteRefuse(SendBuffer, correlation, version));
        Drop(session, isReported ? PublisherEventKind.SubscriberRefused : PublisherEventKind.SubscriberLeft, code, text);
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
        if (session.Share is { } share)
        {
            session.Share = null;
            _options.Quotas!.Give(share);
        }

        if (wasActive)
        {
            Table.Remove(session);

            // Whoever was dropped is told by its socket, and by this to look there: a reader that is always busy would not look for long,
            // and its leases count no more. The others look in vain, once.
            CountControlMessage();
            OnSessionDropped(session);
            Table.Reap();
        }
        else
        {
            _pending.Remove(session);
            _asking.Remove(session);
            _probes.Remove(session);
            session.Close();
        }

        if (wasActive || kind == PublisherEventKind.SubscriberRefused)
        {
            Report(kind, session, code, kind switch
            {
                PublisherEventKind.SubscriberRefused => $"A subscriber of '{Key}' was refused (process {session.Peer.ProcessId}, user {session.Peer.UserId}): {text}",
                PublisherEventKind.SubscriberEvicted => $"Subscriber {session.Id} of '{Key}' was evicted ('{session.Program}', process {session.Peer.ProcessId}): {text}",
                _ => $"Subscriber {session.Id} of '{Key}' left ('{session.Program}', process {session.Peer.ProcessId}). {text}",
            });
        }
    }

    private void PauseListening()
    {
        if (_isListening)
        {
            _isListening = false;
            ControlLoop.Shared.Remove(_listener!.Descriptor, _listenerToken);
        }
    }

    private void ResumeListening()
    {
        if (!_isListening)
        {
            _listenerToken = ControlLoop.Shared.Add(_listener!.Descriptor, IoEvents.Readable, this);
            _isListening = true;
        }
    }
}
