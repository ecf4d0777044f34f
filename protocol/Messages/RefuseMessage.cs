using System.Buffers.Binary;

namespace CuFrames.Protocol.Messages;

/// <summary>REFUSE, BYE and the reason in NOTICE: a code and a sentence (docs/protocol.md 3.5, 9).</summary>
/// <param name="Code">Why.</param>
/// <param name="Text">A sentence that a person can act on.</param>
public sealed record RefuseMessage(ErrorCode Code, string Text)
{
    /// <summary>Reads the payload of a REFUSE or BYE.</summary>
    /// <param name="payload">The bytes after the header.</param>
    /// <exception cref="ProtocolException">The payload breaks the protocol.</exception>
    public static RefuseMessage Read(ReadOnlySpan<byte> payload)
    {
        TlvReader reader = new(payload);
        RefuseMessage message = new(ErrorCode.None, "");
        while (reader.Next())
        {
            switch (reader.Type)
            {
                case TlvType.ErrorCode:
                    reader.RequireFirst();
                    message = message with { Code = (ErrorCode)reader.ReadUInt32() };
                    break;
                case TlvType.ErrorText:
                    reader.RequireFirst();
                    message = message with { Text = reader.ReadString(Wire.MaxTextLength) };
                    break;
                case TlvType.VersionRange:
                    reader.RequireFirst();
                    reader.ReadLayout(4);
                    break;
                default:
                    reader.SkipUnknown();
                    break;
            }
        }

        return message;
    }

    /// <summary>Writes a REFUSE. With VERSION_MISMATCH it carries the range of versions spoken here.</summary>
    /// <param name="buffer">Room for it.</param>
    /// <param name="correlationId">The HELLO's.</param>
    /// <param name="version">The version in the header.</param>
    /// <returns>The message, in the buffer.</returns>
    public ReadOnlySpan<byte> WriteRefuse(Span<byte> buffer, uint correlationId, byte version = Wire.Version)
    {
        TlvWriter writer = new(buffer, MessageType.Refuse, correlationId, version);
        WriteReason(ref writer);
        if (Code == ErrorCode.VersionMismatch)
        {
            Span<byte> range = writer.Add(TlvType.VersionRange, 4, mustUnderstand: false);
            BinaryPrimitives.WriteUInt16LittleEndian(range, Wire.Version);
            BinaryPrimitives.WriteUInt16LittleEndian(range[2..], Wire.Version);
        }

        return writer.Finish();
    }

    /// <summary>Writes a BYE.</summary>
    /// <param name="buffer">Room for it.</param>
    /// <returns>The message, in the buffer.</returns>
    public ReadOnlySpan<byte> WriteBye(Span<byte> buffer)
    {
        TlvWriter writer = new(buffer, MessageType.Bye);
        WriteReason(ref writer);
        return writer.Finish();
    }

    internal void WriteReason(ref TlvWriter writer)
    {
        if (Code != ErrorCode.None)
        {
            writer.Add(TlvType.ErrorCode, (uint)Code);
        }

        if (Text.Length > 0)
        {
            writer.Add(TlvType.ErrorText, Text, Wire.MaxTextLength);
        }
    }
}
