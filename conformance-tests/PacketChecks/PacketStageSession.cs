using System.Buffers.Binary;
using CuFrames.Conformance.Memory;
using CuFrames.Conformance.Spec;
using CuFrames.Conformance.SubscriberChecks;
using CuFrames.Conformance.Suite;
using CuFrames.Conformance.Wire;
using CuFrames.Interop;

namespace CuFrames.Conformance.PacketChecks;

/// <summary>One connection of the subscriber of packets under test, with a publisher played step by step. For one thread.</summary>
internal sealed class PacketStageSession : StagedConnection
{
    private const ulong SubscriberId = 17;

    private readonly uint _correlation;
    private StagedRing? _ring;
    private SubscriberPage? _page;
    private FileDescriptor? _pageDescriptor;
    private uint _lastRung;

    private PacketStageSession(Stage stage, Connection connection, byte[] hello)
        : base(stage, connection)
    {
        HelloBytes = hello;
        Hello = PacketWelcome.ReadTlvs(hello);
        _correlation = BinaryPrimitives.ReadUInt32LittleEndian(hello.AsSpan(12));
    }

    public byte[] HelloBytes { get; }

    /// <summary>The TLVs of HELLO.</summary>
    public IReadOnlyList<Tlv> Hello { get; }

    public uint Correlation => _correlation;

    public StagedRing Ring => _ring ?? throw new InvalidOperationException("No WELCOME was sent.");

    public SubscriberPage Page => _page ?? throw new InvalidOperationException("No WELCOME was sent.");

    /// <summary>The command connects and says HELLO.</summary>
    public static PacketStageSession Accept(Stage stage)
    {
        (Connection connection, byte[] first) = AcceptFirst(stage);
        try
        {
            Expect.That(first.Length >= Limits.HeaderSize && first[5] == (byte)MessageType.HELLO, "HELLO first (3.1)", $"{first.Length} bytes of another message");
            return new PacketStageSession(stage, connection, first);
        }
        catch
        {
            connection.Dispose();
            throw;
        }
    }

    /// <summary>HELLO and a sound WELCOME.</summary>
    public static PacketStageSession Start(Stage stage, PacketWelcomeOptions? options = null)
    {
        PacketStageSession session = Accept(stage);
        try
        {
            session.Welcome(options);
            return session;
        }
        catch
        {
            session.Dispose();
            throw;
        }
    }

    /// <summary>A sound start and a first packet, so that everything printed from now on is of this session.</summary>
    public static PacketStageSession StartWithPacket(Stage stage, PacketWelcomeOptions? options = null)
    {
        PacketStageSession session = Start(stage, options);
        try
        {
            session.TakeOne(isKey: true);
            session.Subject.Forget();
            return session;
        }
        catch
        {
            session.Dispose();
            throw;
        }
    }

    public void Welcome(PacketWelcomeOptions? options = null)
    {
        options ??= new PacketWelcomeOptions();
        _ring = new StagedRing(options.BlockWithout, options.HasVideo, options.ByteCapacity);
        options.AlterRing?.Invoke(_ring);
        _pageDescriptor = MemoryFile.Create("conformance-page", Layout.SubscriberPage.FileSize);
        MemoryMapping mapping = MemoryMapping.Map(_pageDescriptor, Layout.SubscriberPage.FileSize, MappingAccess.ReadWrite);
        BinaryPrimitives.WriteUInt64LittleEndian(mapping.Slice(Layout.SubscriberPage.Magic, 8), Layout.SubscriberPage.MagicValue);
        BinaryPrimitives.WriteUInt64LittleEndian(mapping.Slice(Layout.SubscriberPage.SubscriberId, 8), SubscriberId);
        MemoryFileSeals seals = (MemoryFileSeals.Seal | MemoryFileSeals.Grow | MemoryFileSeals.Shrink) & ~options.PageWithout;
        if (seals != MemoryFileSeals.None)
        {
            MemoryFile.AddSeals(_pageDescriptor, seals);
        }

        _page = new SubscriberPage(mapping);
        options.AlterPage?.Invoke(_page);
        FileDescriptor[] descriptors = options.Descriptors?.Invoke(_ring.Descriptor, _pageDescriptor) ?? [_ring.Descriptor, _pageDescriptor];
        Connection.Send(BuildWelcome(options), descriptors);
        foreach (FileDescriptor substitute in descriptors.Except([_ring.Descriptor, _pageDescriptor, Connection.Socket.Descriptor]))
        {
            substitute.Dispose();
        }
    }

    /// <summary>Publishes a packet and wakes the subscriber.</summary>
    public ulong Publish(uint track = StagedRing.Video, bool isKey = false, int size = 300, Action<byte[]>? alter = null)
    {
        ulong sequence = Ring.Publish(track, isKey, size, alter);
        Wake();
        return sequence;
    }

