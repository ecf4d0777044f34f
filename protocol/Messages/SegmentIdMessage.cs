namespace CuFrames.Protocol.Messages;

/// <summary>SEGMENT_READY, RETIRE and RETIRED: all three name a segment (docs/protocol.md 6.3, 6.10).</summary>
public static class SegmentIdMessage
{
    /// <summary>Reads a payload.</summary>
    /// <param name="payload">The bytes after the header.</param>
    /// <returns>The segment's id.</returns>
    /// <exception cref="ProtocolException">The payload breaks the protocol.</exception>
    public static uint Read(ReadOnlySpan<byte> payload)
    {
        TlvReader reader = new(payload);
        uint id = 0;
        while (reader.Next())
        {
            if (reader.Type == TlvType.SegmentId)
            {
                reader.RequireFirst();
                id = reader.ReadUInt32();
            }
            else
            {
                reader.SkipUnknown();
            }
        }

        return id != 0 ? id : throw new ProtocolException(ErrorCode.ProtocolError, "The message lacks SEGMENT_ID.");
    }

    /// <summary>Writes a message.</summary>
    /// <param name="buffer">Room for it.</param>
    /// <param name="type">Which of the three.</param>
    /// <param name="segmentId">The segment.</param>
    /// <returns>The message, in the buffer.</returns>
    public static ReadOnlySpan<byte> Write(Span<byte> buffer, MessageType type, uint segmentId)
    {
        TlvWriter writer = new(buffer, type);
        writer.Add(TlvType.SegmentId, segmentId);
        return writer.Finish();
    }
}
