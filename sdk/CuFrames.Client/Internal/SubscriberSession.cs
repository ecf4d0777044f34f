using CuFrames.Interop;
using CuFrames.Protocol;

namespace CuFrames.Client.Internal;

/// <summary>One connection, as the publisher has it. Its fields are guarded by the server's gate unless they say otherwise.</summary>
internal sealed class SubscriberSession : LoopSource
{
    /// <summary>Written before the session enters the table of active ones, then constant. Read by the publishing thread.</summary>
    public SubscriberPage Page;

    /// <summary>The cursor at the last audit.</summary>
    public ulong LastCursor;

    private readonly StreamServer _server;

    // Each entry is written once, under the server's gate, with release; read by the publishing thread.
    private readonly CudaEvent?[] _events = new CudaEvent?[ControlBlockLayout.SlotCapacity];
    private MemoryMapping? _pageMapping;
    private long _brokenEventSince;

    public SubscriberSession(StreamServer server, UnixSocket socket, long acceptedAt)
    {
        _server = server;
        Socket = socket;
        AcceptedAt = acceptedAt;
        Peer = socket.GetPeerCredentials();
    }

    public UnixSocket Socket { get; }

    public PeerCredentials Peer { get; }

    public long AcceptedAt { get; }

    public nint LoopToken { get; set; }

    public SessionState State { get; set; }

    public ulong Id { get; set; }

    public string Program { get; set; } = "";

    public Delivery Delivery { get; set; }

    public int Leases { get; set; }

    /// <summary>Correlation id of its HELLO, for an answer that does not come at once.</summary>
    public uint Correlation { get; set; }

    /// <summary>What it has of its user's quota; null: nothing.</summary>
    public ReaderShare? Share { get; set; }

    /// <summary>Value of <c>waiting</c> that was answered with a DOORBELL last. Publishing thread only.</summary>
    public uint LastRung { get; set; }

    /// <summary>Segments that this subscriber was told of and has not given back.</summary>
    public HashSet<uint> KnownSegments { get; } = [];

    /// <summary>Those of them that this subscriber has mapped.</summary>
    public HashSet<uint> ReadySegments { get; } = [];

    /// <summary>For each slot the frame that a lease was seen to keep there while we starved; zero: none. Publishing thread only.</summary>
    public ulong[] BlockedFrame { get; } = new ulong[ControlBlockLayout.SlotCapacity];

    /// <summary>Since when <see cref="BlockedFrame"/> is seen; CLOCK_MONOTONIC nanoseconds.</summary>
    public long[] BlockedSince { get; } = new long[ControlBlockLayout.SlotCapacity];

    public bool IsLossless => Delivery == Delivery.Lossless;

    /// <summary>Fences that were granted.</summary>
    public Fence Fences { get; set; }

    /// <summary>Since when the driver cannot answer for one of the subscriber's events, CLOCK_MONOTONIC nanoseconds; zero: it can. Written once, by
    /// the publishing thread or under the gate; read by both.</summary>
    public long BrokenEventSince => Volatile.Read(ref _brokenEventSince);

    /// <summary>What the driver said then.</summary>
    public string BrokenEventText { get; private set; } = "";

    /// <summary>Whether the event that ends the subscriber's leases of a slot is known.</summary>
    public bool HasEvent(int slot) => Volatile.Read(ref _events[slot]) is not null;

    /// <summary>Notes the event that ends the subscriber's leases of a slot, once. Under the gate.</summary>
    public void AddEvent(int slot, CudaEvent registered) => Volatile.Write(ref _events[slot], registered);

    /// <summary>Whether the subscriber's lease word keeps a slot from being written (7.1, 7.2). Publishing thread, between Enter and Exit of the
    /// table. Waits for nothing.</summary>
    public bool Holds(int slot)
    {
        ulong word = Page.LeaseOf(slot);
        if ((word & SubscriberPageLayout.EventPending) == 0)
        {
            return word != 0;
        }

        CudaEvent? registered = Volatile.Read(ref _events[slot]);
        if (registered is null || BrokenEventSince != 0)
        {
            return true;
        }

        try
        {
            return !registered.IsComplete;
        }
        catch (CudaException error)
        {
            // Whatever became of the event, the frame is safe as long as it counts as held.
            NoteBrokenEvent(error.Message);
            return true;
        }
    }

    /// <summary>The driver cannot answer for an event. An audit evicts the subscriber, unless it hangs up soon: the driver forgets the events of a
    /// process that dies before the kernel closes its sockets.</summary>
    public void NoteBrokenEvent(string text)
    {
        BrokenEventText = text;
        Interlocked.CompareExchange(ref _brokenEventSince, MonotonicClock.NowNanoseconds, 0);
    }

    public unsafe FileDescriptor CreatePage()
    {
        FileDescriptor file = MemoryFile.Create("cuframes-page", SubscriberPageLayout.FileSize);
        try
        {
            _pageMapping = MemoryMapping.Map(file, SubscriberPageLayout.FileSize, MappingAccess.ReadWrite, populate: true);
            MemoryFile.AddSeals(file, MemoryFileSeals.Seal | MemoryFileSeals.Grow | MemoryFileSeals.Shrink);
            Page = new SubscriberPage(_pageMapping.Pointer);
            Page.Initialise(Id);
            return file;
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    public override void OnReady(IoEvents events) => _server.OnSessionReady(this);

    public override void OnError(Exception error) => _server.OnSessionError(this, error);

    /// <summary>Closes socket and page. Only when the publishing thread cannot be looking at them.</summary>
    public void Close()
    {
        // Closing with unread packets would reset the connection and take our last message from the peer.
        using DescriptorSet descriptors = new();
        Span<byte> packet = stackalloc byte[256];
        while (Socket.Receive(packet, descriptors).Status is not (ReceiveStatus.PeerGone or ReceiveStatus.WouldBlock))
        {
        }

        foreach (CudaEvent? registered in _events)
        {
            registered?.Dispose();
        }

        Socket.Dispose();
        _pageMapping?.Dispose();
    }
}
