using System.Buffers.Binary;
using CuFrames.Conformance.Spec;
using CuFrames.Conformance.Suite;
using CuFrames.Interop;
using CuFrames.Interop.Internal;

namespace CuFrames.Conformance.PublisherChecks;

/// <summary>Sections 4.1, 5.1, 6.2 and 6.3: sizes, seals, layouts, and that nobody can write what is not his.</summary>
internal static class MemoryChecks
{
    private const MemoryFileSeals ReadOnlySeals =
        MemoryFileSeals.Seal | MemoryFileSeals.Grow | MemoryFileSeals.Shrink | MemoryFileSeals.FutureWrite;

    private const MemoryFileSeals PageSeals = MemoryFileSeals.Seal | MemoryFileSeals.Grow | MemoryFileSeals.Shrink;

    public static IEnumerable<Check<PublisherContext>> All() =>
    [
        new("4.1-seals", "seals the control block and makes it long enough", ControlSeals),
        new("4.1-header", "fills in the control block's header", ControlHeader),
        new("4.1-reserved", "leaves zero what no table names", ControlReserved),
        new("4.1-read-only", "gives nobody a way to write the control block", ControlReadOnly),
        new("5.1-page", "gives each subscriber a sealed page of its own", Page),
        new("6.3-segment", "describes and seals its segments", SegmentDescription),
        new("6.2-read-only", "gives nobody a way to write frames", SegmentReadOnly),
    ];

    private static void ControlSeals(PublisherContext context)
    {
        using Reader reader = Reader.Open(context);
        MemoryFileSeals seals = reader.ControlDescriptor.GetSeals();
        Expect.That((seals & ReadOnlySeals) == ReadOnlySeals, $"the seals {ReadOnlySeals}", seals.ToString());
        long size = reader.ControlDescriptor.Stat().Size;
        Expect.That(size >= Layout.ControlBlock.Size, $"at least {Layout.ControlBlock.Size} bytes", $"{size}");
    }

    private static void ControlHeader(PublisherContext context)
    {
        using Reader reader = Reader.Open(context);
        Expect.Equal(Layout.ControlBlock.MagicValue, reader.Control.ReadUInt64(Layout.ControlBlock.Magic), "magic");
        foreach ((int offset, uint value, string name) in new[]
        {
            (Layout.ControlBlock.LayoutVersion, 1u, "layout_version"),
            (Layout.ControlBlock.SlotSize, 256u, "slot_size"),
            (Layout.ControlBlock.IndexEntrySize, 8u, "index_entry_size"),
            (Layout.ControlBlock.SlotCapacity, 64u, "slot_capacity"),
            (Layout.ControlBlock.IndexCapacity, 128u, "index_capacity"),
            (Layout.ControlBlock.TotalSize, 17_664u, "total_size"),
            (Layout.ControlBlock.IndexOffset, 256u, "index_offset"),
            (Layout.ControlBlock.SlotsOffset, 1_280u, "slots_offset"),
        })
        {
            Expect.Equal(value, reader.Control.ReadUInt32(offset), name);
        }

        Expect.Equal(reader.Epoch, reader.Control.ReadUInt64(Layout.ControlBlock.Epoch), "epoch");
        reader.AwaitFirstFrame();
        Expect.Equal(Limits.StateLive, reader.Control.State, "with frames coming, a state of");
        Expect.That(reader.Control.SegmentGeneration >= 1, "a segment_generation from 1", "0");
    }

    private static void ControlReserved(PublisherContext context)
    {
        using Reader reader = Reader.Open(context);
        reader.AwaitFirstFrame();
        ReadOnlySpan<byte> bytes = reader.Control.Bytes;
        foreach ((int start, int end) in new[] { (48, 64), (76, 80), (88, 128), (132, 136), (144, 256) })
        {
            Expect.That(!bytes[start..end].ContainsAnyExcept((byte)0), $"zero in bytes {start} to {end - 1}", Convert.ToHexString(bytes[start..end]));
        }

        for (int slot = 0; slot < Layout.ControlBlock.SlotCount; slot++)
        {
            ReadOnlySpan<byte> descriptor = bytes.Slice(Layout.ControlBlock.Slots + (slot * Layout.Slot.Size), Layout.Slot.Size);
            Expect.That(!descriptor[16..64].ContainsAnyExcept((byte)0) && !descriptor[224..].ContainsAnyExcept((byte)0),
                $"zero in the reserved bytes of slot {slot}", "others");
        }
    }

    private static void ControlReadOnly(PublisherContext context)
    {
        using Reader reader = Reader.Open(context);
        TryEveryWayToWrite(reader.ControlDescriptor, "the control block");
    }

