namespace CuFrames.Protocol.Tests;

public sealed class TlvReaderTests
{
    [Fact]
    public void An_empty_payload_has_no_tlv() => Assert.False(new TlvReader([]).Next());

    [Fact]
    public void Tlvs_come_in_order_without_their_padding()
    {
        byte[] payload = Tlv.Join(
            Tlv.Raw(3, 0, 5, (byte)'h', (byte)'e', (byte)'l', (byte)'l', (byte)'o', 0xAA, 0xBB, 0xCC),
            Tlv.Raw(9, 0x8000, 0),
            Tlv.Of(TlvType.Features, 0x0123456789ABCDEFUL));
        TlvReader reader = new(payload);

        Assert.True(reader.Next());
        Assert.Equal(TlvType.Program, reader.Type);
        Assert.False(reader.MustUnderstand);
        Assert.Equal("hello"u8.ToArray(), reader.Value.ToArray());
        Assert.Equal("hello", reader.ReadString(5));

        Assert.True(reader.Next());
        Assert.Equal(TlvType.Probe, reader.Type);
        Assert.True(reader.MustUnderstand);
        Assert.True(reader.Value.IsEmpty);

        Assert.True(reader.Next());
        Assert.Equal(TlvType.Features, reader.Type);
        Assert.Equal(0x0123456789ABCDEFUL, reader.ReadUInt64());
        Assert.Equal(0x89ABCDEFu, reader.ReadUInt32());

        Assert.False(reader.Next());
        Assert.False(reader.Next());
    }

    [Theory]
    [InlineData(1)]
    [InlineData(4)]
    [InlineData(7)]
    public void Stray_bytes_after_the_last_tlv_are_refused(int stray)
    {
        byte[] payload = Tlv.Join(Tlv.Of(TlvType.Epoch, 1UL), new byte[stray]);
        AssertRefused(ErrorCode.ProtocolError, () =>
        {
            TlvReader reader = new(payload);
            Assert.True(reader.Next());
            reader.Next();
        });
    }

    [Theory]
    [InlineData(0, 1u)]
    [InlineData(8, 9u)]
    [InlineData(8, 16u)]
    [InlineData(8, 0x7FFFFFF8u)]
    [InlineData(8, 0x7FFFFFFFu)]
    [InlineData(8, 0x80000000u)]
    [InlineData(8, 0xFFFFFFF8u)]
    [InlineData(8, 0xFFFFFFFFu)]
    [InlineData(5, 5u)]
    [InlineData(7, 1u)]
    public void A_tlv_that_reaches_past_the_payload_is_refused(int room, uint length) => AssertRefused(ErrorCode.ProtocolError,
        () => new TlvReader(Tlv.Raw(3, 0, length, new byte[room])).Next());

    /// <summary>Where the refusal would be missed, what the reader hands out would lie outside of the payload.</summary>
    [Fact]
    public void A_value_always_lies_in_the_payload()
    {
        byte[] memory = new byte[64];
        for (int length = 0; length <= 48; length++)
        {
            for (int room = 0; room <= 40; room++)
            {
                Tlv.Raw(3, 0, (uint)length).CopyTo(memory, 8);
                TlvReader reader = new(memory.AsSpan(8, 8 + room));
                bool fits = (length + 7) / 8 * 8 <= room;
                try
                {
                    Assert.True(reader.Next());
                    Assert.True(fits, $"{length} bytes were found in a room of {room}.");
                    Assert.Equal(length, reader.Value.Length);
                }
                catch (ProtocolException)
                {
                    Assert.False(fits, $"{length} bytes were refused in a room of {room}.");
                }
            }
        }
    }

    [Fact]
    public void Flags_other_than_bit_15_are_ignored()
    {
        TlvReader reader = new(Tlv.Raw(40, 0x7FFF, 0));
        Assert.True(reader.Next());
        Assert.False(reader.MustUnderstand);
        reader.SkipUnknown();
    }

    [Fact]
    public void An_unknown_tlv_that_must_be_understood_is_refused() => AssertRefused(ErrorCode.UnsupportedTlv, () =>
    {
        TlvReader reader = new(Tlv.Raw(40, 0x8000, 0));
        Assert.True(reader.Next());
        reader.SkipUnknown();
    });

    [Fact]
    public void Each_known_type_is_marked_for_itself()
    {
        byte[] payload = Tlv.Join(Enum.GetValues<TlvType>().Select(type => Tlv.Of(type)));
        TlvReader reader = new(payload);
        while (reader.Next())
        {
            reader.RequireFirst();
        }
    }

