namespace CuFrames.Client;

/// <summary>A change among the streams of this machine.</summary>
/// <param name="Kind">What changed.</param>
/// <param name="Stream">The stream; for a removed one as it was last.</param>
public sealed record StreamChange(StreamChangeKind Kind, StreamInfo Stream);
