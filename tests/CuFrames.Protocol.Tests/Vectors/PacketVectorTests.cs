using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;
using CuFrames.Client.Internal;

namespace CuFrames.Protocol.Tests.Vectors;

/// <summary>The vectors of packet blocks, packet descriptors and parameter sets.</summary>
public sealed class PacketVectorTests
{
    private static readonly IReadOnlyList<JsonElement> BlockVectors = VectorFile.Read("packet-blocks.json", "epoch");
    private static readonly IReadOnlyList<JsonElement> DescriptorVectors = VectorFile.Read("packet-descriptors.json", "sequence", "tracks", "byte_capacity", "first_byte");
    private static readonly IReadOnlyList<JsonElement> ParametersVectors = VectorFile.Read("track-parameters.json", "number");

    public static TheoryData<string> Blocks => VectorFile.Names(BlockVectors);

    public static TheoryData<string> Descriptors => VectorFile.Names(DescriptorVectors);

    public static TheoryData<string> ParameterSets => VectorFile.Names(ParametersVectors);

    [Theory]
    [MemberData(nameof(Blocks))]
    public void Packet_blocks(string name)
    {
        JsonElement vector = VectorFile.Get(BlockVectors, name);
        byte[] bytes = VectorFile.Bytes(vector);
        string? fault = PacketBlock.FindFault(bytes.AsSpan(0, PacketBlockLayout.StateOffset), VectorFile.UInt64(vector, "epoch"), out int indexCapacity, out long byteCapacity);
        if (VectorFile.Error(vector) is { } error)
        {
            Assert.Equal(ErrorCode.ControlBlockInvalid, error);
            Assert.NotNull(fault);
            return;
        }

        Assert.Null(fault);
        JsonElement fields = vector.GetProperty("fields");
        Fields.Compare(typeof(PacketBlockLayout), bytes, fields, "track_table", "parameters");
        Fields.Equal((uint)indexCapacity, fields.GetProperty("index_capacity"));
        Fields.Equal((ulong)byteCapacity, fields.GetProperty("byte_capacity"));
    }

    [Theory]
    [MemberData(nameof(Descriptors))]
    public void Packet_descriptors(string name)
    {
        JsonElement vector = VectorFile.Get(DescriptorVectors, name);
        byte[] bytes = VectorFile.Bytes(vector);
        Assert.Equal(PacketDescriptorLayout.Size, bytes.Length);
        PacketDescriptor descriptor = MemoryMarshal.Read<PacketDescriptor>(bytes);
        long capacity = (long)VectorFile.UInt64(vector, "byte_capacity");
        string? fault = descriptor.FindFault(VectorFile.UInt64(vector, "sequence"), vector.GetProperty("tracks").GetInt32(), capacity);
        if (VectorFile.Error(vector) is { } error)
        {
            Assert.Equal(ErrorCode.PacketInvalid, error);
            Assert.NotNull(fault);
            return;
        }

        Assert.Null(fault);
        JsonElement fields = vector.GetProperty("fields");
        Fields.Compare(typeof(PacketDescriptorLayout), bytes, fields, "counts");
        Fields.Equal(descriptor.Position % (ulong)capacity, vector.GetProperty("first_byte"));
        Fields.Equal(descriptor.Pts, fields.GetProperty("pts"));
        Fields.Equal(descriptor.Dts, fields.GetProperty("dts"));
        Fields.Equal(descriptor.Flags, fields.GetProperty("flags"));
        JsonElement[] counts = [.. fields.GetProperty("counts").EnumerateArray()];
        Assert.Equal(PacketBlockLayout.TrackCapacity, counts.Length);
        for (int track = 0; track < counts.Length; track++)
        {
            Fields.Equal(descriptor.Counts[track], counts[track]);
        }
    }

    [Theory]
    [MemberData(nameof(ParameterSets))]
    public void Track_parameters(string name)
    {
        JsonElement vector = VectorFile.Get(ParametersVectors, name);
        byte[] bytes = VectorFile.Bytes(vector);
        byte[] entry = new byte[TrackParametersLayout.Size];
        bytes.CopyTo(entry, 0);
        uint number = vector.GetProperty("number").GetUInt32();
        if (VectorFile.Error(vector) is { } error)
        {
            Assert.Equal(error, Refusal.Of(() => TrackParameters.Read(entry, number)).Code);
            return;
        }

        TrackParameters parameters = TrackParameters.Read(entry, number);
        JsonElement fields = vector.GetProperty("fields");
        Fields.Compare(typeof(TrackParametersLayout), entry, fields, "extradata");
        foreach (JsonProperty field in fields.EnumerateObject().Where(field => field.Name is not ("number" or "extradata" or "extradata_size" or "codec_name")))
        {
            Fields.Equal(FieldNames.ValueOf(parameters, field.Name), field.Value);
        }

        Assert.Equal(fields.GetProperty("extradata").GetString(), Convert.ToHexStringLower(parameters.Extradata.Span));
        Assert.Equal(fields.GetProperty("codec_name").GetString(), Convert.ToHexStringLower(Encoding.ASCII.GetBytes(parameters.CodecName.PadRight(32, '\0'))));
        byte[] again = new byte[TrackParametersLayout.Size];
        parameters.Write(again, number);
        Assert.Equal(entry, again);
    }
}
