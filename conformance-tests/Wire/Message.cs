using System.Buffers.Binary;
using System.Text;
using CuFrames.Conformance.Spec;

namespace CuFrames.Conformance.Wire;

/// <summary>A message, read strictly: header (2.5), TLVs (2.6), what belongs in it (2.8 and the message's own paragraph).</summary>
internal sealed class Message
{
    private static readonly UTF8Encoding StrictUtf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    private readonly List<Tlv> _tlvs = [];

    private Message(MessageType type, byte version, uint correlation, int descriptorCount, bool isForPackets)
    {
        IsForPackets = isForPackets;
        Type = type;
        Version = version;
        Correlation = correlation;
        DescriptorCount = descriptorCount;
    }

    public MessageType Type { get; }

    /// <summary>Whether it was read by the rules of section 14.</summary>
    public bool IsForPackets { get; }

    public byte Version { get; }

    public uint Correlation { get; }

    public int DescriptorCount { get; }

    /// <summary>Builds a packet.</summary>
    public static byte[] Build(MessageType type, uint correlation, params byte[][] tlvs) =>
        Build(Limits.Version, (byte)type, correlation, tlvs);

    /// <summary>Builds a packet with any version and type in its header.</summary>
    public static byte[] Build(byte version, byte type, uint correlation, params byte[][] tlvs)
    {
        byte[] packet = new byte[Limits.HeaderSize + tlvs.Sum(tlv => tlv.Length)];
        BinaryPrimitives.WriteUInt32LittleEndian(packet, Limits.MessageMagic);
        packet[4] = version;
        packet[5] = type;
        BinaryPrimitives.WriteUInt32LittleEndian(packet.AsSpan(8), (uint)(packet.Length - Limits.HeaderSize));
        BinaryPrimitives.WriteUInt32LittleEndian(packet.AsSpan(12), correlation);
        int position = Limits.HeaderSize;
        foreach (byte[] tlv in tlvs)
        {
            tlv.CopyTo(packet, position);
            position += tlv.Length;
        }

        return packet;
    }

    /// <summary>Reads a packet.</summary>
    /// <param name="packet">Its bytes.</param>
    /// <param name="descriptorCount">How many descriptors came with it.</param>
    /// <param name="isForPackets">Whether HELLO and WELCOME are those of section 14.</param>
    /// <exception cref="WireException">It breaks the document.</exception>
    public static Message Parse(ReadOnlySpan<byte> packet, int descriptorCount, bool isForPackets = false)
    {
        if (packet.Length is < Limits.HeaderSize or > Limits.MaxMessageSize)
        {
            throw new WireException(ErrorCode.PROTOCOL_ERROR, "2.5", $"a packet of {packet.Length} bytes");
        }

        uint magic = BinaryPrimitives.ReadUInt32LittleEndian(packet);
        uint length = BinaryPrimitives.ReadUInt32LittleEndian(packet[8..]);
        if (magic != Limits.MessageMagic)
        {
            throw new WireException(ErrorCode.PROTOCOL_ERROR, "2.5", $"the magic is 0x{magic:x8}");
        }

        if (length != packet.Length - Limits.HeaderSize)
        {
            throw new WireException(ErrorCode.PROTOCOL_ERROR, "2.5", $"payload_length is {length} in a packet of {packet.Length} bytes");
        }

        var type = (MessageType)packet[5];
        if (!Enum.IsDefined(type))
        {
            throw new WireException(ErrorCode.PROTOCOL_ERROR, "2.7", $"the message type is {packet[5]}");
        }

        var message = new Message(type, packet[4], BinaryPrimitives.ReadUInt32LittleEndian(packet[12..]), descriptorCount, isForPackets);
        message.ReadTlvs(packet[Limits.HeaderSize..]);
        message.CheckPresence();
        message.CheckDescriptors();
        return message;
    }

    public bool Has(TlvType type) => _tlvs.Exists(tlv => tlv.Type == (ushort)type);

    public IEnumerable<Tlv> All(TlvType type) => _tlvs.Where(tlv => tlv.Type == (ushort)type);

    /// <summary>A TLV that the message must carry.</summary>
    public Tlv Get(TlvType type) => Has(type)
        ? _tlvs.Find(tlv => tlv.Type == (ushort)type)
        : throw new WireException(ErrorCode.PROTOCOL_ERROR, MessageRules.Paragraph(Type, IsForPackets), $"{Type} does not carry {type}");

    public uint UInt32(TlvType type) => Get(type).UInt32;

