using CuFrames.Cli.Internal;

namespace CuFrames.Demo.Internal;

/// <summary>A reader as the demo sees it.</summary>
/// <param name="Name">Its name in the result.</param>
/// <param name="Key">Its stream.</param>
/// <param name="What">What it does, for people.</param>
/// <param name="Process">The process.</param>
internal sealed record ReaderProcess(string Name, string Key, string What, ChildProcess Process)
{
    /// <summary>What it said last; null before that.</summary>
    public ReaderReport? Report => Process.LastLine is { } line ? JsonLine.Read<ReaderReport>(line) : null;
}
