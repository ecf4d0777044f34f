namespace CuFrames.Demo.Internal;

/// <summary>A reader of the demo.</summary>
internal sealed record ReaderResult(string Name, long Frames, ulong Missed, long Torn, ReaderLatency LatencyUs);
