using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace CuFrames.Protocol.Tests.Document;

/// <summary>The enum tables of docs/protocol.md against the enums of the code, both ways.</summary>
public sealed class EnumTests
{
    private static readonly ProtocolDocument Text = ProtocolDocument.Current;

    /// <summary>Names that the code gives to zero where the document's table begins at one: no bit of a mask, a format not known.</summary>
    private static readonly string[] NamesOfZero = ["FrameFlags.None", "Fence.None", "Wake.None", "PixelFormat.Unknown", "Codec.Other", "PacketFlags.None"];

    /// <summary>Enums that are a sentence in the document, not a table; <see cref="Enums_without_a_table_are_the_sentences"/> compares them.</summary>
    private static readonly string[] EnumsWithoutTable = [nameof(ColourRange), nameof(PictureType)];

    public static TheoryData<string> EnumNames => [.. Text.Enums.Select(table => table.Name)];

    [Fact]
    public void Every_enum_stands_in_the_document_and_in_the_code()
    {
        string[] inCode = [.. typeof(Wire).Assembly.GetTypes().Where(type => type.IsEnum).Select(type => type.Name).Order(StringComparer.Ordinal)];
        string[] inDocument = [.. Text.Enums.Select(table => table.Name).Concat(EnumsWithoutTable).Order(StringComparer.Ordinal)];
        Assert.Equal(inDocument, inCode);
    }

    [Theory]
    [MemberData(nameof(EnumNames))]
    public void Values_and_names_are_the_same(string name)
    {
        DocumentTable table = Text.Enum(name);
        Type type = typeof(Wire).Assembly.GetType($"CuFrames.Protocol.{name}", throwOnError: true)!;
        string[] expected = [.. table.Rows
            .Select(row => (value: ProtocolDocument.Number(row["value"]), name: ProtocolDocument.PascalCase(row["name"])))
            .OrderBy(row => row.value).Select(row => $"{row.value} {row.name}")];
        string[] found = [.. Enum.GetNames(type)
            .Where(member => !NamesOfZero.Contains($"{name}.{member}"))
            .Select(member => (value: Convert.ToUInt64(Enum.Parse(type, member), CultureInfo.InvariantCulture), name: member))
            .OrderBy(member => member.value).Select(member => $"{member.value} {member.name}")];
        Assert.Equal(expected, found);
        Assert.Equal(table.Rows.Count, table.Rows.Select(row => ProtocolDocument.Number(row["value"])).Distinct().Count());
        Assert.Equal(type.IsDefined(typeof(FlagsAttribute), inherit: false), name is "FrameFlags" or "Fence" or "Wake" or "PacketFlags");
    }

    [Fact]
    public void Names_of_zero_are_zero() => Assert.All(NamesOfZero, entry =>
    {
        string[] parts = entry.Split('.');
        Type type = typeof(Wire).Assembly.GetType($"CuFrames.Protocol.{parts[0]}", throwOnError: true)!;
        Assert.Equal(0UL, Convert.ToUInt64(Enum.Parse(type, parts[1]), CultureInfo.InvariantCulture));
    });

    [Fact]
    public void Codecs_have_the_names_of_the_document()
    {
        Assert.All(Text.Enum("Codec").Rows, row =>
        {
            Codec codec = (Codec)ProtocolDocument.Number(row["value"]);
            Assert.Equal(row["codec_name"], Codecs.NameOf(codec));
            Assert.Equal(codec, Codecs.FromName(row["codec_name"]));
        });
        Assert.Equal((Codec.Other, ""), (Codecs.FromName("none of them"), Codecs.NameOf(Codec.Other)));
    }

    [Fact]
    public void Pixel_formats_are_their_FourCC() => Assert.All(Text.Enum("PixelFormat").Rows, row =>
    {
        string fourCC = row["FourCC"].PadRight(4);
        byte[] bytes = Encoding.ASCII.GetBytes(fourCC);
        Assert.Equal(4, bytes.Length);
        Assert.Equal(BitConverter.ToUInt32(bytes), (uint)ProtocolDocument.Number(row["value"]));
    });

    [Fact]
    public void Planes_are_those_of_the_document()
    {
        IReadOnlyList<IReadOnlyDictionary<string, string>> rows = Text.Enum("PixelFormat").Rows;
        Assert.Equal(rows.Count, PixelFormats.All.Length);
        foreach (IReadOnlyDictionary<string, string> row in rows)
        {
            PixelFormat format = Enum.Parse<PixelFormat>(ProtocolDocument.PascalCase(row["name"]));
            int planes = (int)ProtocolDocument.Number(row["planes"]);
            Assert.Equal(planes, PixelFormats.PlaneCount(format));
            string[] geometry = [.. row["row bytes × rows of each plane"].Split(';').Select(plane => plane.Trim()).Take(planes)];
            for (int plane = 0; plane < planes; plane++)
            {
                Match match = Regex.Match(geometry[plane], @"^(\d*)(w|⌈w/2⌉) × (3?)(h|⌈h/2⌉)");
                Assert.True(match.Success, $"{row["name"]}: '{geometry[plane]}' is not the size of a plane.");
                int factor = match.Groups[1].Value.Length > 0 ? (int)ProtocolDocument.Number(match.Groups[1].Value) : 1;
                foreach (int size in (int[])[1, 2, 3, 4, 5, 63, 64, 65, 719, 1080, 1088, 1919, 1920, Wire.MaxDimension - 1, Wire.MaxDimension])
                {
                    int columns = match.Groups[2].Value == "w" ? size : (int)Math.Ceiling(size / 2.0);
                    int lines = (match.Groups[3].Value == "3" ? 3 : 1) * (match.Groups[4].Value == "h" ? size : (int)Math.Ceiling(size / 2.0));
                    Assert.Equal(factor * columns, PixelFormats.RowBytes(format, plane, size));
                    Assert.Equal(lines, PixelFormats.Rows(format, plane, size));
                }
            }
        }
    }

    [Fact]
    public void Enums_without_a_table_are_the_sentences()
    {
        string pictureTypes = ProtocolDocument.Fields(Text.Layout("FrameMeta")).Single(field => field.Name == "picture_type").Meaning;
        Assert.Equal("0 unknown, 1 I, 2 P, 3 B", pictureTypes);
        Assert.Equal([(0, "Unknown"), (1, "Intra"), (2, "Predicted"), (3, "Bidirectional")],
            Enum.GetValues<PictureType>().Select(value => ((int)value, value.ToString())));
        Match range = Regex.Match(Text.Paragraphs["4.7"], @"`colour_range`: (\d) unknown, (\d) limited \(16\.\.235\), (\d) full \(0\.\.255\)");
        Assert.Equal([nameof(ColourRange.Unknown), nameof(ColourRange.Limited), nameof(ColourRange.Full)],
            range.Groups.Values.Skip(1).Select(group => Enum.GetName((ColourRange)byte.Parse(group.Value, CultureInfo.InvariantCulture))));
        Assert.Equal(3, Enum.GetValues<ColourRange>().Length);
    }

    [Fact]
    public void Error_codes_fit_a_byte() => Assert.All(Enum.GetValues<ErrorCode>(), code => Assert.InRange((uint)code,
        0u, (uint)Text.Numbers("12", @"Codes are stable and at most (\d+)")[0]));
}
