namespace CuFrames.Protocol.Messages;

/// <summary>SEGMENT: memory that frames will lie in (docs/protocol.md 6.3). Its descriptor travels in the same packet.</summary>
/// <param name="Description">The segment.</param>
/// <param name="CudaIpcHandle">The legacy handle, 64 bytes, or empty.</param>
public sealed record SegmentMessage(SegmentDescription Description, ReadOnlyMemory<byte> CudaIpcHandle)
{
    /// <summary>Reads a payload.</summary>
    /// <param name="payload">The bytes after the header.</param>
    /// <exception cref="ProtocolException">The payload breaks the protocol.</exception>
    public static SegmentMessage Read(ReadOnlySpan<byte> payload)
    {
        TlvReader reader = new(payload);
        SegmentMessage message = new(default, default);
        while (reader.Next())
        {
            switch (reader.Type)
            {
                case TlvType.Segment:
                    reader.RequireFirst();
                    message = message with { Description = SegmentDescription.Read(reader.ReadLayout(SegmentDescriptionLayout.Size)) };
                    break;
                case TlvType.CudaIpcHandle:
                    reader.RequireFirst();
                    message = message with { CudaIpcHandle = reader.ReadLayout(Wire.CudaIpcHandleSize).ToArray() };
                    break;
                default:
                    reader.SkipUnknown();
                    break;
            }
        }

        SegmentDescription description = message.Description;
        if (description.SegmentId == 0)
        {
            throw new ProtocolException(ErrorCode.ProtocolError, "SEGMENT lacks a description, or its id is zero.");
        }

        if (description.Size is 0 or > Wire.MaxSegmentSize)
        {
            throw new ProtocolException(ErrorCode.SegmentInvalid,
                $"Segment {description.SegmentId} has {description.Size} bytes; 1 to 2^40 are allowed.");
        }

        if (description.HandleKind == HandleKind.CudaIpc && message.CudaIpcHandle.IsEmpty)
        {
            throw new ProtocolException(ErrorCode.ProtocolError, $"Segment {description.SegmentId} is of kind cuda-ipc and carries no handle.");
        }

        return message;
    }

    /// <summary>Writes the message.</summary>
    /// <param name="buffer">Room for it.</param>
    /// <returns>The message, in the buffer.</returns>
    public ReadOnlySpan<byte> Write(Span<byte> buffer)
    {
        TlvWriter writer = new(buffer, MessageType.Segment);
        Description.Write(writer.Add(TlvType.Segment, SegmentDescriptionLayout.Size, mustUnderstand: false));
        if (!CudaIpcHandle.IsEmpty)
        {
            CudaIpcHandle.Span.CopyTo(writer.Add(TlvType.CudaIpcHandle, Wire.CudaIpcHandleSize, mustUnderstand: false));
        }

        return writer.Finish();
    }
}
