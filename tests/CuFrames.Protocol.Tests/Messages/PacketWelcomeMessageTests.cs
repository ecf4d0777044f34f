using System.Buffers.Binary;
using CuFrames.Protocol.Messages;

namespace CuFrames.Protocol.Tests.Messages;

/// <summary>WELCOME of a publisher of packets, and the descriptions in it.</summary>
public sealed class PacketWelcomeMessageTests
{
    [Fact]
    public void It_is_read_as_it_was_written()
    {
        PacketWelcomeMessage read = PacketWelcomeMessage.Read(Payload(Samples.PacketWelcome));
        Assert.Equal(Samples.PacketWelcome.Tracks, read.Tracks);
        Assert.Equal(Samples.PacketWelcome with { Tracks = [] }, read with { Tracks = [] });
        read.RequireSubscription();
    }

    [Fact]
    public void A_probe_gets_no_subscription()
    {
        PacketWelcomeMessage read = PacketWelcomeMessage.Read(Payload(Samples.PacketWelcome with { SubscriberId = 0 }));
        Assert.Equal(ErrorCode.ProtocolError, Refusal.Of(read.RequireSubscription).Code);
        Assert.Equal(ErrorCode.ProtocolError, Refusal.Of((Samples.PacketWelcome with { Wakes = Wake.Doorbell }).RequireSubscription).Code);
    }

    /// <summary>Every field of every layout, one after the other, with a number that no other field has.</summary>
    [Fact]
    public void Descriptions_lie_where_the_layouts_say()
    {
        PacketStreamDescription stream = Samples.PacketWelcome.Description;
        byte[] value = Tlv.ValueOf(Tlv.Split(Payload(Samples.PacketWelcome)).Single(tlv => Tlv.TypeOf(tlv) == TlvType.PacketStream));
        Assert.Equal(PacketStreamDescriptionLayout.Size, value.Length);
        Assert.Equal((uint)stream.State, U32(PacketStreamDescriptionLayout.StateOffset));
        Assert.Equal((uint)stream.Tracks, U32(PacketStreamDescriptionLayout.TracksOffset));
        Assert.Equal((uint)stream.Subscribers, U32(PacketStreamDescriptionLayout.SubscribersOffset));
        Assert.Equal(stream.Head, U64(PacketStreamDescriptionLayout.HeadOffset));
        Assert.Equal(stream.Oldest, U64(PacketStreamDescriptionLayout.OldestOffset));
        Assert.Equal(stream.ByteCapacity, U64(PacketStreamDescriptionLayout.ByteCapacityOffset));
        Assert.Equal(stream.BufferedTime, U64(PacketStreamDescriptionLayout.BufferedTimeOffset));
        Assert.Equal(stream.Refused, U64(PacketStreamDescriptionLayout.RefusedOffset));
        Assert.Equal(stream.Evicted, U64(PacketStreamDescriptionLayout.EvictedOffset));

        TrackDescription track = Samples.PacketWelcome.Tracks[1];
        value = Tlv.ValueOf(Tlv.Split(Payload(Samples.PacketWelcome)).Last(tlv => Tlv.TypeOf(tlv) == TlvType.Track));
        Assert.Equal(TrackDescriptionLayout.Size, value.Length);
        Assert.Equal((uint)track.Track, U32(TrackDescriptionLayout.TrackOffset));
        Assert.Equal((uint)track.Kind, U32(TrackDescriptionLayout.KindOffset));
        Assert.Equal((uint)track.Codec, U32(TrackDescriptionLayout.CodecOffset));
        Assert.Equal((uint)track.SampleRate, U32(TrackDescriptionLayout.SampleRateOffset));
        Assert.Equal((uint)track.Channels, U32(TrackDescriptionLayout.ChannelsOffset));
        Assert.Equal(track.Packets, U64(TrackDescriptionLayout.PacketsOffset));
        Assert.Equal("deu\0\0\0\0\0"u8, value.AsSpan(TrackDescriptionLayout.LanguageOffset, 8));
        Assert.Equal("aac\0"u8, value.AsSpan(TrackDescriptionLayout.CodecNameOffset, 4));
        track = Samples.PacketWelcome.Tracks[0];
        value = Tlv.ValueOf(Tlv.Split(Payload(Samples.PacketWelcome)).First(tlv => Tlv.TypeOf(tlv) == TlvType.Track));
        Assert.Equal((uint)track.Width, U32(TrackDescriptionLayout.WidthOffset));
        Assert.Equal((uint)track.Height, U32(TrackDescriptionLayout.HeightOffset));
        Assert.Equal((uint)track.FrameRateNumerator, U32(TrackDescriptionLayout.FrameRateNumeratorOffset));
        Assert.Equal((uint)track.FrameRateDenominator, U32(TrackDescriptionLayout.FrameRateDenominatorOffset));

        uint U32(int offset) => BinaryPrimitives.ReadUInt32LittleEndian(value.AsSpan(offset));
        ulong U64(int offset) => BinaryPrimitives.ReadUInt64LittleEndian(value.AsSpan(offset));
    }

