using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text.Json;

namespace CuFrames.Protocol.Tests.Vectors;

/// <summary>Headers, payloads, slots, frame metadata, pictures and keys of protocol/test-vectors.</summary>
public sealed class LayoutVectorTests
{
    private static readonly IReadOnlyList<JsonElement> HeaderVectors = VectorFile.Read("message-headers.json", "packet_size");
    private static readonly IReadOnlyList<JsonElement> TlvVectors = VectorFile.Read("tlvs.json", "tlvs");
    private static readonly IReadOnlyList<JsonElement> SlotVectors = VectorFile.Read("slots.json");
    private static readonly IReadOnlyList<JsonElement> MetaVectors = VectorFile.Read("frame-meta.json");
    private static readonly IReadOnlyList<JsonElement> PictureVectors = VectorFile.Read("pictures.json", "segment_size", "visible");
    private static readonly IReadOnlyList<JsonElement> KeyVectors = VectorFile.Read("stream-keys.json", "key", "socket", "lock");

    public static TheoryData<string> Headers => VectorFile.Names(HeaderVectors);

    public static TheoryData<string> Tlvs => VectorFile.Names(TlvVectors);

    public static TheoryData<string> Slots => VectorFile.Names(SlotVectors);

    public static TheoryData<string> Metas => VectorFile.Names(MetaVectors);

    public static TheoryData<string> Pictures => VectorFile.Names(PictureVectors);

    public static TheoryData<string> Keys => VectorFile.Names(KeyVectors);

    [Theory]
    [MemberData(nameof(Headers))]
    public void Message_headers(string name)
    {
        JsonElement vector = VectorFile.Get(HeaderVectors, name);
        byte[] packet = new byte[vector.GetProperty("packet_size").GetInt32()];
        byte[] bytes = VectorFile.Bytes(vector);
        Assert.Equal(Math.Min(packet.Length, MessageHeaderLayout.Size), bytes.Length);
        bytes.CopyTo(packet, 0);
        if (VectorFile.Error(vector) is { } error)
        {
            Assert.Equal(error, Refusal.Of(() => MessageHeader.Read(packet)).Code);
            return;
        }

        MessageHeader header = MessageHeader.Read(packet);
        JsonElement fields = vector.GetProperty("fields");
        Fields.Compare(typeof(MessageHeaderLayout), packet, fields);
        Fields.Equal(header.Version, fields.GetProperty("version"));
        Fields.Equal(header.Type, fields.GetProperty("type"));
        Fields.Equal(header.PayloadLength, fields.GetProperty("payload_length"));
        Fields.Equal(header.CorrelationId, fields.GetProperty("correlation_id"));

        byte[] again = new byte[MessageHeaderLayout.Size];
        header.Write(again);
        BinaryPrimitives.WriteUInt16LittleEndian(bytes.AsSpan(MessageHeaderLayout.FlagsOffset), 0);
        Assert.Equal(bytes, again);
    }

    [Theory]
    [MemberData(nameof(Tlvs))]
    public void Payloads(string name)
    {
        JsonElement vector = VectorFile.Get(TlvVectors, name);
        byte[] payload = VectorFile.Bytes(vector);
        if (VectorFile.Error(vector) is { } error)
        {
            Assert.Equal(error, Refusal.Of(() => Walk(payload)).Code);
            return;
        }

        List<(int Type, bool MustUnderstand, byte[] Value)> found = Walk(payload);
        JsonElement[] expected = [.. vector.GetProperty("tlvs").EnumerateArray()];
        Assert.Equal(expected.Length, found.Count);
        foreach ((JsonElement tlv, (int type, bool mustUnderstand, byte[] value)) in expected.Zip(found))
        {
            Assert.Equal(["type", "flags", "value"], tlv.EnumerateObject().Select(property => property.Name));
            Fields.Equal(type, tlv.GetProperty("type"));
            Assert.Equal((tlv.GetProperty("flags").GetInt32() & Wire.TlvMustUnderstand) != 0, mustUnderstand);
            Fields.Equal(value, tlv.GetProperty("value"));
        }

        static List<(int Type, bool MustUnderstand, byte[] Value)> Walk(byte[] payload)
        {
            List<(int Type, bool MustUnderstand, byte[] Value)> tlvs = [];
            TlvReader reader = new(payload);
            while (reader.Next())
            {
                tlvs.Add(((int)reader.Type, reader.MustUnderstand, reader.Value.ToArray()));
            }

            return tlvs;
        }
    }

    [Theory]
    [MemberData(nameof(Slots))]
    public void SlotDescriptors(string name)
    {
        JsonElement vector = VectorFile.Get(SlotVectors, name);
        byte[] bytes = VectorFile.Bytes(vector);
        Assert.Equal(SlotLayout.Size, bytes.Length);
        Assert.Null(VectorFile.Error(vector));
        JsonElement fields = vector.GetProperty("fields");
        Fields.Compare(typeof(SlotLayout), bytes, fields, "meta", "picture");
        CompareMeta(bytes.AsSpan(SlotLayout.MetaOffset, FrameMetaLayout.Size), fields.GetProperty("meta"));
        ComparePicture(bytes.AsSpan(SlotLayout.PictureOffset, PictureLayout.Size), fields.GetProperty("picture"));
    }

