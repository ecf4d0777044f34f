using CuFrames.Interop;
using CuFrames.Protocol;
using CuFrames.Protocol.Messages;

namespace CuFrames.Client.Internal;

/// <summary>A segment in main memory, as its publisher has it: a sealed memfd, mapped writable before the seal.</summary>
internal sealed class HostSegment : Segment
{
    private const MemoryFileSeals Seals =
        MemoryFileSeals.Seal | MemoryFileSeals.Grow | MemoryFileSeals.Shrink | MemoryFileSeals.FutureWrite;

    private HostSegment(FileDescriptor file, MemoryMapping mapping, SegmentDescription description)
        : base(description)
    {
        File = file;
        Mapping = mapping;
    }

    public override FileDescriptor File { get; }

    public MemoryMapping Mapping { get; }

    public override SegmentMessage Message => new(Description, default);

    /// <exception cref="LinuxException">There is no memory; nothing is left behind.</exception>
    public static HostSegment Create(uint id, uint generation, long size, int slots)
    {
        FileDescriptor file = MemoryFile.Create("cuframes-segment", size);
        try
        {
            MemoryMapping mapping = MemoryMapping.Map(file, size, MappingAccess.ReadWrite);
            try
            {
                MemoryFile.AddSeals(file, Seals);
            }
            catch
            {
                mapping.Dispose();
                throw;
            }

            return new HostSegment(file, mapping, new SegmentDescription(
                id, MemoryDomain.Host, HandleKind.HostMemfd, generation, (ulong)size, Guid.Empty, (uint)slots));
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    public override Span<byte> Slice(long offset, int length) => Mapping.Slice(offset, length);

    public override unsafe ulong AddressOf(long offset) => (ulong)(Mapping.Pointer + offset);

    public override void Dispose()
    {
        Mapping.Dispose();
        File.Dispose();
    }
}
