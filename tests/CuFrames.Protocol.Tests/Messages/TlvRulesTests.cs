using System.Buffers.Binary;

namespace CuFrames.Protocol.Tests.Messages;

/// <summary>What docs/protocol.md 2.6 demands of every message, tried on each one.</summary>
public sealed class TlvRulesTests
{
    private static readonly TlvType[] Texts = [TlvType.Program, TlvType.StreamKey, TlvType.Source, TlvType.ErrorText, TlvType.StateText];

    public static TheoryData<string> Names => Samples.Names;

    [Theory]
    [MemberData(nameof(Names))]
    public void What_is_written_is_read(string name)
    {
        Sample sample = Samples.Get(name);
        byte[] again = sample.Rewrite(sample.Payload);
        Assert.Equal(sample.Payload, again[MessageHeaderLayout.Size..]);
        Assert.Equal((uint)sample.Payload.Length, MessageHeader.Read(again).PayloadLength);
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void The_order_of_tlvs_does_not_matter(string name)
    {
        Sample sample = Samples.Get(name);

        // Repeated ones keep their order among themselves: it is the order of preference.
        byte[][] reversed = [.. sample.Tlvs.Where(tlv => Tlv.TypeOf(tlv) != TlvType.Domain).Reverse(), .. sample.Tlvs.Where(tlv => Tlv.TypeOf(tlv) == TlvType.Domain)];
        Assert.Equal(sample.Read(sample.Payload), sample.Read(Tlv.Join(reversed)));
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Each_tlv_counts_and_only_required_ones_are_required(string name)
    {
        Sample sample = Samples.Get(name);
        string whole = sample.Read(sample.Payload);
        foreach (byte[] tlv in sample.Tlvs)
        {
            byte[] without = Tlv.Join(sample.Tlvs.Where(other => other != tlv));
            if (sample.Required.Contains(Tlv.TypeOf(tlv)))
            {
                Assert.Equal(ErrorCode.ProtocolError, Refusal.Of(() => sample.Read(without)).Code);
            }
            else
            {
                string read = sample.Read(without);

                // The range in a REFUSE is for people who read a packet dump.
                Assert.True(read != whole || (name, Tlv.TypeOf(tlv)) is ("REFUSE", TlvType.VersionRange),
                    $"{name} reads the same without {Tlv.TypeOf(tlv)}.");
            }
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void A_tlv_that_appears_twice_is_refused(string name)
    {
        Sample sample = Samples.Get(name);
        foreach (byte[] tlv in sample.Tlvs.Where(tlv => Tlv.TypeOf(tlv) != TlvType.Domain))
        {
            byte[] twice = Tlv.Join([.. sample.Tlvs, tlv]);
            Assert.Equal(ErrorCode.ProtocolError, Refusal.Of(() => sample.Read(twice)).Code);
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void A_value_shorter_than_its_layout_is_refused(string name)
    {
        Sample sample = Samples.Get(name);
        foreach (byte[] tlv in sample.Tlvs.Where(tlv => !Texts.Contains(Tlv.TypeOf(tlv))))
        {
            for (int length = 0; length < Tlv.ValueOf(tlv).Length; length++)
            {
                byte[] cut = Tlv.Of(Tlv.TypeOf(tlv), Tlv.ValueOf(tlv)[..length]);
                byte[] payload = Tlv.Join(sample.Tlvs.Select(other => other == tlv ? cut : other));
                Assert.Equal(ErrorCode.ProtocolError, Refusal.Of(() => sample.Read(payload)).Code);
            }
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void A_value_longer_than_its_layout_is_accepted(string name)
    {
        Sample sample = Samples.Get(name);
        string expected = sample.Read(sample.Payload);
        foreach (byte[] tlv in sample.Tlvs.Where(tlv => !Texts.Contains(Tlv.TypeOf(tlv))))
        {
            foreach (int more in (int[])[1, 7, 8, 9, 100])
            {
                byte[] longer = Tlv.Of(Tlv.TypeOf(tlv), [.. Tlv.ValueOf(tlv), .. Enumerable.Repeat((byte)0xEE, more)]);
                byte[] payload = Tlv.Join(sample.Tlvs.Select(other => other == tlv ? longer : other));
                Assert.Equal(expected, sample.Read(payload));
            }
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Text_that_is_too_long_or_no_utf8_is_refused(string name)
    {
        Sample sample = Samples.Get(name);
        foreach (byte[] tlv in sample.Tlvs.Where(tlv => Texts.Contains(Tlv.TypeOf(tlv))))
        {
            int limit = Tlv.TypeOf(tlv) switch
            {
                TlvType.Program => Wire.MaxProgramLength,
                TlvType.StreamKey => 129,
                _ => Wire.MaxTextLength,
            };
            byte[] fits = [.. Enumerable.Repeat((byte)'a', limit)];
            if (Tlv.TypeOf(tlv) == TlvType.StreamKey)
            {
                fits[64] = (byte)'@';
            }

            sample.Read(With(fits));
            Assert.Equal(ErrorCode.ProtocolError, Refusal.Of(() => sample.Read(With([.. fits, (byte)'a']))).Code);
            Assert.Equal(ErrorCode.ProtocolError, Refusal.Of(() => sample.Read(With([(byte)'a', 0xC3]))).Code);

            byte[] With(byte[] value) => Tlv.Join(sample.Tlvs.Select(other => other == tlv ? Tlv.Of(Tlv.TypeOf(tlv), value) : other));
        }
    }

    /// <summary>A TLV that the message does not have counts as unknown, also where another message has it.</summary>
    [Theory]
    [MemberData(nameof(Names))]
    public void Unknown_tlvs_are_skipped_unless_they_must_be_understood(string name)
    {
        Sample sample = Samples.Get(name);
        string expected = sample.Read(sample.Payload);
        HashSet<int> known = [.. sample.Tlvs.Select(tlv => (int)Tlv.TypeOf(tlv))];
        if (name.StartsWith("HELLO", StringComparison.Ordinal))
        {
            known = [1, 2, 3, 4, 5, 6, 7, 8, 9, 24];
        }

        int outOfPlace = 0;
        foreach (int type in (int[])[0, .. Enumerable.Range(1, 30), 64, 65, 0x7FFF, 0x8000, 0xFFFF])
        {
            if (known.Contains(type))
            {
                continue;
            }

            outOfPlace++;
            byte[] optional = Tlv.Raw(type, 0x7FFF, 3, 1, 2, 3, 0, 0, 0, 0, 0);
            byte[] demanded = Tlv.Raw(type, 0x8000, 3, 1, 2, 3, 0, 0, 0, 0, 0);
            for (int at = 0; at <= sample.Tlvs.Length; at++)
            {
                Assert.Equal(expected, sample.Read(Tlv.Join([.. sample.Tlvs[..at], optional, optional, .. sample.Tlvs[at..]])));
                byte[] payload = Tlv.Join([.. sample.Tlvs[..at], demanded, .. sample.Tlvs[at..]]);
                Assert.Equal(ErrorCode.UnsupportedTlv, Refusal.Of(() => sample.Read(payload)).Code);
            }
        }

        Assert.InRange(outOfPlace, 20, 36);
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Known_tlvs_may_carry_must_understand(string name)
    {
        Sample sample = Samples.Get(name);
        byte[] payload = Tlv.Join(sample.Tlvs.Select(tlv => (byte[])tlv.Clone()).Select(tlv =>
        {
            BinaryPrimitives.WriteUInt16LittleEndian(tlv.AsSpan(2), 0xFFFF);
            return tlv;
        }));
        Assert.Equal(sample.Read(sample.Payload), sample.Read(payload));
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void A_payload_that_ends_too_early_is_refused_or_lacks_whole_tlvs(string name)
    {
        Sample sample = Samples.Get(name);
        byte[] payload = sample.Payload;
        HashSet<int> borders = [];
        int end = 0;
        foreach (byte[] tlv in sample.Tlvs)
        {
            borders.Add(end);
            end += tlv.Length;
        }

        for (int length = 0; length < payload.Length; length++)
        {
            if (!borders.Contains(length))
            {
                Assert.Equal(ErrorCode.ProtocolError, Refusal.Of(() => sample.Read(payload[..length])).Code);
            }
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Nothing_but_a_protocol_error_comes_of_a_flipped_bit(string name)
    {
        Sample sample = Samples.Get(name);
        for (int bit = 0; bit < sample.Payload.Length * 8; bit++)
        {
            byte[] payload = sample.Payload;
            payload[bit / 8] ^= (byte)(1 << (bit % 8));
            try
            {
                Assert.NotEqual("", sample.Read(payload));
            }
            catch (ProtocolException error)
            {
                Assert.Contains(error.Code, (ErrorCode[])[ErrorCode.ProtocolError, ErrorCode.UnsupportedTlv, ErrorCode.SegmentInvalid]);
            }
        }
    }
}
