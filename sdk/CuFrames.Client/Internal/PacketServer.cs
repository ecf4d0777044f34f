using CuFrames.Interop;
using CuFrames.Protocol;
using CuFrames.Protocol.Messages;

namespace CuFrames.Client.Internal;

/// <summary>The control side of a publisher of packets: what <see cref="StreamServer"/> does, for a packet block. The publishing thread calls in when
/// tracks change. Everything here is guarded by the gate, the ring itself apart.</summary>
internal sealed class PacketServer : StreamServer
{
    /// <summary>Written by the publishing thread through <see cref="Ring"/>; <c>state</c> and <c>control_messages</c> under the gate.</summary>
    public readonly PacketBlock Block;

    private readonly PacketPublisherOptions _options;
    private readonly FileDescriptor _blockFile;
    private readonly MemoryMapping _mapping;

    /// <summary>Written by the constructor and at the end.</summary>
    private long _budgetTaken;

    // Replaced, never changed, under the gate.
    private PacketTrack[] _tracks = [];

    public PacketServer(string key, PacketPublisherOptions options)
        : base(key, StreamFiles.PacketName(key), new ServerOptions(
            options.Directory, options.Program, options.MaxSubscribers, options.Readers, options.Quotas, options.OnEvent, options.Descriptors))
    {
        _options = options;
        long size = PacketBlock.SizeOf(options.MaxPackets, options.ByteCapacity);
        try
        {
            options.Budget?.Take(key, size);
            _budgetTaken = size;
            _blockFile = MemoryFile.Create("cuframes-packets", size);
            _mapping = MemoryMapping.Map(_blockFile, size, MappingAccess.ReadWrite);
            unsafe
            {
                Block = new PacketBlock(_mapping.Pointer, options.MaxPackets, options.ByteCapacity);
            }

            Block.Initialise(Epoch);
            Ring = new PacketRingWriter(Block, options.MaxAge.Ticks * 100);
            MemoryFile.AddSeals(_blockFile,
                MemoryFileSeals.Seal | MemoryFileSeals.Grow | MemoryFileSeals.Shrink | MemoryFileSeals.FutureWrite);
            Listen();
        }
        catch
        {
            _mapping?.Dispose();
            _blockFile?.Dispose();
            options.Budget?.Give(_budgetTaken);
            ReleaseKey();
            throw;
        }
    }

    /// <summary>Publishing thread.</summary>
    public PacketRingWriter Ring { get; }

    /// <summary>The tracks there are. Any thread.</summary>
    public PacketTrack[] Tracks => Volatile.Read(ref _tracks);

    protected override StreamState State
    {
        get => Block.State;
        set => Block.State = value;
    }

    protected override FileDescriptor BlockFile => _blockFile;

    /// <summary>Adds a track. Publishing thread.</summary>
    public PacketTrack AddTrack(TrackKind kind, string language, TrackParameters parameters)
    {
        // WELCOME describes the tracks that the block has: both change under the gate.
        lock (Gate)
        {
            PacketTrack track = new(Ring.AddTrack(kind, language, parameters), kind, language, parameters);
            Volatile.Write(ref _tracks, [.. _tracks, track]);
            return track;
        }
    }

    public PacketPublisherStatistics GetStatistics()
    {
        lock (Gate)
        {
            List<SubscriberStatistics> subscribers = [];
            ulong head = Ring.Head;
            foreach (SubscriberSession session in Table.Active)
            {
                ulong cursor = session.Page.Cursor;
                subscribers.Add(new SubscriberStatistics
                {
                    SubscriberId = session.Id,
                    Program = session.Program,
                    ProcessId = session.Peer.ProcessId,
                    UserId = session.Peer.UserId,
                    Delivery = session.Delivery,
                    Lag = cursor < head ? head - cursor : 0,
                    Taken = session.Page.Taken,
                    Missed = session.Page.Missed,
                });
            }

            return new PacketPublisherStatistics
            {
                Published = head,
                Oldest = Ring.Oldest,
                BufferedTime = TimeSpan.FromTicks(Ring.BufferedTime / 100),
                ByteCapacity = _options.ByteCapacity,
                TooLarge = Ring.Refused,
                Evicted = Evicted,
                HungUp = HungUp,
                Refused = Refused,
                State = IsClosed ? StreamState.Ended : Block.State,
                Tracks = DescribeTracks(),
                Subscribers = subscribers,
            };
        }
    }

