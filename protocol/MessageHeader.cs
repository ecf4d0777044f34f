using System.Buffers.Binary;

namespace CuFrames.Protocol;

/// <summary>The header of a message (docs/protocol.md 2.5).</summary>
/// <param name="Version">The protocol's major version.</param>
/// <param name="Type">What the message is.</param>
/// <param name="PayloadLength">Bytes after the header.</param>
/// <param name="CorrelationId">Repeated in the answer.</param>
public readonly record struct MessageHeader(byte Version, MessageType Type, uint PayloadLength, uint CorrelationId)
{
    /// <summary>Reads and checks the header of a packet.</summary>
    /// <param name="packet">A whole packet as it was received.</param>
    /// <exception cref="ProtocolException">The packet is too short or too long, the magic is wrong, or the length does not fit.</exception>
    public static MessageHeader Read(ReadOnlySpan<byte> packet)
    {
        if (packet.Length is < MessageHeaderLayout.Size or > Wire.MaxMessageSize)
        {
            throw new ProtocolException(ErrorCode.ProtocolError,
                $"A message has {packet.Length} bytes; {MessageHeaderLayout.Size} to {Wire.MaxMessageSize} are allowed.");
        }

        uint magic = BinaryPrimitives.ReadUInt32LittleEndian(packet[MessageHeaderLayout.MagicOffset..]);
        if (magic != Wire.MessageMagic)
        {
            throw new ProtocolException(ErrorCode.ProtocolError,
                $"A message begins with 0x{magic:x8} instead of 0x{Wire.MessageMagic:x8}: the peer does not speak CuFrames.");
        }

        uint length = BinaryPrimitives.ReadUInt32LittleEndian(packet[MessageHeaderLayout.PayloadLengthOffset..]);
        if (length != packet.Length - MessageHeaderLayout.Size)
        {
            throw new ProtocolException(ErrorCode.ProtocolError,
                $"A message announces {length} bytes of payload and has {packet.Length - MessageHeaderLayout.Size}.");
        }

        return new MessageHeader(
            packet[MessageHeaderLayout.VersionOffset],
            (MessageType)packet[MessageHeaderLayout.TypeOffset],
            length,
            BinaryPrimitives.ReadUInt32LittleEndian(packet[MessageHeaderLayout.CorrelationIdOffset..]));
    }

    /// <summary>Writes the header.</summary>
    /// <param name="destination">At least 16 bytes.</param>
    public void Write(Span<byte> destination)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(destination[MessageHeaderLayout.MagicOffset..], Wire.MessageMagic);
        destination[MessageHeaderLayout.VersionOffset] = Version;
        destination[MessageHeaderLayout.TypeOffset] = (byte)Type;
        BinaryPrimitives.WriteUInt16LittleEndian(destination[MessageHeaderLayout.FlagsOffset..], 0);
        BinaryPrimitives.WriteUInt32LittleEndian(destination[MessageHeaderLayout.PayloadLengthOffset..], PayloadLength);
        BinaryPrimitives.WriteUInt32LittleEndian(destination[MessageHeaderLayout.CorrelationIdOffset..], CorrelationId);
    }
}
