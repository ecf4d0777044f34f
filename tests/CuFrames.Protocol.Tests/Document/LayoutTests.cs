using System.Reflection;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.RegularExpressions;

namespace CuFrames.Protocol.Tests.Document;

/// <summary>The layout tables of docs/protocol.md against the classes named ...Layout, both ways.</summary>
public sealed class LayoutTests
{
    private static readonly ProtocolDocument Text = ProtocolDocument.Current;

    public static TheoryData<string> LayoutNames => [.. Text.Layouts.Select(layout => layout.Name)];

    [Fact]
    public void Every_layout_stands_in_the_document_and_in_the_code()
    {
        string[] inCode = [.. typeof(Wire).Assembly.GetTypes()
            .Where(type => type.Name.EndsWith("Layout", StringComparison.Ordinal) ||
                type.GetFields(AllStatic).Any(field => field.IsDefined(typeof(WireFieldAttribute))))
            .Select(type => type.FullName!).Order(StringComparer.Ordinal)];
        string[] inDocument = [.. Text.Layouts.Select(layout => $"CuFrames.Protocol.{layout.Name}Layout").Order(StringComparer.Ordinal)];
        Assert.NotEmpty(inDocument);
        Assert.Equal(inDocument, inCode);
    }

    [Theory]
    [MemberData(nameof(LayoutNames))]
    public void Offsets_sizes_and_types_are_the_same(string name)
    {
        DocumentTable table = Text.Layout(name);
        Type layout = LayoutType(name);
        FieldInfo size = layout.GetField("Size")!;
        Assert.Equal(table.Size, Assert.IsType<int>(size.GetRawConstantValue()));

        string[] expected = [.. ProtocolDocument.Fields(table).OrderBy(field => field.Offset)
            .Select(field => $"{ProtocolDocument.PascalCase(field.Name)}Offset = {field.Offset}, {field.Type}, {field.Size} bytes")];
        string[] found = [.. layout.GetFields(AllStatic)
            .Select(field => (field, mark: field.GetCustomAttribute<WireFieldAttribute>()))
            .Where(entry => entry.mark is not null)
            .OrderBy(entry => (int)entry.field.GetRawConstantValue()!)
            .Select(entry => $"{entry.field.Name} = {entry.field.GetRawConstantValue()}, {entry.mark!.Type}, {entry.mark.Size} bytes")];
        Assert.Equal(expected, found);
    }

    /// <summary>A constant named ...Offset without a mark would escape the comparison.</summary>
    [Theory]
    [MemberData(nameof(LayoutNames))]
    public void Every_offset_is_marked(string name) => Assert.All(
        LayoutType(name).GetFields(AllStatic).Where(field => field.Name.EndsWith("Offset", StringComparison.Ordinal)),
        field => Assert.True(field.IsDefined(typeof(WireFieldAttribute)), $"{name}Layout.{field.Name} carries no WireField mark."));

    [Theory]
    [MemberData(nameof(LayoutNames))]
    public void Fields_are_aligned_and_do_not_overlap(string name)
    {
        DocumentTable table = Text.Layout(name);
        int end = 0;
        foreach (DocumentField field in ProtocolDocument.Fields(table))
        {
            Assert.True(field.Offset >= end, $"{table}: {field.Name} begins at {field.Offset}; the field before it ends at {end}.");
            (int alignment, int unit) = field.Type switch
            {
                "u8" => (1, 1),
                "u16" => (2, 2),
                "u32" => (4, 4),
                "u64" or "i64" => (8, 8),
                "bytes" => (1, field.Size),
                "struct" => (8, Text.Layout(ReferredLayout(field)).Size),
                "words" => (8, 8),
                "entries" => (8, EntrySize(field)),
                _ => throw new InvalidOperationException($"{table}: {field.Name} has the unknown type '{field.Type}'."),
            };
            Assert.True(field.Offset % alignment == 0, $"{table}: {field.Name} lies at {field.Offset}, which is no multiple of {alignment}.");
            if (field.Type is "words" or "entries")
            {
                ulong entries = ProtocolDocument.Number(field.Meaning[..field.Meaning.IndexOf(' ', StringComparison.Ordinal)]);
                Assert.Equal((ulong)field.Size, entries * (ulong)unit);
            }
            else
            {
                Assert.Equal(field.Size, unit);
            }

            end = field.Offset + field.Size;
        }

        Assert.True(end <= table.Size, $"{table}: the last field ends at {end}, past the size of {table.Size}.");
        Assert.True(table.Size % 8 == 0, $"{table}: a size of {table.Size} is no multiple of 8.");
    }

