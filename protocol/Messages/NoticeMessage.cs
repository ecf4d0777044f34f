namespace CuFrames.Protocol.Messages;

/// <summary>NOTICE: something happened to the source or to this subscriber (docs/protocol.md 9.1).</summary>
/// <param name="Kind">What happened.</param>
/// <param name="Code">Why, for <see cref="NoticeKind.Evicted"/>.</param>
/// <param name="Text">A sentence that a person can act on.</param>
public sealed record NoticeMessage(NoticeKind Kind, ErrorCode Code, string Text)
{
    /// <summary>Reads a payload.</summary>
    /// <param name="payload">The bytes after the header.</param>
    /// <exception cref="ProtocolException">The payload breaks the protocol.</exception>
    public static NoticeMessage Read(ReadOnlySpan<byte> payload)
    {
        TlvReader reader = new(payload);
        NoticeMessage message = new(0, ErrorCode.None, "");
        while (reader.Next())
        {
            switch (reader.Type)
            {
                case TlvType.NoticeKind:
                    reader.RequireFirst();
                    message = message with { Kind = (NoticeKind)reader.ReadUInt32() };
                    break;
                case TlvType.ErrorCode:
                    reader.RequireFirst();
                    message = message with { Code = (ErrorCode)reader.ReadUInt32() };
                    break;
                case TlvType.ErrorText:
                    reader.RequireFirst();
                    message = message with { Text = reader.ReadString(Wire.MaxTextLength) };
                    break;
                default:
                    reader.SkipUnknown();
                    break;
            }
        }

        return message.Kind != 0 ? message : throw new ProtocolException(ErrorCode.ProtocolError, "NOTICE lacks NOTICE_KIND.");
    }

    /// <summary>Writes the message.</summary>
    /// <param name="buffer">Room for it.</param>
    /// <returns>The message, in the buffer.</returns>
    public ReadOnlySpan<byte> Write(Span<byte> buffer)
    {
        TlvWriter writer = new(buffer, MessageType.Notice);
        writer.Add(TlvType.NoticeKind, (uint)Kind);
        new RefuseMessage(Code, Text).WriteReason(ref writer);
        return writer.Finish();
    }
}
