using System.Text.Json;
using CuFrames.Conformance.Spec;

namespace CuFrames.Conformance.Suite;

/// <summary>Writes results as text or as one JSON object per line.</summary>
internal sealed class Report(TextWriter output, bool json, bool allowUnprovoked)
{
    private const int LongestQuotation = 12;

    private int _passed;
    private int _failed;
    private int _skipped;

    /// <summary>Whether every result so far lets the implementation pass.</summary>
    public bool Success => _failed == 0 && _passed > 0;

    public void Add(CheckResult result)
    {
        bool unprovoked = result.Outcome == Outcome.NotProvoked;
        string word = result.Outcome switch
        {
            Outcome.Passed => "ok",
            Outcome.Skipped => "skipped",
            Outcome.NotProvoked when allowUnprovoked => "skipped",
            _ => "FAILED",
        };
        _passed += word == "ok" ? 1 : 0;
        _failed += word == "FAILED" ? 1 : 0;
        _skipped += word == "skipped" ? 1 : 0;
        if (json)
        {
            output.WriteLine(JsonSerializer.Serialize(new
            {
                check = result.Id,
                paragraph = result.Paragraph,
                title = result.Title,
                result = unprovoked ? "not provoked" : word.ToLowerInvariant(),
                detail = result.Detail,
            }));
        }
        else
        {
            string detail = result.Detail is null ? string.Empty : $": {result.Detail}";
            output.WriteLine($"{word} {result.Id} {result.Title}{detail}");
            if (word == "FAILED")
            {
                Quote(result.Paragraph);
            }
        }

        output.Flush();
    }

    public void End()
    {
        output.WriteLine(json
            ? JsonSerializer.Serialize(new { passed = _passed, failed = _failed, skipped = _skipped })
            : $"{_passed} passed, {_failed} failed, {_skipped} skipped");
        output.Flush();
    }

    private void Quote(string paragraph)
    {
        IReadOnlyList<string> lines = Document.Paragraph(paragraph);
        output.WriteLine($"    docs/protocol.md {paragraph}:");
        foreach (string line in lines.Take(LongestQuotation))
        {
            output.WriteLine("    | " + line);
        }

        if (lines.Count > LongestQuotation)
        {
            output.WriteLine($"    | ({lines.Count - LongestQuotation} more lines)");
        }
    }
}
