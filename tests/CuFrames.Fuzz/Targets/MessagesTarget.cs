using System.Text;
using CuFrames.Protocol;
using CuFrames.Protocol.Messages;
using static CuFrames.Fuzz.BrokenInvariantException;

namespace CuFrames.Fuzz.Targets;

/// <summary>Every message that a peer may send. The input is a packet.</summary>
internal sealed class MessagesTarget : FuzzTarget
{
    // A HELLO may come without TLVs that are always written, so that it grows by a few bytes.
    private readonly byte[] _first = new byte[Wire.MaxMessageSize + 512];
    private readonly byte[] _second = new byte[Wire.MaxMessageSize + 512];

    public override string Name => "messages";

    public override IEnumerable<byte[]> Seeds(TestVectors vectors) => vectors.Of("messages").Concat(vectors.Of("message-headers"))
        .Select(TestVectors.Bytes).Where(packet => packet.Length > 0);

    public override void Mutate(InputBuffer input, FuzzRandom random, ReadOnlySpan<byte> other)
    {
        switch (random.Below(8))
        {
            case 0:
                input.ChangeAnywhere(random, other);
                break;
            case 1 when input.Length >= 16:
                input.ChangeNumber(4 + random.Below(2), 1, random);
                break;
            case 2 when input.Length >= 16:
                input.Bytes[5] = (byte)(1 + random.Below(11));
                break;
            default:
                TlvMutator.Mutate(input, 16, random, other, 16);
                break;
        }

        // A packet that its header refuses tests nothing behind the header.
        if (input.Length >= 16 && !random.OneIn(40))
        {
            input.Write(0, 4, Wire.MessageMagic);
            input.Write(8, 4, (ulong)(input.Length - 16));
        }
    }

    public override void Run(ReadOnlySpan<byte> input, OutcomeMap outcomes)
    {
        int type = input.Length > 5 ? Math.Min((int)input[5], 12) : 13;
        try
        {
            MessageHeader header = MessageHeader.Read(input);
            Require(input.Length is >= 16 and <= 65536 && header.PayloadLength == input.Length - 16, "A header of another length was accepted.");
            ReadOnlySpan<byte> payload = input[MessageHeaderLayout.Size..];
            switch (header.Type)
            {
                case MessageType.Hello:
                    Check(HelloMessage.Read(payload), outcomes);
                    break;
                case MessageType.Welcome when HasPackets(payload):
                    Check(PacketWelcomeMessage.Read(payload));
                    break;
                case MessageType.Welcome:
                    Check(WelcomeMessage.Read(payload), outcomes);
                    break;
                case MessageType.Refuse:
                    Check(RefuseMessage.ReadRefuse(payload), isRefuse: true);
                    break;
                case MessageType.Bye:
                    Check(RefuseMessage.Read(payload), isRefuse: false);
                    break;
                case MessageType.Segment:
                    Check(SegmentMessage.Read(payload), outcomes);
                    break;
                case MessageType.SegmentReady or MessageType.Retire or MessageType.Retired:
                    uint id = SegmentIdMessage.Read(payload);
                    Require(id != 0, "Segment 0 was accepted.");
                    Require(SegmentIdMessage.Read(SegmentIdMessage.Write(_first, header.Type, id)[16..]) == id, "A segment's number changed.");
                    break;
                case MessageType.Notice:
                    Check(NoticeMessage.Read(payload));
                    break;
                case MessageType.Event:
                    Check(EventMessage.Read(payload));
                    break;
                default:
                    break;
            }

            outcomes.Add(0x1000 + type);
        }
        catch (ProtocolException error)
        {
            Require(error.Code is ErrorCode.ProtocolError or ErrorCode.UnsupportedTlv or ErrorCode.SegmentInvalid, $"A message was refused with {error.Code}.");
            outcomes.Add(0x2000 + type, error.Message);
        }
    }

