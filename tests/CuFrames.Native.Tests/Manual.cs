using System.Text.RegularExpressions;

namespace CuFrames.Native.Tests;

/// <summary>docs/c-api.md, by its headings.</summary>
internal sealed partial class Manual
{
    private readonly Dictionary<string, string> _sections;

    private Manual(string text)
    {
        Text = text;

        // Headings inside of code are none: no block of C or C++ has a line that begins with #, a space and a word of a heading's form.
        MatchCollection headings = Heading().Matches(Blocks().Replace(text, block => new string(' ', block.Length)));
        _sections = [];
        for (int i = 0; i < headings.Count; i++)
        {
            int end = i + 1 < headings.Count ? headings[i + 1].Index : text.Length;
            _sections.Add(headings[i].Groups[1].Value, text[headings[i].Index..end]);
        }
    }

    public string Text { get; }

    public IEnumerable<string> Headings => _sections.Keys;

    public static Manual Read() => new(File.ReadAllText(Path.Combine(Repository.Root, "docs", "c-api.md")));

    /// <summary>From a heading to the next one of any level.</summary>
    public string Section(string heading) =>
        _sections.TryGetValue(heading, out string? section) ? section : throw new InvalidOperationException($"docs/c-api.md has no section '{heading}'.");

    /// <summary>The rows of the tables of a section, cell by cell, without their heads.</summary>
    public IEnumerable<string[]> Rows(string heading) => Section(heading).Split('\n')
        .Where(line => line.StartsWith("| `", StringComparison.Ordinal))
        .Select(line => line.Trim().Trim('|').Split(" | ").Select(cell => cell.Trim()).ToArray());

    /// <summary>What stands in backticks in a text.</summary>
    public static IEnumerable<string> Code(string text) => InCode().Matches(text).Select(match => match.Groups[1].Value);

    /// <summary>The blocks of code in a language.</summary>
    public static string[] BlocksOf(string text, string language) =>
        [.. Blocks().Matches(text).Where(match => match.Groups[1].Value == language).Select(match => match.Groups[2].Value)];

    [GeneratedRegex(@"^#+ (.+)$", RegexOptions.Multiline)]
    private static partial Regex Heading();

    [GeneratedRegex(@"^```(\w+)\n(.*?)^```$", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex Blocks();

    [GeneratedRegex("`([^`]+)`")]
    private static partial Regex InCode();
}