    /// <summary>Wakes as 8.2 and 8.3 say.</summary>
    public void Wake()
    {
        uint waiting = Page.Waiting;
        if ((waiting & 3) == Limits.WakeFutex)
        {
            Ring.WakeFutex();
        }
        else if ((waiting & 3) == Limits.WakeDoorbell && waiting != _lastRung)
        {
            _lastRung = waiting;
            Connection.TrySend(Message.Build(MessageType.DOORBELL, 0));
        }
    }

    /// <summary>Sends a message to all subscribers, of whom there is one.</summary>
    public void Broadcast(byte[] packet)
    {
        Connection.Send(packet);
        Ring.CountControlMessage();
        Wake();
    }

    /// <summary>Publishes a packet and expects its line.</summary>
    public SubjectLine TakeOne(uint track = StagedRing.Video, bool isKey = false, int size = 300)
    {
        ulong sequence = Publish(track, isKey, size);
        SubjectLine line = ExpectPacketLine();
        Expect.Equal(sequence, line.Sequence, "a line for sequence");
        return line;
    }

    /// <summary>The next line of a packet of this session, whose content is checked.</summary>
    public SubjectLine ExpectPacketLine()
    {
        SubjectLine line = ExpectLine(Ring.Epoch, () => $"packet {Ring.Head}", Wake);
        Expect.Equal(Ring.HashOf(line.Sequence), line.Sha256.ToLowerInvariant(), $"of packet {line.Sequence} the sha256");
        return line;
    }

    /// <summary>No line of a packet of this session may come for a while.</summary>
    public void ExpectNoPacketLine(int milliseconds, string expected) => ExpectNoLine(Ring.Epoch, milliseconds, expected);

    public override void Dispose()
    {
        base.Dispose();
        _page?.Dispose();
        _pageDescriptor?.Dispose();
        _ring?.Dispose();
    }

    /// <summary>A TRACK (14.3).</summary>
    public static byte[] Track(uint number, uint kind, uint width = 0)
    {
        byte[] value = new byte[88];
        BinaryPrimitives.WriteUInt32LittleEndian(value, number);
        BinaryPrimitives.WriteUInt32LittleEndian(value.AsSpan(4), kind);
        BinaryPrimitives.WriteUInt32LittleEndian(value.AsSpan(12), width);
        return Tlv.Bytes(TlvType.TRACK, value);
    }

    /// <summary>A PACKET_STREAM (14.3).</summary>
    public static byte[] Stream(uint tracks, uint subscribers, ulong head, ulong oldest, ulong byteCapacity = StagedRing.SmallCapacity)
    {
        byte[] value = new byte[64];
        BinaryPrimitives.WriteUInt32LittleEndian(value, Limits.StateLive);
        BinaryPrimitives.WriteUInt32LittleEndian(value.AsSpan(4), tracks);
        BinaryPrimitives.WriteUInt32LittleEndian(value.AsSpan(8), subscribers);
        BinaryPrimitives.WriteUInt64LittleEndian(value.AsSpan(16), head);
        BinaryPrimitives.WriteUInt64LittleEndian(value.AsSpan(24), oldest);
        BinaryPrimitives.WriteUInt64LittleEndian(value.AsSpan(32), byteCapacity);
        return Tlv.Bytes(TlvType.PACKET_STREAM, value);
    }

    private byte[] BuildWelcome(PacketWelcomeOptions options)
    {
        Tlv? wakes = Hello.Any(tlv => tlv.Type == (ushort)TlvType.WAKES) ? Hello.First(tlv => tlv.Type == (ushort)TlvType.WAKES) : null;
        var usual = new Dictionary<TlvType, byte[]>
        {
            [TlvType.PACKETS] = Tlv.Bytes(TlvType.PACKETS, [], Limits.MustUnderstand),
            [TlvType.VERSION] = Tlv.U32(TlvType.VERSION, Limits.Version),
            [TlvType.FEATURES] = Tlv.U64(TlvType.FEATURES, 0),
            [TlvType.EPOCH] = Tlv.U64(TlvType.EPOCH, Ring.Epoch),
            [TlvType.STREAM_KEY] = Tlv.Text(TlvType.STREAM_KEY, "conformance"),
            [TlvType.PACKET_STREAM] = Stream(Ring.Tracks, 1, Ring.Head, Ring.Oldest, Ring.ByteCapacity),
            [TlvType.SUBSCRIBER_ID] = Tlv.U64(TlvType.SUBSCRIBER_ID, SubscriberId),
            [TlvType.WAKES] = Tlv.U32(TlvType.WAKES, Limits.WakeFutex | ((wakes?.UInt32 ?? 0) & Limits.WakeDoorbell)),
        };
        foreach ((TlvType type, byte[] tlv) in options.Instead)
        {
            usual[type] = tlv;
        }

        byte[][] tracks = options.Tracks ?? [.. Enumerable.Range(0, (int)Ring.Tracks).Select(track =>
            Track((uint)track, Ring.U32(PacketLayout.TracksOffset + (track * PacketLayout.TrackSize) + PacketLayout.Track.Kind)))];
        return Message.Build(options.HeaderVersion, (byte)MessageType.WELCOME, _correlation, [.. usual.Values, .. tracks, .. options.More]);
    }
}