    private static void Page(PublisherContext context)
    {
        using Reader reader = Reader.Open(context);
        FileStatus status = reader.PageDescriptor.Stat();
        Expect.Equal((long)Layout.SubscriberPage.FileSize, status.Size, "a size of");
        MemoryFileSeals seals = reader.PageDescriptor.GetSeals();
        Expect.That((seals & PageSeals) == PageSeals, $"the seals {PageSeals}", seals.ToString());
        Span<byte> bytes = reader.Page.Bytes;
        Expect.Equal(Layout.SubscriberPage.MagicValue, BinaryPrimitives.ReadUInt64LittleEndian(bytes), "magic");
        Expect.Equal(reader.Welcome.UInt64(TlvType.SUBSCRIBER_ID),
            BinaryPrimitives.ReadUInt64LittleEndian(bytes[Layout.SubscriberPage.SubscriberId..]), "subscriber_id");
        Expect.That(!bytes[Layout.SubscriberPage.Waiting..].ContainsAnyExcept((byte)0), "zero in the rest of a fresh page", "others");
        using Reader second = Reader.Open(context);
        Expect.That(!second.PageDescriptor.Stat().IsSameFileAs(status), "a page of its own for each subscriber", "the same file twice");
        Expect.That(second.ControlDescriptor.Stat().IsSameFileAs(reader.ControlDescriptor.Stat()), "one control block for all", "two files");
    }

    private static void SegmentDescription(PublisherContext context)
    {
        using Reader reader = Reader.Open(context);
        reader.AwaitFirstFrame();
        foreach (Segment segment in reader.Segments.Values)
        {
            Expect.Equal(Limits.DomainHost, segment.Domain, "domain");
            Expect.Equal(Limits.HandleHostMemfd, segment.HandleKind, "handle_kind");
            Expect.That(segment.Generation >= 1 && segment.Generation <= reader.Control.SegmentGeneration,
                $"a segment_generation from 1 to {reader.Control.SegmentGeneration}", $"{segment.Generation}");
            MemoryFileSeals seals = segment.Descriptor.GetSeals();
            Expect.That((seals & ReadOnlySeals) == ReadOnlySeals, $"the seals {ReadOnlySeals}", seals.ToString());
            long size = segment.Descriptor.Stat().Size;
            Expect.That(size >= (long)segment.Size, $"a file of at least {segment.Size} bytes", $"{size}");
        }
    }

    private static void SegmentReadOnly(PublisherContext context)
    {
        using Reader reader = Reader.Open(context);
        reader.AwaitFirstFrame();
        foreach (Segment segment in reader.Segments.Values)
        {
            TryEveryWayToWrite(segment.Descriptor, $"segment {segment.Id}");
        }
    }

    private static void TryEveryWayToWrite(FileDescriptor file, string name)
    {
        Expect.That(!CanMapWritable(file), $"that a writable mapping of {name} is refused", "one");
        Expect.That(!CanMakeWritable(file), $"that mprotect cannot make a mapping of {name} writable", "that it can");
        Expect.That(!CanWrite(file), $"that write to {name} is refused", "that it is not");
        long size = file.Stat().Size;
        Expect.That(!CanResize(file, size + 4096) && !CanResize(file, size - 1) && file.Stat().Size == size,
            $"that ftruncate of {name} is refused", "that it is not");

        // What a descriptor forbids, opening the same file again through /proc may allow.
        using FileDescriptor? again = TryReopen(file);
        if (again is not null)
        {
            Expect.That(!CanMapWritable(again), $"that a writable mapping of {name}, opened again through /proc, is refused", "one");
            Expect.That(!CanWrite(again), $"that write to {name}, opened again through /proc, is refused", "that it is not");
            Expect.That(!CanResize(again, size - 1), $"that ftruncate of {name}, opened again through /proc, is refused", "that it is not");
        }
    }

    private static bool CanMapWritable(FileDescriptor file)
    {
        try
        {
            using MemoryMapping mapping = MemoryMapping.Map(file, 4096, MappingAccess.ReadWrite);
            return true;
        }
        catch (LinuxException)
        {
            return false;
        }
    }

    private static unsafe bool CanMakeWritable(FileDescriptor file)
    {
        using MemoryMapping mapping = MemoryMapping.Map(file, 4096, MappingAccess.ReadOnly);
        return LibC.Mprotect((nint)mapping.Pointer, 4096, LibC.PROT_READ | LibC.PROT_WRITE) == 0;
    }

    private static unsafe bool CanWrite(FileDescriptor file)
    {
        byte value = 0;
        return LibC.Write(file, &value, 1) == 1;
    }

    private static bool CanResize(FileDescriptor file, long size) => LibC.Ftruncate(file, size) == 0;

    private static FileDescriptor? TryReopen(FileDescriptor file)
    {
        FileDescriptor again = LibC.Open($"/proc/self/fd/{file.Number}", LibC.O_RDWR | LibC.O_CLOEXEC, 0);
        if (!again.IsInvalid)
        {
            return again;
        }

        again.Dispose();
        return null;
    }
}