    protected override void CountControlMessage() => Block.ControlMessages++;

    protected override void RequireKind(HelloMessage hello)
    {
        if (!hello.IsForPackets)
        {
            throw new ProtocolException(ErrorCode.ProtocolError,
                $"This socket offers packets, and HELLO does not ask for them. The frames of '{Key}' are at {Key}.sock.");
        }
    }

    protected override (ErrorCode Code, string Text)? FindObstacle(HelloMessage hello) => null;

    protected override void Grant(SubscriberSession session, HelloMessage hello) => session.Delivery = Delivery.InOrder;

    protected override ReadOnlySpan<byte> WriteWelcome(SubscriberSession? session, HelloMessage hello, uint correlation) => new PacketWelcomeMessage
    {
        Epoch = Epoch,
        Key = Key,
        Program = Program,
        Source = _options.Source,
        Description = Describe(),
        Tracks = DescribeTracks(),
        StateText = StateText,
        SubscriberId = session?.Id ?? 0,
        Wakes = (hello.Wakes & Wake.Doorbell) | Wake.Futex,
    }.Write(SendBuffer, correlation);

    protected override string GrantText(SubscriberSession session) => ", packets";

    protected override void HandleActive(SubscriberSession session, MessageHeader header, ReadOnlySpan<byte> payload) =>
        throw new ProtocolException(ErrorCode.ProtocolError, $"A subscriber of packets does not send {header.Type}.");

    protected override void Audit(long now)
    {
        Span<byte> first = Snapshots.AsSpan(0, PageAudit.SnapshotSize);
        Span<byte> second = Snapshots.AsSpan(PageAudit.SnapshotSize);
        foreach (SubscriberSession session in Table.Active)
        {
            PageAudit.Copy(session.Page, first);
            PageAudit.Copy(session.Page, second);
            ErrorCode code = PageAudit.Check(first, second, Ring.Head, granted: 0, ref session.LastCursor, out string text);
            if (code != ErrorCode.None)
            {
                Evict(session, code, text);
            }
        }
    }

    protected override void DisposeMemory()
    {
        _mapping.Dispose();
        _blockFile.Dispose();
        _options.Budget?.Give(_budgetTaken);
        _budgetTaken = 0;
    }

    private PacketStreamDescription Describe() => new()
    {
        State = Block.State,
        Tracks = _tracks.Length,
        Subscribers = Table.Active.Length,
        Head = Ring.Head,
        Oldest = Ring.Oldest,
        ByteCapacity = (ulong)_options.ByteCapacity,
        BufferedTime = (ulong)Ring.BufferedTime,
        Refused = Ring.Refused,
        Evicted = Evicted,
    };

    private TrackDescription[] DescribeTracks() => Array.ConvertAll(_tracks, track =>
    {
        TrackParameters parameters = track.Parameters;
        return new TrackDescription
        {
            Track = track.Number,
            Kind = track.Kind,
            Language = track.Language,
            Codec = parameters.Codec,
            CodecName = parameters.CodecName,
            Width = parameters.Width,
            Height = parameters.Height,
            SampleRate = parameters.SampleRate,
            Channels = parameters.Channels,
            FrameRateNumerator = parameters.FrameRateNumerator,
            FrameRateDenominator = parameters.FrameRateDenominator,
            Packets = Ring.CountOf(track.Number),
        };
    });
}