    [Fact]
    public void FrameMetadata_has_the_layout_of_the_document() => CompareStruct<FrameMetadata>("FrameMeta", []);

    [Fact]
    public void Picture_has_the_layout_of_the_document()
    {
        CompareStruct<Picture>("Picture", ["plane0_offset", "plane1_offset", "plane2_offset", "plane3_offset",
            "plane0_pitch", "plane1_pitch", "plane2_pitch", "plane3_pitch", "modifier"]);
        IReadOnlyList<DocumentField> fields = ProtocolDocument.Fields(Text.Layout("Picture"));
        byte[] bytes = Pattern(PictureLayout.Size);
        Picture picture = MemoryMarshal.Read<Picture>(bytes);
        for (int plane = 0; plane < Wire.MaxPlanes; plane++)
        {
            DocumentField offset = fields.Single(field => field.Name == $"plane{plane}_offset");
            DocumentField pitch = fields.Single(field => field.Name == $"plane{plane}_pitch");
            Assert.Equal(BitConverter.ToUInt64(bytes, offset.Offset), picture.PlaneOffset[plane]);
            Assert.Equal(BitConverter.ToUInt32(bytes, pitch.Offset), picture.PlanePitch[plane]);
        }

        Assert.DoesNotContain(fields, field => field.Name == $"plane{Wire.MaxPlanes}_offset");
        bytes = new byte[PictureLayout.Size];
        MemoryMarshal.Write(bytes, Picture.Create(PixelFormat.Gray8, 8, 8, out long size));
        Assert.Null(MemoryMarshal.Read<Picture>(bytes).FindFault((ulong)size));
        bytes[fields.Single(field => field.Name == "modifier").Offset] = 1;
        Assert.Contains("modifier", MemoryMarshal.Read<Picture>(bytes).FindFault((ulong)size), StringComparison.Ordinal);
    }

    [Fact]
    public void PacketDescriptor_has_the_layout_of_the_document()
    {
        CompareStruct<PacketDescriptor>("PacketDescriptor", ["counts"]);
        byte[] bytes = Pattern(PacketDescriptorLayout.Size);
        PacketDescriptor descriptor = MemoryMarshal.Read<PacketDescriptor>(bytes);
        DocumentField counts = ProtocolDocument.Fields(Text.Layout("PacketDescriptor")).Single(field => field.Name == "counts");
        Assert.Equal(PacketBlockLayout.TrackCapacity * 8, counts.Size);
        for (int track = 0; track < PacketBlockLayout.TrackCapacity; track++)
        {
            Assert.Equal(BitConverter.ToUInt64(bytes, counts.Offset + (track * 8)), descriptor.Counts[track]);
        }
    }

