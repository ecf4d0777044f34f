using System.Reflection;

namespace CuFrames.Conformance.Spec;

/// <summary>The text of docs/protocol.md that this executable was built with.</summary>
internal static class Document
{
    private static readonly string[] Lines = ReadResource("protocol.md").Split('\n');

    /// <summary>An embedded text.</summary>
    public static string ReadResource(string name)
    {
        using Stream stream = Assembly.GetExecutingAssembly().GetManifestResourceStream(name)
            ?? throw new InvalidOperationException($"The executable was built without {name}.");
        using var reader = new StreamReader(stream);
        return reader.ReadToEnd();
    }

    /// <summary>The text of a paragraph, from its number to the next paragraph, heading or table.</summary>
    /// <param name="number">Such as <c>6.6</c>; <c>12</c> for a section without numbered paragraphs.</param>
    /// <returns>Its lines; empty if there is no such paragraph.</returns>
    public static IReadOnlyList<string> Paragraph(string number)
    {
        int start = Array.FindIndex(Lines, line =>
            line.StartsWith($"**{number}**", StringComparison.Ordinal) || line.StartsWith($"## {number}.", StringComparison.Ordinal));
        if (start < 0)
        {
            return [];
        }

        int end = start + 1;
        while (end < Lines.Length && !IsEnd(Lines[end]))
        {
            end++;
        }

        return Lines[start..end].SkipWhile(string.IsNullOrWhiteSpace).Reverse().SkipWhile(string.IsNullOrWhiteSpace).Reverse().ToList();
    }

    private static bool IsEnd(string line) =>
        line.StartsWith("**", StringComparison.Ordinal) || line.StartsWith('#') || line.StartsWith('|') ||
        line.StartsWith("<!--", StringComparison.Ordinal) || line.StartsWith("```", StringComparison.Ordinal);
}
