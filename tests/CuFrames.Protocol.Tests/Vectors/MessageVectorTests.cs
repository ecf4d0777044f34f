using System.Buffers.Binary;
using System.Text.Json;
using CuFrames.Protocol.Messages;

namespace CuFrames.Protocol.Tests.Vectors;

/// <summary>protocol/test-vectors/messages.json: whole packets with their descriptors, as a publisher and a subscriber receive them.</summary>
public sealed class MessageVectorTests
{
    private static readonly IReadOnlyList<JsonElement> AllVectors = VectorFile.Read("messages.json", "receiver", "descriptors");

    public static TheoryData<string> Vectors => VectorFile.Names(AllVectors);

    [Theory]
    [MemberData(nameof(Vectors))]
    public void Messages(string name)
    {
        JsonElement vector = VectorFile.Get(AllVectors, name);
        byte[] packet = VectorFile.Bytes(vector);
        int descriptors = vector.GetProperty("descriptors").GetInt32();
        Func<object> receive = vector.GetProperty("receiver").GetString() switch
        {
            "publisher" => () => Receiver.AsPublisher(packet, descriptors),
            "subscriber" => () => Receiver.AsSubscriber(packet, descriptors, isProbe: name == "welcome-to-a-probe"),
            string other => throw new InvalidOperationException($"{name} has the unknown receiver '{other}'."),
            null => throw new InvalidOperationException($"{name} has no receiver."),
        };
        if (VectorFile.Error(vector) is { } error)
        {
            Assert.Equal(error, Refusal.Of(() => receive()).Code);
            return;
        }

        object message = receive();
        JsonElement fields = vector.GetProperty("fields");
        Assert.Equal(["message", "version", "correlation_id", "tlvs"], fields.EnumerateObject().Select(property => property.Name));
        MessageHeader header = MessageHeader.Read(packet);
        Assert.Equal(Enum.Parse<MessageType>(Document.ProtocolDocument.PascalCase(fields.GetProperty("message").GetString()!)), header.Type);
        Fields.Equal(header.Version, fields.GetProperty("version"));
        Fields.Equal(header.CorrelationId, fields.GetProperty("correlation_id"));

        Dictionary<string, int> counts = [];
        foreach (JsonElement tlv in fields.GetProperty("tlvs").EnumerateArray())
        {
            Assert.Equal(["name", "value"], tlv.EnumerateObject().Select(property => property.Name));
            string tlvName = tlv.GetProperty("name").GetString()!;
            int index = counts[tlvName] = counts.GetValueOrDefault(tlvName) + 1;
            Compare(message, packet, tlvName, index - 1, tlv.GetProperty("value"));
        }

        AssertDefaults(message, counts);
        if (message is HelloMessage hello)
        {
            Assert.Equal(counts.GetValueOrDefault("DOMAIN"), hello.Domains.Count);
        }
    }

