namespace CuFrames.Conformance.Suite;

/// <summary>The outcome of one check.</summary>
/// <param name="Id">Paragraph and a word: <c>6.6-lease-protects</c>.</param>
/// <param name="Paragraph">The paragraph of docs/protocol.md; on failure the one that is broken.</param>
/// <param name="Title">What an implementation must do.</param>
/// <param name="Outcome">How it ended.</param>
/// <param name="Detail">On failure what was expected and found; else the reason for no result, or null.</param>
internal sealed record CheckResult(string Id, string Paragraph, string Title, Outcome Outcome, string? Detail);
