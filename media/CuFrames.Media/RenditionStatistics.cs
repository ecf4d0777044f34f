namespace CuFrames.Media;

/// <summary>Counters of a rendition. Taken while it works: each is exact, all together are not one moment.</summary>
/// <param name="Pictures">Pictures that were scaled.</param>
/// <param name="Frames">Frames published.</param>
/// <param name="DroppedFrames">Frames that were due but not made because readers held every slot.</param>
public readonly record struct RenditionStatistics(long Pictures, long Frames, long DroppedFrames);
