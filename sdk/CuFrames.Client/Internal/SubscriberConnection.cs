using System.Diagnostics.CodeAnalysis;
using CuFrames.Interop;
using CuFrames.Protocol;
using CuFrames.Protocol.Messages;

namespace CuFrames.Client.Internal;

/// <summary>
/// What the subscribers of frames and of packets have in common once they are connected: socket, notices, sleeping and waking. Used by one
/// thread, the taking thread, but for <see cref="State"/>.
/// </summary>
[SuppressMessage("Design", "CA1001", Justification = "What is owned is disposed by those who derive, when its last user has left.")]
internal abstract class SubscriberConnection
{
    // Bounds for what a publisher that floods us can cost: time in one call, memory.
    private const int MaxMessagesAtOnce = 256;
    private const int MaxNotices = 16;

    // As long as the publisher polls its copy, which it has begun before it woke us. A publisher that wakes for nothing costs no more than this.
    private const long LongestSpinNanoseconds = CudaStream.SpinNanoseconds;

    private protected readonly UnixSocket _socket;
    private protected readonly DescriptorSet _descriptors = new();
    private protected readonly SubscriberPage _page;
    private protected ulong _cursor;
    private protected uint _seenControlMessages;

    private readonly bool _hasDoorbell;

    // One for each connection, not for each thread: an asynchronous reader moves from thread to thread.
    private readonly byte[] _packet = new byte[Wire.MaxMessageSize];
    private uint _arm;

    // Written by the taking thread, read by any thread that checks what it has read.
    private int _state;

    private protected SubscriberConnection(UnixSocket socket, SubscriberPage page, ulong epoch, Wake wakes)
    {
        _socket = socket;
        _page = page;
        Epoch = epoch;
        _hasDoorbell = (wakes & Wake.Doorbell) != 0;
    }

    public ulong Epoch { get; }

    public UnixSocket Socket => _socket;

    public ConnectionState State => (ConnectionState)Volatile.Read(ref _state);

    public abstract StreamState StreamState { get; }

    public abstract ulong Head { get; }

    public ulong Cursor => _cursor;

    public bool HasDoorbell => _hasDoorbell;

    /// <summary>Whether the last take gave nothing because the GPU has not carried out our own releases yet. Taking thread.</summary>
    public bool AwaitsGpu { get; private protected set; }

    /// <summary>Why the connection ended.</summary>
    public ErrorCode EndCode { get; private set; }

    /// <summary>See <see cref="EndCode"/>.</summary>
    public string EndText { get; private set; } = "";

    /// <summary>Notices in the order in which they came; taken by the subscriber.</summary>
    public Queue<NoticeMessage> Notices { get; } = new();

    private protected abstract uint ControlMessages { get; }

    private protected abstract unsafe uint* FutexWord { get; }

    /// <summary>Says that we are about to sleep, in the given way.</summary>
    /// <returns>False when there is something to see already; then we do not sleep.</returns>
    public unsafe bool PrepareToSleep(Wake wake, out uint futexWord)
    {
        futexWord = Volatile.Read(ref *FutexWord);
        _page.Waiting = (++_arm << 2) | (uint)wake;

        // Pairs with the publisher's fence between head and its look at our word (8.1).
        Interlocked.MemoryBarrier();
        if (Head == _cursor && ControlMessages == _seenControlMessages)
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
        _ = Futex.Wait(FutexWord, futexWord, Math.Clamp(nanoseconds, 0, longest));
        _page.Waiting = 0;
        if (Head == _cursor && Volatile.Read(ref *FutexWord) != futexWord)
        {
            WaitForAnnounced();
        }

        if (Head == _cursor)
        {
            ReadSocket();
        }
    }

    /// <summary>Sleeps for a moment while all our leases are on their way through the GPU. Nothing tells when it has written a word.</summary>
    public unsafe void SleepForGpu() => _ = Futex.Wait(FutexWord, Volatile.Read(ref *FutexWord), 100_000);

    /// <summary>The publisher has woken us while its GPU completes a frame (8.2): it comes in less time than going to sleep again would take.</summary>
    private void WaitForAnnounced()
    {
        long end = MonotonicClock.NowNanoseconds + LongestSpinNanoseconds;
        while (Head == _cursor && MonotonicClock.NowNanoseconds < end)
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

        uint counter = ControlMessages;
        byte[] buffer = _packet;
        for (int messages = 0; State == ConnectionState.Active && messages < MaxMessagesAtOnce; messages++)
        {
            ReceiveResult result = _socket.Receive(buffer, _descriptors);
            switch (result.Status)
            {
                case ReceiveStatus.WouldBlock:
                    _seenControlMessages = counter;
                    OnSocketRead();
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

    /// <summary>Leaves the publisher. What is held keeps its mappings.</summary>
    public abstract void Close(bool sayBye);

    /// <summary>Acts on a message of the publisher, NOTICE, DOORBELL and BYE apart.</summary>
    /// <exception cref="ProtocolException">The message breaks the protocol.</exception>
    private protected abstract void HandleOther(MessageHeader header, ReadOnlySpan<byte> payload);

    /// <summary>How many descriptors belong to a message.</summary>
    private protected virtual int ExpectedDescriptors(MessageHeader header, ReadOnlySpan<byte> payload) => 0;

    /// <summary>The socket was read empty.</summary>
    private protected virtual void OnSocketRead()
    {
    }

    /// <summary>Says goodbye if that makes sense, and closes the socket.</summary>
    private protected void CloseSocket(bool sayBye)
    {
        if (State == ConnectionState.Active)
        {
            if (sayBye)
            {
                Handshake.SayBye(_socket, ErrorCode.None, "");
            }

            End(ConnectionState.Disconnected, ErrorCode.None, "The subscriber left.");
        }

        Handshake.HangUp(_socket);
    }

    /// <summary>Ends the connection because the publisher breaks the protocol.</summary>
    /// <returns>What is to be thrown.</returns>
    private protected CuFramesException Violation(ErrorCode code, string text)
    {
        if (State == ConnectionState.Active)
        {
            Handshake.SayBye(_socket, code, text);
            End(ConnectionState.Disconnected, code, text);
        }

        // What two PID namespaces make impossible is nobody's breach.
        return code == ErrorCode.CudaIpcNamespace ? new StreamUnavailableException(code, text) : new ProtocolException(code, text);
    }

    private protected void End(ConnectionState state, ErrorCode code, string text)
    {
        EndCode = code;
        EndText = text;
        Volatile.Write(ref _state, (int)state);
        _socket.Shutdown();
    }

    private void Handle(MessageHeader header, ReadOnlySpan<byte> payload)
    {
        if (header.Version != Wire.Version)
        {
            throw new ProtocolException(ErrorCode.ProtocolError, $"A message is of version {header.Version}; {Wire.Version} was chosen.");
        }

        // A second WELCOME may bring its two: it is refused below, as the message that does not belong here.
        int expected = ExpectedDescriptors(header, payload);
        if (_descriptors.Count != expected && header.Type != MessageType.Welcome)
        {
            throw new ProtocolException(ErrorCode.DescriptorCount, $"{header.Type} carries {_descriptors.Count} descriptors instead of {expected}.");
        }

        switch (header.Type)
        {
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
                HandleOther(header, payload);
                break;
        }
    }
}
