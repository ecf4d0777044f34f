using System.Buffers.Binary;
using System.Text.Json;
using CuFrames.Client.Internal;

namespace CuFrames.Protocol.Tests.Vectors;

/// <summary>Control blocks, index entries and subscribers' pages of protocol/test-vectors: where their fields lie, and what the client makes of them.</summary>
public sealed class PageVectorTests
{
    private static readonly IReadOnlyList<JsonElement> BlockVectors = VectorFile.Read("control-blocks.json", "size", "welcome_epoch");
    private static readonly IReadOnlyList<JsonElement> EntryVectors = VectorFile.Read("index-entries.json", "sequence", "entry", "offset", "slot");
    private static readonly IReadOnlyList<JsonElement> PageVectors = VectorFile.Read("subscriber-pages.json", "head", "granted", "previous_cursor");

    public static TheoryData<string> Blocks => VectorFile.Names(BlockVectors);

    public static TheoryData<string> Entries => VectorFile.Names(EntryVectors);

    public static TheoryData<string> Pages => VectorFile.Names(PageVectors);

    [Theory]
    [MemberData(nameof(Blocks))]
    public void ControlBlocks(string name)
    {
        JsonElement vector = VectorFile.Get(BlockVectors, name);
        byte[] bytes = VectorFile.Bytes(vector);
        Assert.Equal(ControlBlockLayout.IndexOffset, bytes.Length);

        // Sizes are judged on the file, before it is mapped; SubscriberVectorTests shows files of these sizes to the client.
        bool isLargeEnough = vector.GetProperty("size").GetInt32() >= ControlBlockLayout.Size;
        string? fault = ControlBlock.FindFault(bytes.AsSpan(0, ControlBlockLayout.FutexWordOffset), VectorFile.UInt64(vector, "welcome_epoch"));
        if (VectorFile.Error(vector) is { } error)
        {
            Assert.Equal(ErrorCode.ControlBlockInvalid, error);
            Assert.Equal(isLargeEnough, fault is not null);
            return;
        }

        Assert.True(isLargeEnough);
        Assert.Null(fault);
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
    [MemberData(nameof(Pages))]
    public void SubscriberPages(string name)
    {
        JsonElement vector = VectorFile.Get(PageVectors, name);
        byte[] bytes = VectorFile.Bytes(vector);
        Assert.Equal(SubscriberPageLayout.Size, bytes.Length);
        ulong cursor = VectorFile.UInt64(vector, "previous_cursor");
        ErrorCode found = PageAudit.Check(bytes, bytes, VectorFile.UInt64(vector, "head"), vector.GetProperty("granted").GetInt32(), ref cursor, out string text);
        Assert.Equal(VectorFile.Error(vector) ?? ErrorCode.None, found);
        if (found != ErrorCode.None)
        {
            Assert.NotEqual("", text);
            return;
        }

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
