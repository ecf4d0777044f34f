using System.Buffers.Binary;

namespace CuFrames.Protocol;

/// <summary>A segment of memory that frames lie in (docs/protocol.md 6.3).</summary>
/// <param name="SegmentId">Never used twice in an epoch.</param>
/// <param name="Domain">Where the memory is.</param>
/// <param name="HandleKind">How it travels.</param>
/// <param name="Generation">The stream's generation that it was made for.</param>
/// <param name="Size">Bytes.</param>
/// <param name="Device">UUID of the CUDA device; empty for host.</param>
/// <param name="Slots">How many slots it was made for; for people.</param>
public readonly record struct SegmentDescription(
    uint SegmentId, MemoryDomain Domain, HandleKind HandleKind, uint Generation, ulong Size, Guid Device, uint Slots)
{
    internal static SegmentDescription Read(ReadOnlySpan<byte> value) => new(
        BinaryPrimitives.ReadUInt32LittleEndian(value[SegmentDescriptionLayout.SegmentIdOffset..]),
        (MemoryDomain)BinaryPrimitives.ReadUInt32LittleEndian(value[SegmentDescriptionLayout.DomainOffset..]),
        (HandleKind)BinaryPrimitives.ReadUInt32LittleEndian(value[SegmentDescriptionLayout.HandleKindOffset..]),
        BinaryPrimitives.ReadUInt32LittleEndian(value[SegmentDescriptionLayout.SegmentGenerationOffset..]),
        BinaryPrimitives.ReadUInt64LittleEndian(value[SegmentDescriptionLayout.SizeOffset..]),
        new Guid(value.Slice(SegmentDescriptionLayout.DeviceUuidOffset, 16), bigEndian: true),
        BinaryPrimitives.ReadUInt32LittleEndian(value[SegmentDescriptionLayout.SlotsOffset..]));

    internal void Write(Span<byte> value)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(value[SegmentDescriptionLayout.SegmentIdOffset..], SegmentId);
        BinaryPrimitives.WriteUInt32LittleEndian(value[SegmentDescriptionLayout.DomainOffset..], (uint)Domain);
        BinaryPrimitives.WriteUInt32LittleEndian(value[SegmentDescriptionLayout.HandleKindOffset..], (uint)HandleKind);
        BinaryPrimitives.WriteUInt32LittleEndian(value[SegmentDescriptionLayout.SegmentGenerationOffset..], Generation);
        BinaryPrimitives.WriteUInt64LittleEndian(value[SegmentDescriptionLayout.SizeOffset..], Size);
        Device.TryWriteBytes(value.Slice(SegmentDescriptionLayout.DeviceUuidOffset, 16), bigEndian: true, out _);
        BinaryPrimitives.WriteUInt32LittleEndian(value[SegmentDescriptionLayout.SlotsOffset..], Slots);
    }
}
