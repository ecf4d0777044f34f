using System.Buffers.Binary;
using System.Text;

namespace CuFrames.Protocol.Tests;

public sealed class TlvWriterTests
{
    [Fact]
    public void A_message_is_header_and_padded_tlvs()
    {
        byte[] buffer = new byte[256];
        buffer.AsSpan().Fill(0xEE);
        TlvWriter writer = new(buffer, MessageType.Notice, 0x01020304, version: 7);
        writer.Add(TlvType.NoticeKind, 3u);
        writer.Add(TlvType.Epoch, 0x1122334455667788UL);
        writer.Add(TlvType.Program, "abc", 64);
        writer.Add(TlvType.Probe, 0, mustUnderstand: true);
        byte[] expected =
        [
            0x43, 0x55, 0x46, 0x52, 7, 8, 0, 0, 56, 0, 0, 0, 4, 3, 2, 1,
            21, 0, 0, 0, 4, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0,
            11, 0, 0, 0, 8, 0, 0, 0, 0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11,
            3, 0, 0, 0, 3, 0, 0, 0, 0x61, 0x62, 0x63, 0, 0, 0, 0, 0,
            9, 0, 0, 0x80, 0, 0, 0, 0,
        ];
        Assert.Equal(expected, writer.Finish().ToArray());
        Assert.Equal(0xEE, buffer[expected.Length]);
    }

    [Fact]
    public void What_is_written_is_read()
    {
        Random random = new(1);
        byte[] buffer = new byte[Wire.MaxMessageSize];
        for (int round = 0; round < 500; round++)
        {
            List<(TlvType Type, bool MustUnderstand, byte[] Value)> written = [];
            TlvWriter writer = new(buffer, MessageType.Bye);
            for (int i = random.Next(0, 20); i > 0; i--)
            {
                byte[] value = new byte[random.Next(0, 3) == 0 ? random.Next(0, 3000) : random.Next(0, 20)];
                random.NextBytes(value);
                bool mustUnderstand = random.Next(2) == 0;
                TlvType type = (TlvType)random.Next(0, 65536);
                value.CopyTo(writer.Add(type, value.Length, mustUnderstand));
                written.Add((type, mustUnderstand, value));
            }

            ReadOnlySpan<byte> message = writer.Finish();
            MessageHeader header = MessageHeader.Read(message);
            Assert.Equal(new MessageHeader(Wire.Version, MessageType.Bye, (uint)message.Length - 16, 0), header);
            TlvReader reader = new(message[MessageHeaderLayout.Size..]);
            foreach ((TlvType type, bool mustUnderstand, byte[] value) in written)
            {
                Assert.True(reader.Next());
                Assert.Equal(type, reader.Type);
                Assert.Equal(mustUnderstand, reader.MustUnderstand);
                Assert.Equal(value, reader.Value.ToArray());
            }

            Assert.False(reader.Next());
        }
    }

    [Fact]
    public void A_value_is_zeroed_when_it_is_handed_out()
    {
        byte[] buffer = new byte[64];
        buffer.AsSpan().Fill(0xEE);
        TlvWriter writer = new(buffer, MessageType.Bye);
        Assert.Equal(new byte[13], writer.Add(TlvType.Segment, 13).ToArray());
        Assert.Equal(new byte[3], buffer.AsSpan(16 + 8 + 13, 3).ToArray());
    }

    [Fact]
    public void The_largest_message_fits_and_no_larger_one()
    {
        byte[] buffer = new byte[Wire.MaxMessageSize];
        TlvWriter writer = new(buffer, MessageType.Bye);
        writer.Add(TlvType.Source, Wire.MaxMessageSize - MessageHeaderLayout.Size - TlvHeaderLayout.Size);
        Assert.Equal(Wire.MaxMessageSize, writer.Finish().Length);
        Assert.Equal((uint)Wire.MaxMessageSize - 16, MessageHeader.Read(writer.Finish()).PayloadLength);
        Assert.Throws<ArgumentException>(() =>
        {
            TlvWriter tooMuch = new(buffer, MessageType.Bye);
            tooMuch.Add(TlvType.Source, Wire.MaxMessageSize - MessageHeaderLayout.Size - TlvHeaderLayout.Size + 1);
        });
    }

    /// <summary>1 to 4 bytes a character; every limit from nothing to all.</summary>
    [Theory]
    [InlineData("abcdefgh")]
    [InlineData("äöüß")]
    [InlineData("a€b€c")]
    [InlineData("x\U0001F4F7y\U0001F3A5")]
    public void Text_is_cut_at_the_border_of_a_character(string text)
    {
        byte[] buffer = new byte[128];
        int full = Encoding.UTF8.GetByteCount(text);
        for (int limit = 0; limit <= full + 1; limit++)
        {
            TlvWriter writer = new(buffer, MessageType.Bye);
            writer.Add(TlvType.ErrorText, text, limit);
            TlvReader reader = new(writer.Finish()[MessageHeaderLayout.Size..]);
            Assert.True(reader.Next());
            string read = reader.ReadString(limit);
            Assert.StartsWith(read, text, StringComparison.Ordinal);
            Assert.InRange(reader.Value.Length, Math.Min(limit, full) - 3, limit);
            if (limit >= full)
            {
                Assert.Equal(text, read);
            }
        }
    }

    [Fact]
    public void Half_a_surrogate_is_written_as_the_replacement_character()
    {
        byte[] buffer = new byte[128];
        TlvWriter writer = new(buffer, MessageType.Bye);
        writer.Add(TlvType.ErrorText, "a\uD800", 64);
        TlvReader reader = new(writer.Finish()[MessageHeaderLayout.Size..]);
        Assert.True(reader.Next());
        Assert.Equal("a\uFFFD", reader.ReadString(64));
    }

    [Fact]
    public void Writing_numbers_allocates_nothing()
    {
        byte[] buffer = new byte[128];
        Write(buffer);
        long before = GC.GetAllocatedBytesForCurrentThread();
        int length = 0;
        for (int i = 0; i < 1000; i++)
        {
            length += Write(buffer);
        }

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
        Assert.Equal(1000 * 48, length);

        static int Write(byte[] buffer)
        {
            TlvWriter writer = new(buffer, MessageType.SegmentReady);
            writer.Add(TlvType.SegmentId, 4u);
            writer.Add(TlvType.Epoch, 4UL);
            return writer.Finish().Length;
        }
    }

    [Fact]
    public void Numbers_are_little_endian()
    {
        byte[] buffer = new byte[64];
        TlvWriter writer = new(buffer, MessageType.Bye);
        writer.Add(TlvType.Leases, 0x01020304u);
        Assert.Equal(0x01020304u, BinaryPrimitives.ReadUInt32LittleEndian(writer.Finish()[24..]));
    }
}
