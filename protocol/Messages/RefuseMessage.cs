using System.Buffers.Binary;

namespace CuFrames.Protocol.Messages;

/// <summary>REFUSE, BYE and the reason in NOTICE: a code and a sentence (docs/protocol.md 3.5, 9).</summary>
/// <param name="Code">Why.</param>
/// <param name="Text">A sentence that a person can act on.</param>
public sealed record RefuseMessage(ErrorCode Code, string Text)
{
    /// <summary>Reads the payload of a BYE, where code and text may be missing.</summary>
    /// <param name="payload">The bytes after the header.</param>
    /// <exception cref="ProtocolException">The payload breaks the protocol.</exception>
    public static RefuseMessage Read(ReadOnlySpan<byte> payload) => Read(payload, isRefuse: false);

    /// <summary>Reads the payload of a REFUSE.</summary>
    /// <param name="payload">The bytes after the header.</param>
    /// <exception cref="ProtocolException">The payload breaks the protocol.</exception>
    public static RefuseMessage ReadRefuse(ReadOnlySpan<byte> payload) => Read(payload, isRefuse: true);

    /// <summary>Writes a REFUSE. With VERSION_MISMATCH it carries the range of versions spoken here.</summary>
    /// <param name="buffer">Room for it.</param>
    /// <param name="correlationId">The HELLO's.</param>
    /// <param name="version">The version in the header.</param>
    /// <returns>The message, in the buffer.</returns>
    public ReadOnlySpan<byte> WriteRefuse(Span<byte> buffer, uint correlationId, byte version = Wire.Version)
    {
        TlvWriter writer = new(buffer, MessageType.Refuse, correlationId, version);
        writer.Add(TlvType.ErrorCode, (uint)Code);
        writer.Add(TlvType.ErrorText, Text, Wire.MaxTextLength);
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

    private static RefuseMessage Read(ReadOnlySpan<byte> payload, bool isRefuse)
    {
        TlvReader reader = new(payload);
        RefuseMessage message = new(ErrorCode.None, "");
        bool hasCode = false, hasText = false;
        while (reader.Next())
        {
            switch (reader.Type)
            {
                case TlvType.ErrorCode:
                    reader.RequireFirst();
                    message = message with { Code = (ErrorCode)reader.ReadUInt32() };
                    hasCode = true;
                    break;
                case TlvType.ErrorText:
                    reader.RequireFirst();
                    message = message with { Text = reader.ReadString(Wire.MaxTextLength) };
                    hasText = true;
                    break;
                case TlvType.VersionRange when isRefuse:
                    reader.RequireFirst();
                    reader.ReadLayout(4);
                    break;
                default:
                    reader.SkipUnknown();
                    break;
            }
        }

        return (hasCode && hasText) || !isRefuse
            ? message
            : throw new ProtocolException(ErrorCode.ProtocolError, "REFUSE lacks ERROR_CODE or ERROR_TEXT.");
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