    [Theory]
    [MemberData(nameof(Metas))]
    public void FrameMetas(string name)
    {
        JsonElement vector = VectorFile.Get(MetaVectors, name);
        Assert.Null(VectorFile.Error(vector));
        byte[] bytes = VectorFile.Bytes(vector);
        Assert.Equal(FrameMetaLayout.Size, bytes.Length);
        CompareMeta(bytes, vector.GetProperty("fields"));
    }

    [Theory]
    [MemberData(nameof(Pictures))]
    public void PictureDescriptors(string name)
    {
        JsonElement vector = VectorFile.Get(PictureVectors, name);
        byte[] bytes = VectorFile.Bytes(vector);
        Assert.Equal(PictureLayout.Size, bytes.Length);
        Picture picture = MemoryMarshal.Read<Picture>(bytes);
        string? fault = picture.FindFault(VectorFile.UInt64(vector, "segment_size"));
        if (VectorFile.Error(vector) is { } error)
        {
            Assert.Equal(ErrorCode.FrameInvalid, error);
            Assert.NotNull(fault);
            return;
        }

        Assert.Null(fault);
        ComparePicture(bytes, vector.GetProperty("fields"));
        JsonElement[] visible = [.. vector.GetProperty("visible").EnumerateArray()];
        Assert.Equal(picture.PlaneCount, visible.Length);
        for (int plane = 0; plane < visible.Length; plane++)
        {
            Fields.Equal(picture.VisibleOffset(plane), visible[plane].GetProperty("first_byte"));
            Fields.Equal(PixelFormats.RowBytes(picture.PixelFormat, plane, picture.Width), visible[plane].GetProperty("row_bytes"));
            Fields.Equal(PixelFormats.Rows(picture.PixelFormat, plane, picture.Height), visible[plane].GetProperty("rows"));
            Fields.Equal(picture.PlanePitch[plane], visible[plane].GetProperty("pitch"));
            Assert.Equal(4, visible[plane].EnumerateObject().Count());
        }
    }

    [Theory]
    [MemberData(nameof(Keys))]
    public void StreamKeys(string key)
    {
        JsonElement vector = VectorFile.Get(KeyVectors, key);
        if (VectorFile.Error(vector) is { } error)
        {
            Assert.Equal(ErrorCode.InvalidKey, error);
            Assert.False(StreamKey.IsValid(key));
            Assert.Equal(error, Assert.Throws<CuFramesException>(() => StreamKey.Require(key)).Code);
            return;
        }

        Assert.True(StreamKey.IsValid(key));
        JsonElement fields = vector.GetProperty("fields");
        string? rendition = fields.GetProperty("rendition").GetString();
        Assert.Equal(key, fields.GetProperty("name").GetString() + (rendition is null ? "" : "@" + rendition));
        Assert.Equal(key + ".sock", vector.GetProperty("socket").GetString());
        Assert.Equal(key + ".lock", vector.GetProperty("lock").GetString());
    }

    private static void CompareMeta(ReadOnlySpan<byte> bytes, JsonElement expected)
    {
        Fields.Compare(typeof(FrameMetaLayout), bytes, expected);
        FrameMetadata meta = MemoryMarshal.Read<FrameMetadata>(bytes);
        Fields.Equal(meta.Pts, expected.GetProperty("pts"));
        Fields.Equal(meta.CaptureTime, expected.GetProperty("capture_time"));
        Fields.Equal(meta.ArrivalTime, expected.GetProperty("arrival_time"));
        Fields.Equal(meta.PublishTime, expected.GetProperty("publish_time"));
        Fields.Equal(meta.SourcePacket, expected.GetProperty("source_packet"));
        Fields.Equal(meta.Duration, expected.GetProperty("duration"));
        Fields.Equal(meta.Flags, expected.GetProperty("flags"));
        Fields.Equal(meta.PictureType, expected.GetProperty("picture_type"));
        Fields.Equal(meta.ColourMatrix, expected.GetProperty("colour_matrix"));
        Fields.Equal(meta.ColourRange, expected.GetProperty("colour_range"));
        Fields.Equal(meta.ColourPrimaries, expected.GetProperty("colour_primaries"));
        Fields.Equal(meta.ColourTransfer, expected.GetProperty("colour_transfer"));
        Fields.Equal(meta.Rotation, expected.GetProperty("rotation"));
        Fields.Equal(meta.ChromaLocation, expected.GetProperty("chroma_location"));
    }

    private static void ComparePicture(ReadOnlySpan<byte> bytes, JsonElement expected)
    {
        Fields.Compare(typeof(PictureLayout), bytes, expected);
        Picture picture = MemoryMarshal.Read<Picture>(bytes);
        Fields.Equal((uint)picture.Width, expected.GetProperty("width"));
        Fields.Equal((uint)picture.Height, expected.GetProperty("height"));
        Fields.Equal(picture.PixelFormat, expected.GetProperty("pixel_format"));
        Fields.Equal((uint)picture.PlaneCount, expected.GetProperty("plane_count"));
        Fields.Equal(picture.CropLeft, expected.GetProperty("crop_left"));
        Fields.Equal(picture.CropTop, expected.GetProperty("crop_top"));
        Fields.Equal(picture.CropRight, expected.GetProperty("crop_right"));
        Fields.Equal(picture.CropBottom, expected.GetProperty("crop_bottom"));
        for (int plane = 0; plane < Wire.MaxPlanes; plane++)
        {
            Fields.Equal(picture.PlaneOffset[plane], expected.GetProperty($"plane{plane}_offset"));
            Fields.Equal(picture.PlanePitch[plane], expected.GetProperty($"plane{plane}_pitch"));
        }
    }
}
