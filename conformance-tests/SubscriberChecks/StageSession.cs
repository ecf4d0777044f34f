using System.Buffers.Binary;
using System.Diagnostics;
using CuFrames.Conformance.Examples;
using CuFrames.Conformance.Memory;
using CuFrames.Conformance.Spec;
using CuFrames.Conformance.Suite;
using CuFrames.Conformance.Wire;
using CuFrames.Interop;

namespace CuFrames.Conformance.SubscriberChecks;

/// <summary>One connection of the subscriber under test, with a publisher played step by step. For one thread.</summary>
internal sealed class StageSession : StagedConnection
{
    private const ulong SubscriberId = 17;

    private readonly Dictionary<ulong, string> _hashes = [];
    private Ring? _ring;
    private SubscriberPage? _page;
    private FileDescriptor? _pageDescriptor;
    private uint _lastRung;

    private StageSession(Stage stage, Connection connection, Message hello)
        : base(stage, connection)
    {
        Hello = hello;
    }

    public Message Hello { get; }

    public Ring Ring => _ring ?? throw new InvalidOperationException("No WELCOME was sent.");

    public SubscriberPage Page => _page ?? throw new InvalidOperationException("No WELCOME was sent.");

    public Delivery Delivery => (Delivery)Hello.UInt32(TlvType.DELIVERY);

    public uint Granted { get; private set; }

    /// <summary>The command connects and says HELLO.</summary>
    public static StageSession Accept(Stage stage)
    {
        (Connection connection, byte[] first) = AcceptFirst(stage);
        try
        {
            Message hello = Message.Parse(first, 0);
            Expect.That(hello.Type == MessageType.HELLO, "HELLO first (3.1)", hello.ToString());
            return new StageSession(stage, connection, hello);
        }
        catch
        {
            connection.Dispose();
            throw;
        }
    }

    /// <summary>The whole of a sound start: HELLO, WELCOME, SEGMENTs.</summary>
    public static StageSession Start(Stage stage, WelcomeOptions? options = null)
    {
        StageSession session = Accept(stage);
        try
        {
            session.Welcome(options);
            session.SendSegments();
            return session;
        }
        catch
        {
            session.Dispose();
            throw;
        }
    }

    /// <summary>A sound start and a first frame, so that everything printed from now on is of this session.</summary>
    public static StageSession StartWithFrame(Stage stage, WelcomeOptions? options = null)
    {
        StageSession session = Start(stage, options);
        try
        {
            session.TakeOne();
            session.Subject.Forget();
            return session;
        }
        catch
        {
            session.Dispose();
            throw;
        }
    }

    public void Welcome(WelcomeOptions? options = null)
    {
        options ??= new WelcomeOptions();
        _ring = new Ring(options.Shape, options.Slots, without: options.ControlWithout);
        options.AlterControl?.Invoke(_ring);
        Granted = options.Leases ?? Math.Min(Hello.UInt32(TlvType.LEASES), 4);
        _pageDescriptor = MemoryFile.Create("conformance-page", options.PageSize);
        MemoryMapping mapping = MemoryMapping.Map(_pageDescriptor, options.PageSize, MappingAccess.ReadWrite);
        BinaryPrimitives.WriteUInt64LittleEndian(mapping.Slice(Layout.SubscriberPage.Magic, 8), Layout.SubscriberPage.MagicValue);
        BinaryPrimitives.WriteUInt64LittleEndian(mapping.Slice(Layout.SubscriberPage.SubscriberId, 8), SubscriberId);
        MemoryFileSeals seals = (MemoryFileSeals.Seal | MemoryFileSeals.Grow | MemoryFileSeals.Shrink) & ~options.PageWithout;
        if (seals != MemoryFileSeals.None)
        {
            MemoryFile.AddSeals(_pageDescriptor, seals);
        }

        _page = new SubscriberPage(mapping);
        options.AlterPage?.Invoke(_page);
        FileDescriptor[] descriptors = options.Descriptors?.Invoke(_ring.ControlDescriptor, _pageDescriptor)
            ?? [_ring.ControlDescriptor, _pageDescriptor];
        Connection.Send(BuildWelcome(options), descriptors);
        foreach (FileDescriptor substitute in descriptors.Except([_ring.ControlDescriptor, _pageDescriptor, Connection.Socket.Descriptor]))
        {
            substitute.Dispose();
        }
    }

    /// <summary>Sends every segment of the ring. Like a publisher, it does not wait for SEGMENT_READY (6.3).</summary>
    public void SendSegments()
    {
        foreach (RingSegment segment in Ring.Segments)
        {
            Connection.Send(segment.Announce(0), segment.Descriptor);
        }
    }

    /// <summary>Sends a message to all subscribers, of whom there is one.</summary>
    public void Broadcast(byte[] packet, params FileDescriptor[] descriptors)
    {
        Connection.Send(packet, descriptors);
        Ring.CountControlMessage();
    }

    /// <summary>Publishes a frame and wakes the subscriber.</summary>
    public ulong Publish(Action<byte[]>? alter = null)
    {
        ulong sequence = PublishQuietly(alter);
        Wake();
        return sequence;
    }

    /// <summary>Publishes a frame and wakes nobody.</summary>
    public ulong PublishQuietly(Action<byte[]>? alter = null)
    {
        var watch = Stopwatch.StartNew();
        while (true)
        {
            ulong sequence = Ring.TryPublish([Page], alter: alter);
            if (sequence != 0)
            {
                if (alter is null)
                {
                    _hashes[sequence] = Ring.Hash(sequence);
                }

                return sequence;
            }

            Expect.That(watch.ElapsedMilliseconds < AnswerMilliseconds, "a slot that is not leased (6.7)",
                $"{Page.CountLeases()} leases for {AnswerMilliseconds} ms, {Granted} granted");
            Thread.Sleep(1); // The subscriber holds every slot for the moment.
        }
    }

