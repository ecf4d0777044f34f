namespace CuFrames.Daemon.Internal.Metrics;

/// <summary>A stream at one moment.</summary>
/// <param name="Facts">What it did until then.</param>
/// <param name="FramesPerSecond">Frames published per second, over the last seconds.</param>
/// <param name="DropsPerSecond">Frames dropped per second, over the last seconds.</param>
internal sealed record StreamSnapshot(StreamFacts Facts, double FramesPerSecond, double DropsPerSecond);
