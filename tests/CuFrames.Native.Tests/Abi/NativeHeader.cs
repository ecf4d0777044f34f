using System.Text.RegularExpressions;

namespace CuFrames.Native.Tests.Abi;

/// <summary>cuframes.h as text: what it declares. Sizes and values come from a compiler (<see cref="AbiProbe"/>).</summary>
internal sealed partial class NativeHeader
{
    private readonly string _text;

    private NativeHeader(string text) => _text = Comments().Replace(text, " ");

    public static NativeHeader Read() => new(File.ReadAllText(Path.Combine(NativeArtifacts.Include, "cuframes.h")));

    /// <summary>Functions by name, with their declarations in one line each.</summary>
    public IReadOnlyDictionary<string, string> Functions => Function().Matches(_text)
        .ToDictionary(match => match.Groups[2].Value, match => Spaces().Replace(match.Groups[1].Value + match.Groups[2].Value + match.Groups[3].Value, " ").Trim());

    /// <summary>Enumerations by name, with the names of their members.</summary>
    public IReadOnlyDictionary<string, string[]> Enumerations => Enumeration().Matches(_text)
        .ToDictionary(match => match.Groups[1].Value, match => Split(match.Groups[2].Value, ',', member => member.Split('=')[0].Trim()));

    /// <summary>Structures by name, with the names of their fields.</summary>
    public IReadOnlyDictionary<string, string[]> Structures => Structure().Matches(_text)
        .ToDictionary(match => match.Groups[2].Value, match => Split(match.Groups[1].Value, ';', line => FieldName().Match(line).Value));

    /// <summary>Macros by name, once each.</summary>
    public IEnumerable<string> Macros => Macro().Matches(_text).Select(match => match.Groups[1].Value).Distinct();

    /// <summary>Callbacks: their declarations in one line each.</summary>
    public IEnumerable<string> Callbacks => Callback().Matches(_text).Select(match => Spaces().Replace(match.Value, " "));

    private static string[] Split(string text, char separator, Func<string, string> select) =>
        [.. text.Split(separator, StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries).Select(select)];

    [GeneratedRegex(@"/\*.*?\*/", RegexOptions.Singleline)]
    private static partial Regex Comments();

    [GeneratedRegex(@"\s+")]
    private static partial Regex Spaces();

    [GeneratedRegex(@"^CUFRAMES_API ([^;(]*?)(cuframes_\w+)(\([^;]*\));", RegexOptions.Multiline)]
    private static partial Regex Function();

    [GeneratedRegex(@"^enum (\w+) \{(.*?)\};", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex Enumeration();

    [GeneratedRegex(@"^typedef struct \w+ \{(.*?)\} (\w+);", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex Structure();

    [GeneratedRegex(@"^typedef void \(\*.*?;", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex Callback();

    [GeneratedRegex(@"^#define (\w+)", RegexOptions.Multiline)]
    private static partial Regex Macro();

    // The last name, before the brackets of an array.
    [GeneratedRegex(@"\w+(?=(\[\w+\])?$)")]
    private static partial Regex FieldName();
}