    public static TheoryData<string, int, uint> Excesses => new()
    {
        { nameof(TlvType.PacketStream), PacketStreamDescriptionLayout.TracksOffset, PacketBlockLayout.TrackCapacity + 1 },
        { nameof(TlvType.PacketStream), PacketStreamDescriptionLayout.TracksOffset, 1 },
        { nameof(TlvType.PacketStream), PacketStreamDescriptionLayout.SubscribersOffset, 1u << 31 },
        { nameof(TlvType.Track), TrackDescriptionLayout.TrackOffset, 1 },
        { nameof(TlvType.Track), TrackDescriptionLayout.TrackOffset, PacketBlockLayout.TrackCapacity },
        { nameof(TlvType.Track), TrackDescriptionLayout.WidthOffset, Wire.MaxDimension + 1 },
        { nameof(TlvType.Track), TrackDescriptionLayout.HeightOffset, uint.MaxValue },
        { nameof(TlvType.Track), TrackDescriptionLayout.ChannelsOffset, 256 },
        { nameof(TlvType.Track), TrackDescriptionLayout.SampleRateOffset, 1u << 31 },
        { nameof(TlvType.Track), TrackDescriptionLayout.CodecNameOffset, 0x07636161 },
        { nameof(TlvType.Track), TrackDescriptionLayout.LanguageOffset, 0xFFFFFFFF },
    };

    [Theory]
    [MemberData(nameof(Excesses))]
    public void Values_above_their_limits_are_refused(string tlv, int offset, uint value)
    {
        byte[][] tlvs = [.. Tlv.Split(Payload(Samples.PacketWelcome))];
        byte[] changed = tlvs.First(candidate => Tlv.TypeOf(candidate).ToString() == tlv);
        BinaryPrimitives.WriteUInt32LittleEndian(changed.AsSpan(TlvHeaderLayout.Size + offset), value);
        Assert.Equal(ErrorCode.ProtocolError, Refusal.Of(() => PacketWelcomeMessage.Read(Tlv.Join(tlvs))).Code);
    }

    [Fact]
    public void Frames_and_packets_are_told_apart()
    {
        Assert.Equal(ErrorCode.UnsupportedTlv, Refusal.Of(() => WelcomeMessage.Read(Payload(Samples.PacketWelcome))).Code);
        Assert.Equal(ErrorCode.UnsupportedTlv, Refusal.Of(() => PacketWelcomeMessage.Read(
            Samples.Welcome.Write(new byte[2048], 1)[MessageHeaderLayout.Size..])).Code);
        Assert.Equal(ErrorCode.ProtocolError, Refusal.Of(() => PacketWelcomeMessage.Read(
            (Samples.Welcome with { Start = null }).Write(new byte[2048], 1)[MessageHeaderLayout.Size..])).Code);
        Assert.True(HelloMessage.Read((Samples.Hello with { IsForPackets = true }).Write(new byte[1024])[MessageHeaderLayout.Size..]).IsForPackets);
        Assert.False(HelloMessage.Read(Samples.Hello.Write(new byte[1024])[MessageHeaderLayout.Size..]).IsForPackets);
    }

    private static byte[] Payload(PacketWelcomeMessage welcome) => welcome.Write(new byte[4096], 1)[MessageHeaderLayout.Size..].ToArray();
}
