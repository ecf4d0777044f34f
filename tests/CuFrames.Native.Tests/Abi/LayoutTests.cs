using System.Globalization;
using System.Reflection;
using CuFrames.Client;
using CuFrames.Native.Internal;
using CuFrames.Protocol;

namespace CuFrames.Native.Tests.Abi;

/// <summary>The structures and enumerations of cuframes.h, as a C compiler lays them out, against those of C#.</summary>
public sealed class LayoutTests
{
    private static readonly NativeHeader Header = NativeHeader.Read();
    private static readonly AbiProbe Probe = AbiProbe.Run(Header);

    private static readonly Dictionary<string, Type> Structures = new()
    {
        ["cuframes_plane"] = typeof(NativePlane),
        ["cuframes_metadata"] = typeof(FrameMetadata),
        ["cuframes_frame"] = typeof(NativeFrame),
        ["cuframes_event"] = typeof(NativeEvent),
        ["cuframes_subscriber_options"] = typeof(NativeSubscriberOptions),
        ["cuframes_format"] = typeof(NativeFormat),
        ["cuframes_subscriber_info"] = typeof(NativeSubscriberInfo),
        ["cuframes_publisher_options"] = typeof(NativePublisherOptions),
        ["cuframes_publisher_info"] = typeof(NativePublisherInfo),
        ["cuframes_subscriber_statistics"] = typeof(NativeSubscriberStatistics),
        ["cuframes_stream_info"] = typeof(NativeStreamInfo),
        ["cuframes_packet_track"] = typeof(NativePacketTrack),
        ["cuframes_packet"] = typeof(NativePacket),
        ["cuframes_packet_subscriber_options"] = typeof(NativePacketSubscriberOptions),
        ["cuframes_packet_subscriber_info"] = typeof(NativePacketSubscriberInfo),
        ["cuframes_packet_publisher_options"] = typeof(NativePacketPublisherOptions),
        ["cuframes_packet_publisher_info"] = typeof(NativePacketPublisherInfo),
    };

    [Fact]
    public void Every_structure_of_the_header_has_its_twin() =>
        Assert.Equal(Header.Structures.Keys.Order(StringComparer.Ordinal), Structures.Keys.Order(StringComparer.Ordinal));

    [Fact]
    public void Every_field_lies_where_the_C_compiler_puts_it()
    {
        foreach ((string structure, Type type) in Structures)
        {
            Assert.True(StructPlaces.SizeOf(type) == Probe[$"sizeof {structure}"], $"{structure} has {Probe[$"sizeof {structure}"]} bytes and {type} {StructPlaces.SizeOf(type)}.");
            Dictionary<string, FieldInfo> fields = type.GetFields(BindingFlags.Public | BindingFlags.Instance).ToDictionary(field => field.Name);
            foreach (string field in Header.Structures[structure])
            {
                // The wire's metadata has no name for the byte that is left.
                if (type == typeof(FrameMetadata) && field == "reserved")
                {
                    continue;
                }

                Assert.True(fields.Remove(Pascal(field), out FieldInfo? twin), $"{type} has no field for {structure}.{field}.");
                Assert.True(StructPlaces.OffsetOf(twin) == Probe[$"{structure}.{field}"], $"{structure}.{field} lies at {Probe[$"{structure}.{field}"]}, and in {type} at {StructPlaces.OffsetOf(twin)}.");
                Assert.True(StructPlaces.SizeOf(twin.FieldType) == Probe[$"sizeof {structure}.{field}"], $"{structure}.{field} has {Probe[$"sizeof {structure}.{field}"]} bytes, and in {type} {StructPlaces.SizeOf(twin.FieldType)}.");
            }

            Assert.Empty(fields);
        }
    }

    [Fact]
    public void Error_codes_are_the_wires_and_the_librarys_own() =>
        RequireSame("cuframes_error", Values<ErrorCode>().Where(pair => pair.Value != 0).Append(KeyValuePair.Create("Ok", 0L)).Concat(Values<LibraryError>()));

    [Theory]
    [InlineData("cuframes_pixel_format", typeof(PixelFormat))]
    [InlineData("cuframes_delivery", typeof(Delivery))]
    [InlineData("cuframes_fence", typeof(Fence))]
    [InlineData("cuframes_stream_state", typeof(StreamState))]
    [InlineData("cuframes_frame_flags", typeof(FrameFlags))]
    [InlineData("cuframes_picture_type", typeof(PictureType))]
    [InlineData("cuframes_colour_range", typeof(ColourRange))]
    [InlineData("cuframes_track_kind", typeof(TrackKind))]
    [InlineData("cuframes_codec", typeof(Codec))]
    [InlineData("cuframes_packet_flags", typeof(PacketFlags))]
    [InlineData("cuframes_packet_start", typeof(PacketStart))]
    public void Enumerations_are_those_of_the_protocol(string enumeration, Type type) =>
        RequireSame(enumeration, Values(type).Where(pair => pair.Key != "None"));

