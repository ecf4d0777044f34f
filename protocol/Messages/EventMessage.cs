using System.Buffers.Binary;

namespace CuFrames.Protocol.Messages;

/// <summary>EVENT: the event that a subscriber's leases of one slot are released by (docs/protocol.md 7.2).</summary>
/// <param name="Slot">The slot, 0 to 63.</param>
/// <param name="Handle">The driver's handle of an interprocess event, <see cref="Wire.CudaIpcHandleSize"/> bytes.</param>
public sealed record EventMessage(int Slot, ReadOnlyMemory<byte> Handle)
{
    /// <summary>Reads a payload.</summary>
    /// <param name="payload">The bytes after the header.</param>
    /// <exception cref="ProtocolException">The payload breaks the protocol.</exception>
    public static EventMessage Read(ReadOnlySpan<byte> payload)
    {
        TlvReader reader = new(payload);
        EventMessage? message = null;
        while (reader.Next())
        {
            if (reader.Type == TlvType.CudaEvent)
            {
                reader.RequireFirst();
                ReadOnlySpan<byte> value = reader.ReadLayout(CudaEventLayout.Size);
                uint slot = BinaryPrimitives.ReadUInt32LittleEndian(value[CudaEventLayout.SlotOffset..]);
                if (slot >= ControlBlockLayout.SlotCapacity)
                {
                    throw new ProtocolException(ErrorCode.ProtocolError, $"EVENT names slot {slot}; there are {ControlBlockLayout.SlotCapacity}.");
                }

                message = new EventMessage((int)slot, value.Slice(CudaEventLayout.HandleOffset, Wire.CudaIpcHandleSize).ToArray());
            }
            else
            {
                reader.SkipUnknown();
            }
        }

        return message ?? throw new ProtocolException(ErrorCode.ProtocolError, "EVENT lacks CUDA_EVENT.");
    }

    /// <summary>Writes the message.</summary>
    /// <param name="buffer">Room for it.</param>
    /// <returns>The message, in the buffer.</returns>
    public ReadOnlySpan<byte> Write(Span<byte> buffer)
    {
        TlvWriter writer = new(buffer, MessageType.Event);
        Span<byte> value = writer.Add(TlvType.CudaEvent, CudaEventLayout.Size, mustUnderstand: false);
        BinaryPrimitives.WriteUInt32LittleEndian(value[CudaEventLayout.SlotOffset..], (uint)Slot);
        Handle.Span.CopyTo(value[CudaEventLayout.HandleOffset..]);
        return writer.Finish();
    }
}
