namespace CuFrames.Cli.Internal;

/// <summary>A file that <c>record</c> has closed, as it goes to JSON.</summary>
/// <param name="Type"><c>file</c>.</param>
/// <param name="Path">Its path.</param>
/// <param name="Begin">Wall clock when its first packet had arrived.</param>
/// <param name="Seconds">From there to the arrival of its last packet.</param>
/// <param name="Packets">Packets in it.</param>
/// <param name="Bytes">Its length.</param>
/// <param name="Reason">Why it ended.</param>
internal sealed record RecordFileReport(string Type, string Path, DateTimeOffset Begin, double Seconds, long Packets, long Bytes, string Reason);