    [Fact]
    public void Memory_is_the_wires_domain_and_an_option_of_publishers() => RequireSame("cuframes_memory",
        Values<MemoryDomain>().Append(KeyValuePair.Create(nameof(FrameMemory.CudaIpc), 3L)));

    [Fact]
    public void Error_names_are_those_of_the_enumeration()
    {
        using CProgram program = CProgram.Compile("names.c");
        string[] lines = program.Run().Output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        IEnumerable<string> expected = Header.Enumerations["cuframes_error"]
            .Select(member => string.Create(CultureInfo.InvariantCulture, $"error {Probe[member]} {(member == "CUFRAMES_OK" ? "NONE" : member["CUFRAMES_".Length..])}"));
        Assert.Equal(expected, lines.Where(line => line.StartsWith("error ", StringComparison.Ordinal)));
    }

    [Fact]
    public void Pixel_formats_have_the_names_and_sizes_of_the_protocol()
    {
        using CProgram program = CProgram.Compile("names.c");
        string[] lines = program.Run().Output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        List<string> expected = [];
        foreach (PixelFormat format in PixelFormats.All)
        {
            string name = PixelFormats.Name(format);
            expected.Add(string.Create(CultureInfo.InvariantCulture, $"format {(uint)format} {name} {name.ToUpperInvariant()}={(uint)format}"));
            foreach ((int width, int height) in new[] { (1, 1), (641, 361), (1920, 1080), (16384, 16384) })
            {
                expected.Add(string.Create(CultureInfo.InvariantCulture, $"bytes {(uint)format} {width}x{height} {PixelFormats.PictureBytes(format, width, height)}"));
            }
        }

        Assert.Equal(expected, lines.Where(line => line.StartsWith("format ", StringComparison.Ordinal) || line.StartsWith("bytes ", StringComparison.Ordinal)));
    }

    [Fact]
    public void Shapes_are_those_that_the_geometry_gives()
    {
        using CProgram program = CProgram.Compile("names.c");
        string[] lines = program.Run().Output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        List<string> expected = [];
        foreach (PixelFormat format in PixelFormats.All)
        {
            for (int plane = 0; plane < 4; plane++)
            {
                int bytes = PixelFormats.SampleBytes(format);
                int type = bytes == 4 ? 4 : PixelFormats.IsFloat(format) ? 3 : bytes;
                string shape = "";
                if (plane < PixelFormats.PlaneCount(format))
                {
                    int rows = PixelFormats.Rows(format, plane, 361), columns = plane == 0 ? 641 : 321;
                    int samples = PixelFormats.RowBytes(format, plane, 641) / bytes / columns;
                    shape = PixelFormats.IsTensor(format) ? $" 3 {rows / 3} {columns}" : samples > 1 ? $" {rows} {columns} {samples}" : $" {rows} {columns}";
                }

                expected.Add(string.Create(CultureInfo.InvariantCulture, $"shape {(uint)format} {type} {plane}{shape}"));
            }
        }

        Assert.Equal(expected, lines.Where(line => line.StartsWith("shape ", StringComparison.Ordinal)));
    }

    private static void RequireSame(string enumeration, IEnumerable<KeyValuePair<string, long>> twins)
    {
        string[] members = Header.Enumerations[enumeration];
        string prefix = CommonPrefix(members);

        // One pixel format would be CUFRAMES_UNKNOWN, which says too little.
        static string Name(string member) => member.Replace("FORMAT_UNKNOWN", "UNKNOWN", StringComparison.Ordinal).Replace("_", "", StringComparison.Ordinal).ToUpperInvariant();
        Assert.Equal(
            members.Select(member => $"{Name(member[prefix.Length..])} {Probe[member]}").Order(StringComparer.Ordinal),
            twins.Select(pair => $"{pair.Key.ToUpperInvariant()} {pair.Value}").Order(StringComparer.Ordinal));
    }

    /// <summary>CUFRAMES_ and, where all members have one, the word that stands for the enumeration.</summary>
    private static string CommonPrefix(string[] members)
    {
        string prefix = members[0];
        foreach (string member in members)
        {
            while (!member.StartsWith(prefix, StringComparison.Ordinal))
            {
                prefix = prefix[..^1];
            }
        }

        return prefix[..(prefix.LastIndexOf('_') + 1)];
    }

    private static IEnumerable<KeyValuePair<string, long>> Values<T>()
        where T : struct, Enum => Values(typeof(T));

    private static IEnumerable<KeyValuePair<string, long>> Values(Type type) => Enum.GetValues(type).Cast<object>()
        .Select(value => KeyValuePair.Create(value.ToString()!, Convert.ToInt64(value, CultureInfo.InvariantCulture)));

    private static string Pascal(string name) =>
        string.Concat(name.Split('_').Select(word => char.ToUpperInvariant(word[0]) + word[1..]));
}
