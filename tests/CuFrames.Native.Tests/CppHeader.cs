using System.Text.RegularExpressions;
using CuFrames.Native.Tests.Abi;

namespace CuFrames.Native.Tests;

/// <summary>cuframes.hpp as text: the public names in it. It relies on how that file is laid out: members begin behind two spaces, classes end in the first column.</summary>
internal sealed partial class CppHeader
{
    private readonly SortedDictionary<string, List<string>> _classes = new(StringComparer.Ordinal);
    private readonly SortedSet<string> _others = new(StringComparer.Ordinal);

    private CppHeader(string text)
    {
        List<string>? members = null;
        string name = "";
        bool isPublic = false;
        foreach (string line in Comments().Replace(Details().Replace(text, ""), "").Split('\n'))
        {
            if (ClassHead().Match(line) is { Success: true } head)
            {
                name = head.Groups[2].Value;
                isPublic = head.Groups[1].Value == "struct";
                members = _classes[name] = [];
            }
            else if (line == "};")
            {
                members = null;
            }
            else if (members is null)
            {
                if (Outside().Match(line) is { Success: true } outside)
                {
                    _others.Add(outside.Groups[1].Success ? outside.Groups[1].Value : outside.Groups[2].Value);
                }
            }
            else if (Access().Match(line) is { Success: true } access)
            {
                isPublic = access.Groups[1].Value == "public";
            }
            else if (isPublic && MemberOf(line, name) is { } member && !members.Contains(member))
            {
                members.Add(member);
            }
        }
    }

    /// <summary>Public members by class: <c>width</c>, <c>release()</c>. Of constructors those that are not for moving.</summary>
    public IReadOnlyDictionary<string, List<string>> Classes => _classes;

    /// <summary>Functions and names of types outside of classes.</summary>
    public IReadOnlySet<string> Others => _others;

    public static CppHeader Read()
    {
        // The header of C has been read before: it is there.
        _ = NativeHeader.Read();
        return new CppHeader(File.ReadAllText(Path.Combine(NativeArtifacts.Include, "cuframes.hpp")));
    }

    private static string? MemberOf(string line, string type)
    {
        if (!line.StartsWith("  ", StringComparison.Ordinal) || line.Length < 3 || line[2] is ' ' or '}' or '~' || line.StartsWith("  template", StringComparison.Ordinal) ||
            line.Contains("operator=", StringComparison.Ordinal) || line.Contains($"{type} &&", StringComparison.Ordinal) ||
            line.Contains($"const {type} &)", StringComparison.Ordinal))
        {
            return null;
        }

        return FunctionName().Match(line) is { Success: true } function
            ? function.Groups[1].Value + "()"
            : DataName().Match(line) is { Success: true } data ? data.Groups[1].Value : throw new InvalidOperationException($"What does this line declare? {line}");
    }

    [GeneratedRegex(@"/\*.*?\*/", RegexOptions.Singleline)]
    private static partial Regex Comments();

    [GeneratedRegex(@"^namespace detail \{$.*?^\}  // namespace detail$", RegexOptions.Singleline | RegexOptions.Multiline)]
    private static partial Regex Details();

    [GeneratedRegex(@"^(class|struct) (\w+)[^;]*\{$")]
    private static partial Regex ClassHead();

    [GeneratedRegex(@"^ (public|private):$")]
    private static partial Regex Access();

    [GeneratedRegex(@"^(?:using (\w+) =|inline [^(]*?(\w+)\()")]
    private static partial Regex Outside();

    // The first name before a bracket that is not inside angle brackets.
    [GeneratedRegex(@"^  [^(={]*?(operator(?:\[\]|\*|->|\+\+|!=)|\w+)\(")]
    private static partial Regex FunctionName();

    [GeneratedRegex(@"^  [^({=]*?(\w+)(?: = .*|\{.*\})?;$")]
    private static partial Regex DataName();
}
