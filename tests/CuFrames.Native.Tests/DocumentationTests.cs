using System.Globalization;
using System.Text.RegularExpressions;
using CuFrames.Native.Tests.Abi;

namespace CuFrames.Native.Tests;

/// <summary>docs/c-api.md has all of the interface, and nothing that is not in it.</summary>
public sealed partial class DocumentationTests
{
    private static readonly NativeHeader Header = NativeHeader.Read();
    private static readonly Manual Manual = Manual.Read();

    [Fact]
    public void Every_exported_function_has_a_section_with_its_declaration()
    {
        string[] exported = [.. Tool.Run("nm", "-D", "--defined-only", NativeArtifacts.Library).Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Select(line => line.Split(' ')).Where(parts => parts[^2] == "T").Select(parts => parts[^1].Split('@')[0])];
        Assert.True(exported.Length > 30);
        Assert.Equal(exported.Order(StringComparer.Ordinal), Header.Functions.Keys.Order(StringComparer.Ordinal));
        Assert.All(exported, name => Assert.Equal(Header.Functions[name].Replace("( ", "(", StringComparison.Ordinal) + ";", Manual.BlocksOf(Manual.Section(name), "c").Single().Trim()));
    }

    [Fact]
    public void Every_function_says_ownership_threads_and_errors()
    {
        Assert.All(Header.Functions.Keys, name => Assert.All(new[] { "Ownership", "Threads", "Errors" }, what =>
            Assert.Matches(new Regex($@"^- {what}: \S.*\.$", RegexOptions.Multiline), Manual.Section(name))));
    }

    [Fact]
    public void Errors_are_those_of_the_enumeration_and_all_that_the_header_names()
    {
        HashSet<string> codes = [.. Header.Enumerations["cuframes_error"].Select(name => name["CUFRAMES_".Length..])];
        string text = File.ReadAllText(Path.Combine(NativeArtifacts.Include, "cuframes.h"));
        foreach (string name in Header.Functions.Keys)
        {
            string errors = ErrorsLine().Match(Manual.Section(name)).Value;
            string[] told = [.. Capitals().Matches(errors).Select(match => match.Value)];
            Assert.All(told, word => Assert.True(codes.Contains(word), $"{name}: {word} is no error"));

            Match comment = Regex.Match(text, $@"/\*((?:(?!\*/).)*)\*/\nCUFRAMES_API (?:(?!\*/|;).)*\b{name}\(", RegexOptions.Singleline);
            Assert.True(comment.Success, $"{name} has no comment");
            string[] expected = [.. Capitals().Matches(comment.Groups[1].Value).Select(match => match.Value).Where(codes.Contains)];
            string section = Manual.Section(name);
            Assert.All(expected, word => Assert.True(section.Contains(word, StringComparison.Ordinal), $"The manual's section of {name} does not name {word}"));
        }
    }

    [Fact]
    public void Every_constant_is_in_its_table_with_its_value()
    {
        AbiProbe probe = AbiProbe.Run(Header);
        Assert.True(Header.Enumerations.Count > 10);
        foreach ((string name, string[] members) in Header.Enumerations)
        {
            Assert.Equal(
                members.Select(member => $"{member} = {probe[member]}"),
                Manual.Rows($"enum {name}").Select(row => $"{row[0].Trim('`')} = {Number(row[1])}"));
        }
    }

    [Fact]
    public void Every_field_is_in_the_table_of_its_structure()
    {
        Assert.True(Header.Structures.Count > 8);
        foreach ((string name, string[] fields) in Header.Structures)
        {
            Assert.Equal(fields, Manual.Rows(name).Select(row => row[0].Trim('`')));
        }
    }

