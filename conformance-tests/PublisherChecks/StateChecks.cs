using CuFrames.Conformance.Spec;
using CuFrames.Conformance.Suite;
using CuFrames.Conformance.Wire;
using CuFrames.Interop;

namespace CuFrames.Conformance.PublisherChecks;

/// <summary>Paragraph 13.1: every message in every state, silence and hang-up.</summary>
internal static class StateChecks
{
    private const int Silence = 2_300;

    public static IEnumerable<Check<PublisherContext>> All() =>
    [
        .. Enum.GetValues<MessageType>().Where(type => type is not (MessageType.HELLO or MessageType.BYE)).Select(type =>
            new Check<PublisherContext>($"13.1-await-hello-{Name(type)}", $"refuses {type} before HELLO",
                context => RawExchange.ExpectRefusal(context, Sample(type, 1), ErrorCode.PROTOCOL_ERROR))),
        new("13.1-await-hello-bye", "closes after BYE before HELLO, without an answer", AwaitHelloBye),
        .. Enum.GetValues<MessageType>().Select(type => new Check<PublisherContext>(
            $"13.1-probing-{Name(type)}", $"closes a probe's connection at {type}", context => Probing(context, type))),
        new("13.1-probing-silence", "lets a probe stay silent for longer than two seconds", ProbingSilence, Background: true),
        .. Enum.GetValues<MessageType>()
            .Where(type => type is not (MessageType.BYE or MessageType.SEGMENT_READY or MessageType.RETIRED))
            .Select(type => new Check<PublisherContext>($"13.1-active-{Name(type)}", $"evicts a subscriber that sends {type}",
                context => Active(context, Sample(type, 1), ErrorCode.PROTOCOL_ERROR))),
        new("13.1-active-segment-ready-unknown", "evicts at SEGMENT_READY of an unknown segment",
            context => Active(context, Sample(MessageType.SEGMENT_READY, 4_000_000_000), ErrorCode.PROTOCOL_ERROR)),
        new("13.1-active-retired-unknown", "evicts at RETIRED of an unknown segment",
            context => Active(context, Sample(MessageType.RETIRED, 4_000_000_000), ErrorCode.PROTOCOL_ERROR)),
        new("13.1-active-segment-ready-twice", "evicts at a second SEGMENT_READY of a segment",
            context => ActiveAboutSegment(context, id => Sample(MessageType.SEGMENT_READY, id), ErrorCode.PROTOCOL_ERROR)),
        new("13.1-active-known-segment", "goes on after SEGMENT_READY and RETIRED of a known segment", KnownSegment),
        new("13.1-active-bye", "closes after BYE without an answer", ActiveBye),
        new("13.1-active-silence", "lets a subscriber stay silent for longer than two seconds", ActiveSilence, Background: true),
        new("13.1-active-noise", "evicts a subscriber that sends noise",
            context => Active(context, NoiseBytes(65_536), ErrorCode.PROTOCOL_ERROR)),
        new("13.1-active-truncated", "evicts a subscriber that sends half a message",
            context => Active(context, Sample(MessageType.SEGMENT_READY, 1)[..20], ErrorCode.PROTOCOL_ERROR)),
        new("13.1-active-too-long", "evicts a subscriber that sends a message of 65,544 bytes",
            context => Active(context, Message.Build(MessageType.BYE, 0, Tlv.Bytes(0x7777, new byte[65_520])), ErrorCode.PROTOCOL_ERROR)),
        new("13.1-active-must-understand", "evicts at an unknown TLV with must-understand", context => ActiveAboutSegment(context,
            id => Message.Build(MessageType.RETIRED, 0, Tlv.U32(TlvType.SEGMENT_ID, id), Tlv.Bytes(0x7777, [], Limits.MustUnderstand)),
            ErrorCode.UNSUPPORTED_TLV)),
        new("13.1-active-descriptor", "evicts at a message with a descriptor", ActiveDescriptor),
        new("13.1-active-other-version", "evicts at a message with another version in its header", context => ActiveAboutSegment(context,
            id => Message.Build(2, (byte)MessageType.RETIRED, 0, Tlv.U32(TlvType.SEGMENT_ID, id)), ErrorCode.PROTOCOL_ERROR)),
    ];

    /// <summary>A sound message of a type.</summary>
    private static byte[] Sample(MessageType type, uint segment) => type switch
    {
        MessageType.HELLO => new HelloOptions().Build(),
        MessageType.REFUSE => Message.Build(type, 1, Tlv.U32(TlvType.ERROR_CODE, 20), Tlv.Text(TlvType.ERROR_TEXT, "no")),
        MessageType.NOTICE => Message.Build(type, 0, Tlv.U32(TlvType.NOTICE_KIND, 1)),
        MessageType.DOORBELL or MessageType.BYE => Message.Build(type, 0),
        MessageType.WELCOME => Message.Build(type, 1, Tlv.U32(TlvType.VERSION, 1), Tlv.U64(TlvType.FEATURES, 0), Tlv.U64(TlvType.EPOCH, 1),
            Tlv.Text(TlvType.STREAM_KEY, "a"), Tlv.Bytes(TlvType.STREAM_DESCRIPTION, new byte[Layout.StreamDescription.Size])),
        MessageType.SEGMENT => Message.Build(type, 1, Tlv.Bytes(TlvType.SEGMENT, CudaIpcSegment()),
            Tlv.Bytes(TlvType.CUDA_IPC_HANDLE, new byte[64])),
        MessageType.EVENT => Message.Build(type, 0, Tlv.Bytes(TlvType.CUDA_EVENT, new byte[Limits.CudaEventSize])),
        _ => Message.Build(type, 1, Tlv.U32(TlvType.SEGMENT_ID, segment)),
    };