    [Fact]
    public void A_type_that_appears_twice_is_refused() => Assert.All(Enum.GetValues<TlvType>(), type => AssertRefused(ErrorCode.ProtocolError, () =>
    {
        TlvReader reader = new(Tlv.Join(Tlv.Of(type), Tlv.Of(type)));
        Assert.True(reader.Next());
        reader.RequireFirst();
        Assert.True(reader.Next());
        reader.RequireFirst();
    }));

    [Fact]
    public void A_value_longer_than_its_layout_is_cut()
    {
        TlvReader reader = new(Tlv.Of(TlvType.Leases, 1, 2, 3, 4, 5, 6, 7, 8, 9));
        Assert.True(reader.Next());
        Assert.Equal([1, 2, 3, 4], reader.ReadLayout(4).ToArray());
        Assert.Equal(0x04030201u, reader.ReadUInt32());
        Assert.Equal(0x0807060504030201UL, reader.ReadUInt64());
        Assert.True(reader.ReadLayout(0).IsEmpty);
    }

    [Fact]
    public void A_value_shorter_than_its_layout_is_refused()
    {
        AssertRefused(ErrorCode.ProtocolError, () => First(3).ReadUInt32());
        AssertRefused(ErrorCode.ProtocolError, () => First(7).ReadUInt64());
        AssertRefused(ErrorCode.ProtocolError, () => First(0).ReadLayout(1));

        static TlvReader First(int length)
        {
            TlvReader reader = new(Tlv.Of(TlvType.Leases, new byte[length]));
            reader.Next();
            return reader;
        }
    }

    [Theory]
    [InlineData("", 0)]
    [InlineData("abc", 3)]
    [InlineData("grüße", 7)]
    [InlineData("\0", 1)]
    [InlineData("\U0001F4F7", 4)]
    public void Text_up_to_the_limit_is_read(string text, int limit)
    {
        TlvReader reader = new(Tlv.Of(TlvType.Program, text));
        Assert.True(reader.Next());
        Assert.Equal(text, reader.ReadString(limit));
    }

    [Fact]
    public void Text_above_the_limit_is_refused() => AssertRefused(ErrorCode.ProtocolError, () =>
    {
        TlvReader reader = new(Tlv.Of(TlvType.Program, "abcd"));
        Assert.True(reader.Next());
        reader.ReadString(3);
    });

    [Theory]
    [InlineData(0xFF)]
    [InlineData(0x80)]
    [InlineData(0xC3)]
    [InlineData(0xC0, 0xAF)]
    [InlineData(0xED, 0xA0, 0x80)]
    [InlineData(0xF4, 0x90, 0x80, 0x80)]
    [InlineData(0x61, 0xE2, 0x82)]
    public void Text_that_is_no_utf8_is_refused(params int[] bytes) => AssertRefused(ErrorCode.ProtocolError, () =>
    {
        TlvReader reader = new(Tlv.Of(TlvType.Program, [.. bytes.Select(b => (byte)b)]));
        Assert.True(reader.Next());
        reader.ReadString(64);
    });

    [Fact]
    public void Walking_allocates_nothing()
    {
        byte[] payload = Tlv.Join(Enumerable.Range(1, 22).Select(type => Tlv.Of((TlvType)type, (ulong)type)));
        ulong sum = Walk(payload);
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 1000; i++)
        {
            sum += Walk(payload);
        }

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
        Assert.Equal(1001UL * 253 * 2, sum);

        static ulong Walk(byte[] payload)
        {
            ulong sum = 0;
            TlvReader reader = new(payload);
            while (reader.Next())
            {
                reader.RequireFirst();
                reader.SkipUnknown();
                sum += reader.ReadUInt64() + reader.ReadUInt32() + (ulong)(reader.ReadLayout(8).Length - reader.Value.Length);
            }

            return sum;
        }
    }

    [Fact]
    public void Refusals_are_sentences() => Assert.All([
        Refusal.Of(() => new TlvReader(new byte[3]).Next()),
        Refusal.Of(() => new TlvReader(Tlv.Raw(3, 0, 9, new byte[8])).Next()),
    ], error => Assert.Matches(@"^[A-Z].*\.$", error.Message));

    private static void AssertRefused(ErrorCode code, Action action) => Assert.Equal(code, Refusal.Of(action).Code);
}
