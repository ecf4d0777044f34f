namespace CuFrames.Media;

/// <summary>The last sign of life of a camera's thread.</summary>
/// <param name="Step">What it does since then.</param>
/// <param name="Time">CLOCK_MONOTONIC in nanoseconds, with a resolution of 8 ns. It changes with each frame, each packet and each step.</param>
public readonly record struct CameraHeartbeat(CameraStep Step, long Time);