    [Fact]
    public void Every_macro_callback_and_handle_is_in_the_manual()
    {
        string[] macros = [.. Header.Macros.Where(name => name != "CUFRAMES_H")];
        Assert.Contains("CUFRAMES_FRAME_INIT", macros);
        Assert.Equal(macros.Order(StringComparer.Ordinal), Manual.Rows("Reference: macros").Select(row => row[0].Trim('`')).Order(StringComparer.Ordinal));

        string text = File.ReadAllText(Path.Combine(NativeArtifacts.Include, "cuframes.h"));
        IEnumerable<string> types = OpaqueType().Matches(text).Select(match => match.Groups[1].Value)
            .Concat(CallbackType().Matches(text).Select(match => match.Groups[1].Value));
        Assert.Equal(types.Order(StringComparer.Ordinal), Manual.Rows("Types").Select(row => row[0].Trim('`')).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void No_section_is_of_something_that_is_not_there()
    {
        HashSet<string> known = [.. Header.Functions.Keys, .. Header.Structures.Keys, .. Header.Enumerations.Keys.Select(name => "enum " + name),
            .. CppHeader.Read().Classes.Keys.Select(name => "cuframes::" + name)];
        Assert.All(
            Manual.Headings.Where(heading => heading.Contains("cuframes_", StringComparison.Ordinal) || heading.StartsWith("cuframes::", StringComparison.Ordinal)),
            heading => Assert.Contains(heading, known));
    }

    [Fact]
    public void Every_public_name_of_Cpp_is_in_the_table_of_its_class()
    {
        CppHeader header = CppHeader.Read();

        // What must be found if the header was understood.
        Assert.Superset(new HashSet<string> { "Frame()", "cuda_ptr", "width", "release()", "metadata", "retain()" }, header.Classes["Frame"].ToHashSet());
        Assert.Superset(new HashSet<string> { "Subscriber()", "next()", "descriptor()" }, header.Classes["Subscriber"].ToHashSet());
        Assert.Contains("operator[]()", header.Classes["Span"]);
        Assert.True(header.Classes.Values.Sum(members => members.Count) > 100);
        foreach ((string name, List<string> members) in header.Classes)
        {
            IEnumerable<string> told = Manual.Rows($"cuframes::{name}").SelectMany(row => Manual.Code(row[0])).Select(WithoutParameters).Distinct();
            Assert.Equal(members.Order(StringComparer.Ordinal), told.Order(StringComparer.Ordinal));
        }
    }

    [Fact]
    public void Every_public_name_of_Cpp_outside_of_classes_is_in_the_manual()
    {
        CppHeader header = CppHeader.Read();
        Assert.Superset(new HashSet<string> { "list", "probe", "set_log", "Plane", "EventCallback" }, header.Others.ToHashSet());
        string reference = Manual.Text[Manual.Text.IndexOf("## Reference: C++", StringComparison.Ordinal)..];
        Assert.All(header.Others, name => Assert.Matches($"`{name}[`(]", reference));
        Assert.All(Manual.Rows("Functions of C++").Select(row => row[0].Trim('`').Split('(')[0]), name => Assert.Contains(name, header.Others));
    }

    [Fact]
    public void Every_public_name_of_Cpp_has_a_comment_in_the_header()
    {
        string[] lines = File.ReadAllLines(Path.Combine(NativeArtifacts.Include, "cuframes.hpp"));
        CppHeader header = CppHeader.Read();
        string text = string.Join('\n', lines);
        foreach ((string name, List<string> members) in header.Classes)
        {
            Assert.Matches($@"\*/\n(template <[^\n]*\n)?(class|struct) {name}\b[^;\n]*\{{", text);
        }

        // A member that has no comment follows a line that is not the end of one.
        int documented = Regex.Count(text, @"\*/\n  (template <[^\n]*\n  )?[^ \n/]", RegexOptions.Multiline);
        Assert.True(documented >= header.Classes.Values.Sum(members => members.Count), $"{documented} members have a comment");
    }

    [Theory]
    [InlineData("gcc")]
    [InlineData("clang")]
    public void Examples_of_the_manual_compile(string compiler)
    {
        string[] c = Manual.BlocksOf(Manual.Text, "c");
        string[] cpp = Manual.BlocksOf(Manual.Text, "cpp");
        Assert.True(c.Length > Header.Functions.Count && cpp.Length >= 3);

        // Declarations of functions are blocks without an #include of their own.
        Assert.All(c, block => CompiledText.Require(compiler, "c99", block.Contains("#include", StringComparison.Ordinal) ? block : "#include <cuframes.h>\n" + block));
        Assert.All(cpp, block => CompiledText.Require(compiler, "c++17", block));
    }

    [Fact]
    public void Links_inside_the_manual_lead_to_a_heading()
    {
        HashSet<string> anchors = [.. Manual.Headings.Select(heading => NotInAnchors().Replace(heading.ToLowerInvariant(), "").Replace(' ', '-'))];
        string[] links = [.. Link().Matches(Manual.Text).Select(match => match.Groups[1].Value)];
        Assert.NotEmpty(links);
        Assert.All(links, link => Assert.Contains(link, anchors));
    }

    private static long Number(string text) => text.StartsWith("0x", StringComparison.Ordinal)
        ? long.Parse(text.AsSpan(2), NumberStyles.HexNumber, CultureInfo.InvariantCulture)
        : long.Parse(text, CultureInfo.InvariantCulture);

    private static string WithoutParameters(string code) => code.Contains('(', StringComparison.Ordinal) ? code[..code.IndexOf('(', StringComparison.Ordinal)] + "()" : code;

    [GeneratedRegex("^- Errors: .*$", RegexOptions.Multiline)]
    private static partial Regex ErrorsLine();

    [GeneratedRegex(@"\b[A-Z][A-Z_]{3,}\b")]
    private static partial Regex Capitals();

    [GeneratedRegex(@"^typedef struct (\w+) \1;", RegexOptions.Multiline)]
    private static partial Regex OpaqueType();

    [GeneratedRegex(@"^typedef void \(\*(\w+)\)", RegexOptions.Multiline)]
    private static partial Regex CallbackType();

    [GeneratedRegex(@"[^\w\- ]")]
    private static partial Regex NotInAnchors();

    [GeneratedRegex(@"\]\(#([^)]+)\)")]
    private static partial Regex Link();
}
