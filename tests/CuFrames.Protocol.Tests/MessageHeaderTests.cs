using System.Buffers.Binary;

namespace CuFrames.Protocol.Tests;

public sealed class MessageHeaderTests
{
    [Theory]
    [InlineData(0)]
    [InlineData(8)]
    [InlineData(65520)]
    public void What_is_written_is_read(int payload)
    {
        byte[] packet = new byte[16 + payload];
        MessageHeader header = new(3, MessageType.Segment, (uint)payload, 0xDEADBEEF);
        header.Write(packet);
        Assert.Equal(header, MessageHeader.Read(packet));
    }

    [Fact]
    public void Flags_are_ignored_and_written_as_zero()
    {
        byte[] packet = new byte[16];
        packet.AsSpan().Fill(0xFF);
        MessageHeader header = new(1, MessageType.Bye, 0, 0);
        header.Write(packet);
        Assert.Equal(0, BinaryPrimitives.ReadUInt16LittleEndian(packet.AsSpan(6)));
        BinaryPrimitives.WriteUInt16LittleEndian(packet.AsSpan(6), 0xFFFF);
        Assert.Equal(header, MessageHeader.Read(packet));
    }

    [Fact]
    public void Short_and_long_packets_are_refused()
    {
        byte[] packet = new byte[65537];
        for (int length = 0; length < 16; length++)
        {
            new MessageHeader(1, MessageType.Bye, 0, 0).Write(packet);
            int cut = length;
            Assert.Equal(ErrorCode.ProtocolError, Refusal.Of(() => MessageHeader.Read(packet.AsSpan(0, cut))).Code);
        }

        new MessageHeader(1, MessageType.Bye, 65521, 0).Write(packet);
        Assert.Equal(ErrorCode.ProtocolError, Refusal.Of(() => MessageHeader.Read(packet)).Code);
    }

    [Fact]
    public void Every_wrong_bit_of_the_magic_is_refused() => Assert.All(Enumerable.Range(0, 32), bit =>
    {
        byte[] packet = new byte[16];
        new MessageHeader(1, MessageType.Bye, 0, 0).Write(packet);
        packet[bit / 8] ^= (byte)(1 << (bit % 8));
        Assert.Equal(ErrorCode.ProtocolError, Refusal.Of(() => MessageHeader.Read(packet)).Code);
    });

    [Theory]
    [InlineData(7u)]
    [InlineData(9u)]
    [InlineData(0u)]
    [InlineData(24u)]
    [InlineData(0x80000008u)]
    [InlineData(0xFFFFFFFFu)]
    public void A_length_other_than_the_packets_is_refused(uint announced)
    {
        byte[] packet = new byte[24];
        new MessageHeader(1, MessageType.Bye, announced, 0).Write(packet);
        Assert.Equal(ErrorCode.ProtocolError, Refusal.Of(() => MessageHeader.Read(packet)).Code);
    }
}