    /// <summary>Wakes as 8.2 and 8.3 say.</summary>
    public void Wake()
    {
        uint waiting = Page.Waiting;
        if ((waiting & 3) == Limits.WakeFutex)
        {
            Ring.Wake();
        }
        else if ((waiting & 3) == Limits.WakeDoorbell && waiting != _lastRung)
        {
            _lastRung = waiting;
            Connection.TrySend(Message.Build(MessageType.DOORBELL, 0));
        }
    }

    /// <summary>
    /// Returns when the subscriber has looked for frames several times and gone to sleep, so that it has seen what there was to see; or, if it does not say
    /// when it sleeps, when it had time for that.
    /// </summary>
    public void AwaitSleep()
    {
        var watch = Stopwatch.StartNew();
        uint last = 0;
        for (int sleeps = 0; sleeps < 3 && watch.ElapsedMilliseconds < AnswerMilliseconds;)
        {
            CheckAlive();
            uint waiting = Page.Waiting;
            if (waiting != 0 && waiting != last)
            {
                last = waiting;
                sleeps++;
            }

            Wake();
            Thread.Sleep(1); // It needs a moment to wake up and to go to sleep again.
        }
    }

    /// <summary>Publishes a frame and expects its line.</summary>
    public SubjectLine TakeOne()
    {
        ulong sequence = Publish();
        SubjectLine line = ExpectFrameLine();
        Expect.Equal(sequence, line.Sequence, "a line for sequence");
        CheckContent(line);
        return line;
    }

    public void CheckContent(SubjectLine line)
    {
        Expect.That(_hashes.TryGetValue(line.Sequence, out string? hash), "a frame that was published", line.Text);
        Expect.Equal(hash, line.Sha256.ToLowerInvariant(), $"of frame {line.Sequence} the sha256");
    }

    /// <summary>The next line of a frame of this session.</summary>
    public SubjectLine ExpectFrameLine() => ExpectLine(Ring.Epoch, () => $"frame {Ring.Head}", Wake);

    /// <summary>No line of a frame of this session may come for a while.</summary>
    public void ExpectNoFrameLine(int milliseconds, string expected) => ExpectNoLine(Ring.Epoch, milliseconds, expected);

    /// <summary>Reads until a message of a type about a segment comes.</summary>
    public void ExpectAnswer(MessageType type, uint segment)
    {
        var watch = Stopwatch.StartNew();
        while (!Messages.Any(message => message.Type == type && message.UInt32(TlvType.SEGMENT_ID) == segment))
        {
            CheckAlive();
            Expect.That(watch.ElapsedMilliseconds < SegmentMilliseconds, $"{type} of segment {segment}", Found());
            Read(20);
        }
    }

    public override void Dispose()
    {
        base.Dispose();
        _page?.Dispose();
        _pageDescriptor?.Dispose();
        _ring?.Dispose();
    }

    private byte[] BuildWelcome(WelcomeOptions options)
    {
        byte[] description = new byte[Layout.StreamDescription.Size];
        void Word(int offset, uint value) => BinaryPrimitives.WriteUInt32LittleEndian(description.AsSpan(offset), value);
        Word(Layout.StreamDescription.PixelFormat, options.Shape.Format.FourCc);
        Word(Layout.StreamDescription.Width, (uint)options.Shape.Width);
        Word(Layout.StreamDescription.Height, (uint)options.Shape.Height);
        Word(Layout.StreamDescription.Domain, Limits.DomainHost);
        Word(Layout.StreamDescription.Slots, (uint)options.Slots);
        Word(Layout.StreamDescription.MaxSlots, (uint)options.Slots);
        Word(Layout.StreamDescription.Subscribers, 1);
        Word(Layout.StreamDescription.LeaseTimeoutMs, 5_000);
        BinaryPrimitives.WriteUInt64LittleEndian(description.AsSpan(Layout.StreamDescription.Head), Ring.Head);
        uint wakes = Hello.Has(TlvType.WAKES) ? Hello.UInt32(TlvType.WAKES) : 0;
        var usual = new Dictionary<TlvType, byte[]>
        {
            [TlvType.VERSION] = Tlv.U32(TlvType.VERSION, Limits.Version),
            [TlvType.FEATURES] = Tlv.U64(TlvType.FEATURES, 0),
            [TlvType.EPOCH] = Tlv.U64(TlvType.EPOCH, Ring.Epoch),
            [TlvType.STREAM_KEY] = Tlv.Text(TlvType.STREAM_KEY, "conformance"),
            [TlvType.STREAM_DESCRIPTION] = Tlv.Bytes(TlvType.STREAM_DESCRIPTION, description),
            [TlvType.SUBSCRIBER_ID] = Tlv.U64(TlvType.SUBSCRIBER_ID, SubscriberId),
            [TlvType.DELIVERY] = Tlv.U32(TlvType.DELIVERY, Hello.UInt32(TlvType.DELIVERY)),
            [TlvType.LEASES] = Tlv.U32(TlvType.LEASES, Granted),
            [TlvType.FENCES] = Tlv.U32(TlvType.FENCES, Limits.FenceCpu),
            [TlvType.WAKES] = Tlv.U32(TlvType.WAKES, Limits.WakeFutex | (wakes & Limits.WakeDoorbell)),
        };
        foreach ((TlvType type, byte[] tlv) in options.Instead)
        {
            usual[type] = tlv;
        }

        return Message.Build(options.HeaderVersion, (byte)MessageType.WELCOME, Hello.Correlation, [.. usual.Values, .. options.More]);
    }
}
