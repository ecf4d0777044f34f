using CuFrames.Interop;
using CuFrames.Protocol;
using CuFrames.Protocol.Messages;

namespace CuFrames.Client.Internal;

/// <summary>A segment in main memory, as its publisher has it: a sealed memfd, mapped writable before the seal.</summary>
internal sealed class HostSegment : Segment
{
    private const MemoryFileSeals Seals =
        MemoryFileSeals.Seal | MemoryFileSeals.Grow | MemoryFileSeals.Shrink | MemoryFileSeals.FutureWrite;

    /// <summary>Null: no device copies into the segment, or it is not pinned.</summary>
    private CudaHostRegistration? _registration;

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

    /// <summary>Pins the memory, so that a device copies into it by itself.</summary>
    /// <exception cref="CudaException">The driver refused; the segment stays as it was.</exception>
    public void Pin(CudaContext context) => _registration = CudaHostRegistration.Register(context, (nint)AddressOf(0), Size);

    public override Span<byte> Slice(long offset, int length) => Mapping.Slice(offset, length);

    public override unsafe ulong AddressOf(long offset) => (ulong)(Mapping.Pointer + offset);

    public override void Dispose()
    {
        _registration?.Dispose();
        Mapping.Dispose();
        File.Dispose();
    }
}