    // The kind that needs no descriptor, so that the message itself is sound.
    private static byte[] CudaIpcSegment()
    {
        byte[] value = new byte[Layout.SegmentDescription.Size];
        value[Layout.SegmentDescription.SegmentId] = 1;
        value[Layout.SegmentDescription.Domain] = (byte)Limits.DomainCuda;
        value[Layout.SegmentDescription.HandleKind] = (byte)Limits.HandleCudaIpc;
        value[Layout.SegmentDescription.Bytes + 2] = 1;
        return value;
    }

    private static byte[] NoiseBytes(int length)
    {
        byte[] noise = new byte[length];
        new Random(7).NextBytes(noise);
        return noise;
    }

    private static string Name(MessageType type) => type.ToString().ToLowerInvariant().Replace('_', '-');

    private static void AwaitHelloBye(PublisherContext context)
    {
        using var connection = Connection.Open(context.SocketPath);
        connection.Send(Sample(MessageType.BYE, 0));
        RawExchange.ExpectHangUp(connection, "a hang-up without an answer");
    }

    private static void Probing(PublisherContext context, MessageType type)
    {
        using Connection connection = OpenProbe(context);
        if (connection.Send(Sample(type, 1)))
        {
            ExpectHangUpAfterNotices(connection);
        }
    }

    private static void ProbingSilence(PublisherContext context)
    {
        using Connection connection = OpenProbe(context);
        using Packet packet = connection.Receive(Silence);
        Expect.That(packet.Kind == PacketKind.Nothing || (packet.Kind == PacketKind.Packet && packet.Parse().Type == MessageType.NOTICE),
            "an open connection (or NOTICEs)", packet.Kind.ToString());
    }

    private static Connection OpenProbe(PublisherContext context)
    {
        var connection = Connection.Open(context.SocketPath);
        connection.Send(new HelloOptions { Probe = true }.Build());
        using Packet answer = connection.Receive(15_000);
        Expect.That(answer.Kind == PacketKind.Packet && answer.Parse().Type == MessageType.WELCOME, "WELCOME", answer.Kind.ToString());
        return connection;
    }

    private static void ExpectHangUpAfterNotices(Connection connection)
    {
        while (true)
        {
            using Packet packet = connection.Receive(15_000);
            if (packet.Kind == PacketKind.HangUp)
            {
                return;
            }

            Expect.That(packet.Kind == PacketKind.Packet && packet.Parse().Type == MessageType.NOTICE, "a hang-up", packet.Kind.ToString());
        }
    }

    private static void Active(PublisherContext context, byte[] packet, ErrorCode code)
    {
        using Reader reader = Reader.Open(context);
        reader.AwaitFirstFrame();
        reader.Connection.Send(packet);
        reader.ExpectEviction(code);
    }

    private static void ActiveDescriptor(PublisherContext context)
    {
        using Reader reader = Reader.Open(context);
        reader.AwaitFirstFrame();
        (UnixSocket mine, UnixSocket theirs) = UnixSocket.CreatePair();
        using (mine)
        {
            reader.Connection.Send(Sample(MessageType.RETIRED, reader.Segments.Keys.First()), theirs.Descriptor);
            theirs.Dispose();
            reader.ExpectEviction(ErrorCode.DESCRIPTOR_COUNT);
            Expect.That((mine.Poll(IoEvents.Readable, 15_000) & IoEvents.HangUp) != 0, "that the descriptor is closed (2.4)", "still open after 15 s");
        }
    }

    private static void ActiveAboutSegment(PublisherContext context, Func<uint, byte[]> packet, ErrorCode code)
    {
        using Reader reader = Reader.Open(context);
        reader.AwaitFirstFrame();
        reader.Connection.Send(packet(reader.Segments.Keys.First()));
        reader.ExpectEviction(code);
    }

    private static void KnownSegment(PublisherContext context)
    {
        // The reader answers every SEGMENT with SEGMENT_READY.
        using Reader reader = Reader.Open(context);
        reader.AwaitFirstFrame();
        reader.Connection.Send(Sample(MessageType.RETIRED, reader.Segments.Keys.First()));
        reader.AwaitFrames(5);
        reader.CheckAlive();
    }

    private static void ActiveBye(PublisherContext context)
    {
        using Reader reader = Reader.Open(context);
        reader.AwaitFirstFrame();
        reader.Connection.Send(Sample(MessageType.BYE, 0));
        ExpectHangUpAfterNotices(reader.Connection);
    }

    private static void ActiveSilence(PublisherContext context)
    {
        using Reader reader = Reader.Open(context);
        Thread.Sleep(Silence); // The silence is what is tested.
        reader.CheckAlive();
    }
}