    private static void Compare(object message, byte[] packet, string tlv, int index, JsonElement expected)
    {
        switch (message, tlv)
        {
            case (HelloMessage hello, "VERSION_RANGE"):
                Fields.Equal(hello.LowestVersion, expected.GetProperty("lowest"));
                Fields.Equal(hello.HighestVersion, expected.GetProperty("highest"));
                break;
            case (HelloMessage hello, "DOMAIN"):
                Fields.Compare(hello.Domains[index], expected);
                break;
            case (HelloMessage hello, "PROBE"):
                Fields.Equal(hello.IsProbe, expected);
                break;
            case (HelloMessage, "FEATURES" or "PROGRAM" or "DELIVERY" or "LEASES" or "FENCES" or "WAKES"):
            case (WelcomeMessage, "VERSION" or "FEATURES" or "EPOCH" or "PROGRAM" or "SOURCE" or "STATE_TEXT" or "SUBSCRIBER_ID" or "DELIVERY" or "LEASES" or "FENCES" or "WAKES" or "START"):
                Fields.Equal(FieldNames.ValueOf(message, tlv), expected);
                break;
            case (WelcomeMessage welcome, "STREAM_KEY"):
                Fields.Equal(welcome.Key, expected);
                break;
            case (WelcomeMessage welcome, "STREAM_DESCRIPTION"):
                Fields.Compare(welcome.Description, expected);
                break;
            case (RefuseMessage refuse, "ERROR_CODE"):
                Fields.Equal(refuse.Code, expected);
                break;
            case (RefuseMessage refuse, "ERROR_TEXT"):
                Fields.Equal(refuse.Text, expected);
                break;
            case (RefuseMessage, "VERSION_RANGE"):
                byte[] range = Tlv.ValueOf(Tlv.Split(packet.AsSpan(MessageHeaderLayout.Size)).Single(each => Tlv.TypeOf(each) == TlvType.VersionRange));
                Fields.Equal(BinaryPrimitives.ReadUInt16LittleEndian(range), expected.GetProperty("lowest"));
                Fields.Equal(BinaryPrimitives.ReadUInt16LittleEndian(range.AsSpan(2)), expected.GetProperty("highest"));
                break;
            case (NoticeMessage notice, "NOTICE_KIND"):
                Fields.Equal(notice.Kind, expected);
                break;
            case (NoticeMessage notice, "ERROR_CODE"):
                Fields.Equal(notice.Code, expected);
                break;
            case (NoticeMessage notice, "ERROR_TEXT"):
                Fields.Equal(notice.Text, expected);
                break;
            case (SegmentMessage segment, "SEGMENT"):
                Fields.Compare(segment.Description, expected);
                break;
            case (SegmentMessage segment, "CUDA_IPC_HANDLE"):
                Fields.Equal(segment.CudaIpcHandle.ToArray(), expected);
                break;
            case (EventMessage registered, "CUDA_EVENT"):
                Fields.Equal(registered.Slot, expected.GetProperty("slot"));
                Fields.Equal(registered.Handle.ToArray(), expected.GetProperty("handle"));
                break;
            case (uint segmentId, "SEGMENT_ID"):
                Fields.Equal(segmentId, expected);
                break;
            default:
                throw new InvalidOperationException($"{message.GetType().Name} has no {tlv}.");
        }
    }

    /// <summary>What a message lacks must not have a value from elsewhere.</summary>
    private static void AssertDefaults(object message, Dictionary<string, int> present)
    {
        (string Tlv, object Found, object Default)[] defaults = message switch
        {
            HelloMessage hello =>
            [
                ("FEATURES", hello.Features, 0UL), ("PROGRAM", hello.Program, ""), ("FENCES", hello.Fences, Fence.Cpu),
                ("WAKES", hello.Wakes, Wake.Futex), ("PROBE", hello.IsProbe, false),
            ],
            WelcomeMessage welcome =>
            [
                ("PROGRAM", welcome.Program, ""), ("SOURCE", welcome.Source, ""), ("STATE_TEXT", welcome.StateText, ""), ("SUBSCRIBER_ID", welcome.SubscriberId, 0UL),
                ("DELIVERY", welcome.Delivery, (Delivery)0), ("LEASES", welcome.Leases, 0u), ("FENCES", welcome.Fences, Fence.None), ("WAKES", welcome.Wakes, Wake.None),
                ("START", welcome.Start ?? 0UL, 0UL),
            ],
            RefuseMessage refuse => [("ERROR_CODE", refuse.Code, ErrorCode.None), ("ERROR_TEXT", refuse.Text, "")],
            NoticeMessage notice => [("ERROR_CODE", notice.Code, ErrorCode.None), ("ERROR_TEXT", notice.Text, "")],
            SegmentMessage segment => [("CUDA_IPC_HANDLE", segment.CudaIpcHandle.Length, 0)],
            _ => [],
        };
        Assert.All(defaults.Where(entry => !present.ContainsKey(entry.Tlv)), entry => Assert.Equal(entry.Default, entry.Found));
    }
}
