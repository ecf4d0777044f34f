using CuFrames.Interop;
using CuFrames.Protocol;

namespace CuFrames.Client.Internal;

/// <summary>A segment in main memory, as its publisher has it: a sealed memfd, mapped writable before the seal.</summary>
internal sealed class HostSegment : IDisposable
{
    private const MemoryFileSeals Seals =
        MemoryFileSeals.Seal | MemoryFileSeals.Grow | MemoryFileSeals.Shrink | MemoryFileSeals.FutureWrite;

    private HostSegment(FileDescriptor file, MemoryMapping mapping, SegmentDescription description)
    {
        File = file;
        Mapping = mapping;
        Description = description;
    }

    public FileDescriptor File { get; }

    public MemoryMapping Mapping { get; }

    public SegmentDescription Description { get; }

    public uint Id => Description.SegmentId;

    public long Size => Mapping.Length;

    /// <summary>Slots of the table that lie here. Written by the publishing thread only.</summary>
    public int SlotCount { get; set; }

    /// <summary>Its slots are emptied and not written again. Written by the publishing thread only.</summary>
    public bool IsDraining { get; set; }

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

    public void Dispose()
    {
        Mapping.Dispose();
        File.Dispose();
    }
}