    public ulong UInt64(TlvType type) => Get(type).UInt64;

    public string Text(TlvType type) => StrictUtf8.GetString(Get(type).Value);

    /// <summary>The code that the message carries, or NONE.</summary>
    public ErrorCode Error => Has(TlvType.ERROR_CODE) ? (ErrorCode)UInt32(TlvType.ERROR_CODE) : ErrorCode.NONE;

    public override string ToString()
    {
        var text = new StringBuilder(Type.ToString());
        if (Type == MessageType.NOTICE)
        {
            text.Append(' ').Append((NoticeKind)UInt32(TlvType.NOTICE_KIND));
        }

        if (Has(TlvType.ERROR_CODE))
        {
            text.Append(' ').Append(Error);
        }

        if (Has(TlvType.ERROR_TEXT))
        {
            text.Append(" \"").Append(Text(TlvType.ERROR_TEXT)).Append('"');
        }

        return text.ToString();
    }

    private void ReadTlvs(ReadOnlySpan<byte> payload)
    {
        while (!payload.IsEmpty)
        {
            if (payload.Length < Limits.TlvHeadSize)
            {
                throw new WireException(ErrorCode.PROTOCOL_ERROR, "2.6", $"{payload.Length} bytes are left for the head of a TLV");
            }

            ushort type = BinaryPrimitives.ReadUInt16LittleEndian(payload);
            ushort flags = BinaryPrimitives.ReadUInt16LittleEndian(payload[2..]);
            ulong length = BinaryPrimitives.ReadUInt32LittleEndian(payload[4..]);
            ulong padded = (length + 7) & ~7UL;
            if (padded > (ulong)(payload.Length - Limits.TlvHeadSize))
            {
                throw new WireException(ErrorCode.PROTOCOL_ERROR, "2.6",
                    $"TLV {type} of {length} bytes, padded to {padded}, reaches past the payload");
            }

            Keep(new Tlv(type, flags, payload.Slice(Limits.TlvHeadSize, (int)length).ToArray()));
            payload = payload[(Limits.TlvHeadSize + (int)padded)..];
        }
    }

    private void Keep(Tlv tlv)
    {
        var type = (TlvType)tlv.Type;
        if (!MessageRules.Knows(Type, type, IsForPackets))
        {
            if (tlv.MustUnderstand)
            {
                throw new WireException(ErrorCode.UNSUPPORTED_TLV, "2.6", $"{Type} carries TLV {tlv.Type} with must-understand");
            }

            return;
        }

        if (Has(type) && !MessageRules.Repeats(type))
        {
            throw new WireException(ErrorCode.PROTOCOL_ERROR, "2.6", $"{Type} carries {type} twice");
        }

        if (tlv.Value.Length < MessageRules.SmallestValue(type))
        {
            throw new WireException(ErrorCode.PROTOCOL_ERROR, "2.6",
                $"{type} has {tlv.Value.Length} bytes instead of {MessageRules.SmallestValue(type)}");
        }

        if (MessageRules.LongestText(type) is { } longest)
        {
            if (tlv.Value.Length > longest)
            {
                throw new WireException(ErrorCode.PROTOCOL_ERROR, "2.8", $"{type} has {tlv.Value.Length} bytes, {longest} at most");
            }

            try
            {
                _ = StrictUtf8.GetString(tlv.Value);
            }
            catch (DecoderFallbackException)
            {
                throw new WireException(ErrorCode.PROTOCOL_ERROR, "2.6", $"{type} is no UTF-8");
            }
        }

        _tlvs.Add(tlv);
    }

    private void CheckPresence()
    {
        foreach (TlvType required in MessageRules.Required(this))
        {
            _ = Get(required);
        }
    }

    private void CheckDescriptors()
    {
        bool right = Type switch
        {
            MessageType.WELCOME => DescriptorCount is 0 or 2,
            MessageType.SEGMENT => DescriptorCount == (IsCudaIpc() ? 0 : 1),
            _ => DescriptorCount == 0,
        };
        if (!right)
        {
            throw new WireException(ErrorCode.DESCRIPTOR_COUNT, "2.7", $"{Type} came with {DescriptorCount} descriptors");
        }
    }

    private bool IsCudaIpc() => BinaryPrimitives.ReadUInt32LittleEndian(
        Get(TlvType.SEGMENT).Value.AsSpan(Layout.SegmentDescription.HandleKind)) == Limits.HandleCudaIpc;
}
