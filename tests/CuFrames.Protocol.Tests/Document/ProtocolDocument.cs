using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace CuFrames.Protocol.Tests.Document;

/// <summary>docs/protocol.md, taken apart.</summary>
internal sealed partial class ProtocolDocument
{
    private ProtocolDocument(string text, IReadOnlyList<DocumentTable> tables, IReadOnlyDictionary<string, string> paragraphs)
    {
        Text = text;
        Tables = tables;
        Paragraphs = paragraphs;
    }

    /// <summary>The document in the repository.</summary>
    public static ProtocolDocument Current { get; } = Parse(File.ReadAllText(Repository.PathOf("docs", "protocol.md")));

    public string Text { get; }

    /// <summary>Tables that a comment announces, in the order of the text.</summary>
    public IReadOnlyList<DocumentTable> Tables { get; }

    /// <summary>Numbered paragraphs with all that stands up to the next one; runs of white space are one space.</summary>
    public IReadOnlyDictionary<string, string> Paragraphs { get; }

    public IEnumerable<DocumentTable> Layouts => Tables.Where(table => table.Kind == "layout");

    public IEnumerable<DocumentTable> Enums => Tables.Where(table => table.Kind == "enum");

    public DocumentTable Layout(string name) => Layouts.Single(table => table.Name == name);

    public DocumentTable Enum(string name) => Enums.Single(table => table.Name == name);

    public static IReadOnlyList<DocumentField> Fields(DocumentTable layout) => [.. layout.Rows.Select(DocumentField.Of)];

    /// <summary>The numbers that a pattern's groups find in a paragraph. Fails when the sentence is not there.</summary>
    public ulong[] Numbers(string paragraph, string pattern)
    {
        Assert.True(Paragraphs.TryGetValue(paragraph, out string? text), $"docs/protocol.md has no paragraph {paragraph}.");
        Match match = Regex.Match(text, pattern, RegexOptions.CultureInvariant);
        Assert.True(match.Success, $"Paragraph {paragraph} no longer says '{pattern}'; the test that compares its numbers must follow the text.");
        return [.. match.Groups.Values.Skip(1).Select(group => Number(group.Value))];
    }

    /// <summary>Reads a number as the document writes it: 17,664 or 0x8000 or 2^40.</summary>
    public static ulong Number(string text)
    {
        text = text.Replace(",", "", StringComparison.Ordinal);
        if (text.StartsWith("0x", StringComparison.Ordinal))
        {
            return ulong.Parse(text.AsSpan(2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);
        }

        if (text.StartsWith("2^", StringComparison.Ordinal))
        {
            return 1UL << int.Parse(text.AsSpan(2), NumberStyles.None, CultureInfo.InvariantCulture);
        }

        return ulong.Parse(text, NumberStyles.None, CultureInfo.InvariantCulture);
    }

    /// <summary>The name in C# of a name in the document: <c>payload_length</c> and <c>PAYLOAD_LENGTH</c> are <c>PayloadLength</c>.</summary>
    public static string PascalCase(string name)
    {
        StringBuilder result = new();
        foreach (string word in name.Split('_'))
        {
            Assert.NotEqual("", word);
            result.Append(char.ToUpperInvariant(word[0])).Append(word.AsSpan(1).ToString().ToLowerInvariant());
        }

        return result.ToString();
    }

    public static ProtocolDocument Parse(string text)
    {
        string[] lines = text.Split('\n');
        List<DocumentTable> tables = [];
        Dictionary<string, StringBuilder> paragraphs = [];
        StringBuilder? paragraph = null;
        for (int i = 0; i < lines.Length; i++)
        {
            if (ParagraphNumber().Match(lines[i]) is { Success: true } number)
            {
                paragraph = new StringBuilder();
                Assert.True(paragraphs.TryAdd(number.Groups[1].Value, paragraph), $"Paragraph {number.Groups[1].Value} stands twice in docs/protocol.md.");
            }
            else if (SectionNumber().Match(lines[i]) is { Success: true } section)
            {
                paragraph = paragraphs[section.Groups[1].Value] = new StringBuilder();
            }

            paragraph?.Append(lines[i]).Append('\n');
            if (lines[i].StartsWith("<!--", StringComparison.Ordinal))
            {
                tables.Add(ParseTable(lines, i));
            }
        }

        return new ProtocolDocument(text, tables, paragraphs.ToDictionary(entry => entry.Key, entry => Spaces().Replace(entry.Value.ToString(), " ")));
    }

    private static DocumentTable ParseTable(string[] lines, int at)
    {
        Match comment = TableComment().Match(lines[at]);
        Assert.True(comment.Success, $"docs/protocol.md:{at + 1} is a comment of an unknown kind: {lines[at]}");
        string[] headings = Cells(lines[at + 1]);
        Assert.All(Cells(lines[at + 2]), cell => Assert.Equal("---", cell));
        List<IReadOnlyDictionary<string, string>> rows = [];
        int line = at + 3;
        for (; line < lines.Length && lines[line].StartsWith('|'); line++)
        {
            string[] cells = Cells(lines[line]);
            Assert.True(cells.Length == headings.Length, $"docs/protocol.md:{line + 1} has {cells.Length} cells under {headings.Length} headings.");
            rows.Add(headings.Zip(cells).ToDictionary(pair => pair.First, pair => pair.Second));
        }

        Assert.True(rows.Count > 0, $"No table follows docs/protocol.md:{at + 1}.");
        string size = comment.Groups["size"].Value;
        return new DocumentTable(
            comment.Groups["kind"].Value, comment.Groups["name"].Value, size.Length > 0 ? (int)Number(size) : -1, at + 1, rows);
    }

    private static string[] Cells(string line)
    {
        Assert.True(line.Length >= 2 && line.StartsWith('|') && line.EndsWith('|'), $"'{line}' is no row of a table.");
        return [.. line[1..^1].Split('|').Select(cell => cell.Trim())];
    }

    [GeneratedRegex(@"^\*\*(\d+\.\d+)\*\*")]
    private static partial Regex ParagraphNumber();

    [GeneratedRegex(@"^## (\d+)\. ")]
    private static partial Regex SectionNumber();

    [GeneratedRegex(@"^<!-- (?:(?<kind>layout): (?<name>\w+) size=(?<size>\d+)|(?<kind>enum): (?<name>\w+)) -->$")]
    private static partial Regex TableComment();

    [GeneratedRegex(@"\s+")]
    private static partial Regex Spaces();
}
