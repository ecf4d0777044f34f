using CuFrames.Interop;

namespace CuFrames.Client.Internal;

/// <summary>A segment in main memory, mapped read-only.</summary>
internal sealed class HostMappedSegment(uint id, MemoryMapping mapping) : MappedSegment(id, mapping.Length)
{
    public MemoryMapping Mapping { get; } = mapping;

    public override void Unmap() => Mapping.Dispose();
}
