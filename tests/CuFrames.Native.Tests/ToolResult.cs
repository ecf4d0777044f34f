namespace CuFrames.Native.Tests;

/// <summary>How a program ended.</summary>
/// <param name="Status">Exit status; 128 and the signal's number when a signal ended it.</param>
/// <param name="Output">Standard output.</param>
/// <param name="Errors">Standard error.</param>
internal sealed record ToolResult(int Status, string Output, string Errors);
