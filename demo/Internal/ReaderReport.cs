namespace CuFrames.Demo.Internal;

/// <summary>What a reader has seen so far.</summary>
/// <param name="Frames">Frames taken, each checked.</param>
/// <param name="Missed">Frames skipped.</param>
/// <param name="Torn">Frames whose content was not what it must be, when taken or when released.</param>
/// <param name="P50">Latency from publish to take in microseconds, p50.</param>
/// <param name="P99">The same, p99.</param>
/// <param name="Damaged">Frames that the decoder itself marked as damaged: only checked for being left alone.</param>
internal sealed record ReaderReport(long Frames, ulong Missed, long Torn, double P50, double P99, long Damaged);
