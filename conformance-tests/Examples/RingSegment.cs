using System.Buffers.Binary;
using CuFrames.Conformance.Spec;
using CuFrames.Conformance.Wire;
using CuFrames.Interop;

namespace CuFrames.Conformance.Examples;

/// <summary>A segment of an example publisher: a memfd that this process may write and nobody else.</summary>
internal sealed class RingSegment : IDisposable
{
    private const MemoryFileSeals Seals =
        MemoryFileSeals.Seal | MemoryFileSeals.Grow | MemoryFileSeals.Shrink | MemoryFileSeals.FutureWrite;

    public RingSegment(uint id, uint generation, PictureShape shape, int[] slots, MemoryFileSeals without = MemoryFileSeals.None)
    {
        Id = id;
        Generation = generation;
        Shape = shape;
        Slots = slots;
        Size = shape.SlotBytes * slots.Length;
        Descriptor = MemoryFile.Create("conformance-segment", Size);
        Mapping = MemoryMapping.Map(Descriptor, Size, MappingAccess.ReadWrite);
        MemoryFileSeals wanted = Seals & ~without;
        if (wanted != MemoryFileSeals.None)
        {
            MemoryFile.AddSeals(Descriptor, wanted);
        }
    }

    public uint Id { get; }

    public uint Generation { get; }

    public PictureShape Shape { get; }

    /// <summary>Numbers of the slots whose pictures lie here, in the order of their offsets.</summary>
    public int[] Slots { get; }

    public long Size { get; }

    public FileDescriptor Descriptor { get; }

    public MemoryMapping Mapping { get; }

    public long OffsetOf(int slot) => Shape.SlotBytes * Array.IndexOf(Slots, slot);

    /// <summary>The SEGMENT message.</summary>
    public byte[] Announce(uint correlation) => Announce(correlation, (ulong)Size, Limits.DomainHost, Limits.HandleHostMemfd);

    /// <summary>The SEGMENT message with claims of any kind.</summary>
    public byte[] Announce(uint correlation, ulong size, uint domain, uint handleKind)
    {
        byte[] value = new byte[Layout.SegmentDescription.Size];
        BinaryPrimitives.WriteUInt32LittleEndian(value.AsSpan(Layout.SegmentDescription.SegmentId), Id);
        BinaryPrimitives.WriteUInt32LittleEndian(value.AsSpan(Layout.SegmentDescription.Domain), domain);
        BinaryPrimitives.WriteUInt32LittleEndian(value.AsSpan(Layout.SegmentDescription.HandleKind), handleKind);
        BinaryPrimitives.WriteUInt32LittleEndian(value.AsSpan(Layout.SegmentDescription.SegmentGeneration), Generation);
        BinaryPrimitives.WriteUInt64LittleEndian(value.AsSpan(Layout.SegmentDescription.Bytes), size);
        BinaryPrimitives.WriteInt32LittleEndian(value.AsSpan(Layout.SegmentDescription.Slots), Slots.Length);
        return Message.Build(MessageType.SEGMENT, correlation, Tlv.Bytes(TlvType.SEGMENT, value));
    }

    public void Dispose()
    {
        Mapping.Dispose();
        Descriptor.Dispose();
    }
}