    [Fact]
    public void The_header_of_the_packet_block_names_the_sizes_of_its_tables()
    {
        Dictionary<string, DocumentField> fields = ProtocolDocument.Fields(Text.Layout("PacketBlock")).ToDictionary(field => field.Name);
        ulong Value(string field) => ProtocolDocument.Number(fields[field].Meaning.Split(':', ' ')[0].TrimEnd(','));
        Assert.Equal(PacketBlockLayout.LayoutVersion, Value("layout_version"));
        Assert.Equal((ulong)TrackLayout.Size, Value("track_size"));
        Assert.Equal((ulong)TrackParametersLayout.Size, Value("parameters_size"));
        Assert.Equal((ulong)PacketDescriptorLayout.Size, Value("packet_size"));
        Assert.Equal((ulong)PacketBlockLayout.TrackCapacity, Value("track_capacity"));
        Assert.Equal((ulong)PacketBlockLayout.ParametersCapacity, Value("parameters_capacity"));
        Assert.Equal((ulong)PacketBlockLayout.TrackTableOffset, Value("tracks_offset"));
        Assert.Equal((ulong)PacketBlockLayout.ParametersOffset, Value("parameters_offset"));
        Assert.Equal((ulong)PacketBlockLayout.IndexStart, Value("index_offset"));
        Assert.Equal((ulong)fields["track_table"].Size, Value("track_capacity") * Value("track_size"));
        Assert.Equal((ulong)fields["parameters"].Size, Value("track_capacity") * Value("parameters_capacity") * Value("parameters_size"));
        Assert.Equal([(ulong)PacketBlockLayout.MinIndexCapacity, PacketBlockLayout.MaxIndexCapacity],
            Text.Numbers("14.5", @"entries of the index, a power of two, ([\d,]+) to ([\d,]+)"));
        Assert.Equal([(ulong)PacketBlockLayout.ByteAlignment], Text.Numbers("14.5", @"the end of the index, rounded up to a multiple of ([\d,]+)"));
        Assert.Equal([(ulong)PacketBlockLayout.ByteAlignment, PacketBlockLayout.MinByteCapacity, PacketBlockLayout.MaxByteCapacity],
            Text.Numbers("14.5", @"bytes of the byte ring, a multiple of ([\d,]+), ([\d,]+) to (2\^\d+)"));
        Assert.Equal([(ulong)TrackParametersLayout.ExtradataOffset, TrackParametersLayout.MaxExtradataSize],
            Text.Numbers("14.7", @"Extradata follows each entry's (\d+) bytes: .* not longer than ([\d,]+) bytes"));
        Assert.Equal([(ulong)PacketBlockLayout.PacketPadding, PacketBlockLayout.PacketAlignment],
            Text.Numbers("14.10", @"At least (\d+) zero bytes follow it .* rounded up to a multiple of (\d+);"));
        Assert.Equal([PacketBlockLayout.SequenceLimit], Text.Numbers("14.8", @"stay below (2\^\d+)"));
        foreach (int capacity in (int[])[16, 32, 1024, 65536])
        {
            ulong end = Value("index_offset") + ((ulong)capacity * Value("packet_size"));
            Assert.Equal((end + 4095) / 4096 * 4096, (ulong)PacketBlockLayout.BytesStart(capacity));
            Assert.Equal((long)(Value("index_offset") + ((ulong)(capacity - 1) * Value("packet_size"))), PacketDescriptorLayout.EntryOffset((ulong)capacity - 1, capacity));
            Assert.Equal((long)Value("index_offset"), PacketDescriptorLayout.EntryOffset((ulong)capacity * 3, capacity));
        }

        // Set n of track t is entry 8 × t + (n & 7).
        Assert.Equal(4096 + (16384 * ((8 * 3) + 5)), PacketBlockLayout.ParameterSetOffset(3, 13));
        Assert.Equal(256 + (64 * 7), PacketBlockLayout.TrackOffset(7));
    }

    [Fact]
    public void The_header_of_the_control_block_names_the_sizes_of_its_tables()
    {
        Dictionary<string, DocumentField> fields = ProtocolDocument.Fields(Text.Layout("ControlBlock")).ToDictionary(field => field.Name);
        ulong Value(string field) => ProtocolDocument.Number(fields[field].Meaning.Split(':', ' ')[0].TrimEnd(','));
        Assert.Equal(ControlBlockLayout.LayoutVersion, Value("layout_version"));
        Assert.Equal((ulong)SlotLayout.Size, Value("slot_size"));
        Assert.Equal((ulong)ControlBlockLayout.IndexEntrySize, Value("index_entry_size"));
        Assert.Equal((ulong)ControlBlockLayout.SlotCapacity, Value("slot_capacity"));
        Assert.Equal((ulong)ControlBlockLayout.IndexCapacity, Value("index_capacity"));
        Assert.True(ulong.IsPow2((ulong)ControlBlockLayout.IndexCapacity), "The index is addressed by a mask.");
        Assert.Equal((ulong)ControlBlockLayout.Size, Value("total_size"));
        Assert.Equal((ulong)ControlBlockLayout.IndexOffset, Value("index_offset"));
        Assert.Equal((ulong)ControlBlockLayout.SlotsOffset, Value("slots_offset"));
        Assert.Equal((ulong)fields["index"].Size, Value("index_capacity") * Value("index_entry_size"));
        Assert.Equal((ulong)fields["slots"].Size, Value("slot_capacity") * Value("slot_size"));
        Assert.Equal((ulong)fields["index"].Offset, Value("index_offset"));
        Assert.Equal((ulong)fields["slots"].Offset, Value("slots_offset"));
    }