    private static void CheckText(string text, int limit)
    {
        Require(Encoding.UTF8.GetByteCount(text) <= limit, $"A text is longer than {limit} bytes.");
        Require(!text.Contains('\uFFFD', StringComparison.Ordinal) || Encoding.UTF8.GetByteCount(text) >= 3, "A text was mended instead of refused.");
    }

    private void Check(HelloMessage hello, OutcomeMap outcomes)
    {
        CheckText(hello.Program, 64);
        Require(hello.LowestVersion <= hello.HighestVersion, "The range of versions is turned around.");
        if (!hello.IsProbe && !hello.IsForPackets)
        {
            Require(hello.Delivery is >= Delivery.Newest and <= Delivery.Lossless, "An unknown delivery was accepted.");
            Require(hello.Leases is >= 1 and <= 64, $"{hello.Leases} leases were accepted.");
            Require(hello.Domains.Count >= 1, "A HELLO without DOMAIN was accepted.");
        }

        outcomes.Add(0x3000 + (hello.IsProbe ? 1 : 0) + (Math.Min(hello.Domains.Count, 6) << 1) + ((int)hello.Delivery % 8 << 4));
        ReadOnlySpan<byte> first = hello.Write(_first);
        if (first.Length > Wire.MaxMessageSize)
        {
            return;
        }

        HelloMessage again = HelloMessage.Read(first[16..]);

        // A probe says nothing of how it would read, and packets are all read in the same way.
        HelloMessage little = new()
        {
            LowestVersion = hello.LowestVersion,
            HighestVersion = hello.HighestVersion,
            Features = hello.Features,
            Program = hello.Program,
            IsProbe = hello.IsProbe,
            IsForPackets = hello.IsForPackets,
        };
        HelloMessage expected = hello.IsProbe ? little : hello.IsForPackets ? little with { Wakes = hello.Wakes } : hello;
        Require(again.Domains.SequenceEqual(expected.Domains), "HELLO was written with other domains.");
        Require((again with { Domains = [] }) == (expected with { Domains = [] }), "HELLO was written as another one.");
        Require(first.SequenceEqual(again.Write(_second)), "HELLO was not written twice in the same way.");
    }

    private static bool HasPackets(ReadOnlySpan<byte> payload)
    {
        TlvReader reader = new(payload);
        while (reader.Next())
        {
            if (reader.Type == TlvType.Packets)
            {
                return true;
            }
        }

        return false;
    }

    private void Check(PacketWelcomeMessage welcome)
    {
        CheckText(welcome.Program, 64);
        CheckText(welcome.Source, 1024);
        CheckText(welcome.StateText, 1024);
        Require(StreamKey.IsValid(welcome.Key) && welcome.Epoch != 0, "A key or an epoch that is none was accepted.");
        Require(welcome.Tracks.Count <= 8 && welcome.Tracks.Count == welcome.Description.Tracks && welcome.Description.Subscribers >= 0, "An impossible number of tracks was accepted.");
        for (int i = 0; i < welcome.Tracks.Count; i++)
        {
            TrackDescription track = welcome.Tracks[i];
            Require(track.Track == i && track.Width is >= 0 and <= 16384 && track.Height is >= 0 and <= 16384 && track.Channels is >= 0 and <= 255 && track.SampleRate >= 0, "An impossible track was accepted.");
        }

        PacketWelcomeMessage again = PacketWelcomeMessage.Read(welcome.Write(_first, 1)[16..]);
        PacketWelcomeMessage expected = welcome.SubscriberId != 0 ? welcome : welcome with { Wakes = Wake.None };
        Require(again.Tracks.SequenceEqual(welcome.Tracks) && again with { Tracks = [] } == expected with { Tracks = [] }, "A WELCOME of packets was written as another one.");
    }

