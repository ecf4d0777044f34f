namespace CuFrames.Cli.Internal;

/// <summary>An error as it goes to JSON: the code's name and number, and the sentence.</summary>
internal sealed record ErrorReport(string Name, int Code, string Text);
