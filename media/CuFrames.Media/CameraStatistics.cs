namespace CuFrames.Media;

/// <summary>Counters of a camera since its pump was started. Taken while the pump runs: each is exact, all together are not one moment.</summary>
/// <param name="Packets">Video packets read.</param>
/// <param name="Bytes">Bytes of these packets.</param>
/// <param name="Frames">Frames published.</param>
/// <param name="DroppedFrames">Frames decoded but not published because readers held every slot.</param>
/// <param name="CorruptFrames">Frames published with the corrupt mark.</param>
/// <param name="DecodeErrors">Errors that the decoder reported.</param>
/// <param name="Connections">Times the source was opened.</param>
/// <param name="Reconnects">Times the source was opened again after it was lost. A loop of a file is none.</param>
/// <param name="LastFrameTime">When the last frame was published, CLOCK_MONOTONIC in nanoseconds; 0 before the first.</param>
public readonly record struct CameraStatistics(
    long Packets,
    long Bytes,
    long Frames,
    long DroppedFrames,
    long CorruptFrames,
    long DecodeErrors,
    long Connections,
    long Reconnects,
    long LastFrameTime);
