namespace CuFrames.Benchmarks.Gpu.Cameras;

/// <summary>What the part <c>ffmpeg</c> measures on both sides.</summary>
/// <param name="Version">Of FFmpeg, such as 8.1.</param>
/// <param name="Cameras">Cameras.</param>
/// <param name="Readers">ffmpeg processes for each camera.</param>
/// <param name="Repetitions">Measurements of each side.</param>
internal readonly record struct FfmpegPoint(string Version, int Cameras, int Readers, int Repetitions);
