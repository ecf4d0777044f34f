using CuFrames.Interop;

namespace CuFrames.Conformance.PublisherChecks;

/// <summary>A segment as SEGMENT announced it, with its descriptor and a read-only mapping.</summary>
internal sealed record Segment(
    uint Id, uint Domain, uint HandleKind, uint Generation, ulong Size, uint Correlation, FileDescriptor Descriptor,
    MemoryMapping Mapping) : IDisposable
{
    public void Dispose()
    {
        Mapping.Dispose();
        Descriptor.Dispose();
    }
}