    private void Check(WelcomeMessage welcome, OutcomeMap outcomes)
    {
        CheckText(welcome.Program, 64);
        CheckText(welcome.Source, 1024);
        CheckText(welcome.StateText, 1024);
        Require(StreamKey.IsValid(welcome.Key), "A key that is none was accepted.");
        Require(welcome.Epoch != 0, "Epoch 0 was accepted.");
        StreamDescription description = welcome.Description;
        Require(description.Width is >= 0 and <= 16384 && description.Height is >= 0 and <= 16384, "A picture of an impossible size was accepted.");
        Require(description.Slots is >= 0 and <= 64 && description.MaxSlots is >= 0 and <= 64 && description.Subscribers >= 0, "An impossible number of slots or subscribers was accepted.");
        bool isSubscription = true;
        try
        {
            welcome.RequireSubscription();
        }
        catch (ProtocolException error) when (error.Code == ErrorCode.ProtocolError)
        {
            isSubscription = false;
        }

        Require(isSubscription == (welcome.SubscriberId != 0 && welcome.Leases is >= 1 and <= 64 && (uint)welcome.Delivery is >= 1 and <= 3 &&
            ((uint)welcome.Fences & 1) != 0 && ((uint)welcome.Wakes & 1) != 0), "RequireSubscription judged wrongly.");
        outcomes.Add(0x4000 + (isSubscription ? 1 : 0) + (welcome.Program.Length > 0 ? 2 : 0) + (welcome.Source.Length > 0 ? 4 : 0) + (welcome.StateText.Length > 0 ? 8 : 0));
        ReadOnlySpan<byte> first = welcome.Write(_first, 1);
        WelcomeMessage again = WelcomeMessage.Read(first[16..]);
        WelcomeMessage expected = welcome.SubscriberId != 0 ? welcome : welcome with { Delivery = 0, Leases = 0, Fences = Fence.None, Wakes = Wake.None, Start = null };
        Require(welcome.Start is null || welcome.Start <= description.Head, "A START above the newest sequence was accepted.");
        Require(again == expected, "WELCOME was written as another one.");
        Require(first.SequenceEqual(again.Write(_second, 1)), "WELCOME was not written twice in the same way.");
    }

    private void Check(RefuseMessage message, bool isRefuse)
    {
        CheckText(message.Text, 1024);
        RefuseMessage again = isRefuse ? RefuseMessage.ReadRefuse(message.WriteRefuse(_first, 1)[16..]) : RefuseMessage.Read(message.WriteBye(_first)[16..]);
        Require(again == message, "REFUSE or BYE was written as another one.");
    }

    private void Check(NoticeMessage message)
    {
        CheckText(message.Text, 1024);
        Require(message.Kind != 0, "A NOTICE of kind 0 was accepted.");
        Require(NoticeMessage.Read(message.Write(_first)[16..]) == message, "NOTICE was written as another one.");
    }

    private void Check(EventMessage message)
    {
        Require(message.Slot is >= 0 and < ControlBlockLayout.SlotCapacity, $"An event for slot {message.Slot} was accepted.");
        Require(message.Handle.Length == Wire.CudaIpcHandleSize, "A handle of another length was accepted.");
        EventMessage again = EventMessage.Read(message.Write(_first)[16..]);
        Require(again.Slot == message.Slot && again.Handle.Span.SequenceEqual(message.Handle.Span), "EVENT was written as another one.");
    }

    private void Check(SegmentMessage message, OutcomeMap outcomes)
    {
        SegmentDescription description = message.Description;
        Require(description.SegmentId != 0, "Segment 0 was accepted.");
        Require(description.Size is >= 1 and <= 1UL << 40, "A segment of an impossible size was accepted.");
        Require(message.CudaIpcHandle.Length is 0 or 64, "A CUDA handle of another length was accepted.");
        Require(description.HandleKind != HandleKind.CudaIpc || message.CudaIpcHandle.Length == 64, "A cuda-ipc segment without handle was accepted.");
        outcomes.Add(0x5000 + Math.Min((int)description.HandleKind & 7, 5) + (message.CudaIpcHandle.IsEmpty ? 0 : 8));
        SegmentMessage again = SegmentMessage.Read(message.Write(_first)[16..]);
        Require(again.Description == description && again.CudaIpcHandle.Span.SequenceEqual(message.CudaIpcHandle.Span), "SEGMENT was written as another one.");
    }
}
