using CuFrames.Interop;
using CuFrames.Protocol;
using CuFrames.Protocol.Messages;

namespace CuFrames.Client.Internal;

/// <summary>Memory that slots lie in, as its publisher has it.</summary>
internal abstract class Segment(SegmentDescription description) : IDisposable
{
    public SegmentDescription Description { get; } = description;

    public uint Id => Description.SegmentId;

    public long Size => (long)Description.Size;

    /// <summary>What travels with SEGMENT; null for kinds that need no descriptor.</summary>
    public abstract FileDescriptor? File { get; }

    public abstract SegmentMessage Message { get; }

    /// <summary>Slots of the table that lie here. Written by the publishing thread only.</summary>
    public int SlotCount { get; set; }

    /// <summary>Its slots are emptied and not written again. Written by the publishing thread only.</summary>
    public bool IsDraining { get; set; }

    /// <summary>Writable bytes in main memory.</summary>
    public abstract Span<byte> Slice(long offset, int length);

    /// <summary>Address of a byte: of this process's memory, or of the device.</summary>
    public abstract ulong AddressOf(long offset);

    public abstract void Dispose();
}
