using CuFrames.Interop;

namespace CuFrames.Client.Internal;

/// <summary>A segment in device memory, imported once: with read access only where the handle's kind allows it.</summary>
internal sealed class CudaMappedSegment(uint id, CudaMemory memory, long size) : MappedSegment(id, size)
{
    public ulong AddressOf(ulong offset) => memory.Address + offset;

    public override void Unmap() => memory.Dispose();
}
