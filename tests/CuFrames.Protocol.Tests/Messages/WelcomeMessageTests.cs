using System.Buffers.Binary;
using CuFrames.Protocol.Messages;

namespace CuFrames.Protocol.Tests.Messages;

public sealed class WelcomeMessageTests
{
    [Fact]
    public void Every_value_survives()
    {
        WelcomeMessage read = RoundTrip(Samples.Welcome);
        Assert.Equal(Samples.Welcome, read);
        read.RequireSubscription();
    }

    [Fact]
    public void The_answer_to_a_probe_grants_nothing()
    {
        WelcomeMessage read = RoundTrip(Samples.Welcome with { SubscriberId = 0 });
        Assert.Equal(Samples.Welcome with { SubscriberId = 0, Delivery = 0, Leases = 0, Fences = Fence.None, Wakes = Wake.None, Start = null }, read);
        Assert.Equal(ErrorCode.ProtocolError, Refusal.Of(read.RequireSubscription).Code);
    }

    [Fact]
    public void The_header_carries_the_chosen_version_and_the_correlation_id()
    {
        MessageHeader header = MessageHeader.Read((Samples.Welcome with { Version = 5 }).Write(new byte[1024], 42));
        Assert.Equal((5, MessageType.Welcome, 42u), (header.Version, header.Type, header.CorrelationId));
    }

    [Fact]
    public void What_a_subscription_needs_is_checked() => Assert.All(
    [
        Samples.Welcome with { SubscriberId = 0 },
        Samples.Welcome with { Leases = 0 },
        Samples.Welcome with { Leases = 65 },
        Samples.Welcome with { Leases = uint.MaxValue },
        Samples.Welcome with { Delivery = 0 },
        Samples.Welcome with { Delivery = (Delivery)4 },
        Samples.Welcome with { Fences = Fence.Stream },
        Samples.Welcome with { Wakes = Wake.Doorbell },
    ], welcome => Assert.Equal(ErrorCode.ProtocolError, Refusal.Of(welcome.RequireSubscription).Code));

    [Theory]
    [InlineData("")]
    [InlineData("../etc/passwd")]
    [InlineData("CAM")]
    public void A_key_that_is_none_is_refused(string key) => Assert.Equal(ErrorCode.ProtocolError, Refusal.Of(() => RoundTrip(Samples.Welcome with { Key = key })).Code);

    [Fact]
    public void An_epoch_of_zero_is_refused() => Assert.Equal(ErrorCode.ProtocolError, Refusal.Of(() => RoundTrip(Samples.Welcome with { Epoch = 0 })).Code);

    [Theory]
    [InlineData(StreamDescriptionLayout.WidthOffset, 16384u)]
    [InlineData(StreamDescriptionLayout.HeightOffset, 16384u)]
    [InlineData(StreamDescriptionLayout.SlotsOffset, 64u)]
    [InlineData(StreamDescriptionLayout.MaxSlotsOffset, 64u)]
    [InlineData(StreamDescriptionLayout.SubscribersOffset, 0x7FFFFFFFu)]
    public void A_description_beyond_a_limit_is_refused(int offset, uint limit)
    {
        WelcomeMessage.Read(With(limit));
        Assert.Equal(ErrorCode.ProtocolError, Refusal.Of(() => WelcomeMessage.Read(With(limit + 1))).Code);
        Assert.Equal(ErrorCode.ProtocolError, Refusal.Of(() => WelcomeMessage.Read(With(uint.MaxValue))).Code);

        byte[] With(uint value)
        {
            List<byte[]> tlvs = Tlv.Split(Samples.Welcome.Write(new byte[1024], 1)[MessageHeaderLayout.Size..]);
            BinaryPrimitives.WriteUInt32LittleEndian(tlvs.Single(tlv => Tlv.TypeOf(tlv) == TlvType.StreamDescription).AsSpan(8 + offset), value);
            return Tlv.Join(tlvs);
        }
    }

    [Theory]
    [InlineData(0UL, true)]
    [InlineData((1UL << 40) - 1, true)]
    [InlineData(1UL << 40, true)]
    [InlineData((1UL << 40) + 1, false)]
    [InlineData(1UL << 63, false)]
    [InlineData(ulong.MaxValue, false)]
    public void A_start_lies_not_above_the_newest_frame(ulong start, bool isGood)
    {
        if (isGood)
        {
            Assert.Equal(start, RoundTrip(Samples.Welcome with { Start = start }).Start);
        }
        else
        {
            Assert.Equal(ErrorCode.ProtocolError, Refusal.Of(() => RoundTrip(Samples.Welcome with { Start = start })).Code);
        }
    }

    [Fact]
    public void A_start_must_be_understood_and_most_streams_have_none()
    {
        List<byte[]> tlvs = Tlv.Split(Samples.Welcome.Write(new byte[1024], 1)[MessageHeaderLayout.Size..]);
        Assert.Equal(Wire.TlvMustUnderstand, BinaryPrimitives.ReadUInt16LittleEndian(tlvs.Single(tlv => Tlv.TypeOf(tlv) == TlvType.Start).AsSpan(2)));
        tlvs = Tlv.Split((Samples.Welcome with { Start = null }).Write(new byte[1024], 1)[MessageHeaderLayout.Size..]);
        Assert.DoesNotContain(tlvs, tlv => Tlv.TypeOf(tlv) == TlvType.Start);
        Assert.Null(RoundTrip(Samples.Welcome with { Start = null }).Start);
    }

    private static WelcomeMessage RoundTrip(WelcomeMessage welcome) => WelcomeMessage.Read(welcome.Write(new byte[4096], 1)[MessageHeaderLayout.Size..]);
}
