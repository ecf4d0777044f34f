using System.Buffers.Binary;
using System.Text.Json;

namespace CuFrames.Protocol.Tests.Vectors;

/// <summary>Control blocks, index entries and subscribers' pages of protocol/test-vectors: where their fields lie.</summary>
public sealed class PageVectorTests
{
    private static readonly IReadOnlyList<JsonElement> BlockVectors = VectorFile.Read("control-blocks.json", "size", "welcome_epoch");
    private static readonly IReadOnlyList<JsonElement> EntryVectors = VectorFile.Read("index-entries.json", "sequence", "entry", "offset", "slot");
    private static readonly IReadOnlyList<JsonElement> PageVectors = VectorFile.Read("subscriber-pages.json", "head", "granted", "previous_cursor");

    public static TheoryData<string> GoodBlocks => VectorFile.Names(BlockVectors.Where(vector => VectorFile.Error(vector) is null));

    public static TheoryData<string> Entries => VectorFile.Names(EntryVectors);

    public static TheoryData<string> GoodPages => VectorFile.Names(PageVectors.Where(vector => VectorFile.Error(vector) is null));

    [Theory]
    [MemberData(nameof(GoodBlocks))]
    public void ControlBlocks(string name)
    {
        JsonElement vector = VectorFile.Get(BlockVectors, name);
        byte[] bytes = VectorFile.Bytes(vector);
        Assert.Equal(ControlBlockLayout.IndexOffset, bytes.Length);
        Fields.Compare(typeof(ControlBlockLayout), bytes, vector.GetProperty("fields"), "index", "slots");
    }

    [Theory]
    [MemberData(nameof(Entries))]
    public void IndexEntries(string name)
    {
        JsonElement vector = VectorFile.Get(EntryVectors, name);
        ulong sequence = VectorFile.UInt64(vector, "sequence");
        int offset = ControlBlockLayout.IndexEntryOffset(sequence);
        Fields.Equal(offset, vector.GetProperty("offset"));
        Fields.Equal((offset - ControlBlockLayout.IndexOffset) / ControlBlockLayout.IndexEntrySize, vector.GetProperty("entry"));
        Assert.Equal(ControlBlockLayout.IndexEntrySize, VectorFile.Bytes(vector).Length);
    }

    [Theory]
    [MemberData(nameof(GoodPages))]
    public void SubscriberPages(string name)
    {
        JsonElement vector = VectorFile.Get(PageVectors, name);
        byte[] bytes = VectorFile.Bytes(vector);
        Assert.Equal(SubscriberPageLayout.Size, bytes.Length);
        JsonElement fields = vector.GetProperty("fields");
        Fields.Compare(typeof(SubscriberPageLayout), bytes, fields, "leases");
        JsonElement[] leases = [.. fields.GetProperty("leases").EnumerateArray()];
        Assert.Equal(ControlBlockLayout.SlotCapacity, leases.Length);
        for (int slot = 0; slot < leases.Length; slot++)
        {
            Fields.Equal(BinaryPrimitives.ReadUInt64LittleEndian(bytes.AsSpan(SubscriberPageLayout.LeaseOffset(slot))), leases[slot]);
        }
    }
}
