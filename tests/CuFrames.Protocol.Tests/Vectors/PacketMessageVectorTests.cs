using System.Text;
using System.Text.Json;
using CuFrames.Protocol.Messages;

namespace CuFrames.Protocol.Tests.Vectors;

/// <summary>The vectors of HELLO and WELCOME where packets are offered.</summary>
public sealed class PacketMessageVectorTests
{
    private static readonly IReadOnlyList<JsonElement> Vectors = VectorFile.Read("packet-messages.json", "receiver", "descriptors");

    public static TheoryData<string> Names => VectorFile.Names(Vectors);

    [Theory]
    [MemberData(nameof(Names))]
    public void Packet_messages(string name)
    {
        JsonElement vector = VectorFile.Get(Vectors, name);
        byte[] packet = VectorFile.Bytes(vector);
        MessageHeader header = MessageHeader.Read(packet);
        bool isHello = header.Type == MessageType.Hello;
        Assert.Equal(isHello ? "publisher" : "subscriber", vector.GetProperty("receiver").GetString());
        bool isProbe = vector.GetProperty("descriptors").GetInt32() == 0;
        if (VectorFile.Error(vector) is { } error)
        {
            Assert.Equal(error, Assert.Throws<ProtocolException>(() => Read(packet, isHello, isProbe)).Code);
            return;
        }

        object message = Read(packet, isHello, isProbe);
        JsonElement fields = vector.GetProperty("fields");
        Assert.Equal((isHello ? "HELLO" : "WELCOME", 1, 11u),
            (fields.GetProperty("message").GetString(), fields.GetProperty("version").GetInt32(), fields.GetProperty("correlation_id").GetUInt32()));
        Assert.Equal(header.CorrelationId, fields.GetProperty("correlation_id").GetUInt32());
        List<TrackDescription> tracks = [];
        foreach (JsonElement tlv in fields.GetProperty("tlvs").EnumerateArray())
        {
            string type = tlv.GetProperty("name").GetString()!;
            JsonElement value = tlv.GetProperty("value");
            if (type == "TRACK")
            {
                tracks.Add(TrackOf(value));
            }
            else if (message is HelloMessage hello)
            {
                Compare(hello, type, value);
            }
            else
            {
                Compare((PacketWelcomeMessage)message, type, value);
            }
        }

        if (message is PacketWelcomeMessage welcome)
        {
            Assert.Equal(tracks.OrderBy(track => track.Track), welcome.Tracks.OrderBy(track => track.Track));
            Assert.Equal(welcome.Description.Tracks, tracks.Count);

            // What is written is read as the same.
            byte[] written = welcome.Write(new byte[Wire.MaxMessageSize], 11).ToArray();
            Assert.Equivalent(welcome, PacketWelcomeMessage.Read(written.AsSpan(MessageHeaderLayout.Size)), strict: true);
        }
    }

    private static object Read(byte[] packet, bool isHello, bool isProbe)
    {
        ReadOnlySpan<byte> payload = packet.AsSpan(MessageHeaderLayout.Size);
        if (isHello)
        {
            HelloMessage hello = HelloMessage.Read(payload);
            Assert.True(hello.IsForPackets);
            return hello;
        }

        PacketWelcomeMessage welcome = PacketWelcomeMessage.Read(payload);
        if (!isProbe)
        {
            welcome.RequireSubscription();
        }

        return welcome;
    }

    private static void Compare(HelloMessage hello, string type, JsonElement value)
    {
        switch (type)
        {
            case "VERSION_RANGE":
                Assert.Equal((value.GetProperty("lowest").GetInt32(), value.GetProperty("highest").GetInt32()), (hello.LowestVersion, hello.HighestVersion));
                break;
            case "PACKETS":
                Assert.True(hello.IsForPackets);
                break;
            case "PROBE":
                Assert.True(hello.IsProbe);
                break;
            case "PROGRAM":
                Assert.Equal(value.GetString(), hello.Program);
                break;
            case "WAKES":
                Assert.Equal(value.GetUInt32(), (uint)hello.Wakes);
                break;
            case "FEATURES":
                Assert.Equal("0", value.GetString());
                break;
            case "DELIVERY" or "LEASES" or "DOMAIN" or "FENCES":
                // They mean nothing here.
                break;
            default:
                throw new InvalidOperationException($"No test knows what {type} in HELLO means.");
        }
    }

    private static void Compare(PacketWelcomeMessage welcome, string type, JsonElement value)
    {
        switch (type)
        {
            case "PACKETS":
                Assert.True(value.GetBoolean());
                break;
            case "VERSION":
                Assert.Equal(value.GetUInt32(), welcome.Version);
                break;
            case "FEATURES":
                Fields.Equal(welcome.Features, value);
                break;
            case "EPOCH":
                Fields.Equal(welcome.Epoch, value);
                break;
            case "SUBSCRIBER_ID":
                Fields.Equal(welcome.SubscriberId, value);
                break;
            case "WAKES":
                Assert.Equal(value.GetUInt32(), (uint)welcome.Wakes);
                break;
            case "STREAM_KEY":
                Assert.Equal(value.GetString(), welcome.Key);
                break;
            case "PROGRAM":
                Assert.Equal(value.GetString(), welcome.Program);
                break;
            case "SOURCE":
                Assert.Equal(value.GetString(), welcome.Source);
                break;
            case "STATE_TEXT":
                Assert.Equal(value.GetString(), welcome.StateText);
                break;
            case "PACKET_STREAM":
                PacketStreamDescription description = welcome.Description;
                Assert.Equal(value.GetProperty("state").GetUInt32(), (uint)description.State);
                Assert.Equal(value.GetProperty("tracks").GetInt32(), description.Tracks);
                Assert.Equal(value.GetProperty("subscribers").GetInt32(), description.Subscribers);
                Fields.Equal(description.Head, value.GetProperty("head"));
                Fields.Equal(description.Oldest, value.GetProperty("oldest"));
                Fields.Equal(description.ByteCapacity, value.GetProperty("byte_capacity"));
                Fields.Equal(description.BufferedTime, value.GetProperty("buffered_time"));
                Fields.Equal(description.Refused, value.GetProperty("refused"));
                Fields.Equal(description.Evicted, value.GetProperty("evicted"));
                break;
            default:
                throw new InvalidOperationException($"No test knows what {type} in WELCOME means.");
        }
    }

    private static TrackDescription TrackOf(JsonElement value) => new()
    {
        Track = value.GetProperty("track").GetInt32(),
        Kind = (TrackKind)value.GetProperty("kind").GetUInt32(),
        Codec = (Codec)value.GetProperty("codec").GetUInt32(),
        CodecName = TextOf(value, "codec_name"),
        Language = TextOf(value, "language"),
        Width = value.GetProperty("width").GetInt32(),
        Height = value.GetProperty("height").GetInt32(),
        SampleRate = value.GetProperty("sample_rate").GetInt32(),
        Channels = value.GetProperty("channels").GetInt32(),
        FrameRateNumerator = value.GetProperty("frame_rate_numerator").GetInt32(),
        FrameRateDenominator = value.GetProperty("frame_rate_denominator").GetInt32(),
        Packets = VectorFile.UInt64(value, "packets"),
    };

    private static string TextOf(JsonElement value, string field) => Encoding.ASCII.GetString(Convert.FromHexString(value.GetProperty(field).GetString()!)).TrimEnd('\0');
}
