using System.Globalization;
using System.Text;

namespace CuFrames.Native.Tests.Abi;

/// <summary>What a C compiler makes of cuframes.h: sizes, places, values. A program that is compiled from the header and run prints them.</summary>
internal sealed class AbiProbe
{
    private readonly Dictionary<string, long> _values;

    private AbiProbe(IReadOnlyList<string> lines)
    {
        Lines = lines;
        _values = lines.Select(line => line.Split(" = ")).ToDictionary(parts => parts[0], parts => long.Parse(parts[1], CultureInfo.InvariantCulture));
    }

    /// <summary>"name = value", in the header's order.</summary>
    public IReadOnlyList<string> Lines { get; }

    public long this[string name] => _values[name];

    public static AbiProbe Run(NativeHeader header)
    {
        StringBuilder source = new();
        source.AppendLine("#include \"cuframes.h\"").AppendLine("#include <stdio.h>").AppendLine("#define SAY(name, value) printf(\"%s = %lld\\n\", name, (long long)(value))");
        source.AppendLine("int main(void) {");
        foreach ((string structure, string[] fields) in header.Structures)
        {
            Say(source, $"sizeof {structure}", $"sizeof({structure})");
            foreach (string field in fields)
            {
                Say(source, $"{structure}.{field}", $"offsetof({structure}, {field})");
                Say(source, $"sizeof {structure}.{field}", $"sizeof((({structure} *)0)->{field})");
            }
        }

        foreach (string member in header.Enumerations.Values.SelectMany(members => members))
        {
            Say(source, member, member);
        }

        foreach (string macro in new[] { "CUFRAMES_FOREVER", "CUFRAMES_PTS_UNKNOWN", "CUFRAMES_MAX_PLANES", "CUFRAMES_UUID_BYTES", "CUFRAMES_TEXT_BYTES", "CUFRAMES_MAX_TRACKS", "CUFRAMES_EXTRADATA_BYTES", "CUFRAMES_PACKET_PADDING", "CUFRAMES_MILLISECONDS(3)" })
        {
            Say(source, macro, macro);
        }

        source.AppendLine("return 0;").AppendLine("}");
        using CProgram program = CProgram.CompileText(source.ToString());
        return new AbiProbe(program.Run().Output.Split('\n', StringSplitOptions.RemoveEmptyEntries));
    }

    private static void Say(StringBuilder source, string name, string value) =>
        source.AppendLine(CultureInfo.InvariantCulture, $"SAY(\"{name}\", {value});");
}
