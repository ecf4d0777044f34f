namespace CuFrames.TestKit;

/// <summary>A packet as ffprobe lists it.</summary>
/// <param name="Stream">Its stream in the file.</param>
/// <param name="Pts">Presentation time in the stream's time base; the smallest number: not known.</param>
/// <param name="Dts">Decoding time, likewise.</param>
/// <param name="Duration">Duration in the stream's time base; 0: not known.</param>
/// <param name="Size">Bytes.</param>
/// <param name="IsKey">Whether it is a key frame.</param>
/// <param name="Hash"><c>SHA256:</c> and the digest of the bytes.</param>
public sealed record ProbedPacket(int Stream, long Pts, long Dts, long Duration, int Size, bool IsKey, string Hash);
