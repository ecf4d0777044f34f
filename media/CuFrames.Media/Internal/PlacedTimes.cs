namespace CuFrames.Media.Internal;

/// <summary>Times of a packet in an output, in units of its track's time base.</summary>
internal readonly record struct PlacedTimes(long Pts, long Dts, long Duration);
