namespace CuFrames.Native.Tests;

/// <summary>How a program ended.</summary>
/// <param name="Status">Exit status; 128 and the signal's number when a signal ended it.</param>
/// <param name="Output">Standard output.</param>
/// <param name="Errors">Standard error.</param>
internal sealed record ToolResult(int Status, string Output, string Errors)
{
    /// <summary>This, if the program ended with 0; else an error that tells what it wrote.</summary>
    public ToolResult Checked() => Status == 0 ? this : throw new InvalidOperationException($"It ended with status {Status}: {Output}{Errors}");
}