    [Theory]
    [InlineData("MessageHeader", (ulong)Wire.MessageMagic)]
    [InlineData("ControlBlock", Wire.ControlBlockMagic)]
    [InlineData("SubscriberPage", Wire.SubscriberPageMagic)]
    [InlineData("PacketBlock", Wire.PacketBlockMagic)]
    public void Magic_numbers_are_the_bytes_of_the_document(string layout, ulong inCode)
    {
        DocumentField magic = ProtocolDocument.Fields(Text.Layout(layout)).Single(field => field.Name == "magic");
        string[] parts = magic.Meaning.Split(", the bytes ");
        Assert.Equal(inCode, ProtocolDocument.Number(parts[0]));
        byte[] bytes = BitConverter.GetBytes(inCode)[..magic.Size];
        Assert.Equal(parts[1].Trim('`'), Encoding.ASCII.GetString(bytes));
    }

    [Fact]
    public void Every_magic_number_is_compared() => Assert.Equal(4, Text.Layouts.Count(table =>
        ProtocolDocument.Fields(table).Any(field => field.Name == "magic")));

    private const BindingFlags AllStatic = BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic;

    private static Type LayoutType(string name) => typeof(Wire).Assembly.GetType($"CuFrames.Protocol.{name}Layout", throwOnError: true)!;

    /// <summary>A <c>struct</c> field names the layout that it holds: "layout FrameMeta".</summary>
    private static string ReferredLayout(DocumentField field) => field.Meaning["layout ".Length..];

    /// <summary>An <c>entries</c> field may name the layout of its entries: "8 entries of layout Track".</summary>
    private static int EntrySize(DocumentField field)
    {
        Match layout = Regex.Match(field.Meaning, @"\blayout (\w+)");
        return layout.Success ? Text.Layout(layout.Groups[1].Value).Size : field.Name == "index" ? 8 : Text.Layout("Slot").Size;
    }

    private static byte[] Pattern(int length) => [.. Enumerable.Range(1, length).Select(i => (byte)i)];

    private static void CompareStruct<T>(string layout, string[] comparedElsewhere)
        where T : struct
    {
        DocumentTable table = Text.Layout(layout);
        Assert.Equal(table.Size, System.Runtime.CompilerServices.Unsafe.SizeOf<T>());
        byte[] bytes = Pattern(table.Size);
        object value = MemoryMarshal.Read<T>(bytes);
        Dictionary<string, FieldInfo> inCode = typeof(T).GetFields(BindingFlags.Instance | BindingFlags.Public).ToDictionary(field => field.Name);
        int compared = 0;
        foreach (DocumentField field in ProtocolDocument.Fields(table))
        {
            if (field.Name == "reserved" || comparedElsewhere.Contains(field.Name))
            {
                continue;
            }

            string name = ProtocolDocument.PascalCase(field.Name);
            Assert.True(inCode.TryGetValue(name, out FieldInfo? info), $"{typeof(T).Name} has no field {name}.");
            ulong expected = 0;
            for (int i = field.Size - 1; i >= 0; i--)
            {
                expected = (expected << 8) | bytes[field.Offset + i];
            }

            Type type = info.FieldType.IsEnum ? info.FieldType.GetEnumUnderlyingType() : info.FieldType;
            Assert.Equal(field.Size, Marshal.SizeOf(type));
            object found = Convert.ChangeType(info.GetValue(value)!, type, System.Globalization.CultureInfo.InvariantCulture);
            Assert.Equal(expected, Convert.ToUInt64(found, System.Globalization.CultureInfo.InvariantCulture));
            compared++;
        }

        Assert.Equal(inCode.Values.Count(field => field.FieldType.IsPrimitive || field.FieldType.IsEnum), compared);
    }
}
